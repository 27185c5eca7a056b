"""The test page: what cameras just did on the mail port, in words, while their owner sets them up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from camalert import status
from camalert.errors import StatusError
from camalert.review.alarm import local_time
from camalert.review.origins import host_name, is_loopback
from camalert.status import Heard

_ENCRYPTION = {"none": "none", "starttls": "none or STARTTLS", "implicit": "SSL/TLS"}
NEW_S = 15.0


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was heard."""

    heard: Heard
    time: str
    is_new: bool


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show what to type into a camera, and what was heard."""
    config = settings.CAMALERT
    # Under this name or address this machine can be reached, as the owner's browser has just proved.
    name = host_name(request.get_host())
    doors = [(listen.port, _ENCRYPTION[listen.tls]) for listen in config.smtp.listen]
    context = {
        "name": name,
        "is_loopback": name == "localhost" or is_loopback(name),
        "doors": doors,
        **_heard(),
    }
    return render(request, "review/test.html", context)


@require_safe
def heard(request: HttpRequest) -> HttpResponse:
    """Give the part of the page that changes."""
    return render(request, "review/_heard.html", _heard())


def _heard() -> dict[str, object]:
    try:
        found = status.read(Path(settings.CAMALERT.service.run_dir))
    except StatusError as error:
        return {"lines": [], "complaint": str(error)}
    now_utc = time.time()
    lines = [Line(item, local_time(item.at_utc)[11:], now_utc - item.at_utc < NEW_S) for item in reversed(found.heard)]
    is_stale = now_utc - found.written_utc > status.STALE_S
    return {"lines": lines, "complaint": "The service does not run at the moment." if is_stale else ""}
