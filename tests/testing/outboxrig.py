"""The notifier process as the supervisor sees it, and a database whose outbox the test fills and writes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from camalert.config.schema import Config, Database, Notify, Service
from camalert.ipc import child, needs, spawn
from camalert.ipc.messages import Message, Outbox, Ready, Stop, Told
from camalert.ipc.records import ToldRecord
from camalert.store.rows import outbox
from camalert.store.sqlite import schema
from camalert.visits import policy
from camalert.visits.policy import Event
from testing.waiting import until

Wanted = TypeVar("Wanted")


def start_notifier(config: Config) -> spawn.ChildProcess:
    """Start a notifier as the supervisor does."""
    needed = needs.of(needs.NOTIFIER, config)
    return spawn.start(child.Orders("notifier", "camalert.notify.process:main", config, os.getpid(), needs=needed))


class OutboxRig:
    """A database, a configuration and a notifier; `writes` says whether reports are written, as a writer would."""

    def __init__(self, folder: Path, *targets: Notify) -> None:
        self.config = Config(
            service=Service(run_dir=str(folder)), database=Database(path=str(folder / "a.sqlite3")), notify=targets
        )
        self.targets = [policy.target_of(target) for target in targets]
        self.db = sqlite3.connect(folder / "a.sqlite3", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = wal")
        schema.prepare(self.db, schema.Limits(1000, 1000), 0.0)
        self.told: list[ToldRecord] = []
        self.messages: list[Message] = []
        self.writes = True
        self.process: spawn.ChildProcess | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[OutboxRig]:
        """Run the notifier for the length of a `with` block."""
        self.start()
        try:
            yield self
        finally:
            self.end()
            self.db.close()

    def start(self) -> None:
        """Start a notifier and wait until it is ready."""
        self.process = start_notifier(self.config)
        until(lambda: self.heard(Ready), "the notifier to be ready")

    def end(self) -> None:
        """Tell it to stop, and reap it."""
        if self.process is not None:
            self.process.channel.send(Stop())
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and Path(f"/proc/{self.process.pid}/exe").exists():
                self.turn()
            self.kill()

    def kill(self) -> None:
        """Kill it, at whatever it does."""
        assert self.process is not None
        self.process.signal(signal.SIGKILL)
        self.process.reap()
        self.process = None

    def turn(self) -> None:
        """Take what it says, and write what it reports."""
        assert self.process is not None
        with contextlib.suppress(Exception):  # it may be gone
            self.process.channel.wait(0.02)
            while message := self.process.channel.receive():
                self.messages.append(message)
                if isinstance(message, Told):
                    self.told.append(ToldRecord.decode(message.text))
                    if self.writes:
                        outbox.take(self.db, self.told[-1], self.targets, time.time(), 0.0)
                        self.process.channel.send(Outbox())

    def heard(self, kind: type[Wanted]) -> list[Wanted]:
        """Return all that it has said of a kind."""
        self.turn()
        return [message for message in self.messages if isinstance(message, kind)]

    def happens(self, *events: Event, ago_s: float = 0.0) -> None:
        """Let something happen, and wake the notifier."""
        outbox.tell(self.db, events, self.targets, time.time() - ago_s)
        if self.process is not None:
            self.process.channel.send(Outbox())

    def states(self) -> list[str]:
        """Return the states of all rows, after another turn."""
        if self.process is not None:
            self.turn()
        return [state for (state,) in self.db.execute("SELECT state FROM camalert_outbox ORDER BY id")]


def visit(number: int, ago_s: float = 0.0, camera: str = "Garage", alert: int = 0) -> Event:
    """Return the beginning of a visit."""
    return Event("visit", camera, time.time() - ago_s, number, alert, 0.8, 1)
