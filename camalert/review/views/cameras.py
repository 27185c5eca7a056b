"""The cameras page: when each was last seen, how many alarms it sends, and which settings apply to it.

They stand in the order of their names, and their bars have one scale, so that two visits and two cameras compare.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from camalert import identity
from camalert.config.schema import Camera, Config
from camalert.detection import rules
from camalert.errors import StatusError
from camalert.review import shots
from camalert.review.alerts.models import CameraDay, SeenCamera
from camalert.review.formats import decimal, word
from camalert.review.selection import UNNAMED, Album, Selection
from camalert.review.shots import Shot
from camalert.status import model as service_status
from camalert.status.model import CameraStatus

DAYS = 14
MAX_CAMERAS = 200
MAX_PICTURES = 60  # each is a query


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of a camera; heights and place in a drawing 100 units high."""

    date: str
    alerts: int
    detections: int
    alerts_height: float
    detections_height: float
    x: int


@dataclass(slots=True)
class CameraCard:
    """What the page shows of one camera."""

    name: str
    seen: SeenCamera | None = None
    status: CameraStatus | None = None
    last: Shot | None = None
    days: list[DayBar] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    is_configured: bool = False

    @property
    def filter(self) -> str:
        """Return the name that selects its alarms in a list."""
        return self.name or UNNAMED

    @property
    def last_seen_utc(self) -> float:
        """Return when it was last seen, 0 for never."""
        return max(self.seen.last_seen_utc if self.seen else 0.0, self.status.last_seen_utc if self.status else 0.0)

    @property
    def highest(self) -> int:
        """Return the most alarms of a day."""
        return max((day.alerts for day in self.days), default=0)

    @property
    def total(self) -> int:
        """Return the alarms of all days shown."""
        return sum(day.alerts for day in self.days)

    @property
    def total_detections(self) -> int:
        """Return those with people."""
        return sum(day.detections for day in self.days)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    today = datetime.date.today()  # noqa: DTZ011 - the local day, as in the rows
    return render(request, "review/cameras.html", {"cameras": _cards(settings.CAMALERT, today), "days": DAYS})


def _cards(config: Config, today: datetime.date) -> list[CameraCard]:
    """Return all cameras that are configured, mailed, or failed to."""
    found: dict[str, CameraCard] = {}  # by `identity.key`

    def card(name: str) -> CameraCard:
        return found.setdefault(identity.key(name), CameraCard(name))

    for camera in config.camera:
        if camera.name:
            card(camera.name).is_configured = True
    for seen in SeenCamera.foremost(MAX_CAMERAS).reverse():
        card(seen.name).seen = seen  # of two spellings the one that was used last
    try:
        statuses = service_status.read(Path(config.service.run_dir)).cameras
    except StatusError:
        statuses = ()
    for status in statuses:
        card(status.name).status = status
    first = today - datetime.timedelta(days=DAYS - 1)
    sums: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in CameraDay.objects.filter(day__gte=str(first)).values("day", "camera", "alerts", "detections"):
        of_camera = sums[identity.key(row["camera"])]
        alerts, detections = of_camera.get(row["day"], (0, 0))
        of_camera[row["day"]] = alerts + row["alerts"], detections + row["detections"]
    highest = max((alerts for key in found for alerts, _ in sums[key].values()), default=0) or 1
    lasts = _last_pictures([each.filter for each in found.values()])
    for key, each in found.items():
        each.days = _bars(sums[key], first, highest)
        each.settings = _settings(config, rules.camera_of(config, each.name))
        each.last = lasts.get(each.filter)
    return sorted(found.values(), key=lambda each: each.name.casefold())


def _last_pictures(filters: list[str]) -> dict[str, Shot]:
    """Return the last picture of each camera that has one, of the first `MAX_PICTURES`."""
    pages = ((name, shots.page(Selection(Album.ALARMS, camera=name), None, 1)[0]) for name in filters[:MAX_PICTURES])
    return {name: found[0] for name, found in pages if found}


def _bars(sums: dict[str, tuple[int, int]], first: datetime.date, highest: int) -> list[DayBar]:
    dates = [str(first + datetime.timedelta(days=number)) for number in range(DAYS)]
    return [
        DayBar(date, alerts, detections, 100 * alerts / highest, min(100, 100 * detections / highest), number * 10)
        for number, date in enumerate(dates)
        for alerts, detections in [sums.get(date, (0, 0))]
    ]


def _settings(config: Config, camera: Camera) -> list[tuple[str, str]]:
    """Return the settings that apply to a camera's pictures, each with its name."""
    is_default = not (camera.threshold or config.detector.threshold)
    threshold = f"{rules.threshold_of(config, camera) * 100:.0f} %"
    if is_default:
        threshold += f" ({gettext('default')})"
    facts = [
        (gettext("Examined"), gettext("yes") if camera.examine else gettext("no, only stored")),
        (gettext("Counts as a person from"), threshold),
        (gettext("Effort"), word(rules.effort_of(config, camera))),
    ]
    if camera.min_person_height_percent or camera.max_person_height_percent < 100:
        low, high = camera.min_person_height_percent, camera.max_person_height_percent
        height = gettext("%(low)s to %(high)s %% of the picture") % {"low": decimal(low), "high": decimal(high)}
        facts.append((gettext("Height of a person"), height))
    facts += [
        (gettext("Area %(area)s") % {"area": area.name or gettext("(unnamed)")}, word(area.rule))
        for area in camera.area
    ]
    silent_days = camera.silent_days or config.status.silent_days
    days = gettext("%(days)s days") % {"days": decimal(silent_days)} if silent_days else gettext("never")
    facts.append((gettext("Counts as silent after"), days))
    return facts
