"""Times, numbers and stored words as the pages show them, in the language of the page: for templates as filters.

What programs read, and what is compared or sorted, stays as it is stored: `local_time` is the same in every language.
"""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

from django.template import Library
from django.utils.dateformat import format as formatted
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import get_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy, pgettext, pgettext_lazy

from camalert.config import objects
from camalert.detection.thresholds import Proposal
from camalert.status.model import counted

register = Library()

_NOUNS: dict[str, Any] = {
    "account": ngettext_lazy("%(count)s account", "%(count)s accounts", "count"),
    "alarm": ngettext_lazy("%(count)s alarm", "%(count)s alarms", "count"),
    "clip": ngettext_lazy("%(count)s clip", "%(count)s clips", "count"),
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
    "alarm input": pgettext_lazy("event of a camera", "alarm input"),
    "disk": pgettext_lazy("event of a camera", "disk"),
    "face": pgettext_lazy("event of a camera", "face"),
    "intrusion": pgettext_lazy("event of a camera", "intrusion"),
    "line crossing": pgettext_lazy("event of a camera", "line crossing"),
    "login": pgettext_lazy("event of a camera", "login"),
    "motion": pgettext_lazy("event of a camera", "motion"),
    "sound": pgettext_lazy("event of a camera", "sound"),
    "tampering": pgettext_lazy("event of a camera", "tampering"),
    "video loss": pgettext_lazy("event of a camera", "video loss"),
    "ignore": gettext_lazy("ignored"),
    "watch": gettext_lazy("watched alone"),
    "visit": gettext_lazy("somebody is there"),
    "better": gettext_lazy("a clearly better picture"),
    "over": gettext_lazy("a visit is over"),
    "digest": gettext_lazy("a summary of the day"),
    "silent": gettext_lazy("a camera sends nothing"),
    "back": gettext_lazy("a camera is back"),
    "trouble": gettext_lazy("camalert is in trouble"),
    "well": gettext_lazy("the trouble is over"),
    "ready": pgettext_lazy("of a process", "ready"),
    "running": pgettext_lazy("of a process", "running"),
    "starting": pgettext_lazy("of a process", "starting"),
    "down": pgettext_lazy("of a process", "down"),
    "stopping": pgettext_lazy("of a process", "stopping"),
    "stopped": pgettext_lazy("of a process", "stopped"),
    "off": pgettext_lazy("of a process", "off"),
    "person": gettext_lazy("person"),
    "vehicle": gettext_lazy("vehicle"),
    "animal": gettext_lazy("animal"),
    "bag": gettext_lazy("bag"),
    "bicycle": gettext_lazy("bicycle"),
    "car": gettext_lazy("car"),
    "motorcycle": gettext_lazy("motorcycle"),
    "bus": gettext_lazy("bus"),
    "train": gettext_lazy("train"),
    "truck": gettext_lazy("truck"),
    "boat": gettext_lazy("boat"),
    "bird": gettext_lazy("bird"),
    "cat": gettext_lazy("cat"),
    "dog": gettext_lazy("dog"),
    "horse": gettext_lazy("horse"),
    "sheep": gettext_lazy("sheep"),
    "cow": gettext_lazy("cow"),
    "elephant": gettext_lazy("elephant"),
    "bear": gettext_lazy("bear"),
    "zebra": gettext_lazy("zebra"),
    "giraffe": gettext_lazy("giraffe"),
    "backpack": gettext_lazy("backpack"),
    "handbag": gettext_lazy("handbag"),
    "suitcase": gettext_lazy("suitcase"),
}
_FOUND: dict[str, Any] = {
    "person": gettext_lazy("a person"),
    "vehicle": gettext_lazy("a vehicle"),
    "animal": gettext_lazy("an animal"),
    "bag": gettext_lazy("a bag"),
    "bicycle": gettext_lazy("a bicycle"),
    "car": gettext_lazy("a car"),
    "motorcycle": gettext_lazy("a motorcycle"),
    "bus": gettext_lazy("a bus"),
    "train": gettext_lazy("a train"),
    "truck": gettext_lazy("a truck"),
    "boat": gettext_lazy("a boat"),
    "bird": gettext_lazy("a bird"),
    "cat": gettext_lazy("a cat"),
    "dog": gettext_lazy("a dog"),
    "horse": gettext_lazy("a horse"),
    "sheep": gettext_lazy("a sheep"),
    "cow": gettext_lazy("a cow"),
    "elephant": gettext_lazy("an elephant"),
    "bear": gettext_lazy("a bear"),
    "zebra": gettext_lazy("a zebra"),
    "giraffe": gettext_lazy("a giraffe"),
    "backpack": gettext_lazy("a backpack"),
    "handbag": gettext_lazy("a handbag"),
    "suitcase": gettext_lazy("a suitcase"),
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
    if isinstance(moment, datetime.datetime):
        moment = moment.replace(tzinfo=datetime.UTC)  # or Django would ask for a list of zones
    return "" if moment is None else formatted(moment, pattern)


def long_day(day: datetime.date, today: datetime.date) -> str:
    """Return a day with its weekday, and its year where it is another one: "Sunday, 22 November"."""
    if day.year == today.year:
        # Translators: a format of Django: l weekday, j day, F month, Y year; other letters with a backslash before them
        return formatted(day, pgettext("format of date and time", "l, j F"))
    return formatted(day, pgettext("format of date and time", "l, j F Y"))


def day_in_line(day: datetime.date, today: datetime.date) -> str:
    """Return a day as part of a line: "Sunday 22 November"."""
    if day.year == today.year:
        return formatted(day, pgettext("format of date and time", "l j F"))
    return formatted(day, pgettext("format of date and time", "l j F Y"))


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


def lasting(seconds: float) -> str:
    """Return how long something took: "for 3 minutes"."""
    count, unit = _largest(seconds)
    match unit:
        case "day":
            text = ngettext("for %(count)s day", "for %(count)s days", count)
        case "hour":
            text = ngettext("for %(count)s hour", "for %(count)s hours", count)
        case "minute":
            text = ngettext("for %(count)s minute", "for %(count)s minutes", count)
        case _:
            text = ngettext("for %(count)s second", "for %(count)s seconds", count)
    return text % {"count": count}


@register.filter
def ago(moment: float | datetime.datetime | None) -> str:
    """Return how long ago a moment was (UTC seconds or local datetime), with the time as tooltip; "never" for none."""
    utc_s = moment.timestamp() if isinstance(moment, datetime.datetime) else moment
    exact = shown_local_time(utc_s or None)
    if not exact:
        return _("never")
    return format_html('<time title="{}">{}</time>', exact, ago_of(*_largest(time.time() - (utc_s or 0))))


def ago_of(count: int, unit: str) -> str:
    """Return how long ago something was: "3 minutes ago"."""
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


_ENGLISH_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # as the configuration has them


@register.filter
def hours(text: str) -> str:
    """Return hours of the configuration, such as "Mon-Fri 22:00-24:00", with the days in the language of the page."""
    names = {day: str(WEEKDAYS_ABBR[number]) for number, day in enumerate(_ENGLISH_DAYS)}
    return re.sub("|".join(names), lambda found: names[found[0]], text)


@register.filter
def proposed(found: Proposal) -> str:
    """Say what a threshold that the marks of a camera propose would have changed."""
    changes = [
        text % {"count": count}
        for count, text in (
            (found.found, ngettext("%(count)s missed person found", "%(count)s missed people found", found.found)),
            (found.spared, ngettext("%(count)s false alarm less", "%(count)s false alarms less", found.spared)),
            (found.lost, ngettext("%(count)s person missed", "%(count)s people missed", found.lost)),
            (found.added, ngettext("%(count)s false alarm more", "%(count)s false alarms more", found.added)),
        )
        if count
    ]
    text = ngettext(
        "%(threshold)s %% instead of %(instead_of)s %%: of %(pictures)s picture that was looked at, %(changes)s",
        "%(threshold)s %% instead of %(instead_of)s %%: of %(pictures)s pictures that were looked at, %(changes)s",
        found.pictures,
    )
    return text % {
        "threshold": round(100 * found.threshold),
        "instead_of": round(100 * found.instead_of),
        "pictures": found.pictures,
        "changes": ", ".join(changes),
    }


def phrase(kinds: str) -> str:
    """Return what was found, as the database has it, in words: "a person and a dog"; "" is a person, as it once was."""
    names = [str(_FOUND[kind]) for kind in kinds.split(",") if kind in _FOUND] or [str(_FOUND[objects.PERSON])]
    if len(names) == 1:
        return names[0]
    return _("%(first)s and %(last)s") % {"first": ", ".join(names[:-1]), "last": names[-1]}


def decimal(number: float) -> str:
    """Return a number with as many places as it has: "3", "1.5" or "1,5"."""
    return f"{number:g}".replace(".", get_format("DECIMAL_SEPARATOR"))


@register.filter
def thousands(number: int) -> str:
    """Return a number with thin spaces between its thousands: "4 212"."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
