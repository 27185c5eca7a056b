"""What stands above every list: the day at a glance, a calendar, the search and how it was understood."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import Library
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from camalert.config.objects import NAMES
from camalert.review import glance, search, tally
from camalert.review.alerts.models import SeenCamera
from camalert.review.formats import long_day, month_name, short_day
from camalert.review.selection import ASKED_CHARS, Album, Selection

LISTS = {"visits": Album.PEOPLE, "people": Album.PEOPLE, "alarms": Album.ALARMS}  # by the names of their addresses
MAX_CAMERAS = 500
_DAY = datetime.timedelta(days=1)

register = Library()


@register.simple_tag(takes_context=True)
def day_at_a_glance(context: Any) -> dict[str, Any]:
    """Return what `_day.html` shows for the list of a page."""
    request = context["request"]
    match = request.resolver_match
    name = match.url_name if match and match.url_name in LISTS else "people"
    return _glance(request, name, context.get("selection") or Selection(LISTS[name]))


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Return that part of a page for another day or month."""
    name = _list(request)
    context = {"glance": _glance(request, name, _selection(name, request.GET.dict()))}
    return render(request, "review/_glance.html", context)


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Lead from what was typed to the list that shows it."""
    name = _list(request)
    found = _understood(request)
    if found.filters.get("outcome") not in (None, "person"):
        name = "alarms"
    for sentence in found.left_out:
        messages.info(request, sentence)
    # Who searches the inbox looks for what is reviewed, too.
    asked = {"review": "all"} | found.filters | {"asked": request.GET.get("q", "")}
    selection = _selection(name, asked)
    return redirect(f"{reverse(name)}?{selection.query()}")


@require_safe
def api_find(request: HttpRequest) -> HttpResponse:
    """Return a search as filters, and in words."""
    found = _understood(request)
    words = search.said(Selection.parse(Album.ALARMS, found.filters), _now().date())
    return JsonResponse({"filters": found.filters, "understood": words, "left_out": found.left_out})


@require_safe
def api_days(request: HttpRequest) -> HttpResponse:
    """Return the days that have rows, newest first."""
    album = LISTS[_list(request)]
    selection = Selection.parse(album, request.GET)
    return JsonResponse({"days": tally.days_with_rows(album, selection.camera)})


@require_safe
def api_day(request: HttpRequest) -> HttpResponse:
    """Return what each camera sent in each hour of `day`, today without it."""
    day = _shown_day(Selection.parse(Album.ALARMS, request.GET), "", _now().date())
    rows = [
        {
            "camera": row.camera or row.label,
            "alarms": row.alarms,
            "people": row.people,
            "hours": [{"hour": cell.hour, "alarms": cell.alarms, "people": cell.people} for cell in row.cells],
        }
        for row in glance.strip(day, tally.of_day(day))
    ]
    return JsonResponse({"day": str(day), "cameras": rows})


def _glance(request: HttpRequest, name: str, selection: Selection) -> dict[str, Any]:
    now = _now()
    today = now.date()
    day = _shown_day(selection, request.GET.get("strip", ""), today)
    month = _month(request.GET.get("month", ""), day)
    base = replace(selection, day="", since="", until="", asked="")
    address = reverse(name)

    def leading_to(until: str, camera: str = "") -> str:
        change = {"camera": camera} if camera and selection.camera else {}
        if selection.is_inbox:
            change["review"] = "all"  # the strip has what is reviewed, too
        return f"?{base.query(until=until, **change)}"  # of the list's own page, which this is a part of

    rows = glance.strip(day, tally.of_day(day))
    squares = glance.month_squares(month)
    calendar = [
        (glance.Square(date, date.month == month.month, date > today, *sums), leading_to(f"{date + _DAY} 00:00"))
        for date, sums in zip(squares, tally.of_days(squares), strict=True)
    ]
    return {
        "list": name,
        "query": selection.query(),
        "asked": selection.asked,
        "shows": "" if selection.is_everything else search.said(selection, today),
        "show_all": address,
        "day": str(day),
        "title": _title(day, today),
        "is_today": day == today,
        "now_x": round((now.hour + now.minute / 60) * glance.HOUR_PX, 1),
        "rows": [(row, [(cell, leading_to(cell.until, cell.camera)) for cell in row.cells]) for row in rows],
        "alarms": sum(row.alarms for row in rows),
        "people": sum(row.people for row in rows),
        "earlier": (str(day - _DAY), leading_to(f"{day} 00:00")),
        "later": (str(day + _DAY), leading_to(f"{day + 2 * _DAY} 00:00")) if day < today else None,
        "month": month_name(month),
        "weekdays": weekdays(),
        "weeks": [calendar[start : start + 7] for start in range(0, len(calendar), 7)],
        "month_before": f"{glance.preceding(month):%Y-%m}",
        "month_after": f"{glance.following(month):%Y-%m}" if glance.following(month) <= today else "",
        "is_month_asked": bool(request.GET.get("month")),
    }


def _title(day: datetime.date, today: datetime.date) -> str:
    """Return a day as a heading: "Today, 28 November"."""
    names = {today: _("Today"), today - _DAY: _("Yesterday")}
    return f"{names[day]}, {short_day(day, today)}" if day in names else long_day(day, today)


def weekdays() -> list[tuple[str, str]]:
    """Return the names of the days from Monday on, each with two or three letters for it."""
    short = (
        pgettext("weekday", "Mo"), pgettext("weekday", "Tu"), pgettext("weekday", "We"), pgettext("weekday", "Th"),
        pgettext("weekday", "Fr"), pgettext("weekday", "Sa"), pgettext("weekday", "Su"),
    )  # fmt: skip
    return [(str(WEEKDAYS[number]), short[number]) for number in range(7)]


def _shown_day(selection: Selection, asked: str, today: datetime.date) -> datetime.date:
    """Return the day of the strip: the one asked for, else the last that the list selects, else today."""
    for text in (asked, selection.day):
        if found := Selection.parse(selection.album, {"day": text}).day:
            return min(today, datetime.date.fromisoformat(found))
    if selection.until:
        last = datetime.datetime.fromisoformat(selection.until) - datetime.timedelta(minutes=1)
        return min(today, last.date())
    return today


def _month(text: str, day: datetime.date) -> datetime.date:
    """Return the first day of a month "YYYY-MM", else of a day's."""
    found = Selection.parse(Album.PEOPLE, {"day": f"{text}-01"}).day
    month = datetime.date.fromisoformat(found) if found else day.replace(day=1)
    # The weeks around it must lie within the calendar.
    return month if 1 < month.year < 9999 else day.replace(day=1)


def _selection(name: str, query: dict[str, str]) -> Selection:
    return Selection.inbox(query) if name == "visits" else Selection.parse(LISTS[name], query)


def _list(request: HttpRequest) -> str:
    name = request.GET.get("list", "")
    return name if name in LISTS else "people"


def _understood(request: HttpRequest) -> search.Understood:
    names = SeenCamera.foremost(MAX_CAMERAS).values_list("name", flat=True)
    return search.understand(request.GET.get("q", "")[:ASKED_CHARS], _now(), names, NAMES, get_language() or "en")


def _now() -> datetime.datetime:
    return datetime.datetime.now()  # noqa: DTZ005 - the site shows local times, as the rows have them
