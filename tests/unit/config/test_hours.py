"""Hours of the week: over midnight, and on the days the clocks change."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import hours
from camalert.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")


def within(text: str, when: str, fold: int = 0) -> bool:
    moment = datetime.datetime.fromisoformat(when).replace(tzinfo=BERLIN, fold=fold).timestamp()
    return hours.contain(hours.parse(text), moment, BERLIN)


@pytest.mark.parametrize(
    ("text", "when", "is_within"),
    [
        ("", "2026-06-03 12:00", True),
        ("Mon-Fri 22:00-06:00, Sat-Sun", "2026-06-05 21:59", False),  # Friday
        ("Mon-Fri 22:00-06:00, Sat-Sun", "2026-06-05 22:00", True),
        ("Mon-Fri 22:00-06:00, Sat-Sun", "2026-06-08 05:59", False),  # Monday: Sunday has no night of its own
        ("Mon-Fri 22:00-06:00, Sat-Sun", "2026-06-09 05:59", True),
        ("Mon-Fri 22:00-06:00, Sat-Sun", "2026-06-09 06:00", False),
        ("Fri 22:00-06:00", "2026-06-06 05:00", True),  # the night of Friday ends on Saturday
        ("Fri 22:00-06:00", "2026-06-05 05:00", False),
        ("Sun 22:00-06:00", "2026-06-08 05:00", True),  # from the end of a week into the next
        ("Sat-Mon", "2026-06-07 12:00", True),
        ("Sat-Mon", "2026-06-09 12:00", False),
        ("9:00-17:30", "2026-06-09 17:29", True),
        ("9:00-24:00", "2026-06-09 23:59", True),
        # the night of 2026-03-29 has no 02:30, that of 2026-10-25 has two
        ("22:00-06:00", "2026-03-29 03:30", True),
        ("Sun 02:00-03:00", "2026-03-29 03:00", False),
        ("Sun 02:00-03:00", "2026-10-25 02:30", True),
        ("Sat 22:00-06:00", "2026-10-25 05:59", True),
        ("Sat 22:00-06:00", "2026-10-25 06:00", False),
    ],
)
def test_hours_mean_the_wall_clock(text: str, when: str, is_within: bool) -> None:
    """A window over midnight belongs to the day it begins on."""
    assert within(text, when) == is_within


def test_hour_that_comes_twice_is_within_both_times() -> None:
    """When the clocks go back, 02:30 comes in summer time and once more in winter time."""
    assert within("Sun 02:00-03:00", "2026-10-25 02:30", fold=0)
    assert within("Sun 02:00-03:00", "2026-10-25 02:30", fold=1)


@given(st.floats(1.76e9, 1.83e9))
def test_window_and_its_opposite_fill_the_day(moment: float) -> None:
    """No minute of two years belongs to both or to none."""
    night, day = hours.parse("22:00-06:00"), hours.parse("06:00-22:00")

    assert hours.contain(night, moment, BERLIN) != hours.contain(day, moment, BERLIN)


@pytest.mark.parametrize(
    "text", ["Mo-Fr", "Xyz", "22-6", "25:00-26:00", "10:60-11:00", "Mon,", "10:00-10:00", "Mon22:00-23:00", "x" * 501]
)
def test_hours_of_nonsense_are_refused(text: str) -> None:
    """With the part that cannot be read, or what is allowed."""
    with pytest.raises(ConfigError):
        hours.parse(text)


@given(st.text(max_size=40))
def test_hours_of_any_text_are_read_or_refused(text: str) -> None:
    """Never another error."""
    try:
        hours.parse(text)
    except ConfigError:
        return


def test_priority_is_that_of_the_first_rule_whose_hours_it_is() -> None:
    """High at night, low on Sundays, normal at any other time."""
    rules = hours.parse_priority("high 22:00-06:00; low Sun")

    def at(when: str) -> str:
        return hours.priority(rules, datetime.datetime.fromisoformat(when).replace(tzinfo=BERLIN).timestamp(), BERLIN)

    assert [at("2026-06-07 23:00"), at("2026-06-07 12:00"), at("2026-06-08 12:00")] == ["high", "low", "normal"]
    for wrong in ("", "loud", "high; ", "high 99:00-100:00"):
        with pytest.raises(ConfigError):
            hours.parse_priority(wrong)
