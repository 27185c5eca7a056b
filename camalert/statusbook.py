"""The books that the status is rendered from: children, figures, cameras and their silence.

Pure: the supervisor feeds it what happens and asks for a `Status`. `now` is monotonic, so that a clock that is set does
not make cameras silent; wall-clock times appear only when the status is rendered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from camalert import config
from camalert.status import DAY_S, CameraStatus, ChildStatus, Heard, Status, Trouble

MAX_CAMERAS = 256  # names come from mails: a stranger may invent any number of them
FORGET_DAYS = 90.0  # a camera nobody configured and nobody heard for so long is gone, not silent
MAX_TROUBLES = 20
MAX_HEARD = 30
NAME_CHARS = 100
WORDS_CHARS = 300
RATE_STEP_S = 5.0
RATE_STEPS = 12  # a minute


@dataclass(frozen=True, slots=True)
class Silence:
    """A camera's silence has begun to be too long, or has ended."""

    camera: str
    days: float
    has_ended: bool = False


@dataclass(slots=True)
class _Camera:
    """Times are monotonic; None for never."""

    signed_at: float
    mailed_at: float | None = None
    pictured_at: float | None = None
    failed_at: float | None = None
    failure: str = ""
    mails: int = 0
    failures: int = 0
    peer: str = ""  # the address it last sent from
    is_configured: bool = False
    is_silent: bool = False

    @property
    def is_expected(self) -> bool:
        """Tell whether its silence means something: a stranger who never delivered a mail may stay away."""
        return self.is_configured or self.mailed_at is not None

    @property
    def sign_at(self) -> float | None:
        """Return when it was last heard; `signed_at` counts from the start for one that never was."""
        return None if self.mailed_at is None and self.failed_at is None else self.signed_at


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

    Cameras nobody configured are known by the names in their mails, or by their address.

    Args:
        start: The status at the start, with what never changes.
        silence: When a camera counts as silent.
        cameras: The configured cameras, expected from the start.
        now: Monotonic seconds.
    """

    def __init__(self, start: Status, silence: config.Status, cameras: Iterable[config.Camera], now: float) -> None:
        self._status = start
        self._silence = silence
        self._own_limits = {camera.name: camera.silent_days for camera in cameras if camera.silent_days > 0}
        self._cameras = {camera.name: _Camera(now, is_configured=True) for camera in cameras if camera.name}
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

    def mailed(self, camera: str, peer: str, pictures: int, now: float) -> Silence | None:
        """Note a mail of a camera at an address; a test or health mail has no pictures.

        Returns: The end of a silence, for the log.
        """
        found, ended = self._sign(camera or self._camera_at(peer), now)
        if found:
            found.mails += 1
            found.mailed_at = now
            found.peer = peer or found.peer
            if pictures:
                found.pictured_at = now
        return ended

    def failed(self, camera: str, peer: str, words: str, now: float) -> Silence | None:
        """Note that a camera failed to deliver and why; by its address when it did not say who it is.

        Returns: The end of a silence, for the log.
        """
        found, ended = self._sign(camera or self._camera_at(peer), now)
        if found:
            found.failures += 1
            found.peer = peer or found.peer
            found.failed_at, found.failure = now, words[:WORDS_CHARS]
        return ended

    def trouble(self, event: str, words: str, now: float) -> None:
        """Note a warning or an error for the owner."""
        self._troubles.append((now, event, words[:WORDS_CHARS]))

    def heard(self, what: Heard, now: float) -> None:
        """Note what a client did, in words; `at_utc` is filled in when the status is rendered."""
        cut = replace(
            what,
            event=what.event[:NAME_CHARS],
            peer=what.peer[:NAME_CHARS],
            camera=what.camera[:NAME_CHARS],
            words=what.words[:WORDS_CHARS],
        )
        self._heard.append((now, cut))

    def seen(self, name: str, age_s: float, now: float) -> None:
        """Note when a camera was last heard before this run, `age_s` ago; what this run heard counts more."""
        if not name or (name not in self._cameras and age_s > FORGET_DAYS * DAY_S):
            return
        if name not in self._cameras:
            self._make_room()
            self._cameras[name] = _Camera(now)
        camera = self._cameras[name]
        if camera.mailed_at is None:
            camera.signed_at = camera.mailed_at = now - max(0.0, age_s)

    def restore(self, before: Status, now: float, now_utc: float) -> None:
        """Take over what the run before knew of its cameras."""
        for camera in before.cameras:
            if camera.last_mail_utc:
                self.seen(camera.name, now_utc - camera.last_sign_utc, now)
                if camera.name in self._cameras:
                    self._cameras[camera.name].is_silent = camera.is_silent

    # --- what it makes of that --------------------------------------------------------------------------------------

    def new_silences(self, now: float) -> list[Silence]:
        """Return the cameras whose silence has become too long since the last call; each is told once."""
        found = []
        for name, camera in self._cameras.items():
            limit_days = self._own_limits.get(name, self._silence.silent_days)
            days = (now - camera.signed_at) / DAY_S
            if camera.is_expected and limit_days and days >= limit_days and not camera.is_silent:
                camera.is_silent = True
                found.append(Silence(name, days))
        return found

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
            cameras=tuple(
                CameraStatus(
                    name,
                    utc(camera.sign_at),
                    utc(camera.mailed_at),
                    utc(camera.pictured_at),
                    utc(camera.failed_at),
                    camera.failure,
                    camera.mails,
                    camera.failures,
                    camera.is_silent,
                )
                for name, camera in self._cameras.items()
            ),
            troubles=tuple(Trouble(utc(at), event, words) for at, event, words in self._troubles),
            heard=tuple(replace(what, at_utc=utc(at)) for at, what in self._heard),
        )

    def _sign(self, name: str, now: float) -> tuple[_Camera | None, Silence | None]:
        """Note a sign of life of a camera, which may be a new one."""
        if not name:
            return None, None
        camera = self._cameras.get(name)
        if camera is None:
            self._make_room()
            camera = self._cameras[name] = _Camera(now)
        ended = Silence(name, (now - camera.signed_at) / DAY_S, has_ended=True) if camera.is_silent else None
        camera.is_silent = False
        camera.signed_at = now
        return camera, ended

    def _camera_at(self, peer: str) -> str:
        """Return the one camera known to send from an address, else the address itself."""
        names = [name for name, camera in self._cameras.items() if peer and camera.peer == peer]
        return names[0] if len(names) == 1 else peer

    def _make_room(self) -> None:
        """Forget, of the cameras nobody configured, the one that was quiet the longest."""
        if len(self._cameras) >= MAX_CAMERAS:
            strangers = [name for name, camera in self._cameras.items() if not camera.is_configured]
            if strangers:
                del self._cameras[min(strangers, key=lambda name: self._cameras[name].signed_at)]
