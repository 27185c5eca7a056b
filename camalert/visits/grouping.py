"""Which pictures with people are one visit: those of one camera, with gaps of at most so many seconds.

A picture joins every visit that it is near, and these become one. So verdicts may come in any order (of a backlog, of a
clip that was read late): the visits are always those of the pictures sorted by time.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from camalert.config.objects import PERSON, listed


@dataclass(frozen=True, slots=True)
class Sighting:
    """A picture with people in it, or with what else its camera asks for."""

    alert_id: int
    camera: str
    at_utc: float  # when it was taken, by the camera's clock where that is believable
    heard_utc: float  # when it was received, by this machine's clock
    people: int
    score: float  # of the surest of them
    objects: str = PERSON  # what was seen, as `config.objects.listed` writes it


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody in front of one camera, from the first picture to the last."""

    id: int  # 0: it has no row yet
    camera: str
    began_utc: float
    last_utc: float
    heard_utc: float  # when its latest picture was received
    pictures: int
    people: int  # the most in one picture
    best_alert: int
    best_score: float
    objects: str = PERSON

    def is_near(self, at_utc: float, gap_s: float) -> bool:
        """Tell whether a picture of this moment belongs to it."""
        return self.began_utc - gap_s <= at_utc <= self.last_utc + gap_s


def chosen(sighting: Sighting, near: Collection[Visit], longest_s: float) -> list[Visit]:
    """Return the visits that a picture may make one with, of those that it is near.

    Somebody who works in the garden all day, or a scarecrow that is taken for a person, would otherwise be one visit
    without an end, in which nobody else is ever told of. The visits of a longer stay begin where one is full, by the
    order of the verdicts; a picture between the two makes none longer.

    Args:
        sighting: The picture.
        near: The visits that it is near.
        longest_s: A visit that a picture would make longer than this does not get it.
    """
    found: list[Visit] = []
    began_utc = last_utc = sighting.at_utc
    for visit in sorted(near, key=lambda one: (_distance_s(one, sighting), -one.pictures, one.id)):
        first, last = min(began_utc, visit.began_utc), max(last_utc, visit.last_utc)
        is_within = visit.began_utc <= sighting.at_utc <= visit.last_utc and not found
        if is_within or last - first <= longest_s:
            found.append(visit)
            began_utc, last_utc = first, last
    return found


def _distance_s(visit: Visit, sighting: Sighting) -> float:
    return max(0.0, visit.began_utc - sighting.at_utc, sighting.at_utc - visit.last_utc)


def join(sighting: Sighting, near: Collection[Visit]) -> Visit:
    """Return the visit that a picture belongs to: a new one, or all that it is near, as one.

    Of several, the one with the most pictures gives its id, so that the fewest rows change.
    """
    visit = Visit(
        id=0,
        camera=sighting.camera,
        began_utc=sighting.at_utc,
        last_utc=sighting.at_utc,
        heard_utc=sighting.heard_utc,
        pictures=1,
        people=sighting.people,
        best_alert=sighting.alert_id,
        best_score=sighting.score,
        objects=sighting.objects,
    )
    for other in sorted(near, key=lambda found: (-found.pictures, found.id)):
        visit = _one(visit, other)
    return visit


def overlapping(visits: Iterable[Visit], gap_s: float) -> Iterator[tuple[Visit, list[Visit]]]:
    """Yield what becomes of visits of cameras that are one camera now: each new visit, with those it is made of.

    Those that stay as they are, are left out.
    """
    group: list[Visit] = []
    for visit in sorted(visits, key=lambda found: (found.began_utc, found.id)):
        if group and visit.began_utc > max(other.last_utc for other in group) + gap_s:
            yield from _together(group)
            group = []
        group.append(visit)
    yield from _together(group)


def _together(group: list[Visit]) -> Iterator[tuple[Visit, list[Visit]]]:
    if len(group) > 1:
        first, *others = sorted(group, key=lambda found: (-found.pictures, found.id))
        yield functools.reduce(_one, others, first), group


def _one(visit: Visit, other: Visit) -> Visit:
    best = max(visit, other, key=lambda found: (found.best_score, -found.best_alert))
    return Visit(
        id=visit.id or other.id,
        camera=visit.camera if visit.id else other.camera,
        began_utc=min(visit.began_utc, other.began_utc),
        last_utc=max(visit.last_utc, other.last_utc),
        heard_utc=max(visit.heard_utc, other.heard_utc),
        pictures=visit.pictures + other.pictures,
        people=max(visit.people, other.people),
        best_alert=best.best_alert,
        best_score=best.best_score,
        objects=listed((*visit.objects.split(","), *other.objects.split(","))),
    )
