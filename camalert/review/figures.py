"""What the figures page says, from sums: how much less there is to look at, by camera, and how long pictures stay.

Sums by day survive the deletion of rows; what is drawn by the hour is counted from the rows that are there.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from camalert import identity

DAYS = 30  # of the charts
CAMERAS = 12  # that are listed, those with the most alarms
RATE_DAYS = 7  # whose mean is the rate at which rows come
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DaySum:
    """What came from one camera on one day."""

    day: str  # YYYY-MM-DD
    camera: str
    alarms: int
    people: int
    visits: int


@dataclass(frozen=True, slots=True)
class Total:
    """What came in some time."""

    alarms: int = 0
    people: int = 0
    visits: int = 0

    @property
    def nobody(self) -> int:
        """Return how many alarms had nobody in them."""
        return max(0, self.alarms - self.people)

    @property
    def less_percent(self) -> int | None:
        """Return how much less there is to look at, rounded down: 93.9 is 93. None without an alarm."""
        return None if not self.alarms else 100 * self.nobody // self.alarms

    def __add__(self, other: Total) -> Total:
        return Total(self.alarms + other.alarms, self.people + other.people, self.visits + other.visits)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a chart, heights in percent of the highest."""

    day: str
    total: Total
    alarms_height: float
    people_height: float
    x: int


@dataclass(frozen=True, slots=True)
class OfCamera:
    """One camera's sums; widths in percent of the camera with the most alarms."""

    camera: str
    total: Total
    alarms_width: float
    people_width: float
    flagged: int  # pictures that somebody marked as *not a person*


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long the rows of a table stay."""

    rows: int
    keep: int  # 0: another program's trigger decides
    oldest: str  # YYYY-MM-DD HH:MM:SS, "" without a row
    a_day: float  # rows that come
    days: float | None  # that rows stay at this rate, None when nothing comes

    @property
    def percent(self) -> int:
        """Return how full it is."""
        return min(100, 100 * self.rows // self.keep) if self.keep else 0

    @property
    def hours(self) -> int:
        """Return the days in hours."""
        return int((self.days or 0.0) * 24)

    @property
    def years(self) -> int:
        """Return the days in years."""
        return int((self.days or 0.0) / 365.25)


def total(sums: Iterable[DaySum]) -> Total:
    """Return the sum of sums."""
    return sum((_total(each) for each in sums), Total())


def _total(each: DaySum) -> Total:
    return Total(each.alarms, each.people, each.visits)


def bars(sums: Iterable[DaySum], today: datetime.date, days: int = DAYS) -> tuple[Bar, ...]:
    """Return a bar for each of the last days, today last, on one scale."""
    by_day: dict[str, Total] = {}
    for each in sums:
        by_day[each.day] = by_day.get(each.day, Total()) + _total(each)
    dates = [str(today - (days - 1 - number) * _DAY) for number in range(days)]
    highest = max((by_day.get(date, Total()).alarms for date in dates), default=0) or 1
    return tuple(
        Bar(date, found, 100 * found.alarms / highest, min(100.0, 100 * found.people / highest), 10 * number)
        for number, date in enumerate(dates)
        for found in [by_day.get(date, Total())]
    )


def by_camera(sums: Iterable[DaySum], flagged: Mapping[str, int], count: int = CAMERAS) -> tuple[OfCamera, ...]:
    """Return the cameras with the most alarms that had nobody in them, on one scale; spellings are one camera.

    Args:
        sums: Of some days.
        flagged: How many pictures were marked as *not a person*, by camera.
        count: How many cameras at most.
    """
    names: dict[str, str] = {}
    totals: dict[str, Total] = {}
    flags: dict[str, int] = {}
    for each in sums:
        key = identity.key(each.camera)
        names.setdefault(key, each.camera)
        totals[key] = totals.get(key, Total()) + _total(each)
    for camera, number in flagged.items():
        key = identity.key(camera)
        names.setdefault(key, camera)
        totals.setdefault(key, Total())
        flags[key] = flags.get(key, 0) + number
    order = sorted(totals, key=lambda key: (-totals[key].nobody, -flags.get(key, 0), key))[:count]
    highest = max((totals[key].alarms for key in order), default=0) or 1
    return tuple(
        OfCamera(
            names[key],
            totals[key],
            100 * totals[key].alarms / highest,
            min(100.0, 100 * totals[key].people / highest),
            flags.get(key, 0),
        )
        for key in order
    )


def keeping(rows: int, keep: int | None, oldest: str, recent: int, days: int = RATE_DAYS) -> Keeping:
    """Reckon how long rows stay.

    Args:
        rows: How many there are.
        keep: How many are kept at most.
        oldest: When the oldest was taken.
        recent: How many came in the last days.
        days: How many days these are.
    """
    a_day = recent / days
    return Keeping(rows, keep or 0, oldest, a_day, (keep or 0) / a_day if a_day and keep else None)
