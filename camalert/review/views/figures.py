"""The figures: how much less there is to look at, when and where alarms come, and how long pictures stay."""

from __future__ import annotations

import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from camalert import identity
from camalert.review import figures, glance, tally
from camalert.review.alerts.models import AlertFacts, CameraDay
from camalert.review.boxes import read
from camalert.review.formats import decimal, month_name
from camalert.review.selection import NOT_A_PERSON, UNNAMED

MAX_FLAGGED = 500  # marked pictures whose boxes are drawn, the newest
MAX_BOXES = 60  # of one camera
MAX_SUMS = 40_000  # two months of 256 names a day, and some
_DAY = datetime.timedelta(days=1)
_KEPT = {"keep_alerts": "alarms", "keep_detections": "pictures with people"}  # as programs read it


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return render(request, "review/figures.html", _facts(_today()))


@require_safe
def api(_request: HttpRequest) -> HttpResponse:
    """Return the figures for a program."""
    found = _facts(_today())
    return JsonResponse(
        {
            "month": _total(found["this_month"]),
            "last_month": _total(found["last_month"]),
            "days": [{"day": bar.day} | _total(bar.total) for bar in found["bars"]],
            "cameras": [
                {"camera": each.camera, "flagged": each.flagged} | _total(each.total) for each, *_ in found["cameras"]
            ],
            "kept": [
                {
                    "of": _KEPT[key],
                    "rows": each.rows,
                    "keep": each.keep or None,
                    "oldest": each.oldest or None,
                    "a_day": round(each.a_day, 1),
                    "days": None if each.days is None else round(each.days, 1),
                }
                for _, key, each in found["keeping"]
            ],
        }
    )


def _facts(today: datetime.date) -> dict[str, Any]:
    first = today.replace(day=1)
    sums = _sums(glance.preceding(first))
    recent = [each for each in sums if each.day > str(today - figures.DAYS * _DAY)]
    boxes, flagged = _flagged()
    cameras = figures.by_camera(recent, flagged)
    names = [each.camera for each in cameras]
    days = [today - number * _DAY for number in range(figures.DAYS)]
    hours = glance.strip(today, tally.of_hours(days, names))
    bars = figures.bars(recent, today)
    return {
        "month": month_name(today, with_year=False),
        "this_month": figures.total(each for each in sums if each.day >= str(first)),
        "before": month_name(glance.preceding(first), with_year=False),
        "last_month": figures.total(each for each in sums if each.day < str(first)),
        "days": figures.DAYS,
        "bars": bars,
        "highest": max(bar.total.alarms for bar in bars),
        "hours": hours,
        "highest_hour": max((cell.alarms for row in hours for cell in row.cells), default=0),
        "cameras": [
            (each, _page_of(each.camera), _list_of(each.camera), boxes.get(identity.key(each.camera)))
            for each in cameras
        ],
        "keeping": _keeping(sums, today),
        "limits": _limits(),
    }


def _sums(first: datetime.date) -> list[figures.DaySum]:
    columns = ("day", "camera", "alerts", "detections", "visits")
    rows = CameraDay.objects.filter(day__gte=str(first)).values_list(*columns)[:MAX_SUMS]
    return [figures.DaySum(*row) for row in rows]


def _flagged() -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Return where the boxes of *not a person* lie, and how many pictures were marked so, by camera."""
    rows = AlertFacts.objects.filter(mark=NOT_A_PERSON)
    found: dict[str, dict[str, Any]] = {}
    columns = ("pk", "camera", "people", "width_px", "height_px")
    for row_id, camera, people, width_px, height_px in rows.order_by("-timestamp").values_list(*columns)[:MAX_FLAGGED]:
        if not width_px or not height_px:
            continue
        of_camera = found.setdefault(
            identity.key(camera), {"picture": row_id, "width_px": width_px, "height_px": height_px, "boxes": []}
        )
        room = MAX_BOXES - len(of_camera["boxes"])
        of_camera["boxes"] += [
            {
                "x": round(100 * box.x / width_px, 1),
                "y": round(100 * box.y / height_px, 1),
                "width": round(100 * box.width / width_px, 1),
                "height": round(100 * box.height / height_px, 1),
            }
            for box in read(people)[:room]
        ]
    return found, tally.marked(NOT_A_PERSON)


def _keeping(sums: list[figures.DaySum], today: datetime.date) -> list[tuple[str, str, figures.Keeping]]:
    """Return for alarms and for pictures with people how long they stay, each with its configuration key."""
    # Today is not over: it would make the rate too low.
    week = [each for each in sums if str(today - figures.RATE_DAYS * _DAY) <= each.day < str(today)]
    recent = figures.total(week)
    found = []
    kept = tally.kept()
    for table, name, key, count in (
        ("alerts_alert", gettext("alarms"), "keep_alerts", recent.alarms),
        ("alerts_detect", gettext("pictures with people"), "keep_detections", recent.people),
    ):
        rows, keep, oldest = kept.get(table, (0, None, ""))
        found.append((name, key, figures.keeping(rows, keep, oldest, count)))
    return found


def _limits() -> list[str]:
    """Return what else limits what is kept, in words."""
    database = settings.CAMALERT.database
    found = []
    if database.keep_days:
        days = decimal(database.keep_days)
        found.append(gettext("Nothing older than %(days)s days is kept (keep_days).") % {"days": days})
    if database.keep_bytes:
        size = decimal(round(database.keep_bytes / 1e9, 1))
        found.append(gettext("At most %(size)s GB are used (keep_bytes).") % {"size": size})
    if database.keep_disk_percent:
        percent = decimal(database.keep_disk_percent)
        found.append(gettext("At most %(percent)s %% of the disk are used (keep_disk_percent).") % {"percent": percent})
    return found


def _page_of(camera: str) -> str:
    """Return the address of a camera's page, where areas are drawn; "" for the one without a name."""
    return reverse("camera", args=(camera,)) if camera else ""


def _list_of(camera: str) -> str:
    return f"{reverse('alarms')}?{urlencode({'camera': camera or UNNAMED, 'mark': NOT_A_PERSON})}"


def _total(found: figures.Total) -> dict[str, Any]:
    return {"alarms": found.alarms, "people": found.people, "visits": found.visits, "less_percent": found.less_percent}


def _today() -> datetime.date:
    return datetime.date.today()  # noqa: DTZ011 - the local day, as in the rows
