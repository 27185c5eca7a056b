"""Bytes that came with mails, handed out: pictures, thumbnails, clips, kept mails, and many pictures as one ZIP file.

Whatever a mail calls its attachment, and whatever hides in it, only what begins as a picture is shown as one; the rest
is a download under a name of our own.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.templatetags.static import static
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from camalert.decoding.kinds import HEAD_BYTES, KINDS, kind_of
from camalert.errors import StoreError
from camalert.review.alerts.models import FACTS, PICTURES, PLAYED, Clip, KeptMail, Mail
from camalert.review.formats import local_time
from camalert.review.guard import PICTURE_POLICY, must_own
from camalert.review.selection import Album
from camalert.review.thumbnails import OF_ALBUM, NotYet, previews, thumbnails
from camalert.review.thumbnails import Kind as Thumbnail
from camalert.store.sqlite.opening import open_reader

MAX_PICTURES = 2000  # in one ZIP file
PIECE_BYTES = 262_144
INDEX = "index.json"
# A row's picture never changes; the browser asks again after a day, when the row may be gone.
KEPT = "private, max-age=86400"
BEING_MADE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="5" viewBox="0 0 80 50">'
    '<path fill="#8899a0" d="M28 23h4v4h-4zM38 23h4v4h-4zM48 23h4v4h-4z"/></svg>'
)
# What a later tuning of the detection needs to know of each picture.
_INDEXED = (
    "timestamp", "camera", "event", "subject", "mark", "best_score", "threshold", "people", "reason", "engine", "model",
    "effort", "height_px", "width_px",
)  # fmt: skip
_SHOWN = ("jpeg", "png", "webp", "gif", "bmp", "avif")  # what browsers show
_UNKNOWN = "application/octet-stream"
_RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})")


@require_safe
def picture(request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Hand out a picture as it is stored."""
    data = PICTURES[album].stored(row_id)
    if data is None:
        raise Http404(gettext("This picture no longer exists."))
    facts = FACTS[album].objects.filter(pk=row_id).values("camera", "timestamp").first() or {
        "camera": "",
        "timestamp": "",
    }
    return as_picture(request, data, (facts["camera"], str(facts["timestamp"]), row_id))


def as_picture(request: HttpRequest, data: bytes, called: tuple[str, str, int]) -> HttpResponse:
    """Hand out a picture; its name is made of a camera, a time and an id."""
    kind = picture_kind(data)
    name = file_name(*called, kind.suffix)
    is_download = "download" in request.GET or not kind.is_shown
    return _as_file(HttpResponse(data, content_type=kind.content_type), name, is_download=is_download)


@require_safe
def thumbnail(request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Hand out a thumbnail: of the whole picture, or with `?people` of the part that shows them."""
    return _small(OF_ALBUM[album]["people" in request.GET], row_id)


@require_safe
def bin_thumbnail(request: HttpRequest, bin_id: int) -> HttpResponse:
    """Hand out a thumbnail of a deleted picture."""
    must_own(request)
    return _small(Thumbnail.BIN, bin_id)


@require_safe
def clip_preview(_request: HttpRequest, clip_id: int) -> HttpResponse:
    """Hand out a small moving picture of a clip, for lists and for what no browser plays."""
    return _small(Thumbnail.CLIP, clip_id)


def _small(kind: Thumbnail, row_id: int) -> HttpResponse:
    """Return a thumbnail, or a drawing that says that there is none."""
    if not settings.CAMALERT.review.thumbnails:
        return _whole(kind, row_id)
    try:
        small = (previews() if kind is Thumbnail.CLIP else thumbnails()).get(kind, row_id)
    except NotYet:
        return _being_made()
    if small is None:
        raise Http404(gettext("This picture no longer exists."))
    if not small:
        return _no_picture()
    response = HttpResponse(small, content_type="image/webp" if kind is Thumbnail.CLIP else "image/jpeg")
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Cache-Control"] = KEPT
    return response


def _whole(kind: Thumbnail, row_id: int) -> HttpResponse:
    """Return the picture that a thumbnail would be made of: the browser makes it small."""
    found = None if kind is Thumbnail.CLIP else kind.load(row_id)
    if found is None:
        raise Http404(gettext("This picture no longer exists."))
    shown = picture_kind(found[0])
    if not shown.is_shown:
        return _no_picture()
    response = HttpResponse(found[0], content_type=shown.content_type)
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Cache-Control"] = KEPT
    return response


def _no_picture() -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": static("review/no-picture.svg"), "Cache-Control": KEPT})


def _being_made() -> HttpResponse:
    """Answer with a drawing of an odd size, by which the page's script knows to ask again."""
    response: Any = HttpResponse(BEING_MADE, content_type="image/svg+xml", status=503)
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers["Retry-After"] = "2"
    response._has_been_logged = True  # Django takes every 503 for a fault of the site
    return response


@require_safe
def clip(request: HttpRequest, clip_id: int) -> HttpResponse:
    """Hand out a clip, or the range of it that a player asks for."""
    row = Clip.objects.filter(pk=clip_id).values("kind", "size_bytes", "alert_id").first()
    if row is None or (row["alert_id"] or 0) < 0:  # in the bin
        raise Http404(gettext("This clip no longer exists."))
    kind, size = clip_kind(row["kind"]), row["size_bytes"]
    wanted = byte_range(request.headers.get("Range", ""), size)
    first, last = wanted or (0, size - 1)
    content = pieces(("camalert_clip", "clip", clip_id), first, last)
    response: Any = StreamingHttpResponse(content, content_type=kind.content_type)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(last - first + 1)
    if wanted:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    is_download = "download" in request.GET or not kind.is_shown
    return _as_file(response, file_name("clip", "", clip_id, kind.suffix), is_download=is_download)


@require_safe
def kept_mail(request: HttpRequest, mail_id: int) -> HttpResponse:
    """Hand a kept mail out to an owner, as a file that no browser opens as anything."""
    must_own(request)
    row = KeptMail.objects.filter(pk=mail_id).first()
    if row is None:
        raise Http404(gettext("This mail is no longer kept: it was removed for newer ones."))
    mail = Mail.objects.filter(pk=mail_id).values("camera").first() or {"camera": ""}
    content = pieces(("camalert_raw", "raw", mail_id), 0, row.bytes - 1)
    response: Any = StreamingHttpResponse(content, content_type=_UNKNOWN)
    response.headers["Content-Length"] = str(row.bytes)
    response.headers["Cache-Control"] = "no-store"
    name = file_name(mail["camera"], local_time(row.received_utc), mail_id, "eml")
    return _as_file(response, name, is_download=True)


def _as_file(response: Any, name: str, *, is_download: bool) -> HttpResponse:
    response.headers["Content-Disposition"] = f'{"attachment" if is_download else "inline"}; filename="{name}"'
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers.setdefault("Cache-Control", KEPT)
    return response


@dataclass(frozen=True, slots=True)
class Kind:
    """How a file is handed out; unless `is_shown`, it is only ever downloaded."""

    content_type: str
    suffix: str
    is_shown: bool


def picture_kind(data: bytes) -> Kind:
    """Return how a picture is handed out, by its first bytes."""
    return _kind(kind_of(data[:HEAD_BYTES]), _SHOWN)


def clip_kind(name: str) -> Kind:
    """Return how a clip is handed out, by the kind that the service found."""
    return _kind(name, PLAYED)


def _kind(name: str, shown: tuple[str, ...]) -> Kind:
    known = KINDS.get(name)
    return (
        Kind(known.content_type, known.suffix, is_shown=name in shown)
        if known
        else Kind(_UNKNOWN, "bin", is_shown=False)
    )


def file_name(camera: str, timestamp: str, row_id: int, suffix: str) -> str:
    """Return a name for a download, of ASCII letters, digits and hyphens."""
    when = re.sub(r"[^0-9]", "", timestamp)[:14]
    where = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[:40]
    return "-".join(part for part in ("camalert", where, when, str(row_id)) if part) + f".{suffix}"


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and last byte requested, None unless the header has one satisfiable range.

    Source: RFC 9110 section 14.1.2.
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or size == 0 or (not found[1] and not found[2]):
        return None
    if not found[1]:
        count = min(int(found[2]), size)
        return (size - count, size - 1) if count else None
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return (first, last) if first <= last else None


def pieces(value: tuple[str, str, int], first: int, last: int) -> Iterator[bytes]:
    """Yield the bytes `first` to `last` of a value (table, column, row id); it ends early when the row is deleted."""
    database = Path(settings.CAMALERT.database.path)
    for start in range(first, last + 1, PIECE_BYTES):
        # Opened anew for each piece: an open value is a read transaction, which a slow client must not hold, and a
        # connection belongs to a thread, while an answer that waited for its client continues in any.
        try:
            with (
                contextlib.closing(open_reader(database)) as connection,
                connection.blobopen(*value, readonly=True) as blob,
            ):
                blob.seek(start)
                piece = blob.read(min(PIECE_BYTES, last + 1 - start))
        except (sqlite3.Error, StoreError):
            return
        yield piece


class _Outlet(io.RawIOBase):
    """Collect what the archive writes until it is sent."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def zipped(album: Album, ids: Iterable[int]) -> Iterator[bytes]:
    """Yield a ZIP file of pictures and an index of what is known of them, written as it is sent: nothing on the disk.

    Of alarms the pictures are as they came, of people with the people marked; deleted ones are left out.
    """
    outlet = _Outlet()
    index: list[dict[str, Any]] = []
    # Stored, not deflated: a JPEG does not get smaller.
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for row_id in ids:
            data = PICTURES[album].stored(row_id)
            facts = FACTS[album].objects.filter(pk=row_id).values(*_INDEXED).first()
            if data is None or facts is None:
                continue
            name = file_name(facts["camera"], facts["timestamp"], row_id, picture_kind(data).suffix)
            archive.writestr(name, data)
            index.append({"file": name, "id": row_id, **facts, "people": json.loads(facts["people"] or "[]")})
            yield outlet.take()
        archive.writestr(INDEX, json.dumps(index, ensure_ascii=False, indent=1))
    yield outlet.take()
