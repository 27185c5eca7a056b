"""Pictures and clips: bytes from mails, handed out so that they can only be pictures and clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from camalert.review.alerts.models import Alert, AlertFacts, Clip, Detect, DetectFacts
from camalert.review.clips import byte_range, pieces
from camalert.review.guard import PICTURE_POLICY
from camalert.review.media import Kind, clip_kind, file_name, picture_kind
from camalert.review.selection import Album
from camalert.review.thumbnails import thumbnails

# A row's picture never changes; the browser asks again after a day, when the row may be gone.
KEPT = "private, max-age=86400"


@require_safe
def picture(request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Hand out a picture as it is stored."""
    pictures: Any = Detect if album is Album.PEOPLE else Alert
    data = pictures.objects.filter(pk=row_id).values_list("snapshot", flat=True).first()
    if data is None:
        raise Http404("This picture is not there any more.")
    data = bytes(data)
    kind = picture_kind(data)
    facts: Any = DetectFacts if album is Album.PEOPLE else AlertFacts
    known = facts.objects.filter(pk=row_id).values("camera", "timestamp").first() or {"camera": "", "timestamp": ""}
    name = file_name(known["camera"], str(known["timestamp"]), row_id, kind.suffix)
    return _guarded(HttpResponse(data, content_type=kind.content_type), kind, name, is_wanted="download" in request.GET)


@require_safe
def thumbnail(_request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Hand out a small picture, or a drawing that says that there is none."""
    small = thumbnails().get(album, row_id)
    if small is None:
        raise Http404("This picture is not there any more.")
    if not small:
        return HttpResponse(status=302, headers={"Location": static("review/no-picture.svg"), "Cache-Control": KEPT})
    response = HttpResponse(small, content_type="image/jpeg")
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Cache-Control"] = KEPT
    return response


@require_safe
def clip(request: HttpRequest, clip_id: int) -> HttpResponse:
    """Hand out a clip, or the range of it that a player asks for."""
    row = Clip.objects.filter(pk=clip_id).values("kind", "bytes", "alert_id").first()
    if row is None:
        raise Http404("This clip is not there any more.")
    kind, size = clip_kind(row["kind"]), row["bytes"]
    wanted = byte_range(request.headers.get("Range", ""), size)
    first, last = wanted or (0, size - 1)
    database = Path(settings.CAMALERT.database.path)
    response: Any = StreamingHttpResponse(pieces(database, clip_id, first, last), content_type=kind.content_type)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(last - first + 1)
    if wanted:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return _guarded(response, kind, file_name("clip", "", clip_id, kind.suffix), is_wanted="download" in request.GET)


def _guarded(response: Any, kind: Kind, name: str, *, is_wanted: bool) -> HttpResponse:
    disposition = "attachment" if is_wanted or not kind.is_shown else "inline"
    response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Cache-Control"] = KEPT
    return response
