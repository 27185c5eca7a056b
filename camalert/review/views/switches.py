"""The switches of messages: armed or not, snoozed until when, at home or away; for people and for programs."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.db import DatabaseError, connections, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from camalert import identity
from camalert.errors import StoreRefused
from camalert.ipc.messages import Outbox
from camalert.ipc.records import SwitchRecord
from camalert.review import line
from camalert.review.alerts.models import SeenCamera
from camalert.review.formats import local_time
from camalert.review.guard import must_own
from camalert.review.selection import NAME_CHARS, Selection
from camalert.review.settings import ALERTS
from camalert.store.rows import switches
from camalert.system.logs import log
from camalert.visits.policy import HOME, Switches

Found = TypeVar("Found")
MAX_SNOOZE_S = 30 * 86_400
MAX_CAMERAS = 500
_SECONDS = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True, slots=True)
class Shown:
    """What holds for one camera, or for all, as a page shows it."""

    camera: str  # "": all
    is_armed: bool
    snoozed_until: str  # "": not snoozed
    snoozed_by: str
    snoozed_camera: str  # whose snooze it is; "": that of all
    is_home: bool
    has_presence: bool  # whether it makes a difference who is at home


def shown(camera: str = "") -> Shown | None:
    """Return the switches of a camera, or of all; None where nobody is told of anything."""
    return _shown(_read(), camera) if settings.CAMALERT.notify else None


def on_every_page(request: HttpRequest) -> dict[str, Any]:
    """Return the switches for the head of a page; a view that shows those of one camera has its own."""
    if not settings.CAMALERT.notify or not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":  # a part of a page
        return {}
    try:
        return {"switched": shown(), "exceptions": exceptions(), "here": request.get_full_path()}
    except (DatabaseError, sqlite3.Error):  # the page says elsewhere that the database is away
        return {}


def exceptions() -> list[Shown]:
    """Return the cameras for which something else holds than for all."""
    found = _read()
    own = {name for name in (*found.armed, *found.snoozed) if name}
    if not own or not settings.CAMALERT.notify:
        return []
    names = {identity.key(name): name for name in SeenCamera.foremost(MAX_CAMERAS).values_list("name", flat=True)}
    rule = _shown(found, "")
    listed = [_shown(found, names.get(name, name)) for name in sorted(own)]
    return [one for one in listed if (one.is_armed, one.snoozed_until) != (rule.is_armed, rule.snoozed_until)]


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Switch something from a page, and go back to that page."""
    must_own(request)
    selection = Selection.inbox(request.GET)
    camera = request.POST.get("camera", "")[:NAME_CHARS]
    try:
        _put(request, {name: request.POST.get(name, "") for name in ("kind", "value", "seconds")} | {"camera": camera})
    except StoreRefused as error:
        messages.error(request, str(error))
    line.say(Outbox())  # what waits may be told, or not told, now
    onward = request.POST.get("next", "")
    if onward.startswith("/") and url_has_allowed_host_and_scheme(onward, None):
        return redirect(onward)
    return redirect(f"{reverse('visits')}?{selection.query()}")


@require_safe
def api(_request: HttpRequest) -> HttpResponse:
    """Return what is switched."""
    return _switched()


@require_POST
def api_change(request: HttpRequest) -> HttpResponse:
    """Switch something, and return what is switched then; for owners only."""
    must_own(request)
    try:
        asked = json.loads(request.body)
    except (ValueError, RecursionError):  # no JSON, or nested absurdly deep
        asked = None
    try:
        _put(request, asked if isinstance(asked, dict) else {})
    except StoreRefused as error:
        return JsonResponse({"error": str(error)}, status=400)
    return _switched()


def _switched() -> HttpResponse:
    found = _read()
    snoozed = {camera: {"until": local_time(until_utc), "by": by} for camera, (until_utc, by) in found.snoozed.items()}
    return JsonResponse({"armed": {"": True} | dict(found.armed), "snoozed": snoozed, "presence": found.presence})


def _put(request: HttpRequest, asked: dict[str, Any]) -> None:
    """Switch what is asked for.

    Raises: StoreRefused for what cannot be switched.
    """
    kind, camera, value, seconds = (str(asked.get(name, "")) for name in ("kind", "camera", "value", "seconds"))
    until_utc = None
    if kind == switches.SNOOZE:
        if not _SECONDS.fullmatch(seconds) or int(seconds) > MAX_SNOOZE_S:
            raise StoreRefused(f"snooze for 0 (which ends it) to {MAX_SNOOZE_S} seconds")
        value, until_utc = "", (time.time() + int(seconds) if int(seconds) else None)
    user = request.user.get_username()
    switch = SwitchRecord(kind, camera[:NAME_CHARS], value, until_utc, user)
    with transaction.atomic(using=ALERTS):
        read(lambda found: switches.put(found, switch, time.time()))
    log.info("messages_switched", user=user, kind=kind, camera=camera, value=value, seconds=seconds)


def read(query: Callable[[sqlite3.Connection], Found]) -> Found:
    """Ask the database by the service's own functions, on the connection below Django's.

    Raises: DatabaseError as Django does.
    """
    connections[ALERTS].ensure_connection()
    with connections[ALERTS].wrap_database_errors:
        return query(connections[ALERTS].connection)


def _read() -> Switches:
    return read(lambda found: switches.read(found, time.time()))


def _shown(found: Switches, camera: str) -> Shown:
    snooze = found.snooze_of(camera, time.time())
    is_of_all = snooze == found.snoozed.get("")
    return Shown(
        camera=camera,
        is_armed=found.is_armed(camera),
        snoozed_until=local_time(snooze[0])[:16] if snooze else "",
        snoozed_by=snooze[1] if snooze else "",
        snoozed_camera="" if is_of_all else camera,
        is_home=found.presence == HOME,
        has_presence=found.presence == HOME or any(target.away_cameras for target in settings.CAMALERT.notify),
    )
