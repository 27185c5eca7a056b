"""Static files: the site's own styles, scripts and icons, and the admin's, served from the packages.

A file's address has a digest of its content, so that browsers may cache it forever and an upgrade is seen at once.
"""

from __future__ import annotations

import functools
import hashlib
import mimetypes
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles import finders
from django.core.files.storage import Storage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import etag, require_safe

# The system's own list of types differs from machine to machine, and `nosniff` makes a wrong one fatal.
_TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
    ".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8", ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}  # fmt: skip
_FOREVER = "public, max-age=31536000, immutable"


class Assets(Storage):
    """The storage that `{% static %}` asks for addresses."""

    def url(self, name: str | None) -> str:
        """Return the address of a file with its digest."""
        digest = _digest(name or "")
        # Not cached: the path in front of the site may differ between two web servers.
        return reverse("asset", args=(name,)) + (f"?v={digest}" if digest else "")


@functools.cache
def _known() -> dict[str, Path]:
    """List every static file: a name from outside is looked up here and never becomes a path."""
    return {
        name: Path(storage.path(name)) for finder in finders.get_finders() for name, storage in finder.list(["*.map"])
    }


@functools.cache
def _digest(name: str) -> str:
    path = _known().get(name)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path else ""


def read(name: str) -> bytes:
    """Return the content of a file of ours."""
    return _known()[name].read_bytes()


def _etag(_request: HttpRequest, name: str) -> str | None:
    digest = _digest(name)
    return f'"{digest}"' if digest else None


@login_not_required
@require_safe
@etag(_etag)
def serve(request: HttpRequest, name: str) -> HttpResponse:
    """Serve one file of the installed apps."""
    path = _known().get(name)
    if path is None:
        raise Http404
    content_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    response: Any = HttpResponse(path.read_bytes(), content_type=content_type)
    if request.GET.get("v") == _digest(name):
        response.headers["Cache-Control"] = _FOREVER
    return response
