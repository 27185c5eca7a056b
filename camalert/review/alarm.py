"""One alarm with all that is known of it: the facts, the mail, the clip."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, replace
from typing import Any

from camalert.review.alerts.models import AlertFacts, Clip, DetectFacts, Mail
from camalert.review.selection import Album
from camalert.review.shot import Shot
from camalert.review.shots import some


@dataclass(frozen=True, slots=True)
class Box:
    """A person found, in pixels of the picture that was examined."""

    x: float
    y: float
    width: float
    height: float
    score: float

    @property
    def per_cent(self) -> int:
        """Return the score in per cent."""
        return min(99, round(self.score * 100))


@dataclass(frozen=True, slots=True)
class Alarm:
    """What the page of one alarm shows; `shot` is the row it was opened by."""

    shot: Shot
    facts: Any
    boxes: tuple[Box, ...]
    mail: Any
    clip: Any

    @property
    def has_snapshot(self) -> bool:
        """Tell whether the picture as it came is still there."""
        return self.shot.alert_id is not None

    @property
    def has_detection(self) -> bool:
        """Tell whether there is a picture with the people marked."""
        return self.shot.detect_id is not None

    @property
    def received(self) -> str:
        """Return when its mail was received, in local time."""
        return local_time(self.facts.received_utc)

    @property
    def taken(self) -> str:
        """Return when the camera says that it took the picture."""
        return local_time(self.facts.taken_utc) or (self.mail.camera_time if self.mail else "")

    @property
    def concluded(self) -> str:
        """Return when the examination ended."""
        return local_time(self.facts.concluded_utc)


def find(album: Album, row_id: int) -> Alarm | None:
    """Return one alarm, None when its row is gone.

    A detection whose alarm was deleted has no `alert_id` here any more, an alarm whose detection was deleted no
    `detect_id`, whatever the facts remember.
    """
    shots = some(album, (row_id,))
    if not shots:
        return None
    shot = shots[0]
    model: Any = DetectFacts if album is Album.PEOPLE else AlertFacts
    facts = model.objects.filter(pk=row_id).first()
    if facts is None:
        return None
    alert = AlertFacts.objects.filter(pk=shot.alert_id).first() if shot.alert_id else None
    if album is Album.PEOPLE and alert is None:
        shot = replace(shot, alert_id=None)
    clip_id = alert.clip if alert else None
    return Alarm(
        shot=shot,
        facts=facts,
        boxes=boxes(facts.people),
        mail=Mail.objects.filter(pk=facts.mail).first() if facts.mail else None,
        clip=Clip.objects.filter(pk=clip_id).first() if clip_id else None,
    )


def boxes(people: str | None) -> tuple[Box, ...]:
    """Return the boxes in the facts' JSON; what is none is left out."""
    try:
        found = json.loads(people or "[]")
        return tuple(Box(*(float(person[name]) for name in ("x", "y", "width", "height", "score"))) for person in found)
    except (ValueError, TypeError, KeyError):
        return ()


def local_time(utc_s: float | None) -> str:
    """Return a moment in words, "" for none."""
    if utc_s is None:
        return ""
    try:
        moment = datetime.datetime.fromtimestamp(utc_s)  # noqa: DTZ006 - the house's own time, as on its clocks
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
