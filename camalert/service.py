"""The supervisor's loop: it waits once for everything, asks the pure modules what follows, and does it.

Pixels and picture bytes stay in shared memory; messages are small, one socket pair per child. This process imports no
cv2, numpy, aiosmtpd or sqlite3, never touches a picture and never blocks: `lifecycle` decides about children,
`dispatch` about pictures, `liveness` about who must prove to be alive; `fleet` holds the processes and `switchboard`
routes what they say.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import structlog

from camalert import lifecycle, messages, occurrences, plan
from camalert.aging import Aging
from camalert.config import Config
from camalert.dispatch import Dispatch
from camalert.engines import EngineChoice
from camalert.errors import Exit, ProtocolError
from camalert.fleet import Fleet
from camalert.liveness import Liveness
from camalert.occurrences import Do
from camalert.orders import Run, orders_for
from camalert.renewal import Renewal
from camalert.reporter import Reporter
from camalert.signals import Signals
from camalert.states import Child, Phase, Role, Rung, Service, State, exit_words
from camalert.switchboard import Switchboard
from camalert.turnclock import TurnClock

log = structlog.get_logger()

HURRY_S = 0.02  # how often to look while starting and stopping, when every message may end a wait


class Supervisor:
    """Own the children and the books; `run` turns until the service has stopped.

    `reread` reads the configuration anew, for SIGHUP, and raises CamalertError when it is bad.
    """

    def __init__(self, run: Run, engine: EngineChoice, reporter: Reporter, reread: Callable[[], Config]) -> None:
        self._run = run
        self._engine = engine
        self._reporter = reporter
        self._specs = {spec.name: spec for spec in plan.specs(run.config, run.plan)}
        children = {name: Child(spec) for name, spec in self._specs.items()}
        self._service = Service(children, run.config.service.drain_seconds)
        self._dispatch = Dispatch(run.plan.layout, plan.limits(run.config))
        self._renewal = Renewal(reread, self._dispatch, reporter)
        self._liveness = Liveness()
        self._aging = Aging()
        self._clock = TurnClock(time.monotonic())
        self._fleet = Fleet(self._take, self._bury, self._lose, self._hang)
        self._board = Switchboard(self._specs.values(), self._dispatch, self._fleet.send, reporter, self._clock)
        self._routes = {name: {messages.Ready: self._greet} | routes for name, routes in self._board.routes.items()}
        self._check_at = self._clock.now  # when a deadline may have passed; for each message it would cost too much
        self._draw = random.Random()  # noqa: S311 - spreads restarts, guards nothing

    def run(self) -> int:
        """Run the service to its end and return its exit code."""
        signals, clock = Signals(self._stop, self._reload), self._clock
        self._fleet.watch(signals.fileno(), signals.obey)
        self._step(occurrences.Begin())
        self._check_at = clock.of(time.monotonic())  # starting all children takes its time, and is no stall
        try:
            while self._service.phase is not Phase.STOPPED:
                happened = self._fleet.turn(self._check_at - clock.now)
                if late_s := clock.turn(time.monotonic(), self._check_at):
                    log.warning("supervisor_stalled", seconds=round(late_s, 1))
                for handle, name in happened:
                    handle(name)
                if clock.now >= self._check_at:
                    self._check()
        finally:
            self._fleet.close()
            signals.close()
        if self._service.reason:
            log.error("service_failed", reason=self._service.reason, exit=self._service.exit)
        return self._service.exit

    # --- what happens -----------------------------------------------------------------------------------------------

    def _stop(self, signal_name: str) -> None:
        log.info("stop_asked", signal=signal_name)
        self._step(occurrences.StopAsked())

    def _take(self, name: str, message: messages.Message) -> None:
        """Route one message of a child; one that this child has no business sending is nonsense."""
        self._liveness.heard(name, self._clock.now)
        handle = self._routes[name].get(type(message))
        if handle is None:
            raise ProtocolError(f"{name} sent {type(message).__name__}")
        handle(name, message)

    def _greet(self, name: str, _: messages.Message) -> None:
        """Take a ready child into the work; one that was told to go meanwhile gets none."""
        now = self._clock.now
        state = self._service.children[name].state
        if state is State.STOPPING:
            return
        if state is not State.STARTING:
            raise ProtocolError(f"{name} was ready before")
        log.info("child_ready", child=name, after_s=round(now - self._service.children[name].started_at, 3))
        self._liveness.watch(name, self._specs[name].answer_s, now)
        if self._specs[name].role is Role.DETECTOR:
            self._engine.prove()
        self._board.join(name)
        self._step(occurrences.BecameReady(name))

    def _bury(self, name: str) -> None:
        """Read a dead child's last messages, collect it, and let its work go on elsewhere."""
        before = self._service.children[name]
        self._retire(name)  # first: its last messages must not earn it another job
        child, code = self._fleet.bury(name)
        words = exit_words(code)
        is_expected = before.rung is Rung.ASKED
        (log.info if is_expected else log.warning)("child_ended", child=name, pid=child.pid, exit=words)
        if not is_expected:
            self._reporter.trouble("child_ended", f"{name}: {words}")
        is_unread = child.channel.is_unread and before.rung is Rung.NONE
        is_blameless = self._board.leave(name, code, is_hung=before.is_hung, is_unread=is_unread)
        is_engine = self._specs[name].role is Role.DETECTOR and not before.was_ready
        if is_engine and self._engine.fall_back(code, child.engine):
            log.warning("engine_replaced", engine=self._engine.name, failed=child.engine, exit=words)
            is_blameless = True
        self._step(occurrences.Ended(name, code, is_blameless))

    def _hang(self, name: str, reason: str) -> None:
        """End a child that does not answer or cannot be understood."""
        if not self._service.children[name].is_hung:
            self._retire(name)
            log.warning("child_hung", child=name, reason=reason)
            self._step(occurrences.Hung(name, reason, is_blameless=name in self._dispatch.busy()))

    def _lose(self, name: str) -> None:
        """Give a child whose channel is closed the moment that its end takes."""
        self._retire(name)
        self._step(occurrences.Lost(name))

    def _check(self) -> None:
        """Look at every deadline, and tell those who watch us that the loop turns."""
        now = self._clock.now
        for name in self._dispatch.overdue(now):
            self._hang(name, "it passed the deadline of its job")
        for name in self._liveness.silent(now):
            self._hang(name, f"it left a ping unanswered for {self._specs[name].answer_s:.0f} s")
        for name, number in self._liveness.due(self._dispatch.busy(), now):
            self._fleet.send(name, messages.Ping(number))
        if (deadline := self._service.next_deadline()) is not None and deadline <= now:
            self._step(occurrences.TimePassed())
        if self._dispatch.is_quiet and not self._service.has_running(Role.INTAKE):
            self._step(occurrences.Quiet())
        self._recycle(now)
        if count := self._dispatch.take_stale():
            log.info("messages_dropped", count=count, reason="they were about nothing that is under way")
        self._reporter.turn(self._service, self._dispatch, self._fleet.pids(), self._engine.name, time.monotonic())
        self._check_at = self._next_check_at(now)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _step(self, event: occurrences.Event) -> None:
        """Let the state machine decide, then carry its actions out."""
        draw = self._draw.uniform(-1.0, 1.0)
        self._service, actions = lifecycle.step(self._service, event, self._clock.now, draw)
        self._check_at = self._clock.now
        for action in actions:
            self._act(action)

    def _act(self, action: occurrences.Action) -> None:
        match action.do:
            case Do.START:
                self._start(action.name)
            case Do.ASK:
                self._retire(action.name)
                self._fleet.send(action.name, messages.Stop())
            case Do.ABORT:
                self._fleet.signal(action.name, signal.SIGABRT)
            case Do.KILL:
                self._fleet.signal(action.name, signal.SIGKILL)
            case Do.ANNOUNCE_READY:
                self._reporter.announce_ready()
                log.info("service_ready")
            case Do.DRAIN:
                log.info("service_draining", in_flight=self._dispatch.in_flight)
                self._dispatch.drain()
                self._reporter.announce_stopping(self._run.config.service.drain_seconds)
            case Do.STOP:
                log.info("service_stopping")
                self._dispatch.drain()
            case Do.STUCK:
                log.error("child_unkillable", child=action.name, advice="systemd's watchdog restarts the service")
                self._reporter.is_feeding = False
            case Do.QUIT:
                log.info("service_stopped", exit=self._service.exit)

    def _start(self, name: str) -> None:
        try:
            child = self._fleet.start(orders_for(self._specs[name], self._run, self._engine.name))
        except OSError as error:
            log.error("child_not_started", child=name, error=str(error), advice="raise TasksMax or LimitNOFILE")
            self._step(occurrences.Ended(name, Exit.CANNOT_START))
            return
        log.info("child_started", child=name, pid=child.pid)

    def _retire(self, name: str) -> None:
        """Give no further work to a child that goes, or is to go."""
        self._liveness.forget(name)
        self._board.retire(name)

    def _reload(self) -> None:
        self._run, specs = self._renewal.take(self._run, self._specs.values(), self._service.phase)
        self._specs |= {spec.name: spec for spec in specs}
        self._step(occurrences.ReplaceAsked(specs))

    def _recycle(self, now: float) -> None:
        """Replace the detectors that have examined enough or grown too large."""
        if self._service.phase is not Phase.RUNNING:
            return
        detectors = [name for name in self._fleet.pids() if self._specs[name].role is Role.DETECTOR]
        examined = self._dispatch.examined
        for name in self._aging.due(detectors, self._run.config.detector, examined, self._fleet.memory_bytes, now):
            if name not in self._service.replacing:
                log.info("detector_recycled", child=name, pictures=examined[name])
                self._step(occurrences.ReplaceAsked((self._specs[name],)))

    def _next_check_at(self, now: float) -> float:
        """Return when to look at the deadlines again; `_step` brings it forward."""
        if self._service.phase is not Phase.RUNNING:
            return now + HURRY_S
        deadlines = (
            self._service.next_deadline(),
            self._dispatch.next_deadline(),
            self._liveness.next_at(),
            self._clock.of(self._reporter.next_at()),  # `TURN_S` away at most: a job may begin meanwhile
        )
        return min(deadline for deadline in deadlines if deadline is not None)
