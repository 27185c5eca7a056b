"""The supervisor's loop: it waits for all events at once, asks the pure modules what follows, and does it.

Pixels and picture bytes stay in shared memory; messages are small, one socket pair per child. This process imports no
cv2, numpy or sqlite3, never touches a picture and never blocks: `lifecycle` decides about children,
`dispatch` about mails and pictures, `liveness` about which children must prove that they are alive; `processes` holds
them, and `reload` takes a new configuration.
"""

from __future__ import annotations

import copy
import errno
import random
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from camalert.config.schema import Detector
from camalert.config.sources import LoadedConfig
from camalert.detection.choice import EngineChoice
from camalert.errors import CamalertError, Exit, ProtocolError
from camalert.ipc.messages import Message, Ping, Pong, Ready, Refused, Reload, Stage, Stop
from camalert.ipc.spawn import ChildProcess
from camalert.store import restoring
from camalert.supervisor import plan
from camalert.supervisor.dispatch import Dispatch
from camalert.supervisor.lifecycle import Action, Actions, Lifecycle, Phase, Role, State, StopLevel, exit_text
from camalert.supervisor.liveness import Liveness, StallClock
from camalert.supervisor.processes import Processes, Run
from camalert.supervisor.reload import Resources, Trial
from camalert.supervisor.reporter import Reporter
from camalert.supervisor.stages import REVIEW, WRITER, Fault
from camalert.system.logs import log
from camalert.system.signals import Signals

MEASURE_EVERY_S = 10.0  # memory grows slowly, and each measurement reads one /proc file per detector
# What to do when the system cannot start another process. Source: fork(2), socketpair(2).
START_ADVICE = {
    errno.EAGAIN: "too many processes: raise TasksMax= of the unit or `ulimit -u`",
    errno.ENOMEM: "no memory for another process: lower detector.processes or pool.frame_slots, or add memory",
    errno.EMFILE: "too many open files: raise LimitNOFILE= of the unit or `ulimit -n`",
    errno.ENFILE: "too many open files in the whole system: raise fs.file-max",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    code: int
    reason: str = ""
    successor: LoadedConfig | None = None  # the configuration to begin again with
    is_reload_requested: bool = False  # SIGHUP came once more after that was decided
    is_stop_requested: bool = False


class Supervisor:
    """Own the children and the tables of the pipeline; `run` turns until the service has stopped."""

    def __init__(
        self, run: Run, engine: EngineChoice, reporter: Reporter, signals: Signals, resources: Resources
    ) -> None:
        self._run = run
        self._engine = engine
        self._reporter = reporter
        self._signals = signals
        self._resources = resources
        self._trial: Trial | None = None
        self._successor: LoadedConfig | None = None
        self._is_reload_requested = self._is_stop_requested = False
        self._is_proven = False
        config = run.config
        self._specs = {spec.name: spec for spec in plan.specs(config, run.plan)}
        self._lifecycle = Lifecycle(self._specs.values(), config.service.drain_seconds, _jitter)
        self._processes = Processes(self._on_message, self._on_exit, self._on_channel_closed, self._on_unresponsive)
        self._dispatch = Dispatch(
            {name: spec.role for name, spec in self._specs.items()},
            run.plan.layout,
            {Stage.DECODE: config.decode.deadline_seconds, Stage.DETECT: config.detector.deadline_seconds},
            self._processes.send,
            reporter,
        )
        self._liveness = Liveness()
        self._clock = StallClock(time.monotonic())
        self._next_check = self._clock.now  # when a deadline may have passed; for each message it would cost too much
        self._measure_at = self._clock.now

    def run(self) -> Ended:
        """Run the service to its end, or until a new configuration may take its place."""
        clock, lifecycle = self._clock, self._lifecycle
        self._processes.watch(self._signals.fileno(), self._on_signal)
        self._carry_out(lifecycle.begin(clock.now))
        self._next_check = clock.of(time.monotonic())  # starting all children takes its time, and is no stall
        try:
            while lifecycle.phase is not Phase.STOPPED:
                happened = self._processes.wait(self._next_check - clock.now)
                if late_s := clock.turn(time.monotonic(), self._next_check):
                    log.warning("supervisor_stalled", seconds=round(late_s, 1))
                for handle, name in happened:
                    handle(name)
                # While draining, each message may be the last that was waited for.
                if clock.now >= self._next_check or lifecycle.phase is Phase.DRAINING:
                    self._check()
        finally:
            self._end_trial()
            self._processes.close()
        if lifecycle.reason:
            log.error("service_failed", message=lifecycle.reason, exit=lifecycle.exit)
        successor = self._successor if lifecycle.is_reloading else None
        return Ended(lifecycle.exit, lifecycle.reason, successor, self._is_reload_requested, self._is_stop_requested)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _on_signal(self, _: str) -> None:
        for number in self._signals.take():
            if number is signal.SIGHUP:
                self._begin_reload()
            else:
                log.info("stop_requested", signal=number.name)
                self._is_stop_requested = True
                self._end_trial()
                self._carry_out(self._lifecycle.stop(self._clock.now))

    def _on_message(self, name: str, message: Message) -> None:
        now = self._clock.now
        self._liveness.seen(name, now)
        if isinstance(message, Ready):
            self._on_ready(name)
            return
        if isinstance(message, Reload) and name == REVIEW:
            log.info("reload_requested", child=name)
            self._begin_reload()
            return
        if isinstance(message, Pong) and self._lifecycle.children[name].state is State.STARTING:
            self._reporter.announce_starting(self._specs[name].ready_s)
            self._carry_out(self._lifecycle.child_still_starting(name, now))
        self._dispatch.on_message(name, message, now)

    def _on_ready(self, name: str) -> None:
        """Give a ready child its work; one that was asked to stop meanwhile gets none."""
        now = self._clock.now
        if self._specs[name].role is Role.DETECTOR:
            self._engine.prove()
        child = self._lifecycle.children[name]
        if child.state is State.STOPPING or self._processes.has_exited(name):
            return
        if child.state is not State.STARTING:
            raise ProtocolError(f"{name} was ready before")
        log.info("child_ready", child=name, after_s=round(now - child.started_at, 3))
        self._liveness.watch(name, self._specs[name].answer_s, now)
        self._dispatch.child_ready(name, now)
        self._carry_out(self._lifecycle.child_ready(name, now))
        if not self._is_proven and self._lifecycle.is_complete:
            self._is_proven = True
            self._resources.prove()
            restoring.prove(self._run.config.database.path)

    def _on_exit(self, name: str) -> None:
        """Read a dead child's last messages, reap it, and let its work go on elsewhere."""
        before = copy.copy(self._lifecycle.children[name])
        self._retire(name)  # first: its last messages must not earn it another job
        child, code = self._processes.reap(name)
        how = exit_text(code)
        is_expected = before.stop_level is StopLevel.ASKED and code == Exit.OK
        (log.info if is_expected else log.warning)("child_exited", child=name, pid=child.pid, exit=how)
        if not is_expected:
            self._reporter.warn("child_exited", f"{name}: {how}")
        fault = self._dispatch.child_exited(
            name,
            code,
            self._clock.now,
            is_unresponsive=before.is_unresponsive,
            is_unread=child.channel.is_unread and before.stop_level is StopLevel.NONE,
        )
        is_blameless = fault in (Fault.PICTURE, Fault.PROVEN)
        is_blamed = fault is Fault.WORKER
        if self._specs[name].role is Role.DETECTOR and (is_blamed or before.ready_at is None):
            is_hung = before.is_unresponsive
            is_blameless |= self._fall_back(child, code, is_blamed=is_blamed, is_hung=is_hung)
        message = self._reporter.misconfigured(name) if code == Exit.CONFIG else ""
        self._carry_out(
            self._lifecycle.child_exited(name, code, self._clock.now, is_blameless=is_blameless, message=message)
        )

    def _fall_back(self, child: ChildProcess, code: int, *, is_blamed: bool, is_hung: bool) -> bool:
        """Let the detectors go on with another engine, if this one is the reason; return whether they do."""
        before = self._engine.name
        # One that hung in a job was ended by us, at the latest with SIGKILL, which says nothing of the engine.
        judged = -signal.SIGABRT if is_blamed and is_hung else code
        is_replaced = self._engine.fall_back(judged, child.engine, is_blamed=is_blamed)
        if self._engine.name != before:
            log.warning("engine_replaced", engine=self._engine.name, failed=child.engine, exit=exit_text(code))
            self._dispatch.detectors.breaker.probe_soon(self._clock.now)
        return is_replaced

    def _on_unresponsive(self, name: str, reason: str) -> None:
        """Abort a child that does not answer or sends malformed messages."""
        if not self._lifecycle.children[name].is_unresponsive:
            self._retire(name)
            log.warning("child_hung", child=name, message=reason)
            is_blameless = self._dispatch.is_blameless(name)
            self._carry_out(
                self._lifecycle.child_unresponsive(name, reason, self._clock.now, is_blameless=is_blameless)
            )

    def _on_channel_closed(self, name: str) -> None:
        """Give a child that closed its channel a moment to exit."""
        self._retire(name)
        self._carry_out(self._lifecycle.channel_closed(name, self._clock.now))

    def _check(self) -> None:
        """Act on every deadline, and report to systemd and the status file that the loop runs."""
        now = self._clock.now
        for name in self._dispatch.overdue(now):
            self._on_unresponsive(name, "job not finished by its deadline")
        for name in self._liveness.silent(now):
            self._on_unresponsive(name, f"no reply to ping within {self._specs[name].answer_s:.0f} s")
        for name, number in self._liveness.due(self._dispatch.busy(), now):
            self._processes.send(name, Ping(number))
        self._dispatch.probe(now)
        if (deadline := self._lifecycle.next_deadline()) is not None and deadline <= now:
            self._carry_out(self._lifecycle.pass_time(now))
        if self._trial and self._trial.deadline <= now:
            self._finish_trial()
        if self._dispatch.is_idle and not self._lifecycle.has_running(Role.INTAKE):
            self._carry_out(self._lifecycle.drained(now))
        self._recycle(now)
        if count := self._dispatch.take_stale():
            log.info("messages_dropped", count=count, message="stale: lease already ended")
        self._reporter.turn(
            self._lifecycle, self._dispatch, self._processes.pids(), self._engine.name, time.monotonic()
        )
        for happened in self._reporter.take_happened():
            self._processes.send(WRITER, happened)
        deadlines = (
            self._lifecycle.next_deadline(),
            self._dispatch.next_deadline(),
            self._liveness.next_at(),
            self._trial.deadline if self._trial else None,
            self._clock.of(self._reporter.next_at()),  # `TURN_S` away at most: a job may begin meanwhile
        )
        self._next_check = min(deadline for deadline in deadlines if deadline is not None)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _carry_out(self, actions: Actions) -> None:
        """Do what the state machine decided; its next deadline may be nearer now."""
        self._next_check = self._clock.now
        for action, name in actions:
            self._act(action, name)

    def _act(self, action: Action, name: str) -> None:
        match action:
            case Action.START:
                self._start(name)
            case Action.ASK:
                self._retire(name)
                self._processes.send(name, Stop())
            case Action.ABORT:
                self._processes.signal(name, signal.SIGABRT)
            case Action.KILL:
                self._processes.signal(name, signal.SIGKILL)
            case Action.REPORT_UNKILLABLE:
                log.error("child_unkillable", child=name, message="systemd's watchdog restarts the service")
                self._reporter.is_feeding = False
            case Action.ANNOUNCE_READY:
                self._reporter.announce_ready()
                log.info("service_ready")
            case Action.DRAIN:
                self._dispatch.drain()
                if self._lifecycle.is_reloading:
                    return
                self._resources.close_ports()
                log.info("service_draining", in_flight=self._dispatch.in_flight)
                self._reporter.announce_stopping(self._run.config.service.drain_seconds)
            case Action.STOP:
                log.info("service_stopping")
                self._dispatch.drain()
            case Action.QUIT:
                log.info("service_stopped", exit=self._lifecycle.exit)

    def _start(self, name: str) -> None:
        try:
            child = self._processes.start(self._run.orders_for(self._specs[name], self._engine.name))
        except OSError as error:
            advice = START_ADVICE.get(error.errno or 0, "it is retried; if that does not help, restart the service")
            log.error("child_not_started", child=name, message=f"{error}; {advice}")
            self._carry_out(self._lifecycle.child_exited(name, Exit.CANNOT_START, self._clock.now))
            return
        log.info("child_started", child=name, pid=child.pid)

    def _retire(self, name: str) -> None:
        """Give no further work to a child that exits, or is to."""
        self._liveness.forget(name)
        self._dispatch.retire(name)

    # --- a new configuration ----------------------------------------------------------------------------------------

    def _begin_reload(self) -> None:
        """Read the configuration and try it; `_finish_trial` decides what comes of it."""
        if self._lifecycle.is_reloading:
            self._is_reload_requested = True  # the next run will read it
            return
        if self._lifecycle.phase not in (Phase.STARTING, Phase.RUNNING):
            log.warning("reload_refused", message="the service is stopping; the next start will read it")
            return
        self._end_trial()  # the file may have changed once more
        if self._lifecycle.phase is Phase.RUNNING:  # before, systemd waits for the first READY
            self._reporter.announce_reloading()
        try:
            loaded = self._resources.load_config()
            self._trial = Trial(loaded, self._run.config, self._run.plan.layout.size_bytes, self._clock.now)
        except (CamalertError, OSError) as error:
            self._refuse_reload(str(error))
            return
        log.info("reload_started", config=str(loaded.file))
        self._processes.watch(self._trial.fileno(), self._on_trial_output)

    def _on_trial_output(self, _: str) -> None:
        if self._trial and self._trial.read():
            self._finish_trial()

    def _finish_trial(self) -> None:
        """Switch to the configuration that was tried, or report what is wrong with it and go on as before."""
        if (trial := self._trial) is None:
            return
        wrong = self._end_trial()
        try:
            if not wrong:
                self._resources.open_next(trial.loaded.config)
        except CamalertError as error:
            wrong = [str(error)]
        if wrong:
            self._refuse_reload("\n".join(wrong))
            return
        log.info("service_reloading", in_flight=self._dispatch.in_flight)
        if self._lifecycle.phase is Phase.RUNNING:
            self._reporter.announce_reloading()
        self._successor = trial.loaded
        self._carry_out(self._lifecycle.reload(self._clock.now))

    def _refuse_reload(self, why: str) -> None:
        log.error("reload_refused", message=f"{why}; nothing was changed, the old configuration stays active")
        self._reporter.warn("reload_refused", why)
        if REVIEW in self._processes.children:
            self._processes.send(REVIEW, Refused(why.encode()))
        if self._lifecycle.phase is Phase.RUNNING:
            self._reporter.announce_ready()

    def _end_trial(self) -> list[str]:
        """End a trial that runs; return what it found wrong."""
        trial, self._trial = self._trial, None
        if trial is None:
            return []
        self._processes.unwatch(trial.fileno())
        return trial.finish()

    # --- worn-out detectors -----------------------------------------------------------------------------------------

    def _recycle(self, now: float) -> None:
        """Replace the detectors that have examined enough, grown too large, or have an engine that was given up."""
        if self._lifecycle.phase is not Phase.RUNNING:
            return
        children, examined = self._processes.children, self._dispatch.examined
        detectors = [name for name in children if self._specs[name].role is Role.DETECTOR]
        due: list[str] = []
        if now >= self._measure_at:
            self._measure_at = now + MEASURE_EVERY_S
            due += worn_out(detectors, self._run.config.detector, examined, lambda name: children[name].memory_bytes())
        due += [
            name
            for name in detectors
            if self._lifecycle.children[name].state is State.READY and children[name].engine != self._engine.name
        ]
        for name in dict.fromkeys(due):
            if name not in self._lifecycle.replacing:
                log.info("detector_recycled", child=name, pictures=examined[name])
                self._carry_out(self._lifecycle.replace((name,), now))


def worn_out(
    detectors: Iterable[str], settings: Detector, examined: Mapping[str, int], memory_bytes: Callable[[str], int]
) -> list[str]:
    """Return the detectors to replace: native libraries leak, so each is replaced after some work or at some size.

    Args:
        detectors: The names of those that run.
        settings: The limits; 0 is none.
        examined: Pictures by detector.
        memory_bytes: Returns what one has for itself.
    """
    return [
        name
        for name in detectors
        if 0 < settings.recycle_pictures <= examined[name] or 0 < settings.recycle_bytes <= memory_bytes(name)
    ]


def _jitter() -> float:
    return random.uniform(-1.0, 1.0)  # noqa: S311 - spreads restarts, guards nothing
