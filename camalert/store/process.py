"""The writer process: the only one that inserts alerts and detections, checkpoints, and removes what is too old.

    Store (mail in an intake slot)  ─┐                     ┌─ Loaded (picture in a lent frame slot)
    Conclude (verdict in its slot)  ─┼─▶ one transaction ──┼─ Stored (the camera gets its 250)
    Lend (free frame slots)         ─┘                     └─ Concluded (the frame slot is ours again)

All messages that wait are one batch and one commit. It decodes nothing and waits for nobody but the disk; a database
that cannot be written is an answer (451, 452), never an exit of the process.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from camalert.errors import Exit, ProtocolError, StoreError, StoreLost, StoreRefused
from camalert.ipc.child import Context
from camalert.ipc.layout import following
from camalert.ipc.messages import (
    Conclude,
    Concluded,
    Happened,
    Held,
    Lend,
    Loaded,
    Ping,
    Pong,
    Ready,
    Stop,
    Store,
    StoreCode,
    Stored,
    Switch,
    Told,
)
from camalert.store.batch import Batch, BatchResult
from camalert.store.health import Health
from camalert.store.loader import Loader
from camalert.store.notes import COUNT_EVERY_S, Notes
from camalert.store.queue import Lease, Queue
from camalert.store.rows import claims
from camalert.store.rows.alerts import MailResult
from camalert.store.stores import advice, store_of
from camalert.store.telling import Telling
from camalert.store.upkeep import Upkeep
from camalert.system.confinement import Confinement
from camalert.system.logs import log

LOOK_AGAIN_S = 30.0  # how often the queue is compared with the database, in case somebody else put a row there
LOOK_AGAIN_SHARED_S = 2.0  # the same where other nodes put rows there all the time, and die
GATHER_S = 0.001  # raises a burst's rate by a fifth (perf/store.py); a single mail never waits for others
ALIVE_EVERY_S = 2.0  # while the database is opened; far below every deadline
LOAD_SLICE_S = 0.01  # loading gives way to messages after this long; a picture takes 0.1 ms (measured)


def main(context: Context) -> Exit:
    """Write until told to stop."""
    writer = Writer(context)
    writer.open()
    writer.serve()
    return Exit.OK


class Writer:
    """Serve the channel."""

    def __init__(self, context: Context) -> None:
        self._channel = context.channel
        self._confine = context.confine
        self._confinement: Confinement | None = None
        self._pool = context.pool
        self._settings = context.config.database
        self._store = store_of(self._settings, self._stay_alive, node=context.config.node.name or socket.gethostname())
        self._stay_alive_at = time.monotonic() + ALIVE_EVERY_S
        self._is_slow_logged = False
        self._queue = Queue(context.pool.layout)
        self._batch = Batch(context.config, self._store, context.pool, self._queue)
        self._loader = Loader(context.pool, self._store, self._queue, self._batch, context.config.learn)
        self._notes = Notes(self._settings, self._store, self._channel.post)
        self._health = Health(self._store, self._notes.note)
        self._upkeep = Upkeep(context.config, self._store, self._health.failed)
        self._telling = Telling(context.config, self._store, self._channel.send)
        self._epoch = 0
        self._is_stopping = False
        self._has_upkeep = False
        self._last_mails = 0  # of the last batch
        self._look_at = 0.0
        self._claims_at = 0.0

    def open(self) -> None:
        """Open the database and say Ready; while it is locked or the disk is full, mails are answered.

        Raises: ConfigError for what only the owner can change: a damaged database, one that is not ours.
        """
        fault = self._health.open()
        self._confinement = self._confine()
        self._channel.send(Ready(os.getpid()))
        for message in advice(self._settings):
            log.info("sqlite_version_known", message=message)
        if fault is None:
            self._health.clear_fault()
            self._follow_epoch()
        else:
            self._health.record_fault(fault)  # after Ready, which says that the database can be used

    def _stay_alive(self) -> None:
        """Report that tables are being made or upgraded, so that the writer is not taken for hung."""
        if (now := time.monotonic()) < self._stay_alive_at:
            return
        self._stay_alive_at = now + ALIVE_EVERY_S
        if not self._is_slow_logged:
            self._is_slow_logged = True
            log.info("database_preparing", path=self._store.place)
        self._channel.send(Pong(0))

    def serve(self) -> None:
        """Work through batches of messages until told to stop."""
        while not self._is_stopping:
            self._channel.wait(0.0 if self._has_upkeep else COUNT_EVERY_S)
            self.turn()
        self._upkeep.end()
        self._store.close()

    def turn(self) -> None:
        """Work through what waits now."""
        self._check_folder()
        self._follow_epoch()
        stores, concludes = self._gather()
        if stores or concludes or self._batch.are_verdicts_due(time.monotonic(), self._health.retry_at):
            self._commit(stores, concludes)
        self._upkeep.maintain(time.monotonic(), is_idle=False)  # also while nothing else can be written
        if not self._batch.held_back:
            self._attempt("database", self._health.try_again)
        self._has_upkeep = False
        for what, work in (
            ("messages", self._telling.work),
            ("cameras", self._notes.post_cameras),
            ("claims", self._keep_claims),
            ("loading", self._load),
            ("figures", self._post_figures),
            ("upkeep", self._keep_up),
        ):
            if not self._health.is_down or (what == "upkeep" and self._health.is_full):
                self._attempt(what, work)

    def _check_folder(self) -> None:
        """Raise StoreLost when the database's folder is another one now, which this process may not touch."""
        if self._confinement is not None and (folder := self._confinement.changed()):
            raise StoreLost(f"{folder} is another folder than before; the next process may use it")

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do one thing of a turn; what the database refuses of it keeps the others from nothing."""
        try:
            work()
        except StoreRefused as error:
            self._health.failed(what, str(error))
        except StoreError as error:
            self._health.record_fault(error)
        else:
            self._health.failed(what, "")

    # --- messages in ------------------------------------------------------------------------------------------------

    def _gather(self) -> tuple[list[Store], list[Conclude]]:
        """Take what waits; in a burst also what comes within a moment, because a commit costs as much for one mail."""
        stores: list[Store] = []
        concludes: list[Conclude] = []
        while True:
            message = self._channel.receive()
            match message:
                case None:
                    if not 0 < len(stores) < self._last_mails or not self._channel.wait(GATHER_S):
                        break
                case Store():
                    stores.append(message)
                case Conclude():
                    concludes.append(message)
                case Lend(slot, generation):
                    self._queue.lend(Lease(slot, generation))
                case Held(slot, generation, alert_id):
                    self._queue.hold(Lease(slot, generation), alert_id)
                case Told() | Switch() | Happened():
                    self._telling.take(message)
                case Ping(number):
                    self._channel.send(Pong(number))
                case Stop():
                    self._is_stopping = True
                case _:
                    raise ProtocolError(f"the writer got {type(message).__name__}")
        self._last_mails = len(stores)
        return stores, concludes

    # --- the batch --------------------------------------------------------------------------------------------------

    def _commit(self, stores: list[Store], concludes: list[Conclude]) -> None:
        """Write a batch, which passes its pictures on, then answer."""
        result = self._batch.write(stores, concludes, self._epoch, lambda written: self._pass_on(stores, written))
        if result.fault is not None:
            self._health.record_fault(result.fault)
        elif stores or not self._health.is_full:  # a verdict finds space where a mail finds none
            self._health.clear_fault()
        for message in concludes:
            # Also when the verdict waits in memory: the slot is free, and its alert is pending in any case.
            self._channel.post(Concluded(message.slot, message.generation, message.alert_id))
            self._queue.lend(Lease(message.slot, following(message.generation)))
        answers = [self._answer(store, result.answers[store.mail_id]) for store in stores]
        if answers or result.fault is not None:  # a verdict that waits in memory: its slot must not be asked for again
            self._channel.send(*answers)

    def _answer(self, store: Store, result: MailResult) -> Stored:
        log.debug("mail_committed", mail_id=store.mail_id.hex(), code=StoreCode(result.code).name, alerts=result.count)
        if result.code not in (StoreCode.STORED, StoreCode.REPEATED):  # "" as well: another mail's may be there
            self._pool.write_refusal(store.slot, result.reason)
        return Stored(store.slot, store.generation, store.mail_id, result.code, result.first_id, result.count)

    def _pass_on(self, stores: list[Store], written: BatchResult) -> None:
        """Pass stored pictures on while they are still in their intake slots.

        A picture that nobody is ahead of goes at once, and is decoded while the disk takes the mail in; the others
        leave with the answers. A power cut in between forgets picture and verdict alike, and nobody had a 250.
        """
        self._follow_epoch()
        is_first = not self._queue.in_flight
        for store in stores:
            if mail := written.mails.get(store.mail_id):
                for pending in written.answers[store.mail_id].pending:
                    if loaded := self._loader.pass_on(store, mail, pending):
                        self._channel.post(loaded)
        if is_first:
            self._channel.flush()

    # --- between batches --------------------------------------------------------------------------------------------

    def _load(self) -> None:
        now = time.monotonic()
        if now >= self._look_at:
            self._queue.look_again()
            self._look_at = now + (LOOK_AGAIN_SHARED_S if self._store.node else LOOK_AGAIN_S)
        loaded: list[Loaded] = []
        try:
            while time.monotonic() < now + LOAD_SLICE_S and (found := self._loader.load_next()):
                loaded.append(found)
        finally:
            if loaded:
                self._channel.send(*loaded)

    def _keep_claims(self) -> None:
        """Let other nodes know that what is being examined here still is."""
        node, now = self._store.node, time.monotonic()
        if node and self._queue.in_flight and now >= self._claims_at:
            self._claims_at = now + claims.EXTEND_EVERY_S
            self._store.write(lambda rows: claims.extend(rows, list(self._queue.in_flight), node))

    def _post_figures(self) -> None:
        self._notes.post_figures(time.monotonic(), time.time())

    def _keep_up(self) -> None:
        self._has_upkeep = self._upkeep.slice(time.monotonic(), time.time(), lambda: self._channel.wait(0.0))

    def _follow_epoch(self) -> None:
        """Forget what was known of another file in the database's place."""
        if self._store.epoch != self._epoch:
            if self._epoch:
                log.warning("database_replaced", path=self._store.place)
                self._queue.forget()
                self._batch.forget()
            self._epoch = self._store.epoch
