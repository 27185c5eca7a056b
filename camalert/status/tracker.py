"""What the status is rendered from: children, figures, warnings, and when each camera was last seen.

The supervisor reports what happens and asks for a `Status`. `now` is monotonic, so that a clock that is set does not
make cameras silent; wall-clock times appear only when the status is rendered. Of a camera None stands for never.

Anybody may write a camera's name into a mail. So a camera is known by its name and the address that it has had for a
while: a mail under its name from elsewhere is reported, and does not count as this camera's until that address has been
its own for some days.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from camalert.config import schema as config
from camalert.identity import ESTABLISHED_MAILS, key, spelled
from camalert.ipc.messages import Counted
from camalert.status.model import DAY_S, CameraStatus, ChildStatus, MailActivity, Problem, Status, off_in_words

MAX_PROBLEMS = 20
MAX_ACTIVITY = 30
NAME_CHARS = 100
MESSAGE_CHARS = 300
RATE_STEP_S = 5.0
RATE_STEPS = 12  # a minute
MAX_CAMERAS = 256  # names come from mails: anybody may invent any number of them
MAX_PER_ADDRESS = 64  # cameras that nobody configured; the largest recorders have as many channels
FORGET_DAYS = 30.0  # a camera that nobody configured and that was not seen for so long is gone, not silent
# A mail cannot come before it is written; it may come late, when a camera tries again.
CLOCK_AHEAD_S = 120.0
CLOCK_BEHIND_S = 1800.0
CLOCK_CHANGED_S = 1800.0  # a clock that is off by that much more or less was changed: it is told again
SETTLED_DAYS = 7.0  # the address that a camera has had for so long is its own, and another one is reported
MOVED_DAYS = 2.0  # another address that alone has used the name for so long is the camera's new one
MAX_REPORTED = 8  # other addresses of a camera; a line for each that comes later would be a flood


@dataclass(frozen=True, slots=True)
class Silence:
    """A camera has become silent, or has ended its silence, after so many days."""

    camera: str
    days: float
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A mail came under a camera's name from another address than its own."""

    camera: str
    address: str
    known_address: str
    known_days: float

    @property
    def message(self) -> str:
        """Return it for the owner."""
        return (
            f"a mail as {self.camera} came from {self.address}; for {self.known_days:.0f} days this camera was at "
            f"{self.known_address}. If you did not move it, somebody else uses its name"
        )


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A camera that is not configured was not seen for so long that it is not expected any more."""

    camera: str
    days: float


@dataclass(frozen=True, slots=True)
class ClockOff:
    """A camera's clock is ahead of ours by so many seconds, or behind where they are negative."""

    camera: str
    off_s: float

    @property
    def message(self) -> str:
        """Return it for the owner."""
        return (
            f"the clock of {self.camera} is {off_in_words(self.off_s)}: set its time, its time zone or a time server "
            "(NTP)" + (", unless its mails come that late" if -DAY_S < self.off_s < 0 else "")
        )


CameraNews = Silence | AddressChange | Forgotten | ClockOff


@dataclass(slots=True)
class _Camera:
    name: str
    quiet_since: float  # when it was last seen, or the start for one that never was
    mailed_at: float | None = None
    pictured_at: float | None = None
    failed_at: float | None = None
    failure: str = ""
    mails: int = 0
    mails_before: int = 0  # this run
    failures: int = 0
    address: str = ""  # its own
    address_at: float = 0.0  # since when
    other: str = ""  # another one that mails under its name
    other_at: float = 0.0  # since when it alone does
    reported: tuple[str, ...] = ()  # other addresses
    is_configured: bool = False
    is_silent: bool = False
    clock_off_s: float = 0.0  # 0 for a clock that is right
    clock_told_s: float = 0.0  # as it was told
    clock_told_at: float = -DAY_S

    @property
    def is_expected(self) -> bool:
        """Tell whether its silence means something: a client that never delivered a mail may stay away."""
        return self.is_configured or self.mailed_at is not None

    @property
    def is_established(self) -> bool:
        """Tell whether it stays when there are too many names."""
        return self.is_configured or self.mails + self.mails_before >= ESTABLISHED_MAILS

    @property
    def seen_at(self) -> float | None:
        return None if self.mailed_at is None and self.failed_at is None else self.quiet_since

    def judge_address(self, address: str, now: float) -> tuple[bool, AddressChange | None]:
        """Judge a mail under its name from an address, "" where there is none.

        Returns: Whether it is from this camera, and what is to be reported.
        """
        if not address or address == self.address:
            self.other_at = now  # the other address has not had the name alone
            return True, None
        if not self.address or now - self.address_at < SETTLED_DAYS * DAY_S:
            self.address, self.address_at = address, now
            return True, None
        if address != self.other:
            self.other, self.other_at = address, now
        elif now - self.other_at >= MOVED_DAYS * DAY_S:
            self.address, self.address_at, self.other = address, self.other_at, ""
            return True, None
        if address in self.reported or len(self.reported) >= MAX_REPORTED:
            return False, None
        self.reported = (*self.reported, address)
        return False, AddressChange(self.name, address, self.address, (now - self.address_at) / DAY_S)

    def see(self, now: float) -> Silence | None:
        """Note that it is there, which may end a silence."""
        ended = Silence(self.name, (now - self.quiet_since) / DAY_S, has_ended=True) if self.is_silent else None
        self.is_silent = False
        self.quiet_since = now
        return ended


def _joined(camera: _Camera, other: _Camera) -> _Camera:
    """Return one camera made of two: what was seen last counts, and the name and address are the first's."""
    return replace(
        camera,
        quiet_since=max(camera.quiet_since, other.quiet_since),
        mailed_at=_latest(camera.mailed_at, other.mailed_at),
        pictured_at=_latest(camera.pictured_at, other.pictured_at),
        failed_at=_latest(camera.failed_at, other.failed_at),
        failure=other.failure if (other.failed_at or 0.0) > (camera.failed_at or 0.0) else camera.failure,
        mails=camera.mails + other.mails,
        mails_before=camera.mails_before + other.mails_before,
        failures=camera.failures + other.failures,
        address=camera.address or other.address,
        address_at=camera.address_at if camera.address else other.address_at,
        # Both were mailing: neither's address is strange.
        reported=tuple(dict.fromkeys((*camera.reported, *filter(None, (other.address,)))))[:MAX_REPORTED],
        is_silent=camera.is_silent and other.is_silent,
    )


def _latest(at: float | None, other: float | None) -> float | None:
    return max((moment for moment in (at, other) if moment is not None), default=None)


class CameraTracker:
    """Know when each camera was last seen and from where, why it failed, and whether it has been silent for too long.

    Cameras that nobody configured are known by the names in their mails, or by their address.

    Args:
        silence: When a camera counts as silent.
        cameras: The configured cameras, expected from the start.
        now: Monotonic seconds.
    """

    def __init__(self, silence: config.Status, cameras: Sequence[config.Camera], now: float) -> None:
        self._cameras: dict[str, _Camera] = {}
        self._renamed: dict[str, str] = {}
        self.expect(silence, cameras, now)

    def expect(self, silence: config.Status, cameras: Sequence[config.Camera], now: float) -> None:
        """Take a configuration; what is known stays, and a silence that does not count any more ends."""
        self._silence = silence
        self._own_limits = {key(camera.name): camera.silent_days for camera in cameras if camera.silent_days > 0}
        names = {key(camera.name): spelled(camera.name) for camera in cameras if key(camera.name)}
        for own, known in self._cameras.items():
            known.is_configured = own in names
            known.name = names.get(own, known.name)
            known.is_silent = known.is_silent and self._is_overdue(own, known, now)
        for own, name in names.items():
            if own not in self._cameras:
                self._cameras[own] = _Camera(name, now, is_configured=True)

    def mailed(self, camera: str, peer: str, pictures: int, now: float) -> CameraNews | None:
        """Note a mail of a camera at an address; a test or health mail has no pictures.

        Returns: The end of a silence or an address change, for the log.
        """
        found = self._entry(camera or self._camera_at(peer), peer, now)
        if found is None:
            return None
        found.mails += 1
        found.mailed_at = now
        if pictures:
            found.pictured_at = now
        is_own, change = found.judge_address(peer, now)
        return found.see(now) if is_own else change

    def timed(self, camera: str, peer: str, off_s: float, now: float) -> ClockOff | None:
        """Note how far the time in a camera's mail is ahead of ours.

        Returns: That it is off, the first time and when it has changed, at most once a day.
        """
        found = self._cameras.get(key(self._named_now(camera or self._camera_at(peer))))
        if found is None:
            return None
        if -CLOCK_BEHIND_S <= off_s <= CLOCK_AHEAD_S:
            found.clock_off_s = 0.0
            return None
        found.clock_off_s = off_s
        is_told = bool(found.clock_told_s) and abs(off_s - found.clock_told_s) < CLOCK_CHANGED_S
        if is_told or now - found.clock_told_at < DAY_S:
            return None
        found.clock_told_s, found.clock_told_at = off_s, now
        return ClockOff(found.name, off_s)

    def failed(self, camera: str, peer: str, reason: str, now: float) -> CameraNews | None:
        """Note that a camera failed to deliver, and why; it is known by its address when it gave no name.

        Returns: The end of a silence, for the log.
        """
        found = self._entry(camera or self._camera_at(peer), peer, now)
        if found is None:
            return None
        found.failures += 1
        found.failed_at, found.failure = now, reason[:MESSAGE_CHARS]
        found.address, found.address_at = (found.address, found.address_at) if found.address else (peer, now)
        return found.see(now) if not peer or peer == found.address else None

    def restore(self, before: Iterable[CameraStatus], now: float, now_utc: float) -> None:
        """Take over what an earlier run, or the database, knows of cameras; what this run saw counts more."""

        def at(utc: float) -> float:
            return now - max(0.0, now_utc - utc)

        for known in before:
            name = self._named_now(known.name)
            own = key(name)
            if not own or not known.last_mail_utc:
                continue
            if own not in self._cameras:
                fresh = _Camera(spelled(name), at(known.last_seen_utc))
                if self._is_gone(own, fresh, now) or not self._make_space(known.address):
                    continue
                self._cameras[own] = fresh
            camera = self._cameras[own]
            if camera.mailed_at is None:
                camera.quiet_since, camera.mailed_at = at(known.last_seen_utc), at(known.last_mail_utc)
            if camera.pictured_at is None and known.last_picture_utc:
                camera.pictured_at = at(known.last_picture_utc)
            if camera.failed_at is None and known.last_failure_utc:
                camera.failed_at, camera.failure = at(known.last_failure_utc), known.last_failure
            if known.clock_off_s and not camera.clock_off_s:
                camera.clock_off_s = camera.clock_told_s = known.clock_off_s
            camera.mails_before = max(camera.mails_before, known.mails)
            if not camera.address and known.address:
                camera.address, camera.address_at = known.address, at(known.address_since_utc)
                camera.other, camera.other_at = known.other_address, at(known.other_since_utc)
                camera.reported = (known.other_address,) if known.other_address else ()
            camera.is_silent |= known.is_silent and self._is_overdue(own, camera, now)

    def forget(self, name: str, at: float) -> bool:
        """Forget a camera until it mails again.

        Returns: False for one that is configured, not known, or was seen since `at`.
        """
        known = self._cameras.get(key(name))
        if known is None or known.is_configured or (known.seen_at is not None and known.seen_at > at):
            return False
        del self._cameras[key(name)]
        return True

    def learn_renamed(self, renamed: Mapping[str, str], *, is_first: bool) -> list[tuple[str, str]]:
        """Take what cameras are called, by the key of what they call themselves; with `is_first` the others are over.

        A camera that is called so already takes over what is known of the other.

        Returns: The old and the new name of each that is known and had another one.
        """
        self._renamed = {**({} if is_first else self._renamed), **renamed}
        changed = []
        for own, new in renamed.items():
            known = self._cameras.get(own)
            if known is None or known.is_configured or known.name == new or not key(new):
                continue
            changed.append((known.name, new))
            del self._cameras[own]
            known.name = new
            there = self._cameras.get(key(new))
            self._cameras[key(new)] = known if there is None else _joined(there, known)
        return changed

    def new_silences(self, now: float) -> list[CameraNews]:
        """Return the cameras whose silence has become too long since the last call, each once, and those forgotten."""
        found: list[CameraNews] = []
        for own, camera in list(self._cameras.items()):
            days = (now - camera.quiet_since) / DAY_S
            if not camera.is_configured and self._is_gone(own, camera, now):
                del self._cameras[own]
                if camera.is_expected:
                    found.append(Forgotten(camera.name, days))
            elif camera.is_expected and not camera.is_silent and self._is_overdue(own, camera, now):
                camera.is_silent = True
                found.append(Silence(camera.name, days))
        return found

    def render(self, utc: Callable[[float | None], float]) -> tuple[CameraStatus, ...]:
        """Return what the status shows; `utc` turns monotonic time into wall-clock time, None into 0.0."""
        return tuple(
            CameraStatus(
                camera.name,
                utc(camera.seen_at),
                utc(camera.mailed_at),
                utc(camera.pictured_at),
                utc(camera.failed_at),
                camera.failure,
                camera.mails + camera.mails_before,
                camera.failures,
                camera.is_silent,
                camera.address,
                utc(camera.address_at) if camera.address else 0.0,
                camera.other,
                utc(camera.other_at) if camera.other else 0.0,
                round(camera.clock_off_s),
            )
            for camera in self._cameras.values()
        )

    def _limit_days(self, own: str) -> float:
        return self._own_limits.get(own, self._silence.silent_days)

    def _is_overdue(self, own: str, camera: _Camera, now: float) -> bool:
        limit_days = self._limit_days(own)
        return bool(limit_days) and now - camera.quiet_since >= limit_days * DAY_S

    def _is_gone(self, own: str, camera: _Camera, now: float) -> bool:
        seen_at = max(camera.quiet_since, camera.mailed_at or camera.quiet_since)
        return now - seen_at > max(FORGET_DAYS, 2 * self._limit_days(own)) * DAY_S

    def _entry(self, name: str, peer: str, now: float) -> _Camera | None:
        """Return a camera, which may be a new one; None without a name, or when there are too many."""
        name = self._named_now(name)
        own = key(name)
        if own and own not in self._cameras and self._make_space(peer):
            self._cameras[own] = _Camera(spelled(name), now)
        return self._cameras.get(own)

    def _named_now(self, name: str) -> str:
        """Return what a camera is called that is noted by the name that it had."""
        known = self._cameras.get(key(name))
        return name if known is not None and known.is_configured else self._renamed.get(key(name), name)

    def _camera_at(self, peer: str) -> str:
        """Return the one camera known to send from an address, else the address itself."""
        names = [camera.name for camera in self._cameras.values() if peer and camera.address == peer]
        return names[0] if len(names) == 1 else peer

    def _make_space(self, peer: str) -> bool:
        """Drop a camera if there are too many: the quietest that is not established, of the same address first."""
        unlisted = {own: camera for own, camera in self._cameras.items() if not camera.is_configured}
        beside = [own for own, camera in unlisted.items() if peer and camera.address == peer]
        if len(beside) < MAX_PER_ADDRESS and len(self._cameras) < MAX_CAMERAS:
            return True
        among = beside if len(beside) >= MAX_PER_ADDRESS else list(unlisted)
        newcomers = [own for own in among if not unlisted[own].is_established]
        if newcomers:
            del self._cameras[min(newcomers, key=lambda own: unlisted[own].quiet_since)]
        return bool(newcomers)


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


class StatusTracker:
    """Keep what the status shows; the supervisor assigns the attributes and calls the methods.

    Args:
        start: The status at the start, with what never changes.
        silence: When a camera counts as silent.
        cameras: The configured cameras, expected from the start.
        now: Monotonic seconds.

    Attributes:
        slots_used: How many frame slots are in use.
        engine: What the detectors work with.
        counted: The writer's figures.
        database_problem: Why alarms cannot be stored, "" when they can.
        examination_problem: Why pictures cannot be examined, "" when they can.
    """

    def __init__(self, start: Status, silence: config.Status, cameras: Sequence[config.Camera], now: float) -> None:
        self._status = start
        self.cameras = CameraTracker(silence, cameras, now)
        self.slots_used = 0
        self.engine = ""
        self.counted = Counted(0, 0, 0, 0)
        self.database_problem = self.examination_problem = ""
        self._children: dict[str, tuple[ChildStatus, float]] = {}
        self._problems: deque[tuple[float, Problem]] = deque(maxlen=MAX_PROBLEMS)
        self._activity: deque[tuple[float, MailActivity]] = deque(maxlen=MAX_ACTIVITY)
        self._state_at = now
        self._stored_rate, self._examined_rate = _Rate(), _Rate()
        self._mails = self._pictures = 0
        self._examined = self._persons = self._failed = 0

    def phase(self, state: str, now: float, reason: str = "") -> None:
        """Note the service's state and the reason for it."""
        if state != self._status.state:
            self._state_at = now
        self._status = replace(self._status, state=state, reason=reason)

    def child(self, child: ChildStatus, now: float) -> None:
        """Note a child's present state; `since_utc` is filled in here."""
        before = self._children.get(child.name)
        is_same = before and (before[0].state, before[0].pid) == (child.state, child.pid)
        since = before[1] if before and is_same else now
        self._children[child.name] = (child, since)

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

    def problem(self, event: str, message: str, now: float) -> None:
        """Note a warning or an error for the owner."""
        self._problems.append((now, Problem(0.0, event, message[:MESSAGE_CHARS])))

    def activity(self, what: MailActivity, now: float) -> None:
        """Note what a client did; `at_utc` is filled in when the status is rendered."""
        event, peer, camera = what.event[:NAME_CHARS], what.peer[:NAME_CHARS], what.camera[:NAME_CHARS]
        cut = replace(what, event=event, peer=peer, camera=camera, message=what.message[:MESSAGE_CHARS])
        self._activity.append((now, cut))

    def render(self, now: float, now_utc: float) -> Status:
        """Return the status as it is now."""

        def utc(at: float | None) -> float:
            return 0.0 if at is None else round(now_utc - (now - at), 3)

        return replace(
            self._status,
            written_utc=round(now_utc, 3),
            since_utc=utc(self._state_at),
            engine=self.engine,
            slots_used=self.slots_used,
            pending=self.counted.pending,
            alerts_today=self.counted.alerts_today,
            detections_today=self.counted.detections_today,
            visits_today=self.counted.visits_today,
            mails=self._mails,
            pictures=self._pictures,
            examined=self._examined,
            persons=self._persons,
            failed=self._failed,
            pictures_per_minute=self._stored_rate.per_minute(now),
            examined_per_minute=self._examined_rate.per_minute(now),
            database_problem=self.database_problem,
            examination_problem=self.examination_problem,
            children=tuple(replace(child, since_utc=utc(since)) for child, since in self._children.values()),
            cameras=self.cameras.render(utc),
            problems=tuple(replace(problem, at_utc=utc(at)) for at, problem in self._problems),
            mail_activity=tuple(replace(what, at_utc=utc(at)) for at, what in self._activity),
        )
