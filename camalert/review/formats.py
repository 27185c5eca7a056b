"""Times, numbers and stored words as the pages show them, in the language of the page: for templates as filters.

What programs read, and what is compared or sorted, stays as it is stored: `local_time` is the same in every language.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

from django.template import Library
from django.utils.dateformat import format as formatted
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy, pgettext, pgettext_lazy

from camalert.status.model import counted

register = Library()

_NOUNS: dict[str, Any] = {
    "account": ngettext_lazy("%(count)s account", "%(count)s accounts", "count"),
    "alarm": ngettext_lazy("%(count)s alarm", "%(count)s alarms", "count"),
    "day": ngettext_lazy("%(count)s day", "%(count)s days", "count"),
    "hour": ngettext_lazy("%(count)s hour", "%(count)s hours", "count"),
    "mail": ngettext_lazy("%(count)s mail", "%(count)s mails", "count"),
    "minute": ngettext_lazy("%(count)s minute", "%(count)s minutes", "count"),
    "picture": ngettext_lazy("%(count)s picture", "%(count)s pictures", "count"),
    "second": ngettext_lazy("%(count)s second", "%(count)s seconds", "count"),
    "visit": ngettext_lazy("%(count)s visit", "%(count)s visits", "count"),
}
# Words that the service stores, that addresses carry or that the configuration has.
_WORDS: dict[str, Any] = {
    "not a person": gettext_lazy("not a person"),
    "missed a person": gettext_lazy("missed a person"),
    "low": pgettext_lazy("priority", "low"),
    "normal": pgettext_lazy("priority", "normal"),
    "high": pgettext_lazy("priority", "high"),
    "urgent": pgettext_lazy("priority", "urgent"),
    "fast": gettext_lazy("fast"),
    "balanced": gettext_lazy("balanced"),
    "thorough": gettext_lazy("thorough"),
    "camera": gettext_lazy("camera"),
    "event": gettext_lazy("event"),
    "time": pgettext_lazy("of a mail", "time"),
    "kind": pgettext_lazy("of a mail", "kind"),
}


def local_time(utc_s: float | None) -> str:
    """Return a moment as YYYY-MM-DD HH:MM:SS in local time, "" for none."""
    if utc_s is None:
        return ""
    try:
        moment = datetime.datetime.fromtimestamp(utc_s)  # noqa: DTZ006 - local time, as in the rows
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


@register.filter(name="moment")
def shown_moment(moment: str | datetime.datetime | None) -> str:
    """Return a moment of a row, or a local datetime, with its seconds: "2026-11-22 14:03:05"."""
    # Translators: a format of Django: Y year, m month, d day, H hour of 24, i minute, s second
    return _shown(moment, pgettext("format of date and time", "Y-m-d H:i:s"))


@register.filter(name="minute")
def shown_minute(moment: str | datetime.datetime | None) -> str:
    """Return a moment of a row, or a local datetime, to the minute: "2026-11-22 14:03"."""
    return _shown(moment, pgettext("format of date and time", "Y-m-d H:i"))


@register.filter(name="day")
def shown_day(day: str | datetime.date | None) -> str:
    """Return the day of a row, or a date: "2026-11-22"."""
    return _shown(day, pgettext("format of date and time", "Y-m-d"))


@register.filter(name="local_time")
def shown_local_time(utc_s: float | None) -> str:
    """Return a moment in seconds since 1970 in local time, "" for none."""
    return shown_moment(local_time(utc_s))


@register.filter
def time_of_day(utc_s: float | None) -> str:
    """Return the time of day of a moment, "" for none."""
    return local_time(utc_s)[11:]


def _shown(moment: str | datetime.date | None, pattern: str) -> str:
    """Return a moment by a format; a text that is no time stays as it is: other programs write rows, too."""
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment[:19])
        except ValueError:
            return str(moment)
    return "" if moment is None else formatted(moment, pattern)


def long_day(day: datetime.date, today: datetime.date) -> str:
    """Return a day with its weekday, and its year where it is another one: "Sunday, 22 November"."""
    if day.year == today.year:
        # Translators: a format of Django: l weekday, j day, F month, Y year; other letters with a backslash before them
        return formatted(day, pgettext("format of date and time", "l, j F"))
    return formatted(day, pgettext("format of date and time", "l, j F Y"))


def short_day(day: datetime.date, today: datetime.date) -> str:
    """Return a day, and its year where it is another one: "22 November"."""
    if day.year == today.year:
        return formatted(day, pgettext("format of date and time", "j F"))
    return formatted(day, pgettext("format of date and time", "j F Y"))


def month_name(day: datetime.date, *, with_year: bool = True) -> str:
    """Return the month of a day, as a heading: "November 2026"."""
    pattern = pgettext("format of date and time", "F Y") if with_year else "F"
    text = formatted(day, pattern)
    return text[:1].upper() + text[1:]


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit: "3 minutes"."""
    count, unit = _largest(seconds)
    return many(count, unit)


def _largest(seconds: float) -> tuple[int, str]:
    for unit_s, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit_s:
            return int(seconds // unit_s), unit
    return max(0, int(seconds)), "second"


@register.filter
def ago(moment: float | datetime.datetime | None) -> str:
    """Return how long ago a moment was (UTC seconds or local datetime), with the time as tooltip; "never" for none."""
    utc_s = moment.timestamp() if isinstance(moment, datetime.datetime) else moment
    exact = shown_local_time(utc_s or None)
    if not exact:
        return _("never")
    return format_html('<time title="{}">{}</time>', exact, _ago(*_largest(time.time() - (utc_s or 0))))


def _ago(count: int, unit: str) -> str:
    match unit:
        case "day":
            text = ngettext("%(count)s day ago", "%(count)s days ago", count)
        case "hour":
            text = ngettext("%(count)s hour ago", "%(count)s hours ago", count)
        case "minute":
            text = ngettext("%(count)s minute ago", "%(count)s minutes ago", count)
        case _:
            text = ngettext("%(count)s second ago", "%(count)s seconds ago", count)
    return text % {"count": count}


@register.filter
def clock(utc_s: float) -> str:
    """Return the time of day of a moment, with its day as a tooltip."""
    return format_html('<time title="{}">{}</time>', shown_local_time(utc_s), time_of_day(utc_s))


@register.filter
def many(count: int, noun: str) -> str:
    """Return a number with its noun: "1 alarm", "2 alarms"."""
    known = _NOUNS.get(noun)
    return counted(count, noun) if known is None else str(known % {"count": count})


@register.filter
def word(stored: str) -> str:
    """Return a word that is stored or configured as a person reads it; others, such as a camera's own, stay."""
    return str(_WORDS.get(stored, stored))


@register.filter
def thousands(number: int) -> str:
    """Return a number with thin spaces between its thousands: "4 212"."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
