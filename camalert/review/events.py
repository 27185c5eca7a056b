"""Days and events: what happened before one camera within a minute belongs together.

Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from camalert.review.shot import Shot

EVENT_GAP_S = 60.0


@dataclass(slots=True)
class Event:
    """The pictures of one camera of which each came within a minute of the next, newest first."""

    camera: str
    shots: list[Shot] = field(default_factory=list)

    @property
    def newest(self) -> Shot:
        """Return the last picture taken."""
        return self.shots[0]

    @property
    def oldest(self) -> Shot:
        """Return the first picture taken."""
        return self.shots[-1]

    @property
    def kinds(self) -> list[str]:
        """Return what the camera called it, each once."""
        return list(dict.fromkeys(shot.event for shot in self.shots if shot.event))


@dataclass(slots=True)
class Day:
    """The events of one day, newest first."""

    date: str
    events: list[Event] = field(default_factory=list)

    def title(self, today: datetime.date) -> str:
        """Return the day in words."""
        try:
            date = datetime.date.fromisoformat(self.date)
        except ValueError:
            return "Unknown day"
        words = f"{date:%A}, {date.day} {date:%B}" + (f" {date.year}" if date.year != today.year else "")
        if date == today:
            return f"Today · {words}"
        return f"Yesterday · {words}" if date == today - datetime.timedelta(days=1) else words


def group(shots: Iterable[Shot]) -> list[Day]:
    """Group rows, newest first, by day and by event; what other cameras saw in between does not part an event."""
    days: list[Day] = []
    open_events: dict[str, tuple[Event, float]] = {}
    for shot in shots:
        if not days or days[-1].date != shot.day:
            days.append(Day(shot.day))
            open_events.clear()
        at_s = seconds(shot.timestamp)
        event, oldest_s = open_events.get(shot.name, (None, 0.0))
        if event is None or oldest_s - at_s > EVENT_GAP_S:
            event = Event(shot.name)
            days[-1].events.append(event)
        event.shots.append(shot)
        open_events[shot.name] = event, at_s
    return days


def seconds(timestamp: str) -> float:
    """Return a row's time as seconds to subtract; 0 for what is no time, which other programs may write."""
    try:
        # Naive on both sides: only differences within one day are looked at.
        return (datetime.datetime.fromisoformat(timestamp[:19]) - datetime.datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001
    except ValueError:
        return 0.0
