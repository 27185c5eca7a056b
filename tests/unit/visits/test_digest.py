"""Digests: when they are due, on days with 23 and 25 hours too, what they count, and which pictures are best."""

from __future__ import annotations

import datetime
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import hours, schema
from camalert.errors import ConfigError
from camalert.visits import digest, policy
from camalert.visits.digest import AWAY_S, LATE_S, SETTLE_S
from camalert.visits.grouping import Visit
from camalert.visits.policy import Switches

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = policy.target_of(schema.Notify("mail", url="ntfy://example.org/x", events=("digest",), digest_at="20:00"))
COMING = replace(DAILY, digest_at=hours.parse_times("home"))


def at(day: int, hour: int, minute: int = 0, month: int = 6) -> float:
    return datetime.datetime(2026, month, day, hour, minute, tzinfo=BERLIN).timestamp()


def visit(number: int, camera: str = "Garage", score: float = 0.5, people: int = 1) -> Visit:
    return Visit(number, camera, number, number + 10, number + 10, 3, people, 100 + number, score)


def due(now_utc: float, target: policy.Target = DAILY, switches: Switches | None = None) -> list[tuple[float, float]]:
    found = digest.due(target, switches or Switches(), now_utc, BERLIN)
    return [(event.since_utc, event.at_utc) for event in found]


def test_times_are_read_and_what_is_none_is_named() -> None:
    """By the minute of the day."""
    assert hours.parse_times(" 20:00, 7:30,home") == hours.Times((450, 1200), is_home=True)
    assert hours.parse_times("") == hours.Times()
    for wrong in ("24:00", "8", "noon", "20:00,", "25:10", "20:00-21:00", "\u0663:\u0660\u0660"):
        with pytest.raises(ConfigError):
            hours.parse_times(wrong)
    with pytest.raises(ConfigError, match="at most"):
        hours.parse_times(",".join(f"0{hour}:{minute}0" for hour in range(4) for minute in range(4)))


def test_digest_is_due_once_a_day_a_moment_after_its_time() -> None:
    """What came before it is examined by then. A service that was off for a while makes up for it, for some hours."""
    whole = [(at(2, 20), at(3, 20))]
    assert due(at(3, 20) + SETTLE_S - 1) == []
    assert due(at(3, 20) + SETTLE_S) == whole
    assert due(at(3, 20) + LATE_S) == whole
    assert due(at(3, 20) + LATE_S + 1) == []
    assert due(at(3, 21), replace(DAILY, events=frozenset({"visit"}))) == []


def test_several_times_share_the_day() -> None:
    """Each tells from the one before."""
    twice = replace(DAILY, digest_at=hours.parse_times("08:00, 20:00"))

    assert due(at(3, 9), twice) == [(at(2, 20), at(3, 8))]
    assert due(at(3, 21), twice) == [(at(3, 8), at(3, 20))]


@pytest.mark.parametrize(("month", "day"), [(3, 29), (10, 25)])
@pytest.mark.parametrize("text", ["02:30", "03:30", "20:00", "00:00", "02:30, 03:30"])
def test_each_day_has_its_digest_when_the_clocks_change(month: int, day: int, text: str) -> None:
    """The night of 23 hours and the one of 25: no time is left out, none comes twice, and no hour is told twice."""
    target = replace(DAILY, digest_at=hours.parse_times(text))
    start = at(day, 0, month=month) - 2 * 86_400
    found = {moment for minute in range(6 * 24 * 60) for moment in due(start + 60.0 * minute, target)}

    told = sorted(found, key=lambda pair: pair[1])
    assert [first for first, _ in told][1:] == [last for _, last in told][:-1]
    days = [datetime.datetime.fromtimestamp(last, BERLIN).date() for _, last in told]
    assert set(days) >= {datetime.date(2026, month, day) + datetime.timedelta(days=n) for n in (-1, 0, 1, 2)}
    assert all(days.count(one) <= len(target.digest_at.minutes) for one in days)


def test_who_comes_home_gets_what_was_seen_meanwhile() -> None:
    """Not after a few minutes, as a phone leaves a network now and then, and not for hours."""
    home, away = at(3, 18), at(3, 8)
    came = Switches(presence="home", presence_since_utc=home, presence_before_utc=away)

    assert due(home + 1, COMING, came) == [(away, home)]
    assert due(home + LATE_S + 1, COMING, came) == []
    assert due(home + 1, COMING, replace(came, presence="away")) == []
    assert due(home + 1, COMING, replace(came, presence_before_utc=home - AWAY_S + 1)) == []
    assert due(home + 1, DAILY, came) == []
    assert due(home + 1, COMING, replace(came, presence_before_utc=None)) == [(home - 86_400, home)]
    assert due(home + 1, COMING, replace(came, presence_since_utc=None)) == []


def test_home_to_nobodys_visit_is_no_message_and_has_its_reason() -> None:
    """A time of day tells that nobody came: it is a sign of life."""
    came = Switches(presence="home", presence_since_utc=at(3, 18), presence_before_utc=at(3, 8))
    [event] = digest.due(COMING, came, at(3, 18) + 1, BERLIN)
    asleep = replace(COMING, hours=hours.parse("22:00-23:00"), hours_text="22:00-23:00")

    [none] = policy.decide(event, [COMING], came, {}, at(3, 18), BERLIN)
    [one] = policy.decide(replace(event, pictures=1), [asleep], came, {}, at(3, 18), BERLIN)

    assert none.reason == "nobody was seen meanwhile"
    assert one.is_told


def test_cameras_and_pictures() -> None:
    """The camera with the most first; each camera's best picture before any has two; none that was marked as wrong."""
    seen = [visit(n, "Garage", 0.5 + n / 100, people=n % 3) for n in range(1, 9)]
    seen += [visit(50, "Door", 0.3), visit(60, "door", 0.2), visit(70, "Shed", 0.99)]

    found = digest.gather(seen, {170}, since_utc=0.0, until_utc=100.0)

    assert [(line.camera, line.visits, line.people) for line in found.lines] == [
        ("Garage", 8, 2), ("door", 2, 1), ("Shed", 1, 1),
    ]  # fmt: skip
    assert [one.id for one in found.best] == [5, 6, 7, 8, 50, 60]
    assert found.visits == 11
    assert not digest.counts(seen[0], replace(DAILY, cameras=("door",)))
    assert not digest.counts(seen[0], replace(DAILY, min_score=0.6))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), max_size=40), st.integers(0, 8))
def test_best_are_few_in_order_and_of_as_many_cameras_as_can_be(found: list[tuple[str, float]], count: int) -> None:
    """Whatever was seen."""
    visits = [visit(n, camera, score) for n, (camera, score) in enumerate(found)]

    best = digest.best(visits, count)

    assert len(best) == min(count, len(visits))
    assert [one.id for one in best] == sorted(one.id for one in best)
    cameras = {one.camera for one in visits}
    assert len({one.camera for one in best}) == min(len(cameras), len(best))
