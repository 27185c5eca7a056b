"""The supervisor as a state machine: what the service and each child are in, and what follows which event.

Pure: `step(service, event, now, draw)` returns the next service and the actions that the shell (`service`) carries out.

    service   STARTING -> RUNNING -> DRAINING -> STOPPING -> STOPPED
    child     DOWN -> STARTING -> READY -> STOPPING -> DOWN, and BACKOFF (until its deadline), FAILED (with a reason)

What the states mean is in `states`. A child that must go climbs a ladder: asked, aborted, killed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from camalert import restart
from camalert.errors import Exit
from camalert.states import Child, Phase, Role, Rung, Service, State, exit_words

ABORT_GRACE_S = 2.0  # faulthandler needs under 0.1 s to write the stacks; the rest is margin
LOST_GRACE_S = 1.0  # a process that ends closes its channel a few milliseconds before it is gone
KILL_GRACE_S = 30.0  # only a process stuck in the kernel outlives SIGKILL for so long


@dataclass(frozen=True, slots=True)
class Begin:
    """Start everything."""


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A child said `Ready`."""

    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A child's process is gone: `code` is its exit code, negative for a signal.

    `is_blameless`: it died of a picture, or for a reason that is mended already; it is started again at once.
    """

    name: str
    code: int
    is_blameless: bool = False


@dataclass(frozen=True, slots=True)
class Hung:
    """A child passed the deadline of its job (`is_blameless`: the picture's fault) or of a ping."""

    name: str
    reason: str
    is_blameless: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A child closed its channel: it is ending by itself, or will be made to."""

    name: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the service to end: drain; asked again: skip the drain; a third time: kill."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing is in flight any more."""


@dataclass(frozen=True, slots=True)
class ReplaceAsked:
    """These children are to be replaced one at a time: a new configuration, or age."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A deadline may have come."""


Event = Begin | BecameReady | Ended | Hung | Lost | StopAsked | Quiet | ReplaceAsked | TimePassed


class Do(enum.Enum):
    """Name what the shell carries out."""

    START = "start"  # this child
    ASK = "ask"  # this child to stop
    ABORT = "abort"  # this child, SIGABRT
    KILL = "kill"  # this child, SIGKILL
    ANNOUNCE_READY = "announce_ready"
    DRAIN = "drain"
    STOP = "stop"
    STUCK = "stuck"  # this child outlives SIGKILL: systemd must act
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, to the service or to the child `name`."""

    do: Do
    name: str = ""


def step(service: Service, event: Event, now: float, draw: float = 0.0) -> tuple[Service, list[Action]]:
    """Return what the service becomes by an event, and what is to be done.

    Args:
        service: The present state; it is not changed.
        event: What happened.
        now: Monotonic seconds.
        draw: A random number from -1 to 1, for the back-off's spread.
    """
    turn = _Turn(service, now, draw)
    match event:
        case Begin():
            for name in service.children:
                turn.start(name)
        case BecameReady(name):
            turn.become_ready(name)
        case Ended(name, code, is_blameless):
            turn.end(name, code, is_blameless=is_blameless)
        case Hung(name, reason, is_blameless):
            turn.abort(name, reason, is_blameless=is_blameless)
        case Lost(name):
            turn.lose(name)
        case StopAsked():
            turn.stop_asked()
        case Quiet():
            if service.phase is Phase.DRAINING:
                turn.begin_stopping()
        case ReplaceAsked(names):
            turn.service = replace(turn.service, replacing=tuple(dict.fromkeys((*service.replacing, *names))))
        case TimePassed():
            turn.let_time_pass()
    turn.settle()
    return turn.service, turn.actions


@dataclass(slots=True)
class _Turn:
    """One step under construction."""

    service: Service
    now: float
    draw: float
    actions: list[Action] = field(default_factory=list)

    def start(self, name: str) -> None:
        child = self.service.children[name]
        self._set(
            child,
            State.STARTING,
            deadline=self.now + child.spec.ready_s,
            started_at=self.now,
            was_ready=False,
            restarts=child.restarts + (child.started_at > 0),
            rung=Rung.NONE,
            is_blameless=False,
        )
        self._do(Do.START, name)

    def become_ready(self, name: str) -> None:
        child = self.service.children[name]
        if child.state is State.STARTING:
            self._set(child, State.READY, deadline=None, reason="", was_ready=True)
            if name in self.service.replacing:
                self._forget_replacing(name)

    def end(self, name: str, code: int, *, is_blameless: bool) -> None:
        child = self.service.children[name]
        is_replaced = name in self.service.replacing and child.rung >= Rung.ASKED
        was_asked = child.rung is Rung.ASKED or is_replaced
        reason = child.reason if child.rung >= Rung.ABORTED and child.reason else exit_words(code)
        if code == Exit.CONFIG and not was_asked:
            self._fail(child, "its configuration or installation is wrong: see its log line", Exit.CONFIG)
        elif was_asked and not is_replaced:
            self._set(child, State.DOWN, deadline=None)
        elif not self._may_restart(child):
            self._set(child, State.DOWN, deadline=None, reason=reason)
        elif is_blameless or child.is_blameless or was_asked:
            self._set(child, State.DOWN, deadline=None, reason=reason)
            self.start(name)
        else:
            self._back_off(child, reason)

    def abort(self, name: str, reason: str, *, is_blameless: bool) -> None:
        child = self.service.children[name]
        if child.state in (State.STARTING, State.READY):
            self._set(child, State.STOPPING, rung=Rung.NONE, reason=reason, is_blameless=is_blameless)
            self._climb(self.service.children[name])

    def lose(self, name: str) -> None:
        child = self.service.children[name]
        if child.state in (State.STARTING, State.READY):
            deadline = self.now + LOST_GRACE_S
            self._set(child, State.STOPPING, rung=Rung.NONE, deadline=deadline, reason="it closed its channel")

    def stop_asked(self) -> None:
        match self.service.phase:
            case Phase.STARTING | Phase.RUNNING:
                self.service = replace(
                    self.service, phase=Phase.DRAINING, deadline=self.now + self.service.drain_s, replacing=()
                )
                self._do(Do.DRAIN)
                self._ask(child for child in self._running() if child.spec.role is Role.INTAKE)
            case Phase.DRAINING:
                self.begin_stopping()
            case Phase.STOPPING:
                for child in self._running():
                    self._set(child, State.STOPPING, rung=Rung.ABORTED)
                    self._climb(self.service.children[child.spec.name])
            case Phase.STOPPED:
                return

    def begin_stopping(self) -> None:
        if self.service.phase in (Phase.STOPPING, Phase.STOPPED):
            return
        self.service = replace(self.service, phase=Phase.STOPPING, deadline=None, replacing=())
        self._do(Do.STOP)
        self._ask(child for child in self._running() if child.spec.role is not Role.WRITER)

    def let_time_pass(self) -> None:
        # First: a phase that ends at this moment starts no child any more.
        if self.service.deadline is not None and self.service.deadline <= self.now:
            self.begin_stopping()
        for name, child in list(self.service.children.items()):
            if child.deadline is None or child.deadline > self.now:
                continue
            if child.state is State.BACKOFF and self._may_restart(child):
                self.start(name)
            elif child.state is State.BACKOFF:
                self._set(child, State.DOWN, deadline=None)  # the service is about to end
            elif child.state is State.STARTING:
                self.abort(name, f"not ready within {child.spec.ready_s:.0f} s", is_blameless=False)
            elif child.state is State.STOPPING:
                self._climb(child)

    def settle(self) -> None:
        """Draw the conclusions that depend on all children together."""
        children = self.service.children.values()
        if self.service.phase is Phase.STARTING and all(c.state is State.READY for c in children if c.spec.is_vital):
            self.service = replace(self.service, phase=Phase.RUNNING)
            self._do(Do.ANNOUNCE_READY)
        if self.service.phase in (Phase.STARTING, Phase.RUNNING):
            self._replace_next()
        if self.service.phase is Phase.STOPPING:
            self._stop_writer_last()

    def _replace_next(self) -> None:
        for name in self.service.replacing:
            child = self.service.children[name]
            if child.state is State.READY:
                self._ask((child,))
            elif child.state in (State.FAILED, State.DOWN):
                self.start(name)
            elif child.state is State.BACKOFF:
                self._forget_replacing(name)  # it starts with the new configuration anyway
                continue
            return  # one at a time

    def _stop_writer_last(self) -> None:
        left = self._running()
        writers = [child for child in left if child.spec.role is Role.WRITER]
        if not left:
            self.service = replace(self.service, phase=Phase.STOPPED)
            self._do(Do.QUIT)
        elif len(writers) == len(left):
            self._ask(child for child in writers if child.rung is Rung.NONE)

    def _may_restart(self, child: Child) -> bool:
        """Tell whether an ended child is needed in this phase: draining needs the writer alone."""
        match self.service.phase:
            case Phase.STARTING | Phase.RUNNING:
                return True
            case Phase.DRAINING:
                return child.spec.role is Role.WRITER
            case _:
                return False

    def _back_off(self, child: Child, reason: str) -> None:
        history = child.history.after_exit(child.started_at, self.now)
        decision = restart.decide(history, self.now, is_vital=child.spec.is_vital, draw=self.draw)
        match decision:
            case restart.StartAt(at):
                self._set(child, State.BACKOFF, deadline=at, history=history, reason=reason, rung=Rung.NONE)
            case restart.GiveUp(words):
                self._fail(child, f"{words}; the last time: {reason}", Exit.UNAVAILABLE)

    def _fail(self, child: Child, reason: str, code: int) -> None:
        self._set(child, State.FAILED, deadline=None, reason=reason)
        self._forget_replacing(child.spec.name)  # or it would be started again at once, and again
        if child.spec.role is not Role.OPTIONAL and self.service.exit == Exit.OK:
            self.service = replace(self.service, exit=code, reason=f"{child.spec.name}: {reason}")
            self.begin_stopping()

    def _ask(self, children: Iterable[Child]) -> None:
        for child in list(children):
            if child.rung is Rung.NONE:
                deadline = self.now + child.spec.grace_s
                if self.service.phase is Phase.DRAINING and self.service.deadline is not None:
                    deadline = self.service.deadline  # intake has the whole drain to finish its mails
                self._set(child, State.STOPPING, rung=Rung.ASKED, deadline=deadline)
                self._do(Do.ASK, child.spec.name)

    def _climb(self, child: Child) -> None:
        """Take the next rung of the ladder: SIGABRT, SIGKILL, and the confession that neither helps."""
        if child.rung <= Rung.ASKED:
            self._set(child, State.STOPPING, rung=Rung.ABORTED, deadline=self.now + ABORT_GRACE_S)
            self._do(Do.ABORT, child.spec.name)
        elif child.rung is Rung.ABORTED:
            self._set(child, State.STOPPING, rung=Rung.KILLED, deadline=self.now + KILL_GRACE_S)
            self._do(Do.KILL, child.spec.name)
        else:
            self._set(child, State.STOPPING, deadline=None)
            self._do(Do.STUCK, child.spec.name)

    def _running(self) -> list[Child]:
        return [child for child in self.service.children.values() if child.is_running]

    def _forget_replacing(self, name: str) -> None:
        left = tuple(other for other in self.service.replacing if other != name)
        self.service = replace(self.service, replacing=left)

    def _set(self, child: Child, state: State, **changes: object) -> None:
        since = self.now if state is not child.state else child.since
        changed = replace(child, state=state, since=since, **changes)  # type: ignore[arg-type]  # names checked by replace
        self.service = replace(self.service, children={**self.service.children, child.spec.name: changed})

    def _do(self, do: Do, name: str = "") -> None:
        self.actions.append(Action(do, name))
