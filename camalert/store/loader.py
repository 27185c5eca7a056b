"""Bring pending pictures into lent frame slots, from the intake slot or from the database.

In the writer process. A picture that cannot be brought in is given up with its reason, like one that cannot be decoded.
"""

from __future__ import annotations

import time
from dataclasses import replace

from camalert.errors import ProtocolError, StoreDamaged, StoreError
from camalert.messages import Loaded, Outcome, Stage, Store
from camalert.pool import Pool
from camalert.store import pending, transfer
from camalert.store.conclusions import Conclusions
from camalert.store.database import Database
from camalert.store.intake import Queued
from camalert.store.queue import Line, Pick, Queue, Waiting
from camalert.store.verdict import Verdict
from camalert.words import FrameWords, MailWords


class Loader:
    """Load what the queue picks; what cannot be loaded is concluded."""

    def __init__(self, pool: Pool, database: Database, queue: Queue, conclusions: Conclusions) -> None:
        self._pool = pool
        self._database = database
        self._queue = queue
        self._conclusions = conclusions

    def pass_on(self, store: Store, mail: MailWords, queued: Queued) -> Loaded | None:
        """Copy a picture that was stored this moment into a lent slot; without one it waits, as a clip beside pictures.

        The copy comes from the intake slot, which is ours until the Store is answered.
        """
        picture = queued.picture
        waiting = Waiting(queued.alert_id, picture.length)
        if waiting.is_clip and not all(other.is_clip for other in mail.pictures):
            self._queue.postpone(waiting, time.monotonic())
            return None
        self._queue.note_alarm(time.monotonic())
        lease = self._queue.take_slot(waiting)
        if lease is None:
            self._queue.wait(waiting)
            return None
        words = FrameWords(
            alert_id=queued.alert_id,
            camera=mail.camera,
            event=mail.event,
            sender=mail.sender,
            recipients=mail.recipients,
            kind=picture.kind,
        )
        with (
            self._pool.encoded(store.slot) as section,
            section[picture.offset : picture.offset + picture.length] as content,
        ):
            return self._put(Pick(lease, waiting, is_live=True), words, content)

    def load_next(self) -> Loaded | None:
        """Load the next pending picture into a lent slot; None when there is none, or no slot for it.

        Raises: StoreError and its kinds; nothing is lost by it.
        """
        self._queue.wake(time.monotonic())
        while True:
            self._fetch()
            pick = self._queue.pick()
            if pick is None:
                return None
            if loaded := self._load(pick):
                return loaded

    def _fetch(self) -> None:
        for line in self._queue.lines:
            while line.wants_backlog:
                line.feed(self._rows(line), self._queue.elsewhere)

    def _rows(self, line: Line) -> list[Waiting]:
        return self._database.read(lambda connection: pending.rows(connection, line, self._queue.small_bytes))

    def _load(self, pick: Pick) -> Loaded | None:
        try:
            picture = self._database.read(lambda connection: pending.load(connection, pick.waiting))
        except StoreDamaged as error:
            self._give_up(pick, str(error))
            return None
        except StoreError:
            self._queue.give_back(pick)
            raise
        if picture is None:  # deleted or concluded meanwhile
            self._queue.end(pick.waiting.alert_id)
            self._queue.lend(pick.lease)
            return None
        waiting = replace(pick.waiting, tries=picture.tries)
        return self._put(replace(pick, waiting=waiting), picture.words, picture.content)

    def _put(self, pick: Pick, words: FrameWords, content: bytes | memoryview) -> Loaded | None:
        try:
            transfer.put(self._pool, pick.lease, words, content)
        except ProtocolError as error:
            self._give_up(pick, str(error))
            return None
        lease, waiting = pick.lease, pick.waiting
        return Loaded(
            lease.slot,
            lease.generation,
            waiting.alert_id,
            len(content),
            waiting.tries,
            waiting.is_clip,
            pick.is_live,
        )

    def _give_up(self, pick: Pick, reason: str) -> None:
        alert_id = pick.waiting.alert_id
        words = FrameWords(alert_id=alert_id, reason=f"not examined: {reason}")
        self._conclusions.give_up(Verdict(alert_id, Outcome.FAILED, Stage.DECODE, words=words))
        self._queue.lend(pick.lease)
