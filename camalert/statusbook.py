"""The books that the status is rendered from: children, figures, troubles, and the cameras of `camerabook`.

Pure: the supervisor feeds it what happens and asks for a `Status`. `now` is monotonic, so that a clock that is set does
not make cameras silent; wall-clock times appear only when the status is rendered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from camalert import config
from camalert.camerabook import CameraBook
from camalert.status import ChildStatus, Heard, Status, Trouble

MAX_TROUBLES = 20
MAX_HEARD = 30
NAME_CHARS = 100
WORDS_CHARS = 300
RATE_STEP_S = 5.0
RATE_STEPS = 12  # a minute


@dataclass(slots=True)
class _Rate:
    """Count what happened in the last minute, in steps of `RATE_STEP_S`."""

    steps: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=RATE_STEPS))

    def add(self, count: int, now: float) -> None:
        step = int(now / RATE_STEP_S)
        if self.steps and self.steps[-1][0] == step:
            self.steps[-1] = (step, self.steps[-1][1] + count)
        else:
            self.steps.append((step, count))

    def per_minute(self, now: float) -> float:
        oldest = int(now / RATE_STEP_S) - RATE_STEPS
        return float(sum(count for step, count in self.steps if step > oldest))


class StatusBook:
    """Keep what the status shows.

    Args:
        start: The status at the start, with what never changes.
        silence: When a camera counts as silent.
        cameras: The configured cameras, expected from the start.
        now: Monotonic seconds.

    Attributes:
        cameras: The cameras' own book; who tells or asks about them does it there.
    """

    def __init__(self, start: Status, silence: config.Status, cameras: Sequence[config.Camera], now: float) -> None:
        self._status = start
        self.cameras = CameraBook(silence, cameras, now)
        self._children: dict[str, tuple[ChildStatus, float]] = {}
        self._troubles: deque[tuple[float, str, str]] = deque(maxlen=MAX_TROUBLES)
        self._heard: deque[tuple[float, Heard]] = deque(maxlen=MAX_HEARD)
        self._state_at = now
        self._stored_rate, self._examined_rate = _Rate(), _Rate()
        self._mails = self._pictures = 0
        self._examined = self._persons = self._failed = 0

    # --- what the supervisor tells ----------------------------------------------------------------------------------

    def phase(self, state: str, now: float, reason: str = "") -> None:
        """Note the service's phase."""
        if state != self._status.state:
            self._state_at = now
        self._status = replace(self._status, state=state, reason=reason)

    def child(self, child: ChildStatus, now: float) -> None:
        """Note a child's present state; `since_utc` is filled in here."""
        before = self._children.get(child.name)
        since = before[1] if before and before[0].state == child.state else now
        self._children[child.name] = (child, since)

    def slots(self, used: int) -> None:
        """Note how many frame slots are in use."""
        self._status = replace(self._status, slots_used=used)

    def engine(self, name: str) -> None:
        """Note the engine that the detectors work with."""
        self._status = replace(self._status, engine=name)

    def database(self, trouble: str) -> None:
        """Note why the database cannot be used, "" when it can."""
        self._status = replace(self._status, database_trouble=trouble)

    def counted(self, pending: int, alerts_today: int, detections_today: int) -> None:
        """Note the writer's figures."""
        self._status = replace(
            self._status, pending=pending, alerts_today=alerts_today, detections_today=detections_today
        )

    def stored(self, pictures: int, now: float) -> None:
        """Count a stored mail with its pictures."""
        self._stored_rate.add(pictures, now)
        self._mails += 1
        self._pictures += pictures

    def examined(self, now: float, *, is_person: bool = False, is_failed: bool = False) -> None:
        """Count a concluded examination."""
        self._examined_rate.add(1, now)
        self._examined += 1
        self._persons += is_person
        self._failed += is_failed

    def trouble(self, event: str, words: str, now: float) -> None:
        """Note a warning or an error for the owner."""
        self._troubles.append((now, event, words[:WORDS_CHARS]))

    def heard(self, what: Heard, now: float) -> None:
        """Note what a client did, in words; `at_utc` is filled in when the status is rendered."""
        event, peer, camera = what.event[:NAME_CHARS], what.peer[:NAME_CHARS], what.camera[:NAME_CHARS]
        cut = Heard(0.0, event, peer, camera, what.words[:WORDS_CHARS], what.pictures, what.is_failure)
        self._heard.append((now, cut))

    # --- what it makes of that --------------------------------------------------------------------------------------

    def render(self, now: float, now_utc: float) -> Status:
        """Return the status as it is now."""

        def utc(at: float | None) -> float:
            return 0.0 if at is None else round(now_utc - (now - at), 3)

        return replace(
            self._status,
            written_utc=round(now_utc, 3),
            since_utc=utc(self._state_at),
            mails=self._mails,
            pictures=self._pictures,
            examined=self._examined,
            persons=self._persons,
            failed=self._failed,
            pictures_per_minute=self._stored_rate.per_minute(now),
            examined_per_minute=self._examined_rate.per_minute(now),
            children=tuple(replace(child, since_utc=utc(since)) for child, since in self._children.values()),
            cameras=self.cameras.render(utc),
            troubles=tuple(Trouble(utc(at), event, words) for at, event, words in self._troubles),
            heard=tuple(replace(what, at_utc=utc(at)) for at, what in self._heard),
        )
