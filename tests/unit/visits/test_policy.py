"""Who is told, and why not; by examples, and by whatever hypothesis thinks of."""

from __future__ import annotations

import datetime
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import hours, schema
from camalert.config.targets import EVENTS
from camalert.visits import policy
from camalert.visits.policy import Event, Switches, Target, decide

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime.datetime(2026, 6, 3, 14, 0, tzinfo=BERLIN).timestamp()  # a Wednesday
VISIT = Event("visit", "Garage", NOW, visit=7, alert=70, score=0.8)
NONE = Switches()
PHONE = policy.target_of(schema.Notify("phone", url="ntfy://example.org/x"))


def reason(target: Target = PHONE, event: Event = VISIT, switches: Switches = NONE, sent: float = 0.0) -> str:
    """Return why the phone is not told, "" when it is."""
    last = {("phone", "garage"): sent} if sent else {}
    [decision] = decide(event, [target], switches, last, NOW, BERLIN)
    assert decision.is_told == (decision.reason == "") == (decision.due_utc is not None)
    return decision.reason


def test_visit_without_an_objection_is_told_at_once() -> None:
    """The plain case."""
    assert reason() == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cameras": ("door", "garden*")}, "camera Garage is none of door, garden*"),
        ({"cameras": ("GAR*",)}, ""),
        ({"min_score": 0.9}, "score 0.80 below 0.90"),
        ({"min_score": 0.8}, ""),
        ({"hours": hours.parse("Mon-Fri 22:00-06:00"), "hours_text": "Mon-Fri 22:00-06:00"},
         "outside of Mon-Fri 22:00-06:00"),
        ({"hours": hours.parse("Wed")}, ""),
    ],
)  # fmt: skip
def test_target_that_wants_less_gets_less_with_the_reason(changes: dict[str, object], why: str) -> None:
    """Each rule of a target has its own words."""
    assert reason(replace(PHONE, **changes)) == why  # type: ignore[arg-type]


def test_cooldown_counts_from_the_last_message_of_that_camera() -> None:
    """Ten minutes after a message it is over, and a message in the future (a clock set back) starts none."""
    cool = replace(PHONE, cooldown_s=600.0)

    assert reason(cool, sent=NOW - 300) == "cool-down until 14:05"
    assert reason(cool, sent=NOW - 600) == ""
    assert reason(cool, sent=NOW + 86_400) == ""
    assert reason(cool, replace(VISIT, camera="door"), sent=NOW - 300) == ""


def test_switches_of_a_camera_go_before_those_of_all() -> None:
    """Disarmed in general and armed at the garage: it is told."""
    assert reason(switches=Switches(armed={"": False})) == "disarmed"
    assert reason(switches=Switches(armed={"": False, "garage": True})) == ""
    assert reason(switches=Switches(armed={"garage": False})) == "disarmed"


def test_snooze_ends_by_itself_and_names_who_did_it() -> None:
    """A snooze of the camera or of all, until its time."""
    assert reason(switches=Switches(snoozed={"": (NOW + 3600, "anna")})) == "snoozed by anna until 15:00"
    assert reason(switches=Switches(snoozed={"garage": (NOW + 86_400, "")})) == "snoozed until 2026-06-04 14:00"
    assert reason(switches=Switches(snoozed={"garage": (NOW, "anna")})) == ""


def test_presence_silences_the_cameras_that_count_only_when_nobody_is_home() -> None:
    """The living room is of interest while everybody is away."""
    target = replace(PHONE, away_cameras=("gar*",))

    assert reason(target, switches=Switches(presence="home")) == "somebody is at home"
    assert reason(target, switches=Switches(presence="away")) == ""
    assert reason(PHONE, switches=Switches(presence="home")) == ""


def test_trouble_is_told_although_all_is_disarmed() -> None:
    """Switches are about people; a full disk concerns the owner in any case."""
    target = replace(PHONE, events=frozenset({"trouble", "silent"}))
    off = Switches(armed={"": False}, snoozed={"": (NOW + 60, "")})

    assert reason(target, Event("trouble", message="the disk is full"), off) == ""
    assert reason(target, Event("silent", "Garage"), off) == ""


def test_target_that_did_not_ask_gets_no_decision() -> None:
    """A row for each kind that nobody wants would only fill the table."""
    assert decide(replace(VISIT, kind="over"), [PHONE], Switches(), {}, NOW, BERLIN) == ()


MOMENTS = st.floats(0, 4e9)
SWITCHES = st.builds(
    Switches,
    st.dictionaries(st.sampled_from(["", "garage", "door"]), st.booleans()),
    st.dictionaries(st.sampled_from(["", "garage"]), st.tuples(MOMENTS, st.text(max_size=5))),
    st.sampled_from(["home", "away"]),
)


@given(
    st.builds(Event, st.sampled_from(EVENTS), st.just("Garage"), MOMENTS, visit=st.just(1), score=st.floats(0, 1)),
    SWITCHES,
    MOMENTS,
    MOMENTS,
    st.floats(0, 86_400),
)
def test_each_target_that_asked_gets_one_decision_and_each_silence_a_reason(
    event: Event, switches: Switches, last: float, now: float, cooldown: float
) -> None:
    """Whatever the switches and the clock say."""
    targets = [
        replace(PHONE, name=f"{number}", events=frozenset(EVENTS[number:]), cooldown_s=cooldown, min_score=0.5)
        for number in range(4)
    ]

    found = decide(event, targets, switches, {("0", "garage"): last}, now, BERLIN)

    assert [one.target for one in found] == [target.name for target in targets if event.kind in target.events]
    for one in found:
        assert one.is_told != bool(one.reason)
        assert one.is_told == (one.due_utc is not None)


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(EVENTS[:3]), st.floats(0, 4e9), st.integers(1, 99))))
def test_visit_is_told_at_most_once_per_target_and_kind(happened: list[tuple[int, str, float, int]]) -> None:
    """Whatever pictures come late, twice or out of order: the id of the message is the same, and it is unique."""
    keys = {
        (visit, kind): policy.key_of(Event(kind, "Garage", at, visit=visit, alert=alert), "phone")
        for visit, kind, at, alert in happened
    }
    again = {policy.key_of(Event(kind, "x", 0.0, visit=visit), "phone") for visit, kind, _, _ in happened}

    assert again == set(keys.values())
    assert len(again) == len(keys)


@given(tries=st.integers(1, 10_000), asked=st.floats(0, 1e9), chance=st.floats(0, 1))
def test_pause_grows_within_bounds_and_obeys_the_receiver(tries: int, asked: float, chance: float) -> None:
    """Ten seconds at first, a quarter of an hour at last; `Retry-After` is obeyed up to six hours."""
    pause_s = policy.backoff(tries, asked, 0.0, chance)

    assert 10.0 <= pause_s <= max(900.0 * 1.25, policy.LONGEST_ASKED_S)
    assert pause_s >= min(asked, policy.LONGEST_ASKED_S)


def test_message_is_given_up_after_its_hours_and_not_before() -> None:
    """Within them it waits for the next try."""

    def after(code: str, age_s: float) -> policy.After:
        return policy.after_try(3, NOW - age_s, code, retry_after_s=0, give_up_s=3600, now_utc=NOW, chance=0)

    assert after("sent", 0) == policy.After("sent", None)
    assert after("retry", 60) == policy.After("waiting", NOW + 40)
    assert after("retry", 3590) == policy.After("given_up", None)
    assert after("given_up", 0) == policy.After("given_up", None)
