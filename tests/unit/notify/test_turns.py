"""Who is tried with a message: each browser pauses for itself, and is forgotten when it answers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from camalert.notify import turns
from camalert.notify.turns import Failure, Trouble
from camalert.visits import policy

NOW = 1000.0
HANGS = {"b": Failure("no answer in time")}


def test_who_pauses_is_left_out_and_who_failed_comes_last() -> None:
    """Of two that failed as often, the one that waited longer comes first."""
    troubles = {
        "a": Trouble(1, NOW, NOW - 20, NOW - 10),
        "b": Trouble(1, NOW, NOW - 30, NOW),
        "c": Trouble(1, NOW, NOW, NOW + 1),
        "d": Trouble(0, 0.0, NOW - 5),
    }
    assert turns.order("abcde", troubles, NOW) == ["e", "d", "b", "a"]


def test_pauses_grow_while_others_are_reached_and_end_with_an_answer() -> None:
    """10 s, 20 s … 15 minutes."""
    known: dict[str, Trouble] = {}
    pauses = []
    for _ in range(9):
        known = turns.after(known, "ab", HANGS, "a", NOW)
        pauses.append(known["b"].next_at - NOW)
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert turns.after(known, "ab", {}, "ab", NOW) == {}


def test_browser_that_was_silent_for_a_day_is_tried_once_in_six_hours() -> None:
    """However many messages there are: a week of one a minute costs it no more than that."""
    known: dict[str, Trouble] = {}
    tries = []
    for minute in range(7 * 24 * 60):
        now = NOW + 60 * minute
        if "b" in turns.order("ab", known, now):
            tries.append(now - NOW)
            known = turns.after(known, "ab", HANGS, "a", now)
    late = [at for at in tries if at > turns.SILENT_S + turns.SILENT_PAUSE_S]
    assert len(late) <= 6 * 4
    assert {second - first for first, second in pairwise(late)} == {turns.SILENT_PAUSE_S}


def test_what_fails_while_nobody_is_reached_is_no_fault_of_a_browser() -> None:
    """Days without a connection leave nobody pausing, but for who asks for it; who was tried goes to the end."""
    known: dict[str, Trouble] = {}
    for hour in range(72):
        known = turns.after(known, "abc", HANGS | {"a": Failure("HTTP 429", 60.0)}, "", NOW + 3600 * hour)
    now = NOW + 3600 * 71
    assert turns.order("abc", known, now) == ["c", "b"]
    assert turns.order("abc", known, now + 60) == ["c", "a", "b"]
    assert [known[own].failures for own in "ab"] == [0, 0]


def test_time_that_a_service_asks_for_is_bounded_and_its_browser_s_alone() -> None:
    """Six hours at most, whether others are reached or not."""
    failed = {"b": Failure("HTTP 429", 1e9)}
    for answered in ("a", ""):
        known = turns.after({}, "ab", failed, answered, NOW)
        assert known["b"].next_at == NOW + policy.LONGEST_ASKED_S
        assert turns.order("ab", known, NOW) == ["a"]


@pytest.mark.parametrize(("asked_s", "wait_s"), [(0, 10), (30, 30), (60, 60), (61, 0), (3600, 0)])
def test_message_waits_for_a_first_failure_and_not_for_long(asked_s: float, wait_s: float) -> None:
    """Once: a browser that has failed before is not waited for."""
    failed = {"b": Failure("HTTP 503", asked_s)}
    first = turns.after({}, "ab", failed, "a", NOW)
    assert turns.wait_s({}, first, failed, NOW) == wait_s
    second = turns.after(first, "ab", failed, "a", NOW)
    assert turns.wait_s(first, second, failed, NOW) == 0


def test_browsers_that_are_gone_are_forgotten() -> None:
    """What is kept is bounded by who is subscribed."""
    known = turns.after({}, "ab", HANGS, "a", NOW)
    assert turns.after(known, "a", {}, "a", NOW) == {}
    assert turns.after(known, "a", HANGS, "a", NOW) == {}
