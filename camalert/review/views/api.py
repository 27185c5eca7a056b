"""The JSON API, for the site's own scripts and for other programs; documented in docs/review.md."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from camalert.errors import StatusError
from camalert.review import changes, reviewers, shots
from camalert.review.alerts.models import SeenCamera
from camalert.review.formats import local_time
from camalert.review.guard import must_own
from camalert.review.selection import MARKS, MAX_ID, Album, Cursor, Selection
from camalert.review.shots import Shot
from camalert.review.views import alarm
from camalert.status import model as service_status

MAX_ROWS = 500
MAX_IDS = 5000


@require_safe
def rows(request: HttpRequest, album: Album) -> HttpResponse:
    """List rows, newest first; `next` is where the following page begins."""
    limit = request.GET.get("limit", "")
    count = max(1, min(MAX_ROWS, int(limit))) if re.fullmatch("[0-9]{1,6}", limit) else shots.PAGE_ROWS
    selection = Selection.parse(album, request.GET)
    found, following = shots.page(selection, Cursor.parse(request.GET.get("before", "")), count)
    return JsonResponse({"rows": [_row(shot) for shot in found], "next": str(following) if following else None})


@require_safe
def row(_request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Return all that is known of one row."""
    found = alarm.find(album, row_id)
    if found is None:
        raise Http404(gettext("This row no longer exists."))
    facts, mail, clip = found.facts, found.mail, found.clip
    answer = _row(found.shot) | {
        "received": local_time(facts.received_utc),
        "taken": found.taken,
        "concluded": local_time(facts.concluded_utc),
        "reason": facts.reason,
        "threshold": facts.threshold,
        "engine": facts.engine,
        "people": [asdict(box) for box in found.boxes],
        "others": [asdict(box) for box in found.others],
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "visit": found.visit.pk if found.visit else None,
        "clip": reverse("clip", args=(clip.pk,)) if clip else None,
        "sender": mail.sender if mail else None,
        "peer": mail.peer if mail else None,
        "headers": mail.headers if mail else None,
        "reasons": [asdict(reason) for reason in found.reasons],
        "reviewed_by": reviewers.by([found.shot.alert_id]) if found.shot.alert_id else [],
    }
    return JsonResponse(answer)


@require_POST
def change(request: HttpRequest, album: Album) -> HttpResponse:
    """Set `reviewed` (true or false) or `mark` (one of MARKS, or null) of the rows `ids`."""
    wanted = asked(request)
    row_ids = ids(wanted)
    if row_ids is None or not ({"reviewed", "mark"} & wanted.keys()):
        return bad('send {"ids": [1, 2], "reviewed": true} or {"ids": [1], "mark": "not a person"}')
    count, user = 0, request.user.get_username()
    if "mark" in wanted:
        if wanted["mark"] not in (*MARKS, None):
            return bad(f"mark must be null or one of: {', '.join(MARKS)}")
        count = changes.set_mark(album, row_ids, wanted["mark"], user)
    if "reviewed" in wanted:
        if not isinstance(wanted["reviewed"], bool):
            return bad("reviewed must be true or false")
        count = changes.set_reviewed(album, row_ids, is_reviewed=wanted["reviewed"], user=user)
    return JsonResponse({"changed": count})


@require_POST
def delete(request: HttpRequest, album: Album) -> HttpResponse:
    """Move the rows `ids` with all that belongs to them into the bin; for owners only."""
    must_own(request)
    row_ids = ids(asked(request))
    if row_ids is None:
        return bad('send {"ids": [1, 2]}')
    gone = changes.delete(album, row_ids, request.user.get_username())
    return JsonResponse({"deleted": gone.count, "deletion": gone.number or None})


@require_safe
def cameras(_request: HttpRequest) -> HttpResponse:
    """List the cameras that mailed at least once."""
    names = ("name", "first_seen_utc", "last_seen_utc", "last_kind", "last_peer", "mails", "alerts", "detections")
    return JsonResponse({"cameras": list(SeenCamera.objects.order_by("-last_seen_utc").values(*names)[:MAX_ROWS])})


@require_safe
def status(_request: HttpRequest) -> HttpResponse:
    """Return the service's status as `camalert status --json` does."""
    try:
        found = service_status.read(Path(settings.CAMALERT.service.run_dir))
    except StatusError as error:
        return JsonResponse({"error": str(error)}, status=503, headers={"Retry-After": "10"})
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
        "objects": shot.kinds.split(",") if shot.kinds else [],
        "score": shot.score,
        "reviewed": shot.is_reviewed,
        "mark": shot.mark or None,
        "page": reverse("alarm", args=(album, shot.id)),
        "picture": reverse("picture", args=(album, shot.id)),
        "thumbnail": reverse("thumbnail", args=(album, shot.id)),
    }


def asked(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object of a request, an empty one for anything else."""
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):  # no JSON, or nested absurdly deep
        return {}
    return found if isinstance(found, dict) else {}


def ids(wanted: dict[str, Any]) -> list[int] | None:
    """Return the ids of a request, each once; None when they are none, too many, or no ids."""
    found = wanted.get("ids")
    if not isinstance(found, list) or not 0 < len(found) <= MAX_IDS:
        return None
    if not all(isinstance(row_id, int) and not isinstance(row_id, bool) and 0 < row_id <= MAX_ID for row_id in found):
        return None
    return list(dict.fromkeys(found))


def bad(error: str) -> HttpResponse:
    """Say why a request makes no sense."""
    return JsonResponse({"error": error}, status=400)
