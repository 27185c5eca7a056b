"""The time that a camera writes into its mail: found in words and file names, and believed or not.

Pure: the time of receipt is an argument. A time without a zone is local time, as on the camera's clock.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_CLOCK = r"(?P<H>\d{1,2})[:.h](?P<M>\d\d)(?:[:.](?P<S>\d\d))?(?:\.\d+)?(?:\s*(?P<half>[ap])\.?m\b\.?)?"
_ZONE = r"(?:\s*(?P<zone>Z\b|GMT\b|UTC\b|[+-]\d\d:?\d\d\b))?"

# The ways in which cameras write date and time; the first pattern that matches a text wins.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # 2022-01-15 06:30:10, 2015/08/09 10:11:12, 2026-06-14T15:17:28Z, 2022-01-15,06:30:10 (Hikvision, Reolink, TVT)
        r"(?<!\d)(?P<y>20\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[\sT,_-]+" + _CLOCK + _ZONE,
        # 15/01/2022 06:30:10, 4/3/2022 05:06:07 (Dahua, Hikvision by country)
        r"(?<!\d)(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>20\d\d)[\sT,_-]+" + _CLOCK + _ZONE,
        # 20220304050607, 20240202_020202, 20220505-120000, 2015020304050517 with milliseconds (names, Panasonic, Hekai)
        r"(?<!\d)(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)[-_T ]?(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)\d{0,4}(?!\d)",
        # Sat, 15 Jan 2022 06:30:10 +0200 (RFC 5322)
        r"(?<!\d)(?P<d>\d{1,2})[ -]" + _MONTH + r"[ -](?P<y>20\d\d),?\s+" + _CLOCK + _ZONE,
        # Tue Feb  3 04:05:05 2015 (ctime)
        _MONTH + r"\s+(?P<d>\d{1,2})\s+" + _CLOCK + r"\s+(?P<y>20\d\d)(?!\d)",
        # May 5, 2022 12:00:00 PM
        _MONTH + r"\s+(?P<d>\d{1,2}),?\s+(?P<y>20\d\d),?\s+" + _CLOCK,
        # 10:11:12 09/08/2015
        r"(?<!\d)" + _CLOCK + r"[ ,]+(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>20\d\d)(?!\d)",
    )
)
# 150809101112 in a file name (TVT); in other words twelve digits are a serial number.
_SHORT_NAME = re.compile(r"(?<!\d)(?P<yy>[12]\d)(?P<m>\d\d)(?P<d>\d\d)(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)(?!\d)")


def camera_time(
    words: Iterable[str], names: Iterable[str], date: str, received_utc: float, max_skew_s: float
) -> tuple[str, float | None]:
    """Find the camera's own time.

    Args:
        words: Texts that may hold it, the best first.
        names: File names of its pictures.
        date: The decoded Date header.
        received_utc: When the mail came, in seconds since 1970.
        max_skew_s: How far from the receipt a time may lie and still be believed, in seconds.
    Returns: The time as the camera wrote it ("" when it wrote none), and the same in seconds since 1970 when it is
        believable.
    """
    first = ""
    sources = (*((text, False) for text in words), *((name, True) for name in names), (date, False))
    for text, is_name in sources:
        for written, readings in _written(text, is_name=is_name):
            first = first or written
            nearest = min(readings, key=lambda reading: abs(reading - received_utc))
            if abs(nearest - received_utc) <= max_skew_s:
                return written, nearest
    return first, None


def _written(text: str, *, is_name: bool) -> Iterator[tuple[str, list[float]]]:
    """Yield what is written like a time, with its possible readings (day/month or month/day)."""
    for pattern in (*_PATTERNS, _SHORT_NAME) if is_name else _PATTERNS:
        for found in pattern.finditer(text[:8192]):
            readings = list(_readings(found.groupdict()))
            if readings:
                yield found[0].strip(), readings
                break


def _readings(parts: dict[str, str | None]) -> Iterator[float]:
    year = int(parts.get("y") or f"20{parts.get('yy')}")
    if parts.get("name"):
        days = [(_MONTHS.index((parts["name"] or "").lower()) + 1, int(parts["d"] or 0))]
    elif parts.get("a"):
        first, second = int(parts["a"] or 0), int(parts["b"] or 0)
        days = [(second, first), (first, second)]
    else:
        days = [(int(parts["m"] or 0), int(parts["d"] or 0))]
    hour = int(parts["H"] or 0)
    if half := (parts.get("half") or "").lower():
        hour = hour % 12 + (12 if half == "p" else 0)
    for month, day in days:
        try:
            moment = dt.datetime(  # noqa: DTZ001 - the zone follows: the camera's own, or local time
                year, month, day, hour, int(parts["M"] or 0), int(parts.get("S") or 0)
            )
        except ValueError:
            continue
        yield _zoned(moment, parts.get("zone") or "").timestamp()


def _zoned(moment: dt.datetime, zone: str) -> dt.datetime:
    if not zone:
        return moment
    if zone[0] not in "+-":
        return moment.replace(tzinfo=dt.UTC)
    digits = zone[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    try:
        return moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=-minutes if zone[0] == "-" else minutes)))
    except ValueError:  # a zone of more than a day
        return moment
