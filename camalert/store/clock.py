"""How a moment is written in the two tables of cams: `YYYY-MM-DD HH:MM:SS`, local time or UTC.

Pure, but for the time zone of the machine.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

STEADY_S = 3600.0  # a clock that is wrong at boot is set right by the network within minutes
JUMP_S = 60.0  # what NTP does to a running clock without a jump stays far below


def text(utc_s: float, zone: str) -> str:
    """Return a moment as the tables' text.

    Args:
        utc_s: Seconds since 1970; what no calendar holds counts as 1970.
        zone: `local` or `utc`, as `[database] timestamps` says.
    """
    try:
        moment = datetime.datetime.fromtimestamp(utc_s, datetime.UTC)
        moment = moment.astimezone() if zone == "local" else moment
    except (OverflowError, ValueError, OSError):
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def day(utc_s: float, zone: str) -> str:
    """Return the day of a moment, `YYYY-MM-DD`."""
    return text(utc_s, zone)[:10]


@dataclass(slots=True)
class Steadiness:
    """Tell whether the machine's clock has run evenly for an hour; until then nothing is too old.

    A machine without a battery for its clock starts in any year, and one that starts in the future would otherwise
    delete everything.
    """

    _offset_s: float | None = None
    _since: float = 0.0

    def is_steady(self, now: float, now_utc: float) -> bool:
        """Take note of both clocks, monotonic and UTC seconds, and tell."""
        offset_s = now_utc - now
        if self._offset_s is None or abs(offset_s - self._offset_s) > JUMP_S:
            self._since = now
        self._offset_s = offset_s
        return now - self._since >= STEADY_S
