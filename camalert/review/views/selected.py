"""What is done with many pictures at a time, by the grid's form: it works without a script, too."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from camalert.review import archive, changes, shots
from camalert.review.selection import ANY_MARK, Album, Selection, parse_ids

MAX_CHOSEN = 5000
MAX_REVIEWED = 200_000


@require_POST
def act(request: HttpRequest, album: Album) -> HttpResponse:
    """Mark, delete or download the chosen pictures; a deletion asks first."""
    chosen = parse_ids(",".join(request.POST.getlist("id")), MAX_CHOSEN)
    back = _back(request, album)
    who = request.user.get_username()
    if not chosen:
        messages.info(request, "Choose some pictures first.")
        return redirect(back)
    match request.POST.get("action", ""):
        case "reviewed" | "unreviewed" as action:
            count = changes.set_reviewed(album, chosen, is_reviewed=action == "reviewed", who=who)
            messages.success(request, f"{_many(count)} marked as {'reviewed' if action == 'reviewed' else 'new'}.")
        case "zip":
            return download(album, chosen[: archive.MAX_PICTURES], "camalert-pictures.zip")
        case "delete" if request.POST.get("sure") == "yes":
            messages.success(request, f"{_many(changes.delete(album, chosen, who))} deleted.")
        case "delete":
            context = {"album": album.value, "chosen": chosen, "query": request.POST.get("query", ""), "back": back}
            return render(request, "review/confirm.html", context)
        case _:
            return HttpResponseBadRequest("unknown action")
    return redirect(back)


@require_POST
def review_all(request: HttpRequest, album: Album) -> HttpResponse:
    """Mark everything in a selection as reviewed."""
    selection = Selection.parse(album, request.POST)
    unseen = Selection.parse(album, {**request.POST.dict(), "review": "new"})
    count = changes.set_reviewed(
        album, shots.ids(unseen, MAX_REVIEWED), is_reviewed=True, who=request.user.get_username()
    )
    messages.success(request, f"{_many(count)} marked as reviewed.")
    return redirect(reverse(album.value) + f"?{selection.query()}")


@require_safe
def export_marks(_request: HttpRequest, album: Album) -> HttpResponse:
    """Hand out the marked pictures with what was known of them, for tuning the detection."""
    ids = shots.ids(Selection(album, mark=ANY_MARK), archive.MAX_PICTURES)
    return download(album, ids, f"camalert-marks-{album.value}.zip")


def download(album: Album, ids: list[int], name: str) -> HttpResponse:
    """Send pictures as a ZIP file."""
    response: Any = StreamingHttpResponse(archive.stream(album, ids), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _back(request: HttpRequest, album: Album) -> str:
    selection = Selection.parse(album, QueryDict(request.POST.get("query", "")).dict())
    return reverse(album.value) + f"?{selection.query()}"


def _many(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"
