"""The time that a camera writes into its mail: found in texts and file names, and believed or not.

A time without a zone is local time, as on the camera's clock.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from camalert.intake.mail.languages import plain, tables

_MONTH = r"(?P<name>[^\W\d_]{3,12})\.?"  # in any language; what is none has no reading
_HALF = r"(?:(?P<half>[ap])\.?m\b\.?|(?P<half_zh>[\u4e0a\u4e0b]\u5348))"
_HALF_BEFORE = r"(?:(?P<early>[ap])\.?m\b\.?\s{1,3}|(?P<early_zh>[\u4e0a\u4e0b]\u5348)\s{0,3})?"
_CLOCK = (
    _HALF_BEFORE
    + r"(?P<H>\d{1,2})[:.h\uff1a](?P<M>\d\d)(?:[:.\uff1a](?P<S>\d\d))?(?:[.,]\d{1,6})?(?:\s{0,3}"
    + _HALF
    + r")?"
)
_CLOCK_ZH = _HALF_BEFORE + r"(?P<H>\d{1,2})[\u65f6\u6642\u70b9](?P<M>\d{1,2})\u5206?(?:(?P<S>\d{1,2})\u79d2?)?"
_ZONE = r"(?:\s{0,3}\(?(?P<zone>Z\b|(?:GMT|UTC)(?:[+-]\d{1,2}(?::?\d\d)?)?\b|[+-]\d\d:?\d\d\b))?"
# Between a date and a clock: blanks, a comma, a line end with a label.
_GAP = r"[\sT,_-]{1,20}(?:[^\W\d_]{2,12}\.?\s{0,5}[:\uff1a]\s{0,20}|(?:at|um|om|alle|kl\.?|o)\s)?"
_YMD = r"(?P<y>20\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
_DMY = r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>20\d\d)"
_SHORT = r"(?P<p>\d\d?)[-/.](?P<q>\d\d?)[-/.](?P<r>\d\d)"  # which of them is the year is what fits the receipt
_YMD_ZH = r"(?P<y>20\d\d)[\u5e74/.-](?P<m>\d{1,2})[\u6708/.-](?P<d>\d{1,2})[\u65e5\u53f7]?[\s_,-]{0,5}"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<y>20\d\d)(?: ?\u0433\.| r\.)?"
_BACK = r"[\s,]{1,5}(?:[^\W\d_]{2,12}\s{0,5}[:\uff1a]\s{0,20})?(?:on )?"  # between a clock and its date

# The ways in which cameras write date and time; the first pattern that matches a text wins.
MOMENTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # 2022-01-15 06:30:10, 2015/08/09 10:11:12, 2026-06-14T15:17:28Z, 2022-01-15,06:30:10 (Hikvision, Reolink, TVT);
        # date and time on two lines (Lorex)
        rf"(?<!\d){_YMD}{_GAP}{_CLOCK}{_ZONE}",
        # 15/01/2022 06:30:10, 4/3/2022 05:06:07 (Dahua, Hikvision by country)
        rf"(?<!\d){_DMY}{_GAP}{_CLOCK}{_ZONE}",
        # 20220304050607, 20240202_020202, 20220505-120000, 2015020304050517 with milliseconds (names, Panasonic, Hekai)
        r"(?<!\d)(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)[-_T ]?(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)\d{0,4}(?!\d)",
        # Sat, 15 Jan 2022 06:30:10 +0200 (RFC 5322); 28 de noviembre de 2026, 18:23; 28. November 2026 um 18:23
        rf"(?<!\d){_DAY}\.?[ -](?:de )?{_MONTH},?[ -](?:de )?{_YEAR}{_GAP}{_CLOCK}{_ZONE}",
        # Nov/28/2026 06:23:31PM, 28/Nov/2026, 2026/Nov/28 (Panasonic, AVTECH)
        rf"(?<![^\W\d_]){_MONTH}[/-]{_DAY}[/-](?P<y>20\d\d){_GAP}{_CLOCK}{_ZONE}",
        rf"(?<!\d){_DAY}/{_MONTH}/{_YEAR}{_GAP}{_CLOCK}{_ZONE}",
        rf"(?<!\d)(?P<y>20\d\d)[/-]{_MONTH}[/-](?P<d>\d{{1,2}}){_GAP}{_CLOCK}{_ZONE}",
        # Tue Feb  3 04:05:05 2015 (ctime)
        rf"(?<![^\W\d_]){_MONTH}\s{{1,3}}{_DAY}\s{{1,3}}{_CLOCK}\s{{1,3}}(?P<y>20\d\d)(?!\d)",
        # May 5, 2022 12:00:00 PM
        rf"(?<![^\W\d_]){_MONTH}\s{{1,3}}{_DAY},?\s{{1,3}}(?P<y>20\d\d){_GAP}{_CLOCK}{_ZONE}",
        # Chinese firmware: the date in characters, the clock in figures or in characters too
        rf"(?<!\d){_YMD_ZH}(?:[^\W\d_]{{2,4}}\s)?{_CLOCK}",
        rf"(?<!\d){_YMD_ZH}{_CLOCK_ZH}",
        # 10:11:12 09/08/2015, 10:11:12 2015-08-09; time and date on two lines
        rf"(?<![\d:]){_CLOCK}{_BACK}{_DMY}(?!\d)",
        rf"(?<![\d:]){_CLOCK}{_BACK}{_YMD}(?!\d)",
        # 27/11/26 18:23:31
        rf"(?<![\d.:/-]){_SHORT}{_GAP}{_CLOCK}{_ZONE}",
        rf"(?<![\d:]){_CLOCK}{_BACK}{_SHORT}(?![\d:.])",
    )
)
# 150809101112 in a file name (TVT); anywhere else twelve digits are a serial number.
SHORT_NAME = re.compile(r"(?<!\d)(?P<yy>[12]\d)(?P<m>\d\d)(?P<d>\d\d)(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)(?!\d)")
# 2026-11-28_18-23-31.jpg and 2026年11月28日18时23分31秒.mp4 in names (motionEye, apps of cheap cameras)
_DASHED_NAME = re.compile(
    r"(?<!\d)(?P<y>20\d\d)[-_.](?P<m>\d\d)[-_.](?P<d>\d\d)[-_. T]{1,3}(?P<H>\d\d)[-_.](?P<M>\d\d)[-_.](?P<S>\d\d)(?!\d)"
)
NAMES = (SHORT_NAME, _DASHED_NAME)
# 1795890211 and 1795890211042, seconds or milliseconds since 1970, where a label says that it is a time (programs)
_EPOCH = re.compile(r"([12]\d{9})(\d{3})?")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a camera says that it saw something.

    Attributes:
        written: As the camera wrote it, "" when it wrote none.
        believed_utc: In seconds since 1970 when it is believable.
        off_s: How far it is ahead of the receipt, in seconds: behind when it is negative. None when it wrote none.
        rule: Where it stood.
    """

    written: str = ""
    believed_utc: float | None = None
    off_s: float | None = None
    rule: str = ""


def camera_time(
    texts: Iterable[str], names: Iterable[str], date: str, received_utc: float, max_skew_s: float
) -> Moment:
    """Find the camera's own time.

    Args:
        texts: What may contain it, the best first; the first one is what the mail calls its time.
        names: File names of its pictures.
        date: The decoded Date header.
        received_utc: When the mail came, in seconds since 1970.
        max_skew_s: How far from the receipt a time may be and still be believed, in seconds.
    """
    first = Moment()
    sources = (
        *((text, False, "the mail's words") for text in texts),
        *((name, True, f'the file name "{name}"') for name in names),
        (date, False, "the Date header"),
    )
    labelled_off_s: float | None = None
    for number, (text, is_name, rule) in enumerate(sources):
        epoch = _EPOCH.fullmatch(text.strip()) if number == 0 else None
        known = [(epoch[0], [float(epoch[1])])] if epoch else _written(text, is_name=is_name)
        for written, readings in known:
            nearest = min(readings, key=lambda reading: abs(reading - received_utc))
            off_s = nearest - received_utc
            if abs(off_s) <= max_skew_s:
                # The camera's clock is what the best place shows: another one's date does not set it right.
                return Moment(written, nearest, off_s if labelled_off_s is None else labelled_off_s, rule)
            if not first.written:
                first = Moment(written, None, off_s, rule)
            if number == 0 and labelled_off_s is None:
                labelled_off_s = off_s
    return first


def _written(text: str, *, is_name: bool) -> Iterator[tuple[str, list[float]]]:
    """Yield what looks like a time, with its possible readings (day/month or month/day)."""
    for pattern in (*MOMENTS, *NAMES) if is_name else MOMENTS:
        for found in pattern.finditer(text[:8192]):
            readings = list(_readings(found.groupdict()))
            if readings:
                yield found[0].strip(), readings
                break


def _readings(parts: dict[str, str | None]) -> Iterator[float]:
    hour = int(parts["H"] or 0)
    half = parts.get("half") or parts.get("early") or ""
    chinese = parts.get("half_zh") or parts.get("early_zh") or ""
    if half or chinese:
        hour = hour % 12 + (12 if half.lower() == "p" or chinese.startswith("\u4e0b") else 0)
    for year, month, day in _days(parts):
        try:
            moment = dt.datetime(  # noqa: DTZ001 - the zone follows: the camera's own, or local time
                year, month, day, hour, int(parts["M"] or 0), int(parts.get("S") or 0)
            )
        except ValueError:
            continue
        yield _zoned(moment, parts.get("zone") or "").timestamp()


def _days(parts: dict[str, str | None]) -> Iterator[tuple[int, int, int]]:
    """Yield year, month and day in every order that a date may mean."""
    if parts.get("p"):
        first, second, third = (int(parts[name] or 0) for name in "pqr")
        yield 2000 + third, second, first
        yield 2000 + third, first, second
        yield 2000 + first, second, third
        return
    year = int(parts.get("y") or f"20{parts.get('yy')}")
    if parts.get("name"):
        month = tables().months.get(plain(parts["name"] or ""), 0)
        yield year, month, int(parts["d"] or 0)
    elif parts.get("a"):
        first, second = int(parts["a"] or 0), int(parts["b"] or 0)
        yield year, second, first
        yield year, first, second
    else:
        yield year, int(parts["m"] or 0), int(parts["d"] or 0)


def _zoned(moment: dt.datetime, zone: str) -> dt.datetime:
    if not zone:
        return moment
    zone = zone.upper().removeprefix("GMT").removeprefix("UTC")
    if zone in ("", "Z"):
        return moment.replace(tzinfo=dt.UTC)
    hours, _, minutes = zone[1:].partition(":")
    if not minutes and len(hours) > 2:
        hours, minutes = hours[:-2], hours[-2:]
    offset = dt.timedelta(hours=int(hours), minutes=int(minutes or 0))
    try:
        return moment.replace(tzinfo=dt.timezone(-offset if zone[0] == "-" else offset))
    except ValueError:  # a zone of more than a day
        return moment
