"""Times and numbers as the pages show them: for templates as filters."""

from __future__ import annotations

import datetime
import time

from django.template import Library
from django.utils.html import format_html

from camalert.status.model import counted

register = Library()


@register.filter
def local_time(utc_s: float | None) -> str:
    """Return a moment as YYYY-MM-DD HH:MM:SS in local time, "" for none."""
    if utc_s is None:
        return ""
    try:
        moment = datetime.datetime.fromtimestamp(utc_s)  # noqa: DTZ006 - local time, as in the rows
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit: "3 minutes"."""
    for unit_s, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit_s:
            return many(int(seconds // unit_s), unit)
    return many(max(0, int(seconds)), "second")


@register.filter
def ago(moment: float | datetime.datetime | None) -> str:
    """Return how long ago a moment was (UTC seconds or local datetime), with the time as tooltip; "never" for none."""
    utc_s = moment.timestamp() if isinstance(moment, datetime.datetime) else moment
    exact = local_time(utc_s or None)
    return format_html('<time title="{}">{} ago</time>', exact, span(time.time() - (utc_s or 0))) if exact else "never"


@register.filter
def clock(utc_s: float) -> str:
    """Return the time of day of a moment, with its day as a tooltip."""
    exact = local_time(utc_s)
    return format_html('<time title="{}">{}</time>', exact, exact[11:])


@register.filter
def many(count: int, noun: str) -> str:
    """Return a number with its noun: "1 alarm", "2 alarms"."""
    return counted(count, noun)


@register.filter
def thousands(number: int) -> str:
    """Return a number with thin spaces between its thousands: "4 212"."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
