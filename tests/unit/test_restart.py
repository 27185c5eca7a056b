"""When an ended child starts again."""

from __future__ import annotations

import pytest

from camalert.restart import CAP_S, MAX_EXITS, GiveUp, History, StartAt, decide


def _after(exits: int, apart_s: float) -> tuple[History, float]:
    history, now = History(), 100.0
    for _ in range(exits):
        started_at, now = now, now + apart_s
        history = history.after_exit(started_at, now)
    return history, now


def test_restart_first_exit_waits_half_a_second() -> None:
    """One crash is mended before a camera notices."""
    history, now = _after(1, 5)

    assert decide(history, now, is_vital=True, draw=0) == StartAt(now + 0.5)


@pytest.mark.parametrize(("exits", "wait_s"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 30), (30, 30)])
def test_restart_repeated_exits_wait_longer_up_to_the_cap(exits: int, wait_s: float) -> None:
    """The wait doubles and ends at half a minute."""
    history, now = _after(exits, 20)

    assert decide(history, now, is_vital=True, draw=0) == StartAt(now + wait_s)


@pytest.mark.parametrize(("draw", "factor"), [(-1, 0.8), (1, 1.2)])
def test_restart_draw_spreads_the_wait(draw: float, factor: float) -> None:
    """Children that died together do not come back in step."""
    history, now = _after(3, 20)

    assert decide(history, now, is_vital=False, draw=draw) == StartAt(now + 2 * factor)


def test_restart_stable_run_starts_afresh() -> None:
    """A child that ran for a minute has its past forgiven."""
    history, now = _after(5, 1)

    history = history.after_exit(now + 1, now + 61)

    assert decide(history, now + 61, is_vital=True, draw=0) == StartAt(now + 61.5)


def test_restart_vital_child_too_often_is_given_up() -> None:
    """What restarting does not mend, systemd shall see."""
    history, now = _after(MAX_EXITS + 1, 1)

    assert isinstance(decide(history, now, is_vital=True, draw=0), GiveUp)


def test_restart_other_child_too_often_is_tried_for_ever() -> None:
    """Intake never ends because of a detector."""
    history, now = _after(MAX_EXITS + 1, 1)

    assert decide(history, now, is_vital=False, draw=1) == StartAt(now + CAP_S)
