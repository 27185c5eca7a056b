"""The copies of the database and settings: listed, made, handed out. For owners, who give their password once more."""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from camalert.review import copies, restores
from camalert.review.guard import must_own
from camalert.review.passwords import was_asked

PIECE_BYTES = 1 << 18
BEFORE = "before-restore"  # names the database of before the last restore


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the copies there are."""
    must_own(request)
    if not was_asked(request):
        return _ask(request)
    config = settings.CAMALERT
    context = {
        "copies": copies.found(config),
        "kept": config.review.nightly_copies,
        "is_being_made": copies.is_being_made(),
        "folder": str(copies.folder(config)),
        "database": config.database.path,
        "restore": restores.shown(),
        "restored": restores.last(),
        "settings": str(Path(config.review.data_dir) / "settings.toml"),
    }
    return render(request, "review/backup.html", context)


@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Begin a copy."""
    must_own(request)
    if not was_asked(request):
        return redirect("backup")
    if copies.is_being_made():
        messages.info(request, gettext("A copy is being made already."))
    else:
        _begin()
        messages.success(request, gettext("A copy is being made. It appears here when it is complete."))
    return redirect("backup")


@require_safe
def download(request: HttpRequest, name: str) -> HttpResponse:
    """Hand out a file of a copy."""
    must_own(request)
    if not getattr(request, "token", None) and not was_asked(request):
        return _ask(request)
    path = copies.folder(settings.CAMALERT) / name
    if not copies.NAME.fullmatch(name) or not path.is_file():
        raise Http404(gettext("This copy no longer exists: a newer one took its place."))
    response: Any = StreamingHttpResponse(_pieces(path), content_type="application/octet-stream")
    response.headers["Content-Length"] = str(path.stat().st_size)
    response.headers["Content-Disposition"] = f'attachment; filename="camalert-{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
def api(request: HttpRequest) -> HttpResponse:
    """List the copies for a program."""
    must_own(request)
    listed = [
        {
            "name": copy.name,
            "made": f"{copy.made:%Y-%m-%d %H:%M:%S}",
            "bytes": copy.bytes,
            "file": reverse("copy", args=(copy.name,)),
        }
        for copy in copies.found(settings.CAMALERT)
    ]
    return JsonResponse({"copies": listed, "is_being_made": copies.is_being_made()})


@require_POST
def api_make(request: HttpRequest) -> HttpResponse:
    """Begin a copy for a program."""
    must_own(request)
    if copies.is_being_made():
        return JsonResponse({"error": "a copy is being made already"}, status=409)
    _begin()
    return JsonResponse({"begun": True}, status=202)


def _begin() -> None:
    now = datetime.datetime.now()  # noqa: DTZ005 - local, as everywhere on the site
    threading.Thread(target=copies.make, args=(settings.CAMALERT, now), name="review-backup", daemon=True).start()


def _ask(request: HttpRequest) -> HttpResponse:
    return redirect(f"{reverse('confirm')}?{urlencode({'next': request.get_full_path()})}")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


# --- restoring -------------------------------------------------------------------------------------------------------


@require_safe
def restore_state(request: HttpRequest) -> HttpResponse:
    """Return how far a restore is, for the page's script."""
    must_own(request)
    return JsonResponse(restores.shown())


@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Take a piece of an upload; the first one begins it, after the password once more, and names it for the others."""
    must_own(request)
    asked = request.GET
    sizes = [
        int(text) if re.fullmatch("[0-9]{1,15}", text) else -1 for text in (asked.get("at", ""), asked.get("of", ""))
    ]
    at, all_bytes = sizes
    try:
        if at == 0:
            if not was_asked(request):
                return _refused(request)
            restores.cancel(request.session.get("upload", ""))  # the answer was lost, or the page loaded again
            job = restores.begin(request.user.get_username(), asked.get("name", "")[:200], all_bytes)
            request.session["upload"] = job.id
        job = restores.receive(request.session.get("upload", ""), at, request.body)
    except restores.RestoreError as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"done_bytes": job.done_bytes})


@require_POST
def upload_end(request: HttpRequest) -> HttpResponse:
    """Check a complete upload and restore it, or with `cancel` forget it."""
    must_own(request)
    number = request.session.get("upload", "")
    if request.GET.get("cancel"):
        restores.cancel(number)
        return JsonResponse(restores.shown())
    try:
        restores.finish(number)
    except restores.RestoreError as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse(restores.shown(), status=202)


@require_POST
def restore_copy(request: HttpRequest) -> HttpResponse:
    """Restore a copy, or the database of before the last restore."""
    must_own(request)
    if not was_asked(request):
        return redirect("backup")
    name = request.POST.get("name", "")
    if name == BEFORE:
        path = restores.places().kept
    elif copies.NAME.fullmatch(name):
        path = copies.folder(settings.CAMALERT) / name
    else:
        raise Http404(gettext("There is no such copy."))
    try:
        restores.take(request.user.get_username(), path)
    except restores.RestoreError as error:
        messages.error(request, str(error))
    return redirect(reverse("backup") + "#restore")


@require_POST
def remove_kept(request: HttpRequest) -> HttpResponse:
    """Remove the database of before the last restore."""
    must_own(request)
    if not was_asked(request):
        return redirect("backup")
    if restores.remove_kept(request.user.get_username()):
        messages.success(request, gettext("The database of before the restore is removed."))
    return redirect("backup")


def _refused(request: HttpRequest) -> HttpResponse:
    """Ask a script for the password, by the page that does."""
    onward = f"{reverse('confirm')}?{urlencode({'next': reverse('backup')})}"
    return JsonResponse({"error": gettext("Give your password once more."), "confirm": onward}, status=403)
