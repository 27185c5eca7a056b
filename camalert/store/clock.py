"""How a moment is written in the two tables of cams: `YYYY-MM-DD HH:MM:SS`, local time or UTC.

Pure, but for the time zone of the machine.
"""

from __future__ import annotations

import datetime


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
