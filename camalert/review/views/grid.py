"""The grids: pages of small pictures, the following page, and what is new."""

from __future__ import annotations

import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from camalert.review import shots
from camalert.review.alerts.models import SeenCamera
from camalert.review.events import group
from camalert.review.selection import MARKS, Album, Cursor, Selection, parse_ids
from camalert.review.shot import Shot

SCORES = (0, 30, 50, 70, 90)  # per cent
MAX_WATCHED = 300  # pictures on a page that are looked after
MAX_CAMERAS = 500


@require_safe
def show(request: HttpRequest, album: Album) -> HttpResponse:
    """Show the newest rows of a selection, or those from a place on."""
    selection = Selection.parse(album, request.GET)
    # Asked before the rows: what comes in between is then told twice and shown once.
    newest = shots.newest_id(album)
    before = Cursor.parse(request.GET.get("before", ""))
    rows, following = shots.page(selection, before)
    context = {
        "album": album.value,
        "selection": selection,
        "cameras": _cameras(selection),
        "scores": SCORES,
        "marks": MARKS,
        "newest": newest,
        "is_first_page": before is None,
        "earlier": selection.beside(-1),
        "later": selection.beside(1),
        "page": _days(request, rows, selection, following),
    }
    return render(request, "review/grid.html", context)


@require_safe
def more(request: HttpRequest, album: Album) -> HttpResponse:
    """Give the following rows, for the script that adds them to the page."""
    selection = Selection.parse(album, request.GET)
    rows, following = shots.page(selection, Cursor.parse(request.GET.get("before", "")))
    return HttpResponse(_days(request, rows, selection, following))


@require_POST
def live(request: HttpRequest, album: Album) -> HttpResponse:
    """Say what changed: rows that are new, that look different now, and that are gone.

    The body is the list of what the page shows, "id=state,…"; it changes nothing, but would be too long for an address.
    """
    selection = Selection.parse(album, request.GET)
    newest = shots.newest_id(album)
    after_id = next(iter(parse_ids(request.GET.get("after", ""), 1)), newest)
    added = shots.newer(selection, after_id) if newest > after_id else []
    watched = dict(
        part.split("=", 1) for part in request.body.decode("utf-8", "replace").split(",")[:MAX_WATCHED] if "=" in part
    )
    shown_ids = parse_ids(",".join(watched), MAX_WATCHED)
    present = {shot.id: shot for shot in shots.some(album, shown_ids)} if shown_ids else {}
    changed = {row_id: shot for row_id, shot in present.items() if watched.get(str(row_id)) != shot.state}
    answer = {
        "newest": max(newest, after_id),
        "added": _days(request, added, selection, None) if added else "",
        "count": len(added),
        "changed": {row_id: _shot(request, shot, selection) for row_id, shot in changed.items()},
        "gone": [row_id for row_id in shown_ids if row_id not in present],
    }
    return JsonResponse(answer)


def _days(request: HttpRequest, rows: list[Shot], selection: Selection, following: Cursor | None) -> str:
    today = datetime.date.today()  # noqa: DTZ011 - the house's own day, as in the rows
    days = [(day, day.title(today)) for day in group(sorted(rows, key=lambda row: row.cursor_key, reverse=True))]
    context = {"days": days, "selection": selection, "album": selection.album.value, "following": following}
    return render_to_string("review/_days.html", context, request)


def _shot(request: HttpRequest, shot: Shot, selection: Selection) -> str:
    context: dict[str, Any] = {"shot": shot, "selection": selection, "album": selection.album.value}
    return render_to_string("review/_shot.html", context, request)


def _cameras(selection: Selection) -> list[str]:
    names = set(SeenCamera.objects.order_by("-last_seen_utc").values_list("name", flat=True)[:MAX_CAMERAS])
    return sorted(name for name in names | {selection.camera} if name)
