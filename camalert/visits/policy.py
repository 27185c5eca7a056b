"""Who is told of an event, how urgently, and for what reason somebody is not; and when a failed message is tried again.

Of each event every target that asked for its kind gets one decision: to be told, or why not. Both are stored, so that
*why was I not told?* has an answer.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from camalert.config import hours as week
from camalert.config import schema as config
from camalert.identity import key

SWITCHED: Final = frozenset({"visit", "better", "over"})  # what arming, snoozing and presence are about
HOME, AWAY = "home", "away"
DIGEST = "digest"
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 900.0
LONGEST_ASKED_S = 21_600.0  # a receiver that asks for more is asked after six hours
JITTER = 0.25  # of the pause, so that all messages of an outage do not come at once
SENT, RETRY, GIVEN_UP, WAITING = "sent", "retry", "given_up", "waiting"
_NAMESPACE = uuid.UUID("6f1c7cb3-64cf-5a43-9d3c-0f3a3d1c8b51")


@dataclass(frozen=True, slots=True)
class Target:
    """What the configuration says of one target, apart from where it is."""

    name: str
    events: frozenset[str]
    cameras: tuple[str, ...] = ()  # patterns; (): all
    away_cameras: tuple[str, ...] = ()
    min_score: float = 0.0
    cooldown_s: float = 0.0
    hours_text: str = ""
    hours: week.Hours = ()
    priority: week.Rules = ()
    picture: bool = True
    links: tuple[str, ...] = ()
    give_up_s: float = 86_400.0
    digest_at: week.Times = week.NEVER


def target_of(settings: config.Notify) -> Target:
    """Return the target that a [[notify]] block describes."""
    return Target(
        name=settings.name,
        events=frozenset(settings.events),
        cameras=settings.cameras,
        away_cameras=settings.away_cameras,
        min_score=settings.min_score,
        cooldown_s=settings.cooldown_seconds,
        hours_text=settings.hours,
        hours=week.parse(settings.hours),
        priority=week.parse_priority(settings.priority),
        picture=settings.picture,
        links=settings.links,
        give_up_s=settings.give_up_hours * 3600,
        digest_at=week.parse_times(settings.digest_at),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling. `kind` is one of `config.targets.EVENTS`."""

    kind: str
    camera: str = ""  # "": of the service
    at_utc: float = 0.0
    visit: int = 0
    alert: int = 0  # whose picture goes with it
    score: float = 0.0
    pictures: int = 0
    length_s: float = 0.0
    message: str = ""
    since_utc: float = 0.0  # of a digest: from when it tells
    is_homecoming: bool = False  # of a digest: somebody has come home


@dataclass(frozen=True, slots=True)
class Switches:
    """What the owner has switched; cameras by `identity.key`, "" for all."""

    armed: Mapping[str, bool] = field(default_factory=dict)
    snoozed: Mapping[str, tuple[float, str]] = field(default_factory=dict)  # until when, and by whom
    presence: str = AWAY
    presence_since_utc: float | None = None  # None: not known
    presence_before_utc: float | None = None  # since when the other presence had been before

    def is_armed(self, camera: str) -> bool:
        """Tell whether a camera is armed; what is said of all cameras holds where nothing is said of the camera."""
        return self.armed.get(key(camera), self.armed.get("", True))

    def snooze_of(self, camera: str, now_utc: float) -> tuple[float, str] | None:
        """Return until when a camera is snoozed and by whom, None when it is not."""
        found = [snooze for own in {key(camera), ""} if (snooze := self.snoozed.get(own)) and snooze[0] > now_utc]
        return max(found, default=None)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a target is told of an event; `reason` says why not, and is never empty then."""

    target: str
    is_told: bool
    reason: str
    due_utc: float | None
    priority: str


@dataclass(frozen=True, slots=True)
class _Clock:
    """When it is, and where."""

    now_utc: float
    zone: datetime.tzinfo | None

    def shows(self, at_utc: float) -> str:
        """Write a moment as short as it can be understood."""
        at = week.local(at_utc, self.zone)
        is_today = at.date() == week.local(self.now_utc, self.zone).date()
        return at.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")


def decide(  # noqa: PLR0913, PLR0917 - what is known, one by one; the writer has all of it at hand
    event: Event,
    targets: Iterable[Target],
    switches: Switches,
    last_sent: Mapping[tuple[str, str], float],
    now_utc: float,
    zone: datetime.tzinfo | None,
) -> tuple[Decision, ...]:
    """Decide for each target that asked for this kind of event.

    Args:
        event: What happened.
        targets: All of the configuration.
        switches: As they are now.
        last_sent: When each target last got a message of each camera (target, `identity.key`).
        now_utc: Seconds since 1970.
        zone: Where hours are meant, None for this machine's zone.
    """
    decisions = []
    clock = _Clock(now_utc, zone)
    for target in targets:
        if event.kind not in target.events:
            continue
        reason = _objection(event, target, switches, last_sent.get((target.name, key(event.camera))), clock)
        urgency = week.priority(target.priority, now_utc, zone)
        decisions.append(Decision(target.name, not reason, reason, None if reason else now_utc, urgency))
    return tuple(decisions)


def _objection(
    event: Event,
    target: Target,
    switches: Switches,
    sent_utc: float | None,
    clock: _Clock,
) -> str:
    """Return the first reason not to tell a target, "" when there is none."""
    if event.camera and target.cameras and not matches(event.camera, target.cameras):
        return f"camera {event.camera} is none of {', '.join(target.cameras)}"
    if event.kind in ("visit", "better") and event.score < target.min_score:
        return f"score {event.score:.2f} below {target.min_score:.2f}"
    if event.kind in SWITCHED:
        if not switches.is_armed(event.camera):
            return "disarmed"
        if snooze := switches.snooze_of(event.camera, clock.now_utc):
            until_utc, by = snooze
            return f"snoozed{f' by {by}' if by else ''} until {clock.shows(until_utc)}"
        if switches.presence == HOME and matches(event.camera, target.away_cameras):
            return "somebody is at home"
    if event.is_homecoming and not event.pictures:
        return "nobody was seen meanwhile"
    # A digest has its own time.
    if event.kind != DIGEST and not week.contain(target.hours, clock.now_utc, clock.zone):
        return f"outside of {target.hours_text}"
    if event.camera and sent_utc is not None:
        until_utc = sent_utc + target.cooldown_s
        if sent_utc <= clock.now_utc < until_utc:
            return f"cool-down until {clock.shows(until_utc)}"
    return ""


def matches(camera: str, patterns: Iterable[str]) -> bool:
    """Tell whether a camera is meant by a name or a pattern with "*" and "?"."""
    return any(_pattern(pattern).fullmatch(key(camera)) for pattern in patterns)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(key(text).replace("[", "[[]")))


def key_of(event: Event, target: str) -> str:
    """Return what a decision is about, the same however often it is made: of a visit, one for a target and a kind."""
    what = f"visit {event.visit}" if event.visit else f"{key(event.camera)} {event.at_utc:.3f}"
    return str(uuid.uuid5(_NAMESPACE, f"{target}\n{event.kind}\n{what}"))


def backoff(tries: int, retry_after_s: float, now_utc: float, chance: float) -> float:
    """Return when a message that failed is tried again.

    Args:
        tries: That failed, this one included.
        retry_after_s: What the receiver asked for, 0 for nothing.
        now_utc: Seconds since 1970.
        chance: Random, 0 to 1.
    """
    pause_s = min(FIRST_PAUSE_S * 2.0 ** min(max(0, tries - 1), 20), LONGEST_PAUSE_S) * (1 + JITTER * chance)
    return now_utc + max(pause_s, min(retry_after_s, LONGEST_ASKED_S))


@dataclass(frozen=True, slots=True)
class After:
    """What a message becomes after a try: its state, and when the next try is due."""

    state: str
    due_utc: float | None


def after_try(  # noqa: PLR0913 - each is a column of one row, or the answer
    tries: int,
    created_utc: float,
    code: str,
    *,
    retry_after_s: float,
    give_up_s: float,
    now_utc: float,
    chance: float,
) -> After:
    """Decide what becomes of a message after a try.

    Args:
        tries: All of them, this one included.
        created_utc: When it was decided to tell.
        code: "sent"; "retry"; "given_up", because no later try can succeed.
        retry_after_s: What the receiver asked for, 0 for nothing.
        give_up_s: After how long a message is given up.
        now_utc: Seconds since 1970.
        chance: Random, 0 to 1.
    """
    if code in (SENT, GIVEN_UP):
        return After(code, None)
    due_utc = backoff(tries, retry_after_s, now_utc, chance)
    if due_utc > created_utc + give_up_s:
        return After(GIVEN_UP, None)
    return After(WAITING, due_utc)
