"""What was learned of the cameras: objects that are no people, with "forget", and the thresholds that marks propose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from camalert.detection import rules, thresholds
from camalert.detection.known import Kind
from camalert.detection.thresholds import Proposal
from camalert.review.alerts.models import SeenCamera
from camalert.review.formats import local_time, proposed
from camalert.review.selection import NAME_CHARS, Album
from camalert.review.settings import ALERTS
from camalert.review.views.switches import read
from camalert.store.rows import learned
from camalert.store.rows.learned import Listed
from camalert.system.logs import log

MAX_CAMERAS = 24  # whose thresholds are looked at for one page; the others have theirs on their own


@dataclass(frozen=True, slots=True)
class Shown:
    """A known object as a page shows it; the box is in percent of its picture."""

    id: int
    camera: str
    is_marked: bool
    by: str
    first_utc: float
    last_utc: float
    moments: int
    alert_id: int  # 0: no picture of it is left
    x: float
    y: float
    width: float
    height: float


def objects_of(camera: str | None = None) -> list[Shown]:
    """Return what does not count at a camera, or at any; those seen last come first."""
    return [_shown(one) for one in read(lambda found: learned.listed(found, camera))]


def proposal_of(camera: str) -> Proposal | None:
    """Return the threshold that the marks of a camera propose, None when nothing speaks for another one."""
    config = settings.CAMALERT
    seen, memory = read(
        lambda found: (learned.judged(found, camera), learned.memory(found, camera, config.learn).missed)
    )
    own = rules.camera_of(config, camera)
    base = rules.threshold_of(config, own)
    in_force = base if own.threshold else thresholds.lowered(base, memory)
    return thresholds.propose(seen, in_force)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page, of one camera or of all."""
    camera = request.GET.get("camera", "")[:NAME_CHARS]
    names = [camera] if camera else [seen.name for seen in SeenCamera.foremost(MAX_CAMERAS)]
    proposals = [(name, found) for name in names if (found := proposal_of(name)) is not None]
    context = {"camera": camera, "known": objects_of(camera or None), "proposals": proposals}
    return render(request, "review/known.html", context)


@require_POST
def forget(request: HttpRequest, object_id: int) -> HttpResponse:
    """Forget an object, and go back to the list that it was on."""
    camera = _forget(request, object_id)
    if camera is None:
        messages.info(request, gettext("It was forgotten already."))
    else:
        messages.success(request, gettext("Forgotten: from the next picture on it counts as a person again."))
    own = request.POST.get("camera", "")[:NAME_CHARS]
    return redirect(f"{reverse('known')}?{urlencode({'camera': own})}" if own else reverse("known"))


@require_safe
def api(request: HttpRequest) -> HttpResponse:
    """List the known objects, of one camera or of all."""
    camera = request.GET.get("camera", "")[:NAME_CHARS]
    return JsonResponse({"known": [_row(one) for one in objects_of(camera or None)]})


@require_POST
def api_forget(request: HttpRequest, object_id: int) -> HttpResponse:
    """Forget an object."""
    camera = _forget(request, object_id)
    if camera is None:
        raise Http404(gettext("There is no such object."))
    return JsonResponse({"forgotten": object_id, "camera": camera})


@require_safe
def api_threshold(request: HttpRequest) -> HttpResponse:
    """Return the threshold that a camera's marks propose, and what it would have changed."""
    found = proposal_of(request.GET.get("camera", "")[:NAME_CHARS])
    if found is None:
        return JsonResponse({"proposal": None})
    names = ("threshold", "instead_of", "pictures", "found", "spared", "lost", "added")
    return JsonResponse({"proposal": {name: getattr(found, name) for name in names} | {"message": proposed(found)}})


def _forget(request: HttpRequest, object_id: int) -> str | None:
    with transaction.atomic(using=ALERTS):
        camera = read(lambda found: learned.forget(found, object_id))
    if camera is not None:
        log.info("object_forgotten", user=request.user.get_username(), camera=camera, object_id=object_id)
    return camera


def _shown(one: Listed) -> Shown:
    place, seen = one.place, one.seen
    return Shown(
        id=one.id,
        camera=one.camera,
        is_marked=one.kind == Kind.MARKED.value,
        by=one.by,
        first_utc=seen.first_utc,
        last_utc=seen.last_utc,
        moments=seen.moments,
        alert_id=one.alert_id,
        x=round(100 * place.x, 2),
        y=round(100 * place.y, 2),
        width=round(100 * place.width, 2),
        height=round(100 * place.height, 2),
    )


def _row(one: Shown) -> dict[str, Any]:
    return {
        "id": one.id,
        "camera": one.camera,
        "kind": "marked" if one.is_marked else "static",
        "by": one.by or None,
        "first": local_time(one.first_utc),
        "last": local_time(one.last_utc),
        "moments": one.moments,
        "box_percent": [one.x, one.y, one.width, one.height],
        "alert_id": one.alert_id or None,
        "picture": reverse("thumbnail", args=(Album.ALARMS, one.alert_id)) if one.alert_id else None,
    }
