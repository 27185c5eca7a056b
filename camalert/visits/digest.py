"""A digest: all that was seen in a time, as one message. When it is due, what it counts, which pictures are best."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from camalert.config import hours as week
from camalert.identity import key
from camalert.visits import policy
from camalert.visits.grouping import Visit
from camalert.visits.policy import DIGEST, HOME, Event, Switches, Target

BEST: Final = 6
SETTLE_S: Final = 60.0  # until what came before a time of day is examined
LATE_S: Final = 21_600.0  # a service that was off for longer leaves a digest out
AWAY_S: Final = 1800.0  # who comes home earlier than that has missed nothing: phones leave a network for minutes
DAY_S: Final = 86_400.0
LONGEST_S: Final = 31 * DAY_S  # of a journey


def due(target: Target, switches: Switches, now_utc: float, zone: datetime.tzinfo | None) -> list[Event]:
    """Return the digests that a target is to have had by now, the same ones however often it is asked.

    Args:
        target: Whose `digest_at` counts.
        switches: As they are now.
        now_utc: Seconds since 1970.
        zone: Where times of day are meant, None for this machine's zone.
    """
    found: list[Event] = []
    if DIGEST not in target.events:
        return found
    if moments := week.latest(target.digest_at, now_utc - SETTLE_S, zone):
        found.append(Event(DIGEST, at_utc=moments[0], since_utc=moments[1]))
    home_utc, away_utc = switches.presence_since_utc, switches.presence_before_utc
    if target.digest_at.is_home and switches.presence == HOME and home_utc is not None:
        since_utc = home_utc - DAY_S if away_utc is None else max(away_utc, home_utc - LONGEST_S)
        if home_utc - since_utc >= AWAY_S:
            found.append(Event(DIGEST, at_utc=home_utc, since_utc=since_utc, is_homecoming=True))
    return [event for event in found if 0 <= now_utc - event.at_utc <= LATE_S]


def counts(visit: Visit, target: Target) -> bool:
    """Tell whether a target's digest counts a visit."""
    is_meant = not target.cameras or policy.matches(visit.camera, target.cameras)
    return is_meant and visit.best_score >= target.min_score


@dataclass(frozen=True, slots=True)
class Line:
    """What one camera has seen; its name is "" where its mails have none."""

    camera: str
    visits: int
    people: int  # the most in one picture
    first_utc: float
    last_utc: float


@dataclass(frozen=True, slots=True)
class Digest:
    """What a digest says."""

    since_utc: float
    until_utc: float
    lines: tuple[Line, ...] = ()  # the camera with the most visits first
    best: tuple[Visit, ...] = ()  # in the order of time
    silent: tuple[str, ...] = ()  # cameras
    false_alarms: int = 0  # pictures that somebody has marked as such
    is_whole: bool = True  # False: there were more visits than are counted

    @property
    def visits(self) -> int:
        """Return how many visits there were."""
        return sum(line.visits for line in self.lines)


def gather(visits: Collection[Visit], wrong: Collection[int], **others: object) -> Digest:
    """Put a digest together.

    Args:
        visits: Of the cameras that it is about.
        wrong: Alerts whose pictures somebody has marked as showing no person: none of the best.
        others: As `Digest` has them.
    """
    own: dict[str, list[Visit]] = {}
    for visit in visits:
        own.setdefault(key(visit.camera), []).append(visit)
    lines = [
        Line(
            camera=max(found, key=lambda visit: visit.last_utc).camera,
            visits=len(found),
            people=max(visit.people for visit in found),
            first_utc=min(visit.began_utc for visit in found),
            last_utc=max(visit.last_utc for visit in found),
        )
        for found in own.values()
    ]
    lines.sort(key=lambda line: (-line.visits, key(line.camera)))
    shown = best([visit for visit in visits if visit.best_alert not in wrong])
    return Digest(lines=tuple(lines), best=tuple(shown), **others)  # type: ignore[arg-type]  # as it has them


def best(visits: Sequence[Visit], count: int = BEST) -> list[Visit]:
    """Return the visits with the best pictures, of each camera one before any has two, in the order of time."""
    rounds: dict[str, int] = {}
    ranked: list[tuple[int, float, int, Visit]] = []
    for visit in sorted(visits, key=lambda found: (-found.best_score, found.best_alert)):
        turn = rounds[key(visit.camera)] = rounds.get(key(visit.camera), -1) + 1
        ranked.append((turn, -visit.best_score, visit.best_alert, visit))
    chosen = [visit for *_, visit in sorted(ranked, key=lambda found: found[:3])[:count]]
    return sorted(chosen, key=lambda visit: (visit.began_utc, visit.id))
