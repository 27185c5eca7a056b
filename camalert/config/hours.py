"""Hours of the week as an owner writes them, `Mon-Fri 22:00-06:00, Sat-Sun`, what holds only within them, times of day.

All of it is local wall time: a window that begins at 22:00 begins at 22:00 on the day the clocks change as well, and
the hour that comes twice lies twice in it. A window over midnight belongs to the day it begins on.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TypeAlias

from camalert.errors import ConfigError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PRIORITIES = ("low", "normal", "high", "urgent")
WHOLE_DAY = (0, 24 * 60)
EXAMPLE = '"Mon-Fri 22:00-06:00, Sat-Sun"'
TEXT_CHARS = 500
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_WINDOW = re.compile(
    r"(?:(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))?)?(?P<gap> +)?"
    r"(?:(?P<begin>[0-9]{1,2}:[0-9]{2})-(?P<end>[0-9]{1,2}:[0-9]{2}))?"
)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of some days; `end` before `begin` (minutes of the day) is on the day after."""

    days: frozenset[int]  # 0: Monday
    begin: int
    end: int

    def contains(self, weekday: int, minute: int) -> bool:
        """Tell whether a minute of a weekday lies within."""
        if self.begin < self.end:
            return weekday in self.days and self.begin <= minute < self.end
        is_evening = weekday in self.days and minute >= self.begin
        return is_evening or ((weekday - 1) % 7 in self.days and minute < self.end)


Hours: TypeAlias = tuple[Window, ...]  # (): always


def parse(text: str) -> Hours:
    """Read hours of the week; no text means always.

    Raises: ConfigError with the part that cannot be read.
    """
    if len(text) > TEXT_CHARS:
        raise ConfigError(f"write at most {TEXT_CHARS} characters")
    return tuple(_window(part.strip()) for part in text.split(",")) if text.strip() else ()


def _window(part: str) -> Window:
    found = _WINDOW.fullmatch(part)
    if not part or not found or bool(found["gap"]) != bool(found["first"] and found["begin"]):
        raise ConfigError(f"{part!r} are no hours: write days, times or both, such as {EXAMPLE}")
    days = frozenset(range(7))
    if found["first"]:
        first = _day(found["first"])
        last = _day(found["last"] or found["first"])
        days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
    if not found["begin"]:
        return Window(days, *WHOLE_DAY)
    begin, end = _minute(found["begin"]), _minute(found["end"])
    if begin == end or begin == WHOLE_DAY[1]:
        raise ConfigError(f"{part!r} begins and ends at once: leave the times out for the whole day")
    return Window(days, begin, end)


def _day(name: str) -> int:
    try:
        return DAYS.index(name.capitalize())
    except ValueError as error:
        raise ConfigError(f"{name!r} is no day: write {', '.join(DAYS)}") from error


def _minute(time: str) -> int:
    hour, minute = (int(number) for number in time.split(":"))
    found = hour * 60 + minute
    if minute > 59 or found > WHOLE_DAY[1]:
        raise ConfigError(f"{time!r} is no time of day: write 00:00 to 24:00")
    return found


@dataclass(frozen=True, slots=True)
class Times:
    """Times of day (minutes), and whether somebody's coming home counts as one."""

    minutes: tuple[int, ...] = ()
    is_home: bool = False


NEVER = Times()
MOST_TIMES = 12
HOME = "home"


def parse_times(text: str) -> Times:
    """Read `07:30, 20:00, home`; no text means never.

    Raises: ConfigError with the part that cannot be read.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    minutes = set()
    for part in parts:
        if part == HOME:
            continue
        if not _TIME.fullmatch(part) or (found := _minute(part)) == WHOLE_DAY[1]:
            raise ConfigError(f'{part[:40]!r} is no time of day: write times such as "20:00", or "{HOME}", or both')
        minutes.add(found)
    if len(parts) > MOST_TIMES:
        raise ConfigError(f"write at most {MOST_TIMES} times")
    return Times(tuple(sorted(minutes)), HOME in parts)


def latest(times: Times, now_utc: float, zone: datetime.tzinfo | None) -> tuple[float, float] | None:
    """Return the latest moment that is one of the times of day, and the one before it; None when there are no times.

    Each comes once a day. Where the clocks skip it, it is the moment after the gap that far on; an hour that comes
    twice has it the first time.
    """
    if not times.minutes:
        return None
    today = local(now_utc, zone).date()
    moments = [
        datetime.datetime.combine(
            today - datetime.timedelta(days=days), datetime.time(minute // 60, minute % 60), zone
        ).timestamp()
        for days in (3, 2, 1, 0)
        for minute in times.minutes
    ]
    # Behind a gap two of them may be in another order, or one.
    past = sorted({moment for moment in moments if moment <= now_utc})
    return past[-1], past[-2]


def local(now_utc: float, zone: datetime.tzinfo | None) -> datetime.datetime:
    """Return the wall time of a moment in a zone, None for this machine's."""
    return datetime.datetime.fromtimestamp(now_utc, zone)


def contain(hours: Hours, now_utc: float, zone: datetime.tzinfo | None) -> bool:
    """Tell whether a moment lies within hours; all do when there are none."""
    wall = local(now_utc, zone)
    return not hours or any(window.contains(wall.weekday(), wall.hour * 60 + wall.minute) for window in hours)


Rules: TypeAlias = tuple[tuple[str, Hours], ...]


def parse_priority(text: str) -> Rules:
    """Read `high` or `high 22:00-06:00; urgent Sat-Sun; low`: of several, the first whose hours it is counts.

    Raises: ConfigError with the part that cannot be read.
    """
    rules = []
    for part in text.split(";"):
        name, _, hours = part.strip().partition(" ")
        if name not in PRIORITIES:
            raise ConfigError(f"{name!r} is no priority: write {', '.join(PRIORITIES)}, each with hours if you like")
        rules.append((name, parse(hours)))
    return tuple(rules)


def priority(rules: Rules, now_utc: float, zone: datetime.tzinfo | None) -> str:
    """Return the priority of a moment, "normal" when no rule is for it."""
    return next((name for name, hours in rules if contain(hours, now_utc, zone)), "normal")
