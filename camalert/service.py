"""The supervisor's loop: it waits once for everything, asks the pure modules what follows, and does it.

    camera --SMTP--> smtp --Store--> supervisor --> writer --> alerts_alert, pending   (one commit)
                      <------ 250 ---- Stored ------+  |
                                                      +-- Loaded --> supervisor
                       supervisor --Decode--> decoder --Decoded-->
                                  --Detect--> detector --Detected-->
                                  --Conclude--> writer --> alerts_detect               (one commit)

Pixels and picture bytes stay in shared memory; messages are small, one socket pair per child. This process imports no
cv2, numpy, aiosmtpd or sqlite3, never touches a picture and never blocks: `lifecycle` decides about children,
`dispatch` about pictures, `liveness` about who must prove to be alive; `fleet` holds the processes.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from camalert import lifecycle, messages, plan
from camalert.config import Config
from camalert.crew import Crew
from camalert.dispatch import WRITER, Dispatch, Limits, Send
from camalert.engines import EngineChoice
from camalert.errors import CamalertError, Exit, ProtocolError
from camalert.fleet import Fleet
from camalert.lifecycle import Do
from camalert.liveness import Liveness
from camalert.orders import Run, orders_for
from camalert.reporter import Reporter
from camalert.states import Child, Phase, Role, Rung, Service, State, exit_words
from camalert.turnclock import TurnClock

log = structlog.get_logger()

Routes = dict[type[messages.Message], Callable[[str, Any], None]]  # by what a child may send

HURRY_S = 0.02  # how often to look while starting and stopping, when every message may end a wait
AGE_CHECK_S = 10.0  # how often the detectors' memory is looked at


class Supervisor:
    """Own the children and the books; `run` turns until the service has stopped.

    `reread` reads the configuration anew, for SIGHUP, and raises CamalertError when it is bad.
    """

    def __init__(self, run: Run, engine: EngineChoice, reporter: Reporter, reread: Callable[[], Config]) -> None:
        self._run = run
        self._engine = engine
        self._reporter = reporter
        self._reread = reread
        self._specs = {spec.name: spec for spec in plan.specs(run.config, run.plan)}
        children = {name: Child(spec) for name, spec in self._specs.items()}
        self._service = Service(children, run.config.service.drain_seconds)
        limits = Limits(run.config.decode.deadline_seconds, run.config.detector.deadline_seconds)
        self._dispatch = Dispatch(run.plan.layout, limits)
        self._liveness = Liveness()
        self._clock = TurnClock(time.monotonic())
        self._fleet = Fleet(self._take, self._bury, self._lose, self._hang)
        self._routes = self._route()
        self._hung: set[str] = set()
        self._has_terminal = os.isatty(0)  # then SIGHUP says that its window was closed, not that we shall reload
        self._age_check_at = 0.0
        self._check_at = self._clock.now  # when a deadline may have passed; for each message it would cost too much
        self._draw = random.Random()  # noqa: S311 - spreads restarts, guards nothing

    def run(self) -> int:
        """Run the service to its end and return its exit code."""
        wakeup = self._catch_signals()
        clock = self._clock
        self._step(lifecycle.Begin())
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
            signal.set_wakeup_fd(-1)
            wakeup.close()
            self._signalled_end.close()
        if self._service.reason:
            log.error("service_failed", reason=self._service.reason, exit=self._service.exit)
        return self._service.exit

    # --- what happens -----------------------------------------------------------------------------------------------

    def _catch_signals(self) -> socket.socket:
        """Let signals wake the loop; handlers that act are where others deadlocked."""
        wakeup, self._signalled_end = socket.socketpair()
        wakeup.setblocking(False)
        self._signalled_end.setblocking(False)
        signal.set_wakeup_fd(self._signalled_end.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

        def read(_: str) -> None:
            for number in wakeup.recv(64):
                self._obey(number)

        self._fleet.watch(wakeup.fileno(), read)
        return wakeup

    def _obey(self, number: int) -> None:
        """Do what a signal asks for."""
        if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and self._has_terminal):
            log.info("stop_asked", signal=signal.Signals(number).name)
            self._step(lifecycle.StopAsked())
        elif number == signal.SIGHUP:
            self._reload()

    def _route(self) -> dict[str, Routes]:
        """Say which child may send what, and where it goes."""
        everybody: Routes = {
            messages.Ready: lambda name, _: self._greet(name),
            messages.Pong: lambda *_: None,
            messages.Noted: lambda name, message: self._reporter.note(name, message.text),
        }
        books = self._dispatch
        own: dict[Role, Routes] = {
            Role.INTAKE: {messages.Store: lambda name, message: self._send(books.store(name, message))},
            Role.WRITER: {
                messages.Stored: self._take_stored,
                messages.Loaded: lambda _, message: self._send(books.loaded(message, self._clock.now)),
                messages.Concluded: self._take_concluded,
                messages.Counted: lambda _, message: self._reporter.count(message),
            },
            Role.DECODER: {
                messages.Decoded: lambda name, message: self._send(books.decoded(name, message, self._clock.now)),
            },
            Role.DETECTOR: {
                messages.Detected: lambda name, message: self._send(books.detected(name, message, self._clock.now)),
            },
        }
        return {name: everybody | own.get(spec.role, {}) for name, spec in self._specs.items()}

    def _take(self, name: str, message: messages.Message) -> None:
        """Route one message of a child; one that this child has no business sending is nonsense."""
        self._liveness.heard(name, self._clock.now)
        handle = self._routes[name].get(type(message))
        if handle is None:
            raise ProtocolError(f"{name} sent {type(message).__name__}")
        handle(name, message)

    def _take_stored(self, _: str, message: messages.Stored) -> None:
        if message.code == messages.StoreCode.STORED:
            self._reporter.stored(message.count)
        self._send(self._dispatch.stored(message))

    def _take_concluded(self, _: str, message: messages.Concluded) -> None:
        self._reporter.examined(self._dispatch.outcome(message.slot))
        self._dispatch.concluded(message)

    def _greet(self, name: str) -> None:
        """Take a ready child into the work; one that was told to go meanwhile gets none."""
        now = self._clock.now
        state = self._service.children[name].state
        if state is State.STOPPING:
            return
        if state is not State.STARTING:
            raise ProtocolError(f"{name} was ready before")
        log.info("child_ready", child=name, after_s=round(now - self._service.children[name].started_at, 3))
        self._liveness.watch(name, self._specs[name].answer_s, now)
        if self._specs[name].role is Role.INTAKE:
            self._send(self._dispatch.intake_ready(name))
        elif name == WRITER:
            self._reporter.database_usable()
            self._send(self._dispatch.writer_ready())
        elif crew := self._crew(name):
            if self._specs[name].role is Role.DETECTOR:
                self._engine.prove()
            self._send(self._dispatch.worker_ready(crew, name, now))
        self._step(lifecycle.BecameReady(name))

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
        role = self._specs[name].role
        if (crew := self._crew(name)) and child.channel.is_unread and before.rung is Rung.NONE:
            self._send(self._dispatch.undelivered(crew, name, self._clock.now))
        is_blameless = name in self._dispatch.busy()
        if role is Role.INTAKE:
            self._dispatch.intake_gone(name)
        elif name == WRITER:
            self._dispatch.writer_gone()
        elif crew:
            outcome = messages.Outcome.HUNG if name in self._hung else messages.Outcome.DIED
            self._send(self._dispatch.worker_gone(crew, name, outcome, code))
        is_engine = role is Role.DETECTOR and not before.was_ready
        if is_engine and self._engine.fall_back(code, child.engine):
            log.warning("engine_replaced", engine=self._engine.name, failed=child.engine, exit=words)
            is_blameless = True
        self._hung.discard(name)
        self._step(lifecycle.Ended(name, code, is_blameless))

    def _hang(self, name: str, reason: str) -> None:
        """End a child that does not answer or cannot be understood."""
        if name not in self._hung:
            self._hung.add(name)
            self._retire(name)
            log.warning("child_hung", child=name, reason=reason)
            self._step(lifecycle.Hung(name, reason, is_blameless=name in self._dispatch.busy()))

    def _lose(self, name: str) -> None:
        """Give a child whose channel is closed the moment that its end takes."""
        self._retire(name)
        self._step(lifecycle.Lost(name))

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
            self._step(lifecycle.TimePassed())
        if self._dispatch.is_quiet and not self._service.has_running(Role.INTAKE):
            self._step(lifecycle.Quiet())
        self._recycle(now)
        self._reporter.turn(self._service, self._dispatch, self._fleet.pids(), self._engine.name, time.monotonic())
        self._check_at = self._next_check_at(now)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _step(self, event: lifecycle.Event) -> None:
        """Let the state machine decide, then carry its actions out."""
        draw = self._draw.uniform(-1.0, 1.0)
        self._service, actions = lifecycle.step(self._service, event, self._clock.now, draw)
        self._check_at = self._clock.now
        for action in actions:
            self._act(action)

    def _act(self, action: lifecycle.Action) -> None:
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
            self._step(lifecycle.Ended(name, Exit.CANNOT_START))
            return
        log.info("child_started", child=name, pid=child.pid)

    def _retire(self, name: str) -> None:
        """Give no further work to a child that goes, or is to go."""
        self._liveness.forget(name)
        if name == WRITER:
            self._dispatch.writer_leaving()
        elif crew := self._crew(name):
            crew.retire(name)

    def _send(self, sends: list[Send]) -> None:
        for name, message in sends:
            if not self._fleet.send(name, message) and (crew := self._crew(name)):
                self._send(self._dispatch.undelivered(crew, name, self._clock.now))

    def _reload(self) -> None:
        """Take a changed configuration: check it, then replace the children it concerns, one at a time."""
        self._reporter.announce_reloading()
        try:
            config = self._reread()
        except CamalertError as error:
            log.error("reload_refused", error=str(error), advice="the old configuration stays in force")
        else:
            names, fixed = plan.replaced_by(self._run.config, config, list(self._specs.values()))
            self._run = replace(self._run, config=config)
            log.info("reloaded", replaces=names, needs_restart=fixed)
            self._step(lifecycle.ReplaceAsked(tuple(names)))
        self._reporter.announce_ready()

    def _recycle(self, now: float) -> None:
        """Replace a detector that has examined enough or grown too large: native libraries leak."""
        if now < self._age_check_at or self._service.phase is not Phase.RUNNING:
            return
        self._age_check_at = now + AGE_CHECK_S
        settings = self._run.config.detector
        for name in self._fleet.pids():
            if self._specs[name].role is not Role.DETECTOR or name in self._service.replacing:
                continue
            is_old = 0 < settings.recycle_pictures <= self._dispatch.examined[name]
            if is_old or 0 < settings.recycle_bytes <= self._fleet.memory_bytes(name):
                log.info("detector_recycled", child=name, pictures=self._dispatch.examined[name])
                self._step(lifecycle.ReplaceAsked((name,)))

    def _crew(self, name: str) -> Crew | None:
        match self._specs[name].role:
            case Role.DECODER:
                return self._dispatch.decoders
            case Role.DETECTOR:
                return self._dispatch.detectors
            case _:
                return None

    def _next_check_at(self, now: float) -> float:
        """Return when to look at the deadlines again; `_step` brings it forward.

        The deadline of a job that begins meanwhile is seen with the next look at the figures, `TURN_S` later at most.
        """
        if self._service.phase is not Phase.RUNNING:
            return now + HURRY_S
        deadlines = (
            self._service.next_deadline(),
            self._dispatch.next_deadline(),
            self._liveness.next_at(),
            self._clock.of(self._reporter.next_at()),
        )
        return min(deadline for deadline in deadlines if deadline is not None)
