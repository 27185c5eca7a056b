"""The page of one alarm."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from camalert.review import shots
from camalert.review.alarm import find
from camalert.review.events import EVENT_GAP_S, seconds
from camalert.review.selection import MISSED, NOT_A_PERSON, Album, Selection
from camalert.review.shot import Shot

AROUND = 12  # pictures before and after it that are looked through for its event


@require_safe
def show(request: HttpRequest, album: Album, row_id: int) -> HttpResponse:
    """Show one alarm; its neighbours are those of the list it was opened from."""
    alarm = find(album, row_id)
    if alarm is None:
        raise Http404("This picture is not there any more: it was deleted, or newer ones took its place.")
    selection = Selection.parse(album, request.GET)
    newer, older = shots.neighbours(selection, alarm.shot)
    context = {
        "alarm": alarm,
        "shot": alarm.shot,
        "facts": alarm.facts,
        "mail": alarm.mail,
        "album": album.value,
        "selection": selection,
        "newer": newer,
        "older": older,
        "event": _event(alarm.shot),
        "not_a_person": NOT_A_PERSON,
        "missed": MISSED,
    }
    return render(request, "review/alarm.html", context)


def _event(shot: Shot) -> list[Shot]:
    """Return the pictures of the same event, oldest first, this one among them."""
    same = Selection(shot.album, camera=shot.camera)
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
