"""The page to set up a camera: what to type into it, by brand, and what cameras just did on the mail port."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from camalert.config.schema import Config
from camalert.errors import ConfigError, StatusError
from camalert.review import brands, configuration, encryption
from camalert.review.configuration import Edit
from camalert.review.formats import many
from camalert.review.guard import must_own
from camalert.review.sentences import sentence
from camalert.review.views import settings as settings_views
from camalert.review.visitors import host_name, is_loopback
from camalert.status import model as status
from camalert.status.model import CameraStatus, MailActivity

NEW_S = 15.0
PINNED_S = 600.0  # how long a failure stays on top, when no success of the same client follows
MAX_PINNED = 5
SENDER = "garage@camera.home"
_ENCRYPTION = {"none": "none", "starttls": "none or STARTTLS", "implicit": "SSL/TLS"}
TLS_PORTS = (465, 1465)


@dataclass(frozen=True, slots=True)
class Line:
    """Something that a client just did, in words."""

    at_utc: float
    text: str
    is_failure: bool
    is_new: bool


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    config: Config = settings.CAMALERT
    plain = [listen.port for listen in config.smtp.listen if listen.tls != "implicit"]
    encrypted = [listen.port for listen in config.smtp.listen if listen.tls == "implicit"]
    server = _server(request)
    brand = brands.find(request.GET.get("brand", brands.OTHER))
    port = (plain or encrypted or [0])[0]
    context = {
        "brands": brands.brands(),
        "brand": brand,
        "fields": brand.filled(server or "", port, SENDER),
        "server": server,
        "port": port,
        "ports": [(listen.port, _ENCRYPTION[listen.tls]) for listen in config.smtp.listen],
        "encrypted": encrypted,
        "tls_ports": [port for port in TLS_PORTS if port not in plain],
        "has_certificate": encryption.available(config) is not None or encryption.is_configured(config),
        **_activity(),
    }
    return render(request, "review/set_up.html", context)


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that changes."""
    return render(request, "review/_activity.html", _activity())


@require_POST
def encrypt(request: HttpRequest) -> HttpResponse:
    """Open a port with TLS, with the certificate that is there; for owners only."""
    must_own(request)
    config: Config = settings.CAMALERT
    try:
        port = json.loads(request.body).get("port")
    except (ValueError, RecursionError, AttributeError):  # no JSON object
        port = None
    if not isinstance(port, int) or not 0 < port < 65536:
        return JsonResponse({"error": 'send {"port": 465}'}, status=400)
    own = None if encryption.is_configured(config) else encryption.available(config)
    if own is None and not encryption.is_configured(config):
        error = gettext(
            "There is no certificate, and the site could make none: run `camalert make-certificate` on the server."
        )
        return JsonResponse({"error": error}, status=409)
    edit = Edit("listen", str(port), {"port": port, "tls": "implicit"})
    try:
        change = configuration.put(
            request.user.get_username(), [edit], gettext("Port %(port)s with TLS") % {"port": port}, own
        )
    except ConfigError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse(settings_views.shown(change), status=202)


def _server(request: HttpRequest) -> str:
    """Return this machine's address as cameras reach it, "" when it is not known.

    The owner's browser has reached it under a name or an address; one of this machine alone is of no use to a camera.
    """
    name = host_name(request.get_host())
    return settings.CAMALERT_ADDRESS if name == "localhost" or is_loopback(name) else name


def _activity() -> dict[str, Any]:
    try:
        found = status.read(Path(settings.CAMALERT.service.run_dir))
    except StatusError as error:
        return {"problem": str(error)}
    now_utc = time.time()
    cameras = {camera.name: camera for camera in found.cameras}
    events = sorted(found.mail_activity, key=lambda each: each.at_utc, reverse=True)
    pinned = _pinned(events, now_utc)
    return {
        "latest": _line(events[0], cameras, now_utc) if events else None,
        "pinned": [_line(each, cameras, now_utc) for each in pinned],
        "activity": [_line(each, cameras, now_utc) for each in events if each not in pinned],
        "problem": gettext("camalert is not running.") if now_utc - found.written_utc > status.STALE_S else "",
    }


def _pinned(events: list[MailActivity], now_utc: float) -> list[MailActivity]:
    """Return the last failure of each client that nothing better followed, newest first."""
    latest: dict[str, MailActivity] = {}
    for each in events:
        latest.setdefault(each.peer, each)
    failures = [each for each in latest.values() if each.is_failure and now_utc - each.at_utc < PINNED_S]
    return failures[:MAX_PINNED]


def _line(each: MailActivity, cameras: dict[str, CameraStatus], now_utc: float) -> Line:
    return Line(each.at_utc, said(each, cameras.get(each.camera)), each.is_failure, now_utc - each.at_utc < NEW_S)


def said(each: MailActivity, camera: CameraStatus | None) -> str:
    """Say what a client did: "Garage delivered, 1 picture, clock 2 h behind: works"."""
    if each.is_failure or (each.message and not each.pictures and not each.clips):
        return each.message
    who = each.camera or gettext("A camera at %(peer)s") % {"peer": each.peer}
    found = [many(count, noun) for count, noun in ((each.pictures, "picture"), (each.clips, "clip")) if count]
    if not found:
        text = gettext(
            "%(camera)s delivered a mail without a picture: the connection works, but an alarm should have one"
        )
        return text % {"camera": who}
    what = found[0] if len(found) == 1 else gettext("%(first)s and %(last)s") % {"first": found[0], "last": found[1]}
    if camera is not None and camera.clock:
        what += ", " + gettext("clock %(clock)s") % {"clock": sentence(camera.clock)}
    note = f" ({sentence(each.message)})" if each.message else ""
    return gettext("%(camera)s delivered, %(what)s: works") % {"camera": who, "what": what} + note
