"""The settings that the site writes: their history page, and the addresses at which pages and programs change them."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from camalert.config.build import keys_of
from camalert.config.schema import Notify
from camalert.config.settings_file import LISTS, Kind, Raw
from camalert.errors import ConfigError
from camalert.review import configuration
from camalert.review.accounts.models import SettingsChange
from camalert.review.configuration import Edit
from camalert.review.formats import local_time
from camalert.review.guard import must_own

SECRETS = tuple(name for name, (_, metadata) in keys_of(Notify).items() if metadata.get("secret"))
SHOWN = 100
NAME_CHARS = 200
NOUNS: dict[Kind, Any] = {
    "camera": gettext_lazy("Camera"),
    "notify": gettext_lazy("Notifications to"),
    "listen": gettext_lazy("Port"),
}


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show what was changed, by whom and when."""
    must_own(request)
    context = {
        "changes": SettingsChange.objects.all()[:SHOWN],
        "file": configuration.file(),
        "problem": configuration.problem(),
        "kept": configuration.CHANGES_KEPT,
    }
    return render(request, "review/settings.html", context)


@require_POST
def undo(request: HttpRequest, change_id: int) -> HttpResponse:
    """Take a change back, and return to the page."""
    must_own(request)
    try:
        configuration.undo(request.user.get_username(), _find(change_id))
        messages.success(request, gettext("Taken back. camalert takes it over in a moment."))
    except ConfigError as error:
        messages.error(request, str(error))
    return redirect("settings")


@require_safe
def api(_request: HttpRequest) -> HttpResponse:
    """Return what settings.toml says, without secrets, and which keys are set elsewhere."""
    try:
        own = configuration.own()
    except ConfigError as error:
        return JsonResponse({"error": str(error)}, status=409)
    entries = {"camera": own.get("camera", []), "notify": [_bare(each) for each in own.get("notify", [])]}
    listen = own.get("smtp", {}).get("listen", [])
    return JsonResponse({"settings": entries | {"listen": listen}, "problem": configuration.problem()})


@require_POST
def api_change(request: HttpRequest) -> HttpResponse:
    """Set, or with `block` null remove, what settings.toml says of a camera, a target or a port; for owners only."""
    must_own(request)
    asked = _asked(request)
    kind, name, block = asked.get("kind"), asked.get("name"), asked.get("block")
    if kind not in LISTS or not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS:
        return _bad('send {"kind": "camera", "name": "Garage", "block": {"threshold": 0.6}}')
    if block is not None and not isinstance(block, dict):
        return _bad("block must be an object, or null to remove it")
    kind = cast(Kind, kind)
    try:
        change = configuration.put(
            request.user.get_username(), [Edit(kind, name, complete(kind, name, block))], summary_of(kind, name, block)
        )
    except ConfigError as error:
        return _bad(str(error))
    return JsonResponse(shown(change), status=202)


@require_safe
def api_changes(request: HttpRequest) -> HttpResponse:
    """List what was changed, newest first."""
    return JsonResponse({"changes": [shown(change) for change in SettingsChange.objects.all()[:SHOWN]]})


@require_safe
def api_one(_request: HttpRequest, change_id: int) -> HttpResponse:
    """Return one change and what became of it."""
    return JsonResponse(shown(_find(change_id)))


@require_POST
def api_undo(request: HttpRequest, change_id: int) -> HttpResponse:
    """Take a change back; for owners only."""
    must_own(request)
    try:
        return JsonResponse(shown(configuration.undo(request.user.get_username(), _find(change_id))), status=202)
    except ConfigError as error:
        return _bad(str(error))


def complete(kind: Kind, name: str, block: Raw | None) -> Raw | None:
    """Return a whole entry: what a block leaves out stays as it was, and null takes a key away."""
    if block is None:
        return None
    identity: Raw = {"name": name}
    if kind == "listen":
        identity = {"port": int(name) if name.isdecimal() and len(name) < 6 else name}
    whole = identity | configuration.entry(kind, name) | block
    return {key: value for key, value in whole.items() if value is not None}


def summary_of(kind: Kind, name: str, block: Raw | None) -> str:
    """Say what a change is about."""
    if block is None:
        return f"{NOUNS[kind]} {name}: {gettext('removed')}"
    return f"{NOUNS[kind]} {name}: {', '.join(str(key) for key in block if key != 'name') or gettext('added')}"


def _bare(block: Raw) -> Raw:
    return {key: "(hidden)" if key in SECRETS and value else value for key, value in block.items()}


def shown(change: SettingsChange) -> dict[str, Any]:
    """Return a change as programs get it."""
    return {
        "id": change.pk,
        "at": local_time(change.at.timestamp()),
        "user": change.user,
        "summary": change.summary,
        "state": change.state,
        "why": change.why,
    }


def _find(change_id: int) -> SettingsChange:
    found = SettingsChange.objects.filter(pk=change_id).first()
    if found is None:
        raise Http404(gettext("This change is no longer known."))
    return found


def _asked(request: HttpRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):  # no JSON, or nested absurdly deep
        return {}
    return found if isinstance(found, dict) else {}


def _bad(error: str) -> HttpResponse:
    return JsonResponse({"error": error}, status=400)
