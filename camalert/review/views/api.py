"""The JSON interface, for the site's own scripts and for other programs; described in docs/review.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from camalert import status as service_status
from camalert.errors import StatusError
from camalert.review import alarm, changes, shots
from camalert.review.alerts.models import SeenCamera
from camalert.review.selection import MARKS, MAX_ID, Album, Cursor, Selection
from camalert.review.shot import Shot

MAX_ROWS = 500
MAX_CHOSEN = 5000


@require_safe
def rows(request: HttpRequest, album: Album) -> HttpResponse:
    """List rows, newest first; `next` is where the following page begins."""
    limit = request.GET.get("limit", "")
    count = max(1, min(MAX_ROWS, int(limit))) if limit.isascii() and limit.isdigit() else shots.PAGE_ROWS
    selection = Selection.parse(album, request.GET)
    found, following = shots.page(selection, Cursor.parse(request.GET.get("before", "")), count)
    return JsonResponse({"rows": [_row(shot) for shot in found], "next": str(following) if following else None})


@require_safe
def row(_request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Give all that is known of one row."""
    found = alarm.find(album, row_id)
    if found is None:
        raise Http404("There is no such row any more.")
    facts, mail, clip = found.facts, found.mail, found.clip
    answer = _row(found.shot) | {
        "received": found.received,
        "taken": found.taken,
        "concluded": found.concluded,
        "reason": facts.reason,
        "threshold": facts.threshold,
        "engine": facts.engine,
        "people": [asdict(box) for box in found.boxes],
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "clip": reverse("clip", args=(clip.pk,)) if clip else None,
        "sender": mail.sender if mail else None,
        "peer": mail.peer if mail else None,
        "headers": mail.headers if mail else None,
    }
    return JsonResponse(answer)


@require_POST
def change(request: HttpRequest, album: Album) -> HttpResponse:
    """Set `reviewed` (true or false) or `mark` (one of MARKS, or null) of the rows `ids`."""
    asked = _asked(request)
    ids = _ids(asked)
    if ids is None or not ({"reviewed", "mark"} & asked.keys()):
        return _refuse('send {"ids": [1, 2], "reviewed": true} or {"ids": [1], "mark": "not a person"}')
    count, who = 0, request.user.get_username()
    if "mark" in asked:
        if asked["mark"] not in (*MARKS, None):
            return _refuse(f"mark must be null or one of: {', '.join(MARKS)}")
        count = changes.set_mark(album, ids, asked["mark"], who)
    if "reviewed" in asked:
        if not isinstance(asked["reviewed"], bool):
            return _refuse("reviewed must be true or false")
        count = changes.set_reviewed(album, ids, is_reviewed=asked["reviewed"], who=who)
    return JsonResponse({"changed": count})


@require_POST
def delete(request: HttpRequest, album: Album) -> HttpResponse:
    """Delete the rows `ids` with all that belongs to them."""
    ids = _ids(_asked(request))
    if ids is None:
        return _refuse('send {"ids": [1, 2]}')
    return JsonResponse({"deleted": changes.delete(album, ids, request.user.get_username())})


@require_safe
def cameras(_request: HttpRequest) -> HttpResponse:
    """List the cameras that mailed at least once."""
    names = ("name", "first_seen_utc", "last_seen_utc", "last_kind", "last_peer", "mails", "alerts", "detections")
    return JsonResponse({"cameras": list(SeenCamera.objects.order_by("-last_seen_utc").values(*names)[:MAX_ROWS])})


@require_safe
def status(_request: HttpRequest) -> HttpResponse:
    """Give the service's state as `camalert status --json` does."""
    try:
        found = service_status.read(Path(settings.CAMALERT.service.run_dir))
    except StatusError as error:
        return JsonResponse({"error": str(error)}, status=503)
    return JsonResponse(asdict(found))


def _row(shot: Shot) -> dict[str, Any]:
    album = shot.album
    return {
        "id": shot.id,
        "alert_id": shot.alert_id,
        "detect_id": shot.detect_id,
        "timestamp": shot.timestamp,
        "camera": shot.camera,
        "event": shot.event,
        "subject": shot.subject,
        "outcome": shot.outcome or None,
        "score": shot.score,
        "reviewed": shot.is_reviewed,
        "mark": shot.mark or None,
        "page": reverse("alarm", args=(album, shot.id)),
        "picture": reverse("picture", args=(album, shot.id)),
        "thumbnail": reverse("thumbnail", args=(album, shot.id)),
    }


def _asked(request: HttpRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _ids(asked: dict[str, Any]) -> list[int] | None:
    ids = asked.get("ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_CHOSEN:
        return None
    if not all(isinstance(row_id, int) and not isinstance(row_id, bool) and 0 < row_id <= MAX_ID for row_id in ids):
        return None
    return list(dict.fromkeys(ids))


def _refuse(words: str) -> HttpResponse:
    return JsonResponse({"error": words}, status=400)
