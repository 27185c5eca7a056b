"""The notifier: it sends what is due to each target, and reports what became of it.

    writer ─Outbox─▶ supervisor ─▶ notifier ─▶ one thread a target ─▶ the outside
       ▲── Told, Switch ──────────────┘

An optional child, started only when there is a target. It reads the database and never writes it; every result goes to
the writer, again and again until the row says so. Each target has one message on its way at most, and one thread, so
that a slow one delays no other. A message whose result was lost with a process is sent once more, under the same id.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import os
import queue
import random
import select
import shutil
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from camalert import identity
from camalert.config import hours as week
from camalert.config.schema import Config
from camalert.errors import ConfigError, Exit, ProtocolError, StatusError, StoreError
from camalert.ipc.child import Context
from camalert.ipc.messages import Noted, Outbox, Ping, Pong, Ready, Stop, Switch, Told
from camalert.ipc.records import NoteRecord, SwitchRecord, ToldRecord
from camalert.notify import links, outbox, picture
from camalert.notify import message as messages
from camalert.notify.channel import RETRY, SENT, Answer, Opened, open_channel
from camalert.notify.homeassistant import ServiceState
from camalert.notify.message import Message, Row
from camalert.notify.mqtt import Mqtt
from camalert.notify.webpush import WebPush
from camalert.status import model as status
from camalert.store.sqlite.opening import open_reader, translate
from camalert.system import networks
from camalert.system.logs import log
from camalert.visits import policy

LOOK_S = 10.0  # at the latest: an `Outbox` may be lost, and states change without one
UNREADABLE_S = 5.0
TOLD_AGAIN_S = 2.0  # a writer that is alive has taken a result by then
LEAVE_S = 3.0  # for what is on its way when the service stops
COMMANDS = 100  # that wait to be passed on


def main(context: Context) -> Exit:
    """Send until told to stop."""
    Notifier(context).run()
    return Exit.OK


@dataclass(frozen=True, slots=True)
class Job:
    """What goes to a target's thread: the rows, and the message made of them."""

    rows: tuple[Row, ...]
    message: Message
    jpegs: tuple[bytes, ...] = ()  # not yet reduced; several for one sheet


@dataclass(frozen=True, slots=True)
class Result:
    """What a target's thread reports."""

    target: str
    job: Job
    answer: Answer
    took_s: float


@dataclass(slots=True)
class Sender:
    """One target: its thread, and when it may be asked again."""

    rule: policy.Target
    opened: Opened
    jobs: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    is_busy: bool = False
    failures: int = 0  # in a row
    paused_until: float = 0.0  # monotonic


@dataclass(slots=True)
class Unconfirmed:
    """A result that the writer has not written yet."""

    record: ToldRecord
    told_at: float


class Notifier:
    """Serve the channel and the targets."""

    def __init__(self, context: Context) -> None:
        self._channel = context.channel
        self._config = context.config
        self._results: collections.deque[Result] = collections.deque()
        self._commands: collections.deque[SwitchRecord] = collections.deque(maxlen=COMMANDS)
        self._wake_end, self._woken_end = socket.socketpair()
        self._wake_end.setblocking(False)
        self._woken_end.setblocking(False)
        self._senders = {sender.rule.name: sender for sender in self._open(context.config)}
        self._link_key = self._read_link_key()
        context.confine()  # files with URLs and authorities are read, and no thread has begun
        self._begin()
        self._unconfirmed: dict[int, Unconfirmed] = {}
        self._is_stopping = False
        self._look_at = 0.0
        self._problem = ""

    def _open(self, config: Config) -> list[Sender]:
        senders = []
        for settings in config.notify:
            try:
                opened = open_channel(settings, config.review)
                if isinstance(opened.channel, WebPush):
                    opened.channel.prepare()
            except ConfigError as error:
                self._call_unusable(settings.name, str(error))
                continue
            log.info("target_opened", target=settings.name, url=str(opened.address))
            senders.append(Sender(policy.target_of(settings), opened))
        return senders

    def _read_link_key(self) -> bytes:
        """Return what signs links; without it messages have none that do something."""
        wanted = any(set(target.links) & set(links.ACTIONS) for target in self._config.notify)
        if not wanted or not networks.site_url(self._config.review):
            return b""
        try:
            return links.key_of(self._config.review)
        except (OSError, ValueError) as error:
            log.warning("links_unsigned", message=str(error))
            return b""

    def _begin(self) -> None:
        for name, sender in self._senders.items():
            threading.Thread(target=self._work, args=(sender,), name=name, daemon=True).start()
            if isinstance(sender.opened.channel, Mqtt):
                try:
                    sender.opened.channel.attend(self._take_command)
                except Exception as error:  # noqa: BLE001 - of its library, which the other targets do without
                    self._call_unusable(name, f"{type(error).__name__}: {error}")

    def _call_unusable(self, target: str, reason: str) -> None:
        log.error("target_unusable", target=target, message=reason)
        self._note("target_unusable", "error", f"{target}: {reason}")

    def run(self) -> None:
        """Send until told to stop."""
        self._channel.send(Ready(os.getpid()))
        poll = select.poll()
        for file in (*self._channel.files(), self._woken_end):
            poll.register(file, select.POLLIN)
        while not self._is_stopping:
            if not self._channel.wait(0.0):
                poll.poll(max(0.0, self._look_at - time.monotonic()) * 1000)
            self._hear()
            self._report()
            if time.monotonic() >= self._look_at:
                self._look()
        self._leave()

    # --- messages ---------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        while message := self._channel.receive():
            match message:
                case Ping(number):
                    self._channel.send(Pong(number))
                case Outbox():
                    self._look_at = 0.0
                case Stop():
                    self._is_stopping = True
                case _:
                    raise ProtocolError(f"the notifier got {type(message).__name__}")

    def _take_command(self, record: SwitchRecord) -> None:
        """Take what came by MQTT; any thread calls it."""
        self._commands.append(record)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is awake
            self._wake_end.send(b"x")

    def _note(self, event: str, level: str, message: str) -> None:
        self._channel.send(Noted(NoteRecord(event, level, message=message).encode()))

    # --- looking for work -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Give each idle target what is due, and show the states; then know when to look again."""
        now, now_utc = time.monotonic(), time.time()
        self._look_at = now + LOOK_S
        try:
            with contextlib.closing(open_reader(Path(self._config.database.path))) as connection:
                self._confirm(connection, now)
                for sender in self._senders.values():
                    if not sender.is_busy and now >= sender.paused_until:
                        self._assign(connection, sender, now_utc)
                self._show(connection, now_utc)
                self._look_at = now + self._wait_s(connection, now, now_utc)
        except (sqlite3.Error, StoreError) as error:
            fault = translate(error) if isinstance(error, sqlite3.Error) else error
            self._look_at = now + UNREADABLE_S
            if str(fault) != self._problem:
                log.warning("outbox_unreadable", message=str(fault))
            self._problem = str(fault)
        else:
            self._problem = ""

    def _wait_s(self, connection: sqlite3.Connection, now: float, now_utc: float) -> float:
        """Return how long nothing is due, apart from what busy targets have before them."""
        waits = [TOLD_AGAIN_S if self._unconfirmed else LOOK_S]
        for name, sender in self._senders.items():
            if sender.is_busy:
                continue
            due_utc = outbox.next_due_utc(connection, name, frozenset(self._unconfirmed))
            if due_utc is not None:
                waits.append(max(due_utc - now_utc, sender.paused_until - now, 0.05))
        return min(waits)

    def _confirm(self, connection: sqlite3.Connection, now: float) -> None:
        """Forget the results that are written, and repeat those that may have been lost."""
        if not self._unconfirmed:
            return
        left = outbox.unanswered(connection, {own: one.record.tries for own, one in self._unconfirmed.items()})
        for own in set(self._unconfirmed) - left:
            del self._unconfirmed[own]
        for one in self._unconfirmed.values():
            if now - one.told_at >= TOLD_AGAIN_S:
                one.told_at = now
                self._channel.send(Told(one.record.encode()))

    def _assign(self, connection: sqlite3.Connection, sender: Sender, now_utc: float) -> None:
        rows = outbox.due(connection, sender.rule.name, now_utc, frozenset(self._unconfirmed))
        if not rows:
            return
        chosen = messages.gather(rows, now_utc)
        lost = outbox.lost(connection, sender.rule.name)
        if chosen[0].kind == policy.DIGEST:
            digest = outbox.digest_of(connection, chosen, sender.rule, self._silent())
            made = messages.compose(chosen, lost, now_utc, None, digest)
            alerts = [visit.best_alert for visit in digest.best]
        else:
            made = messages.compose(chosen, lost, now_utc, None)
            alerts = [chosen[-1].alert] if chosen[-1].alert else []
        site = networks.site_url(self._config.review)
        made = made.linked(links.of(chosen, sender.rule.links, site, self._link_key, now_utc))
        jpegs = [outbox.picture(connection, alert, picture.READ_BYTES) for alert in alerts if sender.rule.picture]
        sender.is_busy = True
        sender.jobs.put(Job(tuple(chosen), made, tuple(jpegs)))

    def _silent(self) -> list[str]:
        """Return the cameras that are silent, by the status of the service."""
        with contextlib.suppress(StatusError):
            return [camera.name for camera in status.read(Path(self._config.service.run_dir)).silent()]
        return []

    def _show(self, connection: sqlite3.Connection, now_utc: float) -> None:
        """Show the states of all cameras where they are shown."""
        channels = [one.opened.channel for one in self._senders.values() if isinstance(one.opened.channel, Mqtt)]
        if not channels:
            return
        switched = outbox.switched(connection, now_utc)
        today = datetime.datetime.combine(week.local(now_utc, None).date(), datetime.time())
        names = [camera.name for camera in self._config.camera]
        service = ServiceState(is_armed=switched.is_armed(""), presence=switched.presence)
        clocks: dict[str, float] = {}
        with contextlib.suppress(OSError):
            disk = shutil.disk_usage(Path(self._config.database.path).parent)
            used_percent = round(100 * disk.used / disk.total)
            service = replace(service, disk_free_gb=round(disk.free / 1e9, 1), disk_used_percent=used_percent)
        with contextlib.suppress(StatusError):
            shown = status.read(Path(self._config.service.run_dir))
            problem = shown.database_problem or shown.examination_problem
            service = replace(service, state=shown.state, pending=shown.pending, problem=problem)
            clocks = {identity.key(camera.name): camera.clock_off_s for camera in shown.cameras}
        cameras = outbox.camera_states(connection, names, today.timestamp(), switched, now_utc)
        cameras = [replace(one, clock_off_s=clocks.get(identity.key(one.name), 0.0)) for one in cameras]
        for channel in channels:
            channel.show(service, cameras)

    # --- the targets' threads ---------------------------------------------------------------------------------------

    def _work(self, sender: Sender) -> None:
        """Send one job after the other; the target's own thread."""
        while True:
            job = sender.jobs.get()
            began_at = time.monotonic()
            try:
                answer = sender.opened.send(_with_picture(job))
            except Exception as error:  # noqa: BLE001 - a fault of one library must not end the thread of its target
                answer = Answer(RETRY, f"an unexpected {type(error).__name__}")
            self._results.append(Result(sender.rule.name, job, answer, time.monotonic() - began_at))
            self._wake()

    def _report(self) -> None:
        """Pass on what the threads have."""
        with contextlib.suppress(BlockingIOError):
            while self._woken_end.recv(64):
                pass
        while self._commands:
            record = self._commands.popleft()
            log.info("switched", camera=record.camera, message=f"{record.kind} {record.value} by {record.by}".strip())
            with contextlib.suppress(ProtocolError):
                self._channel.send(Switch(record.encode()))
        while self._results:
            self._finish(self._results.popleft())
            self._look_at = 0.0

    def _finish(self, result: Result) -> None:
        sender, answer = self._senders[result.target], result.answer
        now, now_utc = time.monotonic(), time.time()
        sender.is_busy = False
        rows = result.job.rows
        newest = rows[-1]
        chance = random.random()  # noqa: S311 - spreads tries
        sender.failures, sender.paused_until = pause_of(sender.failures, sender.paused_until, answer, now, chance)
        if answer.code == SENT:
            log.info(
                "message_sent", target=result.target, event_named=result.job.message.kind, camera=newest.camera,
                visit=newest.visit, messages=len(rows), tries=newest.tries + 1, ms=round(1000 * result.took_s),
            )  # fmt: skip
        else:
            log.warning(
                "message_not_sent", target=result.target, event_named=result.job.message.kind, camera=newest.camera,
                visit=newest.visit, messages=len(rows), tries=newest.tries + 1, message=answer.reason,
            )  # fmt: skip
            if sender.failures <= 1 and not answer.is_target_well:
                self._note("message_not_sent", "warning", f"{result.target}: {answer.reason}")
        for row in rows:
            record = ToldRecord(row.id, answer.code, now_utc, row.tries, answer.retry_after_s, answer.reason)
            self._unconfirmed[row.id] = Unconfirmed(record, now)
        self._channel.send(*[Told(self._unconfirmed[row.id].record.encode()) for row in rows])

    def _leave(self) -> None:
        """Give what is on its way a moment, and say that we go."""
        deadline = time.monotonic() + LEAVE_S
        while any(sender.is_busy for sender in self._senders.values()) and time.monotonic() < deadline:
            select.select((self._woken_end,), (), (), max(0.0, deadline - time.monotonic()))
            self._report()
        for sender in self._senders.values():
            sender.opened.channel.close()


def pause_of(failures: int, paused_until: float, answer: Answer, now: float, chance: float) -> tuple[int, float]:
    """Return a target's failures in a row and until when it is left alone, after an answer."""
    if answer.code == SENT or answer.is_target_well:
        return 0, 0.0
    if answer.code == RETRY:
        return failures + 1, policy.backoff(failures + 1, answer.retry_after_s, now, chance)
    return failures, paused_until


def _with_picture(job: Job) -> Message:
    """Return a job's message with its picture, made small enough."""
    return replace(job.message, picture=picture.sheet(job.jpegs)) if job.jpegs else job.message
