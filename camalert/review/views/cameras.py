"""The cameras: when each was last heard, how much it sends, and which settings hold for it."""

from __future__ import annotations

import datetime
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from camalert import config, status
from camalert.errors import StatusError
from camalert.review.alarm import local_time
from camalert.review.alerts.models import CameraDay, SeenCamera
from camalert.status import CameraStatus

DAYS = 14
MAX_CAMERAS = 200


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of a camera, as heights in a drawing of 100 units."""

    date: str
    alerts: int
    detections: int
    alerts_height: float
    detections_height: float
    x: int


@dataclass(slots=True)
class CameraPage:
    """What the page shows of one camera."""

    name: str
    seen: SeenCamera | None = None
    heard: CameraStatus | None = None
    days: list[DayBar] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    is_configured: bool = False

    @property
    def last_sign_utc(self) -> float:
        """Return when it was last heard, 0 for never."""
        return max(self.seen.last_seen_utc if self.seen else 0.0, self.heard.last_sign_utc if self.heard else 0.0)

    @property
    def last_sign(self) -> str:
        """Return when it was last heard, in words."""
        return local_time(self.last_sign_utc or None)

    @property
    def last_failure(self) -> str:
        """Return when it last failed to deliver, in words."""
        return local_time(self.heard.last_failure_utc or None) if self.heard else ""

    @property
    def address(self) -> str:
        """Return the address it last sent from."""
        return self.seen.last_peer if self.seen else ""

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
    cameras = gather(settings.CAMALERT, datetime.date.today())  # noqa: DTZ011 - the house's own day, as in the rows
    return render(request, "review/cameras.html", {"cameras": cameras, "days": DAYS})


def gather(settings_in_force: config.Config, today: datetime.date) -> list[CameraPage]:
    """Return all cameras that are configured, mailed, or failed to; those heard last come first."""
    found: dict[str, CameraPage] = {}
    for seen in SeenCamera.objects.order_by("-last_seen_utc")[:MAX_CAMERAS]:
        found[seen.name] = CameraPage(seen.name, seen=seen)
    try:
        heard = status.read(Path(settings_in_force.service.run_dir)).cameras
    except StatusError:
        heard = ()
    for camera in heard:
        found.setdefault(camera.name, CameraPage(camera.name)).heard = camera
    own = {camera.name: camera for camera in settings_in_force.camera if camera.name}
    for name in own:
        found.setdefault(name, CameraPage(name)).is_configured = True
    first = today - datetime.timedelta(days=DAYS - 1)
    sums: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in CameraDay.objects.filter(day__gte=str(first)).values("day", "camera", "alerts", "detections"):
        sums[row["camera"]][row["day"]] = row["alerts"], row["detections"]
    for name, page in found.items():
        page.days = _bars(sums[name], first)
        page.settings = _in_force(settings_in_force, own.get(name))
    return sorted(found.values(), key=lambda page: page.last_sign_utc, reverse=True)


def _bars(sums: dict[str, tuple[int, int]], first: datetime.date) -> list[DayBar]:
    dates = [str(first + datetime.timedelta(days=number)) for number in range(DAYS)]
    highest = max((sums.get(date, (0, 0))[0] for date in dates), default=0) or 1
    return [
        DayBar(date, alerts, detections, 100 * alerts / highest, min(100, 100 * detections / highest), number * 10)
        for number, date in enumerate(dates)
        for alerts, detections in [sums.get(date, (0, 0))]
    ]


def _in_force(config_in_force: config.Config, own: config.Camera | None) -> list[tuple[str, str]]:
    """Say in words what the detection does with this camera's pictures."""
    camera = own or config.Camera()
    threshold = camera.threshold or config_in_force.detector.threshold
    words = [
        ("Examined", "yes" if camera.examine else "no, only stored"),
        ("Counts as a person from", f"{threshold * 100:.0f} %" if threshold else "the engine's own threshold"),
        ("Effort", camera.effort or config_in_force.detector.effort),
    ]
    if camera.min_person_height_percent or camera.max_person_height_percent < 100:
        low, high = camera.min_person_height_percent, camera.max_person_height_percent
        words.append(("Height of a person", f"{low:g} to {high:g} % of the picture"))
    words += [(f"Area {area.name or '(unnamed)'}", area.rule) for area in camera.area]
    silent_days = camera.silent_days or config_in_force.status.silent_days
    words.append(("Counts as silent after", f"{silent_days:g} days" if silent_days else "never"))
    return words
