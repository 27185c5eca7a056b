"""The page of one camera: its last picture, its settings drawn on it, and what other ones would have meant."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from camalert import identity
from camalert.config.build import build
from camalert.config.objects import PERSON
from camalert.config.schema import Camera, Config
from camalert.config.settings_file import KEYS
from camalert.detection import rules
from camalert.detection.people import Person
from camalert.errors import ConfigError, StatusError, StoreError
from camalert.review import configuration, preview, shots
from camalert.review.alerts.models import AlertFacts, SeenCamera
from camalert.review.guard import must_own
from camalert.review.preview import Effect, Past
from camalert.review.selection import NAME_CHARS, UNNAMED, Album, Selection
from camalert.review.shots import Shot
from camalert.review.views.known import objects_of, proposal_of
from camalert.status import model as status
from camalert.store import cameras
from camalert.system.logs import log

PICTURES = 500  # that other settings are tried on
EXAMPLES = 24  # pictures shown of those that go or come
FEET = 400
MAX_CAMERAS = 300
MAX_BODY = 65_536
EFFORTS = (
    ("fast", gettext_lazy("fast")),
    ("balanced", gettext_lazy("balanced")),
    ("thorough", gettext_lazy("thorough: people far away, ten times the work")),
)


@dataclass(frozen=True, slots=True)
class AreaShown:
    """An area as the page's form has it."""

    name: str
    rule: str
    points: str


@require_safe
def show(request: HttpRequest, name: str) -> HttpResponse:
    """Show the page."""
    found = find(name)
    if found is None:
        raise Http404(gettext("No camera of this name is known. Names are on the page Cameras."))
    config: Config = settings.CAMALERT
    camera = rules.camera_of(config, found)
    held = configuration.fixed("camera", found)
    general = config.detector.threshold or rules.DEFAULT_THRESHOLD
    threshold = _asked_threshold(request) or camera.threshold
    context = {
        "name": found,
        "filter": found or UNNAMED,
        "last": _last(found),
        "seen": SeenCamera.objects.filter(name=found).first(),
        "camera": camera,
        "areas": [AreaShown(area.name, area.rule, area.points) for area in camera.area],
        "general_percent": round(general * 100),
        "threshold_percent": round((threshold or general) * 100),
        "has_threshold": bool(threshold),
        "efforts": EFFORTS,
        "general_effort": config.detector.effort,
        "fixed": sorted((key, fixed.origin) for key, fixed in held.items() if key != "name"),
        "fixed_names": " ".join(sorted(held)),
        "others": [each for each in names() if identity.key(each) != identity.key(found) and each],
        "problem": configuration.problem(),
        "proposal": proposal_of(found),
        "known": objects_of(found),
        "api": reverse("api-camera-preview", args=(found or UNNAMED,)),
    }
    return render(request, "review/camera.html", context)


@require_POST
def api_preview(request: HttpRequest, name: str) -> HttpResponse:
    """Tell what other settings would have meant for the camera's last pictures; nothing is changed.

    The body is a block like that of `POST settings/change/`: a key that is missing stays, null is the default.
    """
    found = find(name)
    if found is None:
        raise Http404(gettext("No camera of this name is known."))
    try:
        asked = json.loads(request.body) if len(request.body) <= MAX_BODY else None
    except (ValueError, RecursionError):  # no JSON, or nested absurdly deep
        asked = None
    if not isinstance(asked, dict):
        return JsonResponse({"error": 'send {"threshold": 0.6}, with keys of [[camera]]'}, status=400)
    config: Config = settings.CAMALERT
    camera = rules.camera_of(config, found)
    tried, problem = _tried(camera, asked)
    if tried is None:
        return JsonResponse({"error": problem}, status=400)
    effect = preview.effect(
        _past(found), (camera, rules.threshold_of(config, camera)), (tried, rules.threshold_of(config, tried))
    )
    return JsonResponse(_answer(effect))


def _tried(camera: Camera, asked: dict[str, Any]) -> tuple[Camera | None, str]:
    """Return the camera with other settings, or what is wrong with them."""
    if unknown := asked.keys() - KEYS["camera"]:
        return None, f"not a key of [[camera]]: {', '.join(sorted(unknown))}"
    raw = dataclasses.asdict(camera)
    held = configuration.fixed("camera", camera.name)
    default = dataclasses.asdict(Camera())
    raw |= {key: default[key] if value is None else value for key, value in asked.items() if key not in held}
    tried, problems = build(Camera, raw, "", {})
    return tried, "; ".join(f"{problem.key} {problem.text}" for problem in problems)


def find(name: str) -> str | None:
    """Return a camera's name as it is written, "" for those without one; None when there is no such camera."""
    if name == UNNAMED:
        return ""
    wanted = identity.key(name[:NAME_CHARS])
    return next((each for each in names() if each and identity.key(each) == wanted), None)


def names() -> list[str]:
    """Return the cameras that are configured, mailed or failed to, each once, in the order of their names."""
    configured = (camera.name for camera in settings.CAMALERT.camera)
    mailed = SeenCamera.foremost(MAX_CAMERAS).values_list("name", flat=True)
    everybody = (*_heard(), *mailed, *configured)
    return sorted({identity.key(each): each for each in everybody}.values(), key=str.casefold)


def _heard() -> list[str]:
    """Return the cameras that the running service knows; one that never delivered a mail is there alone."""
    with contextlib.suppress(StatusError):
        return [camera.name for camera in status.read(Path(settings.CAMALERT.service.run_dir)).cameras]
    return []


def _last(name: str) -> Shot | None:
    found, _ = shots.page(Selection(Album.ALARMS, camera=name or UNNAMED), None, 1)
    return found[0] if found else None


def _past(name: str) -> list[Past]:
    """Return the camera's last examined pictures."""
    ids = shots.ids(Selection(Album.ALARMS, camera=name or UNNAMED), PICTURES)
    rows = AlertFacts.objects.filter(pk__in=ids, outcome__in=("person", "nobody")).order_by("-timestamp", "-pk")
    columns = ("alert_id", "height_px", "width_px", "people", "uncounted", "best_score", "mark")
    return [
        Past(
            row["alert_id"], row["height_px"] or 0, row["width_px"] or 0, _people(row["people"]),
            None if row["uncounted"] is None else _people(row["uncounted"]), row["best_score"] or 0.0,
            row["mark"] or "",
        )
        for row in rows.values(*columns)
    ]  # fmt: skip


def _people(text: str | None) -> tuple[Person, ...]:
    """Return the boxes in a column's JSON, none when another program has spoilt it."""
    try:
        found = json.loads(text or "[]")
        return tuple(
            Person(
                int(each["x"]),
                int(each["y"]),
                int(each["width"]),
                int(each["height"]),
                float(each["score"]),
                str(each.get("kind", PERSON)),
            )
            for each in found
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _answer(effect: Effect) -> dict[str, Any]:
    return {
        "sentence": effect.sentence,
        "pictures": effect.pictures,
        "before": effect.before,
        "after": effect.after,
        "unknown": effect.unknown,
        "going": {
            "count": len(effect.going), "marked": effect.going_false,
            "examples": [_example(past) for past in effect.going[:EXAMPLES]],
        },
        "coming": {
            "count": len(effect.coming), "marked": effect.coming_missed,
            "examples": [_example(past) for past in effect.coming[:EXAMPLES]],
        },
        "feet": [
            {"x": round(foot.x, 1), "y": round(foot.y, 1), "counts": foot.counts, "false": foot.is_false}
            for foot in effect.feet[:FEET]
        ],
    }  # fmt: skip


def _example(past: Past) -> dict[str, Any]:
    return {
        "id": past.id,
        "mark": past.mark or None,
        "percent": min(99, round(past.best_score * 100)),
        "page": reverse("alarm", args=(Album.ALARMS, past.id)),
        "thumbnail": reverse("thumbnail", args=(Album.ALARMS, past.id)),
    }


def _asked_threshold(request: HttpRequest) -> float:
    """Return the threshold that a link proposes, 0 for none."""
    try:
        found = float(request.GET.get("threshold", "0"))
    except ValueError:
        return 0.0
    return found if 0 < found <= 1 else 0.0


# --- its name ---------------------------------------------------------------------------------------------------------


@require_POST
def rename(request: HttpRequest, name: str) -> HttpResponse:
    """Give the camera another name."""
    must_own(request)
    new = request.POST.get("name", "").strip()[:NAME_CHARS]
    return _moved(
        request, name, lambda found, fixed: cameras.rename(settings.CAMALERT, found, new, time.time(), fixed=fixed)
    )


@require_POST
def merge(request: HttpRequest, name: str) -> HttpResponse:
    """Make one camera of two."""
    must_own(request)
    into = request.POST.get("into", "")[:NAME_CHARS]
    return _moved(
        request, name, lambda found, fixed: cameras.merge(settings.CAMALERT, found, into, time.time(), fixed=fixed)
    )


@require_POST
def forget(request: HttpRequest, name: str) -> HttpResponse:
    """Forget a camera that is gone."""
    must_own(request)
    found = find(name)
    if not found or not request.POST.get("sure"):
        raise Http404(gettext("No camera of this name is known."))
    try:
        cameras.forget(settings.CAMALERT, found, time.time(), also=_heard(), fixed=_fixed_names())
        _follow(request, found, None)
    except (ConfigError, StoreError) as error:
        messages.error(request, str(error))
        return redirect("camera", found)
    log.info("review_camera_changed", user=request.user.get_username(), camera=found, name="")
    messages.success(request, gettext("%(camera)s is forgotten.") % {"camera": found})
    return redirect("cameras")


def _moved(request: HttpRequest, name: str, move: Callable[[str, set[str]], cameras.Change]) -> HttpResponse:
    found = find(name)
    if not found:
        raise Http404(gettext("No camera of this name is known."))
    try:
        change = move(found, _fixed_names())
    except StoreError as error:
        messages.error(request, str(error))
        return redirect("camera", found)
    log.info("review_camera_changed", user=request.user.get_username(), camera=found, name=change.name)
    words = [gettext("%(camera)s is now %(name)s.") % {"camera": found, "name": change.name}, *change.remarks]
    try:
        _follow(request, found, change.name)
    except ConfigError as error:
        words.append(gettext("Its settings did not follow: %(error)s") % {"error": error})
    messages.success(request, " ".join(words))
    return redirect("camera", change.name)


def _follow(request: HttpRequest, old: str, new: str | None) -> None:
    """Let the site's settings follow a name, unless the new one has settings of its own."""
    block = configuration.entry("camera", old)
    if not block or (new is not None and identity.key(new) == identity.key(old) and block.get("name") == new):
        return
    has_own = new is not None and identity.key(new) != identity.key(old) and configuration.entry("camera", new)
    moved = None if new is None or has_own else {**block, "name": new}
    configuration.put(
        request.user.get_username(),
        [configuration.Edit("camera", old, moved)],
        gettext("Camera %(camera)s: renamed") % {"camera": old},
    )


def _fixed_names() -> set[str]:
    """Return the cameras that config.toml names: their names are its own."""
    return {camera.name for camera in settings.CAMALERT.camera if configuration.fixed("camera", camera.name)}
