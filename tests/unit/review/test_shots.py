"""Days and events."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from camalert.review.selection import Album
from camalert.review.shots import Day, Shot, group


def shot(number: int, timestamp: str, camera: str = "garage") -> Shot:
    return Shot(
        Album.ALARMS, number, timestamp, camera, "motion", "", 0.5, 0.4, "person", False, "", False, number, None
    )


def test_pictures_of_a_camera_within_a_minute_are_one_event() -> None:
    """Also when another camera saw something in between; and each within a minute of the next, not of the first."""
    shots = [
        shot(6, "2026-11-22 10:03:00"),
        shot(5, "2026-11-22 10:01:50"),
        shot(4, "2026-11-22 10:01:20", "door"),
        shot(3, "2026-11-22 10:01:00"),
        shot(2, "2026-11-22 10:00:10"),
    ]

    (day,) = group(shots)

    assert [[one.id for one in event.shots] for event in day.events] == [[6], [5, 3, 2], [4]]


def test_midnight_parts_an_event() -> None:
    """A day is a day."""
    days = group([shot(2, "2026-11-22 00:00:10"), shot(1, "2026-11-21 23:59:50")])

    assert [day.date for day in days] == ["2026-11-22", "2026-11-21"]


@pytest.mark.parametrize("timestamp", ["", "yesterday", "2026-99-99 10:00:00", "\x00"])
def test_row_without_a_time_is_shown(timestamp: str) -> None:
    """Other programs may write anything into the column."""
    (day,) = group([shot(1, timestamp)])

    assert day.events[0].shots[0].id == 1
    assert day.title(datetime.date(2026, 11, 22)) == "Unknown day"


def test_title_says_today_and_yesterday() -> None:
    """The year is told when it is another one."""
    today = datetime.date(2026, 11, 22)

    assert Day("2026-11-22").title(today) == "Today · Sunday, 22 November"
    assert Day("2026-11-21").title(today) == "Yesterday · Saturday, 21 November"
    assert Day("2025-01-02").title(today) == "Thursday, 2 January 2025"


def test_score_is_never_shown_as_certain() -> None:
    """A score of 0.999 is not 100 percent."""
    assert replace(shot(1, ""), score=0.999).percent == 99
    assert replace(shot(1, ""), score=None).percent is None
