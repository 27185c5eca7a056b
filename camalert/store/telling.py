"""The writer's side of messages: it wakes the notifier, writes what that reports, and says in the log what was decided.

What is to be told is in the outbox in the transaction of its event, whoever made it; here it is only noticed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from camalert.config.schema import Config
from camalert.errors import ProtocolError, StoreError, StoreRefused
from camalert.identity import spelled
from camalert.ipc.messages import Happened, Message, Outbox, Switch, Told
from camalert.ipc.records import EventRecord, SwitchRecord, ToldRecord
from camalert.store.interface import Rows, Store
from camalert.store.rows import outbox, switches
from camalert.system.logs import log
from camalert.visits import policy
from camalert.visits.policy import Event, Target

ROWS_A_LOOK = 200
MOST_WAITING = 4000  # of reports, which one summary has a thousand of; the notifier says again what is not written


def targets_of(config: Config) -> tuple[Target, ...]:
    """Return the targets of a configuration."""
    return tuple(policy.target_of(settings) for settings in config.notify)


class Telling:
    """Serve the notifier."""

    def __init__(self, config: Config, store: Store, send: Callable[[Message], object]) -> None:
        self._targets = targets_of(config)
        self._store = store
        self._send = send
        self._waiting: list[Told | Switch | Happened] = []
        self._epoch = 0
        self._seen = 0  # the newest row of the outbox that was noticed

    def take(self, message: Told | Switch | Happened) -> None:
        """Take what the notifier or the supervisor says; `work` writes it."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(message)

    def work(self) -> None:
        """Write what was said, and notice what is new.

        Raises: StoreError and its kinds; what nobody says again waits for the next call then.
        """
        if not self._targets and not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        if waiting:
            try:
                given_up = self._store.write(lambda connection: self._write(connection, waiting))
            except StoreError:
                self._waiting = [message for message in waiting if not isinstance(message, Told)]  # those come again
                raise
            for target in given_up:
                log.warning("message_given_up", target=target)
        if self._notice() or waiting:
            self._send(Outbox())

    def _write(self, connection: Rows, waiting: list[Told | Switch | Happened]) -> list[str]:
        given_up = []
        now_utc = time.time()
        for message in waiting:
            try:
                match message:
                    case Told(text):
                        told = ToldRecord.decode(text)
                        chance = random.random()  # noqa: S311 - spreads tries
                        after = outbox.take(connection, told, self._targets, now_utc, chance)
                        if after is not None and after[1] == policy.GIVEN_UP:
                            given_up.append(after[0])
                    case Switch(text):
                        switches.put(connection, SwitchRecord.decode(text), now_utc)
                    case Happened(text):
                        record = EventRecord.decode(text)
                        event = Event(record.kind, spelled(record.camera), record.at_utc, message=record.message)
                        outbox.tell(connection, [event], self._targets, now_utc)
            except (ProtocolError, StoreRefused) as error:
                log.warning("request_refused", message=str(error))
        return given_up

    def _notice(self) -> bool:
        """Say what was decided since the last look; return whether there is something to send."""
        if self._epoch != self._store.epoch:
            self._seen = self._store.read(_newest)
            self._epoch = self._store.epoch
            return True
        rows = self._store.read(lambda connection: _decisions(connection, self._seen))
        for own, target, kind, camera, visit, state, reason in rows:
            self._seen = own
            if state == "silent":
                log.info("visit_not_told", target=target, event_named=kind, camera=camera, visit=visit, message=reason)
            else:
                log.info("visit_told", target=target, event_named=kind, camera=camera, visit=visit)
        return any(row[5] != "silent" for row in rows)


def _newest(connection: Rows) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM camalert_outbox").fetchone()[0])


def _decisions(connection: Rows, after: int) -> list[tuple[int, str, str, str, int, str, str]]:
    return connection.execute(
        "SELECT id, target, event, camera, visit, state, reason FROM camalert_outbox WHERE id > ? ORDER BY id LIMIT ?",
        (after, ROWS_A_LOOK),
    ).fetchall()
