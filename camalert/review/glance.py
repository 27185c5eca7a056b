"""The day at a glance: 24 hours and the cameras as a drawing, and a calendar of the month.

All times are local, as the rows have them: on the day when clocks are put back, both hours of 02:00 are in one column.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_lazy

from camalert import identity
from camalert.review.formats import many

CAMERAS = 12  # rows of their own; the rest shares one
OTHERS = gettext_lazy("Other cameras")
HOUR_PX = 10  # of the drawing's own units, which are stretched to the width of the page
ROW_PX = 24
_LEAST_PX = 4.0  # one alarm can be seen
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Sum:
    """What one camera sent in one hour of a day."""

    camera: str
    hour: int
    alarms: int
    people: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of one camera, with its place in the drawing."""

    camera: str  # the one that its link selects, "" for the shared row
    label: str
    hour: int
    alarms: int
    people: int
    alarms_px: float
    people_px: float
    since: str
    until: str

    @property
    def text(self) -> str:
        """Return it in words."""
        people = gettext("%(people)s with people") % {"people": self.people}
        return f"{self.hour:02}:00: {many(self.alarms, 'alarm')}, {people}"

    @property
    def x(self) -> int:
        """Return its left edge."""
        return self.hour * HOUR_PX

    @property
    def hours(self) -> str:
        """Return the hour as a range: "14:00 to 15:00"."""
        return gettext("%(begin)s to %(end)s") % {"begin": f"{self.hour:02}:00", "end": f"{self.hour + 1:02}:00"}


@dataclass(frozen=True, slots=True)
class Row:
    """One camera's day."""

    camera: str
    label: str
    cells: tuple[Cell, ...]
    alarms: int
    people: int

    @property
    def alarms_path(self) -> str:
        """Return the bars of all alarms as one path."""
        return "".join(_bar(cell.x, cell.alarms_px) for cell in self.cells)

    @property
    def people_path(self) -> str:
        """Return the bars of people as one path."""
        return "".join(_bar(cell.x, cell.people_px) for cell in self.cells if cell.people)


@dataclass(frozen=True, slots=True)
class Square:
    """One day of a calendar."""

    date: datetime.date
    is_of_month: bool
    is_future: bool
    visits: int = 0
    has_people: bool = False
    has_alarms: bool = False

    @property
    def day(self) -> str:
        """Return the day, YYYY-MM-DD."""
        return str(self.date)


def _bar(x: int, height: float) -> str:
    return f"M{x + 1} {ROW_PX - 1}v-{height:g}h{HOUR_PX - 2}v{height:g}z"


def strip(day: datetime.date, sums: Iterable[Sum]) -> tuple[Row, ...]:
    """Return the rows of a day, the cameras in the order of their names; heights are on one scale for all.

    Heights grow with the logarithm: a camera with a thousand alarms leaves one with three visible.
    """
    names: dict[str, str] = {}
    counts: dict[str, dict[int, tuple[int, int]]] = {}
    for each in sums:
        if not 0 <= each.hour < 24:
            continue  # another program's row, whose time is none
        key = identity.key(each.camera)
        names.setdefault(key, each.camera)
        hours = counts.setdefault(key, {})
        alarms, people = hours.get(each.hour, (0, 0))
        # A person's picture is kept longer than its alarm.
        hours[each.hour] = alarms + max(each.alarms, each.people), people + each.people
    ranked = sorted(counts, key=lambda key: (-sum(n for _, n in counts[key].values()), -len(counts[key]), key))
    shared = ranked[CAMERAS:] if len(ranked) > CAMERAS + 1 else []
    merged: dict[int, tuple[int, int]] = {}
    for key in shared:
        for hour, (alarms, people) in counts.pop(key).items():
            before = merged.get(hour, (0, 0))
            merged[hour] = before[0] + alarms, before[1] + people
    highest = max((alarms for hours in (*counts.values(), merged) for alarms, _ in hours.values()), default=1)
    rows = [
        _row(day, names[key], names[key] or gettext("Unnamed camera"), counts[key], highest)
        for key in sorted(counts, key=lambda key: (not key, key))
    ]
    if merged:
        rows.append(_row(day, "", str(OTHERS), merged, highest))
    return tuple(rows)


def _row(day: datetime.date, camera: str, label: str, hours: Mapping[int, tuple[int, int]], highest: int) -> Row:
    def height(count: int) -> float:
        share = math.log1p(count) / math.log1p(highest) if count else 0.0
        return round(_LEAST_PX + (ROW_PX - 2 - _LEAST_PX) * share, 1) if count else 0.0

    cells = tuple(
        Cell(
            camera=camera,
            label=label,
            hour=hour,
            alarms=alarms,
            people=people,
            alarms_px=height(alarms),
            people_px=height(people),
            since=f"{day} {hour:02}:00",
            until=f"{day} {hour + 1:02}:00" if hour < 23 else f"{day + _DAY} 00:00",
        )
        for hour, (alarms, people) in sorted(hours.items())
    )
    return Row(camera, label, cells, sum(cell.alarms for cell in cells), sum(cell.people for cell in cells))


def month_squares(month: datetime.date) -> list[datetime.date]:
    """Return the days of the weeks, Monday first, that a month lies in."""
    first = month.replace(day=1)
    last = following(first) - _DAY
    start = first - first.weekday() * _DAY
    end = last + (6 - last.weekday()) * _DAY
    return [start + number * _DAY for number in range((end - start).days + 1)]


def following(month: datetime.date) -> datetime.date:
    """Return the first day of the next month."""
    return (month.replace(day=1) + 32 * _DAY).replace(day=1)


def preceding(month: datetime.date) -> datetime.date:
    """Return the first day of the month before."""
    return (month.replace(day=1) - _DAY).replace(day=1)
