"""The lists as grids of thumbnails: pages of them, what is new, and what is done with many pictures at a time."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from camalert import identity
from camalert.config import objects
from camalert.config.schema import Camera, Config
from camalert.detection.rules import objects_of
from camalert.review import changes, shots
from camalert.review.alerts.models import SeenCamera
from camalert.review.formats import word
from camalert.review.guard import must_own
from camalert.review.selection import ANY_MARK, MARKS, UNNAMED, Album, Cursor, Selection, parse_ids
from camalert.review.shots import Shot, group
from camalert.review.views import api, files

SCORES = (0, 30, 50, 70, 90)  # percent
MAX_WATCHED = 300  # pictures of a page that are kept up to date
MAX_CAMERAS = 500
MAX_SELECTED = 5000
MAX_REVIEWED = 200_000


@require_safe
def show(request: HttpRequest, album: Album) -> HttpResponse:
    """Show the newest rows of a selection, or those from a place in it."""
    selection = Selection.parse(album, request.GET)
    # Before the rows: what arrives in between is then sent twice and shown once.
    newest = shots.newest_id(album)
    before = Cursor.parse(request.GET.get("before", ""))
    rows, following = shots.page(selection, before)
    context = {
        "album": album.value,
        "selection": selection,
        "cameras": _cameras(selection),
        "scores": SCORES,
        "kinds": _kinds(selection),
        "marks": MARKS,
        "newest": newest,
        "is_first_page": before is None,
        "earlier": selection.beside(-1),
        "later": selection.beside(1),
        "page": _days(request, rows, selection, following),
    }
    return render(request, "review/grid.html", context)


def _kinds(selection: Selection) -> list[str]:
    """Return what a list can be narrowed to; where cameras ask for people alone there is nothing to choose."""
    config: Config = settings.CAMALERT
    asked = {name for camera in (Camera(), *config.camera) for name in objects_of(config, camera)}
    if asked <= {objects.PERSON} and not selection.object:
        return []
    return [name for name in objects.NAMES if name in {objects.PERSON, *objects.GROUPS, *asked, selection.object}]


@require_safe
def more(request: HttpRequest, album: Album) -> HttpResponse:
    """Return the next rows, for the script that adds them to the page."""
    selection = Selection.parse(album, request.GET)
    rows, following = shots.page(selection, Cursor.parse(request.GET.get("before", "")))
    return HttpResponse(_days(request, rows, selection, following))


@require_POST
def live(request: HttpRequest, album: Album) -> HttpResponse:
    """Return what changed: rows that are new, that look different now, and that are gone.

    The body is what the page shows, "id=state,…": too long for an address.
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


@require_POST
def act(request: HttpRequest, album: Album) -> HttpResponse:
    """Review, mark, delete or download the selected pictures, without a script too."""
    if request.POST.get("action", "") == "delete":
        must_own(request)
    selected = parse_ids(",".join(request.POST.getlist("id")), MAX_SELECTED)
    back = _back(request, album)
    user = request.user.get_username()
    if not selected:
        messages.info(request, gettext("Select some pictures first."))
        return redirect(back)
    match request.POST.get("action", ""):
        case "reviewed" | "unreviewed" as action:
            count = changes.set_reviewed(album, selected, is_reviewed=action == "reviewed", user=user)
            messages.success(request, changed(action, count))
        case "zip":
            return download(album, selected, "camalert-pictures.zip")
        case "not a person" | "missed a person" as mark:
            count = changes.set_mark(album, selected, mark, user)
            messages.success(request, flagged(count, mark))
        case "delete":
            gone = changes.delete(album, selected, user)
            messages.success(
                request,
                ngettext(
                    "%(count)s picture deleted; the bin keeps it for a day.",
                    "%(count)s pictures deleted; the bin keeps them for a day.",
                    gone.count,
                )
                % {"count": gone.count},
            )
        case _:
            return HttpResponseBadRequest("unknown action")
    return redirect(back)


@require_POST
def review_all(request: HttpRequest, album: Album) -> HttpResponse:
    """Mark everything in a selection as reviewed."""
    selection = Selection.parse(album, request.POST)
    unreviewed = shots.ids(replace(selection, review="new"), MAX_REVIEWED)
    count = changes.set_reviewed(album, unreviewed, is_reviewed=True, user=request.user.get_username())
    message = changed("reviewed", count)
    if request.headers.get("Accept", "") == "application/json":
        return JsonResponse({"message": message, "pictures": unreviewed if len(unreviewed) <= api.MAX_IDS else []})
    messages.success(request, message)
    return redirect(reverse(album.value) + f"?{selection.query()}")


def changed(action: str, count: int) -> str:
    """Say how many pictures were marked as "reviewed" or "unreviewed"."""
    if action == "reviewed":
        text = ngettext("%(count)s picture marked as reviewed.", "%(count)s pictures marked as reviewed.", count)
    else:
        text = ngettext("%(count)s picture marked as unreviewed.", "%(count)s pictures marked as unreviewed.", count)
    return text % {"count": count}


def flagged(count: int, mark: str) -> str:
    """Say how many pictures were flagged as what."""
    text = ngettext("%(count)s picture flagged: %(mark)s.", "%(count)s pictures flagged: %(mark)s.", count)
    return text % {"count": count, "mark": word(mark)}


@require_safe
def export_marks(_request: HttpRequest, album: Album) -> HttpResponse:
    """Hand out the flagged pictures with what is known of them, for tuning the detection."""
    ids = shots.ids(Selection(album, mark=ANY_MARK), files.MAX_PICTURES)
    return download(album, ids, f"camalert-marks-{album.value}.zip")


def download(album: Album, ids: list[int], name: str) -> HttpResponse:
    """Hand out pictures as one ZIP file, as many as it holds."""
    ids = ids[: files.MAX_PICTURES]
    response: Any = StreamingHttpResponse(files.zipped(album, ids), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _back(request: HttpRequest, album: Album) -> str:
    selection = Selection.parse(album, QueryDict(request.POST.get("query", "")).dict())
    return reverse(album.value) + f"?{selection.query()}"


def _days(request: HttpRequest, rows: list[Shot], selection: Selection, following: Cursor | None) -> str:
    today = datetime.date.today()  # noqa: DTZ011 - the local day, as in the rows
    days = [
        (day, day.title(today)) for day in group(sorted(rows, key=lambda row: (row.timestamp, row.id), reverse=True))
    ]
    context = {"days": days, "selection": selection, "album": selection.album.value, "following": following}
    return render_to_string("review/_days.html", context, request)


def _shot(request: HttpRequest, shot: Shot, selection: Selection) -> str:
    context: dict[str, Any] = {"shot": shot, "selection": selection, "album": selection.album.value}
    return render_to_string("review/_shot.html", context, request)


def _cameras(selection: Selection) -> list[tuple[str, bool]]:
    """Return the cameras to select from, each with whether it is selected: names compare without regard to case."""
    names = {
        identity.key(name): name or UNNAMED for name in SeenCamera.foremost(MAX_CAMERAS).values_list("name", flat=True)
    }
    selected = identity.key("" if selection.camera == UNNAMED else selection.camera)
    if selection.camera:
        names.setdefault(selected, selection.camera)
    return sorted((name, bool(selection.camera) and key == selected) for key, name in names.items())
