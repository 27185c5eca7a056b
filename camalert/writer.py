"""The writer process: the only one that inserts alerts and detections, checkpoints, and removes what is too old.

    Store (mail in an intake slot)  ─┐                     ┌─ Loaded (picture in a lent frame slot)
    Conclude (verdict in its slot)  ─┼─▶ one transaction ──┼─ Stored (the camera gets its 250)
    Lend (free frame slots)         ─┘                     └─ Concluded (the frame slot is ours again)

All messages that wait are one batch and one commit. It decodes nothing and waits for nobody but the disk; a database
that cannot be written is an answer (451, 452), never an end of the process.
"""

from __future__ import annotations

import os
import time

import structlog

from camalert.child import Context
from camalert.errors import Exit, ProtocolError, StoreError
from camalert.messages import (
    Conclude,
    Concluded,
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
)
from camalert.slots import following
from camalert.store.batch import Batch, Done
from camalert.store.conclusions import Conclusions
from camalert.store.connection import advice
from camalert.store.database import Database
from camalert.store.health import Health
from camalert.store.intake import Kept
from camalert.store.loader import Loader
from camalert.store.news import COUNT_EVERY_S, News
from camalert.store.queue import Lease, Queue
from camalert.store.upkeep import Upkeep

LOOK_AGAIN_S = 30.0  # how often the queue is compared with the database, in case somebody else put a row there
GATHER_S = 0.001  # raises a burst's rate by a fifth (perf/store.py); a single mail never waits for others
LOAD_SLICE_S = 0.01  # loading gives way to messages after this long; a picture takes 0.1 ms (measured)

log = structlog.get_logger()


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
        self._pool = context.pool
        self._settings = context.config.database
        self._database = Database(self._settings)
        self._queue = Queue(context.pool.layout)
        self._batch = Batch(context.config, self._database)
        self._conclusions = Conclusions(context.pool, self._queue)
        self._loader = Loader(context.pool, self._database, self._queue, self._conclusions)
        self._upkeep = Upkeep(self._settings, self._database)
        self._news = News(self._settings, self._database, self._channel.post)
        self._health = Health(self._database, self._news.note)
        self._epoch = 0
        self._is_stopping = False
        self._has_upkeep = False
        self._crowd = 0  # the mails of the last batch
        self._look_at = 0.0

    def open(self) -> None:
        """Open the database and say Ready; while it is locked or the disk is full, mails are answered all the same.

        Raises: ConfigError for what only the owner can change: a damaged database, one that is not ours.
        """
        fault = self._health.open()
        self._channel.send(Ready(os.getpid()))
        for words in advice(self._settings.journal):
            log.warning("database_advice", words=words)
        if fault is None:
            self._health.works()
            self._follow_epoch()
        else:
            self._health.met(fault)  # after Ready, which says that the database can be used

    def serve(self) -> None:
        """Work through batches of messages until told to stop."""
        while not self._is_stopping:
            self._channel.wait(0.0 if self._has_upkeep else COUNT_EVERY_S)
            self.turn()
        self._database.close()

    def turn(self) -> None:
        """Work through what waits now."""
        self._follow_epoch()
        stores, concludes = self._gather()
        if stores or concludes or self._conclusions.are_due(time.monotonic(), self._health.retry_at):
            self._commit(stores, concludes)
        try:
            if not self._conclusions.held_back:
                self._health.try_again()
            if not self._health.is_down:
                self._news.tell_cameras()
                self._upkeep.checkpoint_if_due(time.monotonic(), is_idle=False)  # a full disk shows here, too
                self._load(time.monotonic())
                self._idle(time.monotonic())
        except StoreError as error:
            self._health.met(error)
            self._has_upkeep = False

    # --- messages in ------------------------------------------------------------------------------------------------

    def _gather(self) -> tuple[list[Store], list[Conclude]]:
        """Take what waits; in a burst also what comes within a moment, because a commit costs as much for one mail."""
        stores: list[Store] = []
        concludes: list[Conclude] = []
        while True:
            message = self._channel.receive()
            match message:
                case None:
                    if not 0 < len(stores) < self._crowd or not self._channel.wait(GATHER_S):
                        break
                case Store():
                    stores.append(message)
                case Conclude():
                    concludes.append(message)
                case Lend(slot, generation):
                    self._queue.lend(Lease(slot, generation))
                case Held(slot, generation, alert_id):
                    self._queue.hold(Lease(slot, generation), alert_id)
                case Ping(number):
                    self._channel.send(Pong(number))
                case Stop():
                    self._is_stopping = True
                case _:
                    raise ProtocolError(f"the writer got {type(message).__name__}")
        self._crowd = len(stores)
        return stores, concludes

    # --- the batch --------------------------------------------------------------------------------------------------

    def _commit(self, stores: list[Store], concludes: list[Conclude]) -> None:
        """Write a batch, which passes its pictures on, then answer."""
        verdicts = self._conclusions.gather(concludes)
        done = self._batch.write(
            self._pool, stores, verdicts, self._epoch, lambda written: self._pass_on(stores, written)
        )
        if done.fault is None:
            self._health.works()
        else:
            self._health.met(done.fault)
            self._has_upkeep = False
        self._conclusions.settle(done)
        for message in concludes:
            # Also when the verdict waits in memory: the slot is free, and its alert is pending in any case.
            self._channel.post(Concluded(message.slot, message.generation, message.alert_id))
            self._queue.lend(Lease(message.slot, following(message.generation)))
        answers = [_answer(store, done.kept[store.mail_id]) for store in stores]
        if answers or done.fault is not None:  # a verdict that waits in memory: its slot must not be asked for again
            self._channel.send(*answers)
        self._upkeep.checkpoint.note(done.written_bytes, time.monotonic())

    def _pass_on(self, stores: list[Store], written: Done) -> None:
        """Pass stored pictures on while they still lie in their intake slots.

        A picture that nobody is ahead of goes at once, and is decoded while the disk takes the mail in; the others
        leave with the answers. A power cut in between forgets picture and verdict alike, and nobody had a 250.
        """
        self._follow_epoch()
        is_first = not self._queue.in_flight
        for store in stores:
            if mail := written.mails.get(store.mail_id):
                for queued in written.kept[store.mail_id].queued:
                    if loaded := self._loader.pass_on(store, mail, queued):
                        self._channel.post(loaded)
        if is_first:
            self._channel.flush()

    # --- between batches --------------------------------------------------------------------------------------------

    def _load(self, now: float) -> None:
        if now >= self._look_at:
            self._queue.look_again()
            self._look_at = now + LOOK_AGAIN_S
        loaded: list[Loaded] = []
        try:
            while time.monotonic() < now + LOAD_SLICE_S and (found := self._loader.load_next()):
                loaded.append(found)
        finally:
            if loaded:
                self._channel.send(*loaded)

    def _idle(self, now: float) -> None:
        now_utc = time.time()
        self._news.tell_figures(now, now_utc)
        self._has_upkeep = self._upkeep.slice(now, now_utc, lambda: self._channel.wait(0.0))

    def _follow_epoch(self) -> None:
        """Forget what was known of another file in the database's place."""
        if self._database.epoch != self._epoch:
            if self._epoch:
                log.warning("database_replaced", path=self._settings.path)
                self._queue.forget()
                self._conclusions.forget()
            self._epoch = self._database.epoch


def _answer(store: Store, kept: Kept) -> Stored:
    log.debug("mail_kept", mail_id=store.mail_id.hex(), code=StoreCode(kept.code).name, alerts=kept.count)
    return Stored(store.slot, store.generation, store.mail_id, kept.code, kept.first_id, kept.count)
