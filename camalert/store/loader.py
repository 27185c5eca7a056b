"""Load pending pictures into lent frame slots, from the intake slot or from the database.

A picture that cannot be loaded is given up with the reason, like one that cannot be decoded.
"""

from __future__ import annotations

import functools
import time
from dataclasses import replace

from camalert.config.schema import Learn
from camalert.errors import ProtocolError, StoreDamaged, StoreError, StoreLocked, StoreRefused
from camalert.ipc import messages
from camalert.ipc.messages import Loaded, Outcome, Stage
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord, MailRecord
from camalert.store import slots
from camalert.store.batch import Batch
from camalert.store.interface import Store
from camalert.store.queue import Pick, Queue, Waiting, known_as, sender_of
from camalert.store.rows import alerts, claims
from camalert.store.verdict import Verdict

LOADS_MAX = 3  # a picture that could not be read so often, with other faults than a lock, is given up


class Loader:
    """Load what the queue picks; what cannot be loaded is concluded."""

    def __init__(self, pool: Pool, store: Store, queue: Queue, batch: Batch, learn: Learn) -> None:
        self._pool = pool
        self._learn = learn
        self._store = store
        self._queue = queue
        self._batch = batch
        self._failures: dict[int, int] = {}  # by alert: how often its picture could not be read in a row

    def pass_on(self, store: messages.Store, mail: MailRecord, pending: alerts.PendingPicture) -> Loaded | None:
        """Copy a picture that was stored this moment into a lent slot; without one it waits, as a clip beside pictures.

        The copy comes from the intake slot, which is ours until the Store is answered.
        """
        picture = pending.picture
        waiting = Waiting(pending.alert_id, picture.length, 0, sender_of(mail.peer), known_as(mail.camera))
        if waiting.is_clip and not all(other.is_clip for other in mail.pictures):
            self._queue.postpone(waiting, time.monotonic())
            return None
        self._queue.note_alarm(time.monotonic())
        lease = self._queue.take_slot(waiting)
        if lease is None:
            self._queue.wait(waiting)
            return None
        record = FrameRecord(
            alert_id=pending.alert_id,
            camera=mail.camera,
            event=mail.event,
            sender=mail.sender,
            recipients=mail.recipients,
            kind=picture.kind,
            known=pending.memory.known,
            missed=pending.memory.missed,
        )
        with (
            self._pool.encoded(store.slot) as section,
            section[picture.offset : picture.offset + picture.length] as content,
        ):
            return self._put(Pick(lease, waiting, is_live=True), record, content)

    def load_next(self) -> Loaded | None:
        """Load the next pending picture into a lent slot; None when there is none, or no slot for it.

        Raises: StoreError and its kinds; nothing is lost by it.
        """
        self._queue.wake(time.monotonic())
        while True:
            for line in self._queue.lines:
                while line.wants_backlog:
                    ask = functools.partial(
                        alerts.pending_of, known=line.known | self._queue.elsewhere,
                        small_bytes=self._queue.small_bytes, is_large=line.is_large, node=self._store.node,
                        largest_bytes=self._queue.largest_bytes,
                    )  # fmt: skip
                    line.feed(self._store.read(ask))
            pick = self._queue.pick()
            if pick is None:
                return None
            if loaded := self._load(pick):
                return loaded

    def _load(self, pick: Pick) -> Loaded | None:
        alert_id = pick.waiting.alert_id
        try:
            picture = self._read(pick.waiting)
        except (StoreDamaged, StoreRefused) as error:
            self._give_up(pick, str(error))
            return None
        except StoreError as error:
            failures = self._failures.get(alert_id, 0) + 1
            if failures >= LOADS_MAX and not isinstance(error, StoreLocked):
                self._give_up(pick, str(error))  # a bad disk sector under this picture must not block the others
            else:
                self._failures[alert_id] = failures
                self._queue.give_back(pick)
            raise
        self._failures.pop(alert_id, None)
        if picture is None:  # deleted or concluded meanwhile
            self._queue.end(alert_id)
            self._queue.lend(pick.lease)
            return None
        waiting = replace(pick.waiting, tries=picture.tries)
        return self._put(replace(pick, waiting=waiting), picture.record, picture.content)

    def _read(self, waiting: Waiting) -> alerts.Picture | None:
        """Return a pending picture, claimed for this node; None when it is no more, or another one's."""
        node = self._store.node
        if not node:
            return self._store.read(lambda rows: alerts.load(rows, waiting, self._learn))
        if not self._store.write(lambda rows: claims.take(rows, waiting.alert_id, node)):
            return None
        return self._store.read(lambda rows: alerts.load(rows, waiting, self._learn))

    def _put(self, pick: Pick, record: FrameRecord, content: bytes | memoryview) -> Loaded | None:
        lease, waiting = pick.lease, pick.waiting
        try:
            slots.write_picture(self._pool, lease, record, content)
        except (ProtocolError, TypeError, ValueError) as error:
            self._give_up(pick, str(error))
            return None
        return Loaded(
            lease.slot, lease.generation, waiting.alert_id, len(content), waiting.tries, waiting.is_clip, pick.is_live
        )

    def _give_up(self, pick: Pick, reason: str) -> None:
        alert_id = pick.waiting.alert_id
        self._failures.pop(alert_id, None)
        record = FrameRecord(alert_id=alert_id, reason=f"not examined: {reason}")
        self._batch.give_up(Verdict(alert_id, Outcome.FAILED, Stage.DECODE, record=record))
        self._queue.lend(pick.lease)
