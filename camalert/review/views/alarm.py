"""The page of one alarm, with all that is known of it: the facts, the mail, the clip, its event and its neighbours."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from camalert.config import objects
from camalert.review import reviewers, shots
from camalert.review.alerts.models import FACTS, AlertFacts, Clip, Mail, Visit
from camalert.review.boxes import Box, read
from camalert.review.formats import local_time, phrase, span
from camalert.review.selection import MISSED, NOT_A_PERSON, UNNAMED, Album, Selection
from camalert.review.shots import EVENT_GAP_S, Shot, seconds
from camalert.review.views import visits

APART_S = 300.0  # a mail may come some minutes late; beyond them the camera's clock is off
AROUND = 12  # pictures before and after it that are searched for its event


@dataclass(frozen=True, slots=True)
class Reason:
    """What of a mail (camera, event, time, kind) was read as what, and which rule or row of a table decided it."""

    what: str
    taken: str
    rule: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """All that is known of one alarm; `shot` is the row it was opened by."""

    shot: Shot
    facts: Any
    boxes: tuple[Box, ...]
    others: tuple[Box, ...]  # what else was seen
    mail: Any
    clip: Any
    clip_second: float | None  # when in the clip the picture is
    visit: Any

    @property
    def reasons(self) -> list[Reason]:
        """Return why its mail was read as it was, nothing for mails that came before that was kept."""
        return _reasons(self.mail.reasons if self.mail else "")

    @property
    def found(self) -> str:
        """Return what counted in it, and how sure that is: "2 people, surest 99 %"."""
        count = len(self.boxes)
        what = gettext("A person") if count < 2 else gettext("%(people)s people") % {"people": count}
        if self.shot.kinds not in ("", objects.PERSON):
            what = phrase(self.shot.kinds)
            what = what[:1].upper() + what[1:]
        if self.shot.percent is None:
            return what
        return f"{what}, {gettext('surest %(percent)s %%') % {'percent': self.shot.percent}}"

    @property
    def taken(self) -> str:
        """Return when the picture was taken by the camera's clock."""
        return local_time(self.facts.taken_utc) or (self.mail.camera_time if self.mail else "")

    @property
    def late(self) -> str:
        """Return how long before its receipt it was taken, by the camera's clock; "" where nobody would mind."""
        return self._apart(1)

    @property
    def early(self) -> str:
        """Return how long after its receipt it was taken, by the camera's clock; "" where nobody would mind."""
        return self._apart(-1)

    def _apart(self, direction: int) -> str:
        if self.facts.taken_utc is None or self.facts.received_utc is None:
            return ""
        apart_s = direction * (self.facts.received_utc - self.facts.taken_utc)
        return span(apart_s) if apart_s >= APART_S else ""


def find(album: Album, row_id: int) -> Alarm | None:
    """Return one alarm, None when its row is gone.

    A detection whose alarm was deleted has no `alert_id` here, whatever the facts remember.
    """
    rows = shots.some(album, (row_id,))
    if not rows:
        return None
    shot = rows[0]
    facts = FACTS[album].objects.filter(pk=row_id).first()
    if facts is None:
        return None
    alert = AlertFacts.objects.filter(pk=shot.alert_id).first() if shot.alert_id else None
    if album is Album.PEOPLE and alert is None:
        shot = replace(shot, alert_id=None)
    clip_id = alert.clip if alert else None
    return Alarm(
        shot=shot,
        facts=facts,
        boxes=read(facts.people),
        others=read(alert.others) if alert else (),
        mail=Mail.objects.filter(pk=facts.mail).first() if facts.mail else None,
        visit=Visit.objects.filter(pk=alert.visit).first() if alert and alert.visit else None,
        clip_second=alert.clip_second if alert else None,
        clip=Clip.objects.defer("clip").filter(pk=clip_id).first() if clip_id else None,
    )


def _reasons(text: str) -> list[Reason]:
    """Return the reasons in a mail's JSON, none when it is damaged."""
    try:
        return [Reason(*(str(part) for part in item)) for item in json.loads(text or "[]")]
    except (ValueError, TypeError, RecursionError):
        return []


@require_safe
def show(request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Show one alarm; its neighbours are those in the list it was opened from."""
    alarm = find(album, row_id)
    if alarm is None:
        raise Http404(gettext("This picture no longer exists: it was deleted, or removed for newer ones."))
    selection = Selection.parse(album, request.GET)
    newer, older = shots.neighbours(selection, alarm.shot)
    context = {
        "alarm": alarm,
        "shot": alarm.shot,
        "facts": alarm.facts,
        "album": album.value,
        "selection": selection,
        "newer": newer,
        "older": older,
        "event": _event(alarm.shot),
        "told": visits.told(alarm.visit.pk) if alarm.visit else [],
        "reviewers": reviewers.of([alarm.shot.alert_id]) if alarm.shot.alert_id else [],
        "pictures_in_all": 1,
        "mark": NOT_A_PERSON if alarm.shot.outcome == "person" or alarm.shot.detect_id else MISSED,
    }
    return render(request, "review/alarm.html", context)


def _event(shot: Shot) -> list[Shot]:
    """Return the pictures of the same event, oldest first, this one among them."""
    same = Selection(shot.album, camera=shot.camera or UNNAMED)
    before, _ = shots.page(same, shot.cursor, AROUND)
    event = [shot]
    for other in before:
        if seconds(event[0].timestamp) - seconds(other.timestamp) > EVENT_GAP_S or other.day != shot.day:
            break
        event.insert(0, other)
    for other in shots.following(same, shot, AROUND):
        if seconds(other.timestamp) - seconds(event[-1].timestamp) > EVENT_GAP_S or other.day != shot.day:
            break
        event.append(other)
    return event
