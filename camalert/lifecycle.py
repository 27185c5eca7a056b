"""The supervisor as a state machine: what follows which event for the service and each child.

Pure: `step(service, event, now, draw)` returns the next service and the actions that the shell (`service`) carries out.

    service   STARTING -> RUNNING -> DRAINING -> STOPPING -> STOPPED
    child     DOWN -> STARTING -> READY -> STOPPING -> DOWN, and BACKOFF (until its deadline), FAILED (with a reason)

What the states mean is in `states`; events and actions are in `occurrences`. A child that must go climbs a ladder:
asked, aborted, killed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from camalert import restart
from camalert.errors import Exit
from camalert.occurrences import (
    Action,
    BecameReady,
    Begin,
    Do,
    Ended,
    Event,
    Hung,
    Lost,
    Quiet,
    ReplaceAsked,
    StopAsked,
    TimePassed,
)
from camalert.states import Child, ChildSpec, Phase, Role, Rung, Service, State, exit_words

ABORT_GRACE_S = 2.0  # faulthandler needs under 0.1 s to write the stacks; the rest is margin
LOST_GRACE_S = 1.0  # a process that ends closes its channel a few milliseconds before it is gone
KILL_GRACE_S = 30.0  # only a process stuck in the kernel outlives SIGKILL for so long


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
        case ReplaceAsked(specs):
            turn.replace_later(specs)
        case TimePassed():
            turn.let_time_pass()
        case _:
            assert_never(event)
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
        self._put(self.service.children[name].started(self.now))
        self._do(Do.START, name)

    def become_ready(self, name: str) -> None:
        child = self.service.children[name]
        if child.state is State.STARTING:
            self._put(replace(child, state=State.READY, deadline=None, reason="", was_ready=True))
            if not child.is_outdated:
                self._forget_replacing(name)

    def end(self, name: str, code: int, *, is_blameless: bool) -> None:
        child = self.service.children[name]
        was_asked = child.rung is Rung.ASKED or (name in self.service.replacing and child.rung > Rung.ASKED)
        reason = child.reason if child.rung >= Rung.ABORTED and child.reason else exit_words(code)
        if code == Exit.CONFIG and not was_asked:
            self._fail(child, "its configuration or installation is wrong: see its log line", Exit.CONFIG)
        elif not self.service.needs(child):
            self._put(replace(child, state=State.DOWN, deadline=None, reason=child.reason if was_asked else reason))
        elif is_blameless or child.is_blameless or was_asked:
            # Asked and needed: it is replaced, perhaps in a service that was asked to end meanwhile.
            self._put(replace(child, reason=reason))
            self.start(name)
        else:
            self._back_off(child, reason)

    def abort(self, name: str, reason: str, *, is_blameless: bool) -> None:
        child = self.service.children[name]
        if child.state in (State.STARTING, State.READY):
            self._climb(replace(child, reason=reason, is_hung=True, is_blameless=is_blameless))
        elif child.is_running:
            self._put(replace(child, is_hung=True))

    def lose(self, name: str) -> None:
        child = self.service.children[name]
        if child.state in (State.STARTING, State.READY):
            deadline = self.now + LOST_GRACE_S
            self._put(replace(child, state=State.STOPPING, deadline=deadline, reason="it closed its channel"))

    def replace_later(self, specs: tuple[ChildSpec, ...]) -> None:
        if self.service.phase not in (Phase.STARTING, Phase.RUNNING):
            return  # who ends gets no successor for a new configuration
        for spec in specs:
            child = self.service.children[spec.name]
            self._put(replace(child, spec=spec, is_outdated=child.state is State.STARTING))
        together = tuple(dict.fromkeys((*self.service.replacing, *(spec.name for spec in specs))))
        self.service = replace(self.service, replacing=together)

    def stop_asked(self) -> None:
        match self.service.phase:
            case Phase.STARTING | Phase.RUNNING:
                drained_at = self.now + self.service.drain_s
                self.service = replace(self.service, phase=Phase.DRAINING, deadline=drained_at, replacing=())
                self._do(Do.DRAIN)
                self._ask(child for child in self.service.running() if child.spec.role is Role.INTAKE)
            case Phase.DRAINING:
                self.begin_stopping()
            case Phase.STOPPING:
                for child in self.service.running():
                    self._climb(replace(child, rung=Rung.ABORTED))
            case Phase.STOPPED:
                return

    def begin_stopping(self) -> None:
        if self.service.phase in (Phase.STOPPING, Phase.STOPPED):
            return
        self.service = replace(self.service, phase=Phase.STOPPING, deadline=None, replacing=())
        self._do(Do.STOP)
        self._ask(child for child in self.service.running() if child.spec.role is not Role.WRITER)

    def let_time_pass(self) -> None:
        # First: a phase that ends at this moment starts no child any more.
        if self.service.deadline is not None and self.service.deadline <= self.now:
            self.begin_stopping()
        for name, child in self.service.children.items():
            if child.deadline is None or child.deadline > self.now:
                continue
            match child.state:
                case State.BACKOFF if self.service.needs(child):
                    self.start(name)
                case State.BACKOFF:
                    self._put(replace(child, state=State.DOWN, deadline=None))  # the service is about to end
                case State.STARTING:
                    self.abort(name, f"not ready within {child.spec.ready_s:.0f} s", is_blameless=False)
                case State.STOPPING:
                    self._climb(child)

    def settle(self) -> None:
        """Draw the conclusions that depend on all children together."""
        children = self.service.children.values()
        if self.service.phase is Phase.STARTING and all(c.state is State.READY for c in children if c.spec.is_vital):
            self.service = replace(self.service, phase=Phase.RUNNING)
            self._do(Do.ANNOUNCE_READY)
        if self.service.phase in (Phase.STARTING, Phase.RUNNING):
            self._replace_next()
        elif self.service.phase is Phase.STOPPING:
            self._stop_writer_last()

    def _replace_next(self) -> None:
        for name in self.service.replacing:
            child = self.service.children[name]
            if child.state is State.BACKOFF:
                self._forget_replacing(name)  # it starts with the new configuration anyway
                continue
            if child.state is State.READY:
                self._ask((child,))
            elif child.state in (State.FAILED, State.DOWN):
                self.start(name)
            return  # one at a time

    def _stop_writer_last(self) -> None:
        left = self.service.running()
        if not left:
            self.service = replace(self.service, phase=Phase.STOPPED)
            self._do(Do.QUIT)
        elif all(child.spec.role is Role.WRITER for child in left):
            self._ask(left)

    def _back_off(self, child: Child, reason: str) -> None:
        history = child.history.after_exit(child.started_at, self.now)
        match restart.decide(history, self.now, is_vital=child.spec.is_vital, draw=self.draw):
            case restart.StartAt(at):
                self._put(replace(child, state=State.BACKOFF, deadline=at, history=history, reason=reason))
            case restart.GiveUp(words):
                self._fail(child, f"{words}; the last time: {reason}", Exit.UNAVAILABLE)

    def _fail(self, child: Child, reason: str, code: int) -> None:
        self._put(replace(child, state=State.FAILED, deadline=None, reason=reason))
        self._forget_replacing(child.spec.name)  # or it would be started again at once, and again
        if child.spec.role is not Role.OPTIONAL and self.service.exit == Exit.OK:
            self.service = replace(self.service, exit=code, reason=f"{child.spec.name}: {reason}")
            self.begin_stopping()

    def _ask(self, children: Iterable[Child]) -> None:
        is_draining = self.service.phase is Phase.DRAINING  # then intake has the whole drain to finish its mails
        for child in children:
            if child.rung is Rung.NONE:
                deadline = self.service.deadline if is_draining else self.now + child.spec.grace_s
                self._put(replace(child, state=State.STOPPING, rung=Rung.ASKED, deadline=deadline))
                self._do(Do.ASK, child.spec.name)

    def _climb(self, child: Child) -> None:
        """Take the next rung of the ladder: SIGABRT, SIGKILL, and the confession that neither helps."""
        deadline: float | None
        if child.rung <= Rung.ASKED:
            rung, deadline, do = Rung.ABORTED, self.now + ABORT_GRACE_S, Do.ABORT
        elif child.rung is Rung.ABORTED:
            rung, deadline, do = Rung.KILLED, self.now + KILL_GRACE_S, Do.KILL
        else:
            rung, deadline, do = Rung.KILLED, None, Do.STUCK
        self._put(replace(child, state=State.STOPPING, rung=rung, deadline=deadline))
        self._do(do, child.spec.name)

    def _forget_replacing(self, name: str) -> None:
        left = tuple(other for other in self.service.replacing if other != name)
        self.service = replace(self.service, replacing=left)

    def _put(self, child: Child) -> None:
        self.service = replace(self.service, children={**self.service.children, child.spec.name: child})

    def _do(self, do: Do, name: str = "") -> None:
        self.actions.append(Action(do, name))
