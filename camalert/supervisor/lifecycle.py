"""The supervisor's state machine: what each event means for the service and its children.

    service   STARTING -> RUNNING -> DRAINING -> STOPPING -> STOPPED
    child     DOWN -> STARTING -> READY -> STOPPING -> DOWN, and BACKOFF (until its deadline), FAILED (with a reason)

A state says where a child is, its `reason` says why. Escalation against a child that does not exit: Stop message,
SIGABRT, SIGKILL. One that exited starts again at once, after a back-off, or never (`next_start`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from camalert.errors import Exit

ABORT_GRACE_S = 2.0  # faulthandler needs under 0.1 s to write the stacks; the rest is margin
LOST_GRACE_S = 1.0  # a process that exits closes its channel a few milliseconds before it is gone
KILL_GRACE_S = 30.0  # only a process stuck in the kernel outlives SIGKILL for so long
BACK_OFF_S = 0.5  # the first wait before a new start: long enough not to spin, short enough that no camera notices
MOST_BACK_OFF_S = 30.0  # the longest wait: a repaired cause is found within half a minute
SPREAD = 0.2  # ± share by which waits differ, so that children do not restart in step
STABLE_S = 60.0  # a child that was ready for this long starts afresh
MAX_EXITS = 5  # more than this many exits ...
PERIOD_S = 60.0  # ... within this time, or without being ready once, are a failure that restarting does not mend
KEPT_EXITS = 32  # more than the longest wait is reached by; a child that is tried forever keeps no longer history
RELOADING = "reloading"


class Phase(enum.Enum):
    """Where the service is."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"


class State(enum.Enum):
    """Where a child is."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    FAILED = "failed"


class Role(enum.Enum):
    """What a child does; it decides the order of stopping."""

    INTAKE = "intake"  # receives alarms: stopped first, so that nothing new comes
    DECODER = "decoder"
    DETECTOR = "detector"
    OPTIONAL = "optional"  # its failure never touches the pipeline
    WRITER = "writer"  # stopped last: it commits what the others finished


class StopLevel(enum.IntEnum):
    """How firmly a child has been asked to exit."""

    NONE = 0
    ASKED = 1
    ABORTED = 2
    KILLED = 3


class Action(enum.Enum):
    """What the loop carries out, for the child that is named beside it or for the service."""

    START = "start"
    ASK = "ask"  # send Stop
    ABORT = "abort"  # SIGABRT
    KILL = "kill"  # SIGKILL
    REPORT_UNKILLABLE = "report_unkillable"  # it outlives SIGKILL: systemd must act
    ANNOUNCE_READY = "announce_ready"
    DRAIN = "drain"
    STOP = "stop"
    QUIT = "quit"


Actions = list[tuple[Action, str]]  # what to do, and the child's name, "" for the service


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """Describe a child: what runs, how long it may take to start and to stop, and what its loss means.

    Too many exits of a vital child stop the whole service.
    """

    name: str
    role: Role
    target: str
    is_vital: bool
    ready_s: float
    grace_s: float
    answer_s: float = 10.0  # to answer a ping when idle


@dataclass(frozen=True, slots=True)
class StartAt:
    """Start the child again at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop trying."""

    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """The exits of a child that were its own fault, since it was last stable; `now` values."""

    exits: tuple[float, ...] = ()
    never_ready: int = 0  # the latest exits in a row, each after a run in which it was not ready once

    def after_exit(self, ready_at: float | None, now: float) -> History:
        """Return the history with an exit at `now` of a run that was ready at `ready_at`, None: never."""
        if ready_at is None:
            return History((*self.exits, now)[-KEPT_EXITS:], self.never_ready + 1)
        return History((now,)) if now - ready_at >= STABLE_S else History((*self.exits, now)[-KEPT_EXITS:])


@dataclass(slots=True)
class Child:
    """What is known of one child."""

    spec: ChildSpec
    state: State = State.DOWN
    deadline: float | None = None
    stop_level: StopLevel = StopLevel.NONE
    is_unresponsive: bool = False  # it did not answer in time, or made no sense
    is_blameless: bool = False  # the coming exit is a picture's fault: start again at once
    history: History = field(default_factory=History)
    started_at: float = 0.0
    ready_at: float | None = None  # since its latest start
    restarts: int = 0
    reason: str = ""  # why the last run ended stays known in the next

    @property
    def is_running(self) -> bool:
        """Tell whether a process exists."""
        return self.state in (State.STARTING, State.READY, State.STOPPING)


class Lifecycle:
    """The service and its children; a method takes in one event and returns what is to be done about it.

    Args:
        specs: The children, in the order of their start.
        drain_s: How long intake may take to finish its mails when the service stops.
        jitter: Returns a random number from -1 to 1, to spread the back-off.

    Attributes:
        children: By name.
        phase: Where the service is.
        replacing: The children to be replaced, one at a time.
        is_reloading: The service stops only to begin again with another configuration.
        exit: The exit code to leave with.
        reason: Why the service failed, "" when it did not.
    """

    def __init__(self, specs: Iterable[ChildSpec], drain_s: float, jitter: Callable[[], float]) -> None:
        self.children = {spec.name: Child(spec) for spec in specs}
        self.phase = Phase.STARTING
        self.replacing: list[str] = []
        self.is_reloading = False
        self.exit: int = Exit.OK
        self.reason = ""
        self._drain_s = drain_s
        self._jitter = jitter
        self._deadline: float | None = None  # of the drain
        self._actions: Actions = []

    @property
    def shown_state(self) -> str:
        """Return what the status calls the service's state: the phase, or "reloading"."""
        return RELOADING if self.is_reloading else self.phase.value

    @property
    def is_complete(self) -> bool:
        """Tell whether every child that the pipeline needs is ready."""
        needed = (child for child in self.children.values() if child.spec.role is not Role.OPTIONAL)
        return all(child.state is State.READY for child in needed)

    def next_deadline(self) -> float | None:
        """Return the earliest time at which `pass_time` would change something."""
        deadlines = (self._deadline, *(child.deadline for child in self.children.values()))
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def running(self) -> list[Child]:
        """Return the children that have a process."""
        return [child for child in self.children.values() if child.is_running]

    def has_running(self, role: Role) -> bool:
        """Tell whether a child of this role has a process."""
        return any(child.spec.role is role for child in self.running())

    # --- events of children -----------------------------------------------------------------------------------------

    def child_ready(self, name: str, now: float) -> Actions:
        """Take in that a child said `Ready`."""
        child = self.children[name]
        if child.state is State.STARTING:
            child.state, child.deadline, child.reason, child.ready_at = State.READY, None, "", now
            self._forget_replacing(name)
        return self._settle(now)

    def child_still_starting(self, name: str, now: float) -> Actions:
        """Give a child that answered before it is ready its time to become ready once more."""
        child = self.children[name]
        if child.state is State.STARTING:
            child.deadline = now + child.spec.ready_s
        return self._settle(now)

    def child_exited(
        self, name: str, code: int, now: float, *, is_blameless: bool = False, message: str = ""
    ) -> Actions:
        """Take in that a child's process is gone.

        Args:
            code: Its exit code, negative for a signal.
            is_blameless: A picture killed it, or the reason is mended already: it is started again at once.
            message: What it said of a configuration that it cannot work with.
        """
        child = self.children[name]
        is_forced = child.stop_level > StopLevel.ASKED
        was_asked = child.stop_level is StopLevel.ASKED or (is_forced and name in self.replacing)
        reason = child.reason if is_forced and child.reason else exit_text(code)
        if code == Exit.CONFIG and not was_asked:
            self._fail(
                child, message or "its configuration or installation is invalid: see its log line", Exit.CONFIG, now
            )
        elif not self._needs(child):
            child.state, child.deadline = State.DOWN, None
            child.reason = child.reason if was_asked else reason
        elif is_blameless or child.is_blameless or was_asked:
            # Asked and needed: it is replaced, perhaps in a service that was asked to stop meanwhile.
            child.reason = reason
            self._start(child, now)
        else:
            self._back_off(child, reason, now)
        return self._settle(now)

    def child_unresponsive(self, name: str, reason: str, now: float, *, is_blameless: bool = False) -> Actions:
        """Abort a child that missed the deadline of its job (`is_blameless`: the picture's fault) or of a ping."""
        self._abort(self.children[name], reason, now, is_blameless=is_blameless)
        return self._settle(now)

    def channel_closed(self, name: str, now: float) -> Actions:
        """Take in that a child closed its channel: it exits, or will be made to."""
        child = self.children[name]
        if child.state in (State.STARTING, State.READY):
            child.state, child.deadline, child.reason = State.STOPPING, now + LOST_GRACE_S, "it closed its channel"
        return self._settle(now)

    # --- events of the service --------------------------------------------------------------------------------------

    def begin(self, now: float) -> Actions:
        """Start every child."""
        for child in self.children.values():
            self._start(child, now)
        return self._settle(now)

    def stop(self, now: float) -> Actions:
        """Stop the service: drain; asked again, skip the drain; a third time, kill."""
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self._begin_draining(now)
        elif self.phase is Phase.STOPPED:
            pass
        elif self.is_reloading:
            # It stops as before, only nothing follows; to skip the drain takes another signal.
            self.is_reloading = False
            self._do(Action.DRAIN)
        elif self.phase is Phase.DRAINING:
            self._begin_stopping(now)
        elif self.phase is Phase.STOPPING:
            for child in self.running():
                child.stop_level = StopLevel.ABORTED
                self._escalate(child, now)
        return self._settle(now)

    def reload(self, now: float) -> Actions:
        """Stop the service to begin again with another configuration; cameras keep their ports."""
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self.is_reloading = True
            self._begin_draining(now)
        return self._settle(now)

    def drained(self, now: float) -> Actions:
        """Take in that nothing is in flight any more."""
        if self.phase is Phase.DRAINING:
            self._begin_stopping(now)
        return self._settle(now)

    def replace(self, names: Iterable[str], now: float) -> Actions:
        """Replace children, one at a time; a service that stops replaces none."""
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self.replacing = list(dict.fromkeys((*self.replacing, *names)))
        return self._settle(now)

    def pass_time(self, now: float) -> Actions:
        """Act on the deadlines that have passed."""
        # First: a phase that ends at this moment starts no child any more.
        if self._deadline is not None and self._deadline <= now:
            self._begin_stopping(now)
        for child in self.children.values():
            if child.deadline is None or child.deadline > now:
                continue
            if child.state is State.BACKOFF and self._needs(child):
                self._start(child, now)
            elif child.state is State.BACKOFF:
                child.state, child.deadline = State.DOWN, None  # the service is about to stop
            elif child.state is State.STARTING:
                self._abort(child, f"not ready within {child.spec.ready_s:.0f} s", now, is_blameless=False)
            elif child.state is State.STOPPING:
                self._escalate(child, now)
        return self._settle(now)

    # --- transitions ------------------------------------------------------------------------------------------------

    def _settle(self, now: float) -> Actions:
        """Draw the conclusions that depend on all children together; return what is to be done."""
        vital = (child for child in self.children.values() if child.spec.is_vital)
        if self.phase is Phase.STARTING and all(child.state is State.READY for child in vital):
            self.phase = Phase.RUNNING
            self._do(Action.ANNOUNCE_READY)
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self._replace_next(now)
        elif self.phase is Phase.STOPPING:
            self._stop_writer_last(now)
        actions, self._actions = self._actions, []
        return actions

    def _replace_next(self, now: float) -> None:
        for name in tuple(self.replacing):
            child = self.children[name]
            if not child.is_running:
                self._forget_replacing(name)  # it exited meanwhile: its successor is new
                continue
            if child.state is State.READY:
                self._ask((child,), now)
            return  # one at a time

    def _stop_writer_last(self, now: float) -> None:
        left = self.running()
        if not left:
            self.phase = Phase.STOPPED
            self._do(Action.QUIT)
        elif all(child.spec.role is Role.WRITER for child in left):
            self._ask(left, now)

    def _begin_draining(self, now: float) -> None:
        self.phase, self._deadline, self.replacing = Phase.DRAINING, now + self._drain_s, []
        self._do(Action.DRAIN)
        self._ask((child for child in self.running() if child.spec.role is Role.INTAKE), now)

    def _begin_stopping(self, now: float) -> None:
        if self.phase in (Phase.STOPPING, Phase.STOPPED):
            return
        self.phase, self._deadline, self.replacing = Phase.STOPPING, None, []
        self._do(Action.STOP)
        self._ask((child for child in self.running() if child.spec.role is not Role.WRITER), now)

    def _needs(self, child: Child) -> bool:
        """Tell whether a child that exited is wanted again in this phase: draining needs only the writer."""
        if self.phase is Phase.DRAINING:
            return child.spec.role is Role.WRITER
        return self.phase in (Phase.STARTING, Phase.RUNNING)

    def _start(self, child: Child, now: float) -> None:
        child.restarts += child.started_at > 0
        child.state, child.started_at, child.deadline = State.STARTING, now, now + child.spec.ready_s
        child.stop_level, child.ready_at = StopLevel.NONE, None
        child.is_unresponsive = child.is_blameless = False
        self._do(Action.START, child)

    def _back_off(self, child: Child, reason: str, now: float) -> None:
        history = child.history.after_exit(child.ready_at, now)
        match next_start(history, now, is_vital=child.spec.is_vital, jitter=self._jitter()):
            case StartAt(at):
                child.state, child.deadline, child.history, child.reason = State.BACKOFF, at, history, reason
            case GiveUp(why):
                self._fail(child, f"{why}, last: {reason}", Exit.UNAVAILABLE, now)

    def _fail(self, child: Child, reason: str, code: int, now: float) -> None:
        child.state, child.deadline, child.reason = State.FAILED, None, reason
        self._forget_replacing(child.spec.name)  # or it would be started again at once, and again
        if child.spec.role is not Role.OPTIONAL and self.exit == Exit.OK:
            self.exit, self.reason = code, f"{child.spec.name}: {reason}"
            self._begin_stopping(now)

    def _ask(self, children: Iterable[Child], now: float) -> None:
        for child in children:
            if child.stop_level is StopLevel.NONE:
                # Intake has the whole drain to finish its mails.
                child.deadline = self._deadline if self.phase is Phase.DRAINING else now + child.spec.grace_s
                child.state, child.stop_level = State.STOPPING, StopLevel.ASKED
                self._do(Action.ASK, child)

    def _abort(self, child: Child, reason: str, now: float, *, is_blameless: bool) -> None:
        if child.is_running:
            child.is_unresponsive = True
        if child.state in (State.STARTING, State.READY):
            child.reason, child.is_blameless = reason, is_blameless
            self._escalate(child, now)

    def _escalate(self, child: Child, now: float) -> None:
        """Send SIGABRT, then SIGKILL, and finally report the child as unkillable."""
        child.state = State.STOPPING
        if child.stop_level <= StopLevel.ASKED:
            child.stop_level, child.deadline = StopLevel.ABORTED, now + ABORT_GRACE_S
            self._do(Action.ABORT, child)
        elif child.stop_level is StopLevel.ABORTED:
            child.stop_level, child.deadline = StopLevel.KILLED, now + KILL_GRACE_S
            self._do(Action.KILL, child)
        else:
            child.deadline = None
            self._do(Action.REPORT_UNKILLABLE, child)

    def _forget_replacing(self, name: str) -> None:
        self.replacing = [other for other in self.replacing if other != name]

    def _do(self, action: Action, child: Child | None = None) -> None:
        self._actions.append((action, child.spec.name if child else ""))


def next_start(history: History, now: float, *, is_vital: bool, jitter: float) -> StartAt | GiveUp:
    """Decide when a child starts again after the latest exit in `history`: intensity and back-off.

    Args:
        is_vital: The service cannot do without this child: it is given up after too many exits. Any other is tried
            again forever, every `MOST_BACK_OFF_S` in the end.
        jitter: A random number from -1 to 1.
    Source: the idea of intensity and period is that of the Erlang/OTP supervisor behaviour.
    """
    if is_vital and history.never_ready > MAX_EXITS:
        return GiveUp(f"was not ready once in {history.never_ready} starts")
    recent = sum(1 for exit_at in history.exits if now - exit_at <= PERIOD_S)
    if recent > MAX_EXITS:
        if is_vital:
            return GiveUp(f"exited {recent} times in {PERIOD_S:.0f} s")
        return StartAt(now + MOST_BACK_OFF_S)
    wait_s = min(MOST_BACK_OFF_S, BACK_OFF_S * 2 ** max(0, len(history.exits) - 1))
    return StartAt(now + wait_s * (1 + SPREAD * jitter))


def exit_text(code: int) -> str:
    """Say how a process exited: `code` as multiprocessing gives it, negative for a signal."""
    if code < 0:
        return f"killed by signal {-code}"
    try:
        return f"exit {code} ({Exit(code).name.lower()})"
    except ValueError:
        return f"exit {code}"
