"""One transaction for everything that waits: mails and verdicts, committed and answered together.

Pictures go from shared memory straight into the database. What one job has wrong does not spoil the others: if a batch
cannot be written because of a statement or of what is in a slot, each job gets a transaction of its own, and the one to
blame is refused with the reason. A refused verdict becomes the failure of its examination. None of that says anything
of the database; what does is the batch's `fault`. Verdicts that it cannot take wait here, within bounds: an alert is
pending until its verdict is written, so one that is lost costs another examination and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from camalert.config.schema import Config
from camalert.errors import (
    CamalertError,
    ChannelClosed,
    ConfigError,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreLost,
    StoreRefused,
)
from camalert.ipc import messages
from camalert.ipc.messages import Conclude, StoreCode
from camalert.ipc.pool import Pool
from camalert.ipc.records import MailRecord
from camalert.store import slots
from camalert.store.interface import Rows, Store
from camalert.store.queue import Lease, Queue, Waiting, sender_of
from camalert.store.rows.alerts import Intake, MailResult, Rules, conclude
from camalert.store.rows.learned import Static
from camalert.store.telling import targets_of
from camalert.store.verdict import Verdict, refused
from camalert.system.logs import log

SMALL_BYTES = 8_388_608  # a batch of more pictures is undone from a file, or a large clip would double our memory
HELD_BACK = 32  # verdicts that wait in memory for a writable database; more are examined once more


@dataclass(slots=True)
class BatchResult:
    """What became of a batch."""

    answers: dict[bytes, MailResult] = field(default_factory=dict)  # by mail_id
    mails: dict[bytes, MailRecord] = field(default_factory=dict)  # those that were written, by mail_id
    ended: list[int] = field(default_factory=list)  # examinations that are over
    concluded: list[Verdict] = field(default_factory=list)  # those that were written now
    retries: list[Waiting] = field(default_factory=list)  # examinations that get another try
    static: list[Static] = field(default_factory=list)  # objects that stop counting
    unwritten: list[Verdict] = field(default_factory=list)  # because of the fault; they can be written later
    fault: StoreError | None = None

    def add(self, other: BatchResult) -> None:
        """Add what became of another part of the same batch."""
        self.answers |= other.answers
        self.mails |= other.mails
        self.ended += other.ended
        self.concluded += other.concluded
        self.retries += other.retries
        self.static += other.static
        self.unwritten += other.unwritten
        self.fault = other.fault or self.fault


OnCommit = Callable[[BatchResult], None]
Mail = tuple[messages.Store, MailRecord]


class Batch:
    """Write batches into a database, with the verdicts that wait: on pictures given up, and held back by a fault."""

    def __init__(self, config: Config, store: Store, pool: Pool, queue: Queue) -> None:
        self.held_back: list[Verdict] = []
        self._given_up: list[Verdict] = []
        self._queue = queue
        self._intake = Intake(config, store.free_bytes, store.node)
        self._rules = Rules(config.database.timestamps, config.visits, targets_of(config), config.learn)
        self._store = store
        self._pool = pool
        self._epoch = 0  # of the verdicts in the batch
        self._on_commit: OnCommit = lambda _: None
        self._is_full = False  # while it is tried again after old rows were removed

    def give_up(self, verdict: Verdict) -> None:
        """Let the next batch end the examination of a picture that cannot be loaded into a slot."""
        self._given_up.append(verdict)

    def are_verdicts_due(self, now: float, retry_at: float) -> bool:
        """Tell whether there is something to write without a message: what was given up, or held back until now."""
        return bool(self._given_up or (self.held_back and now >= retry_at))

    def forget(self) -> None:
        """Forget the verdicts that wait, when the database is another one."""
        self._given_up = []
        self.held_back = []

    def write(
        self, stores: Sequence[messages.Store], concludes: Sequence[Conclude], epoch: int, on_commit: OnCommit
    ) -> BatchResult:
        """Write all, or answer all with the fault; the queue is updated by the verdicts.

        Args:
            stores: The mails, whose pictures are in their slots.
            concludes: The verdicts in slots; one on an alert of a database that is gone is left out.
            epoch: That of the database whose alerts the verdicts are on, see `Store`; in a later one they are
                dropped. 0 when none has been opened by this process: then they are those that its predecessor left, and
                the first that is opened is taken for the same database.
            on_commit: Gets what became of each transaction before the disk has it, see `Store.write`.
        """
        self._epoch, self._on_commit = epoch, on_commit
        verdicts = self.held_back + self._given_up
        self._given_up = []
        verdicts += [
            slots.read_verdict(self._pool, message)
            for message in concludes
            if not self._queue.is_stale(Lease(message.slot, message.generation))
        ]
        result = BatchResult()
        mails: list[Mail] = []
        for store in stores:
            try:
                mails.append((store, slots.read_mail(self._pool, store.slot)))
            except Exception as error:  # noqa: BLE001 - of this mail's slot alone, which another process has written
                result.answers[store.mail_id] = _refused(store, error, is_passing=False)
        result.add(self._write(mails, verdicts))
        if self._is_replaced():
            result.unwritten.clear()
        self._settle(result)
        return result

    def _settle(self, result: BatchResult) -> None:
        """Do what follows from a batch's verdicts: for the queue, for memory, for the log."""
        for alert_id in result.ended:
            self._queue.end(alert_id)
        self.held_back = result.unwritten[:HELD_BACK]
        for verdict in result.unwritten[HELD_BACK:]:
            self._queue.end(verdict.alert_id)
            self._queue.look_again()
        for waiting in result.retries:
            self._queue.wait(waiting)
        for found in result.static:
            log.info("object_static", camera=found.camera, object_id=found.object_id, message=found.message)
        for verdict in result.concluded:
            if reason := verdict.failure:
                camera = verdict.record.camera if verdict.record else ""
                log.warning("examination_failed", alert_id=verdict.alert_id, camera=camera, message=reason)

    def _is_replaced(self) -> bool:
        """Tell whether another file took the place of the verdicts' own: there its ids are of other alerts."""
        return self._epoch not in (0, self._store.epoch)

    def _write(self, mails: Sequence[Mail], verdicts: Sequence[Verdict]) -> BatchResult:
        size_bytes = 0
        try:
            size_bytes = _size_bytes(mails, verdicts)
            return self._store.write(
                lambda rows: self._work(rows, mails, verdicts),
                on_commit=self._on_commit,
                is_small=size_bytes <= SMALL_BYTES,
            )
        except StoreRefused as error:
            refusal: Exception = error
        except StoreError as error:
            if isinstance(error, StoreFull) and not self._is_full:
                self._is_full = True
                try:
                    return self._write_into_full(mails, verdicts, size_bytes) or _unwritten(mails, verdicts, error)
                finally:
                    self._is_full = False
            return _unwritten(mails, verdicts, error)
        except MemoryError:
            return _unwritten(mails, verdicts, StoreBusy("there is not enough memory"))
        except (ChannelClosed, ConfigError, StoreLost):
            raise  # the end of this process: the supervisor is gone, or the database needs its owner or a new writer
        except Exception as error:  # noqa: BLE001 - values that SQLite does not take, and bugs: of this job
            refusal = error
        if len(mails) + len(verdicts) > 1:
            return self._write_one_by_one(mails, [[verdict] for verdict in verdicts])
        result = BatchResult()
        for store, _ in mails:
            result.answers[store.mail_id] = _refused(store, refusal, is_passing=self._store.is_passing(refusal))
        for verdict in verdicts:
            result.add(self._fail(verdict, refusal))
        return result

    def _write_one_by_one(self, mails: Sequence[Mail], verdicts: Sequence[Sequence[Verdict]]) -> BatchResult:
        result = BatchResult()
        for mail in mails:
            result.add(self._write([mail], []))
        for part in verdicts:
            result.add(self._write([], part))
        return result

    def _write_into_full(
        self, mails: Sequence[Mail], verdicts: Sequence[Verdict], needed_bytes: int
    ) -> BatchResult | None:
        """Remove old rows for what did not fit, and write it; None when nothing could be removed.

        A disk that has space by its own account is asked once more before anything goes. Mails are written one by one
        then: a large one keeps no small one out.
        """
        if self._store.has_space(needed_bytes):
            again = self._write(mails, verdicts)
            if not isinstance(again.fault, StoreFull):
                return again
        senders = {sender_of(record.peer) for _, record in mails}
        if not self._store.make_room(needed_bytes, senders, time.monotonic()) and len(mails) < 2:
            return None
        return self._write_one_by_one(mails, [verdicts] if verdicts else [])

    def _fail(self, verdict: Verdict, refusal: Exception) -> BatchResult:
        """End an examination whose verdict cannot be written as failed, without its detection and its facts.

        When not even that can be written, its picture stays pending and is left alone until the next start: it would
        be examined again and again.
        """
        if verdict.is_refused:
            log.error("verdict_refused", alert_id=verdict.alert_id, message=_message_of(refusal))
            return BatchResult()
        return self._write([], [refused(verdict, _message_of(refusal))])

    def _work(self, rows: Rows, mails: Sequence[Mail], verdicts: Sequence[Verdict]) -> BatchResult:
        result = BatchResult()
        if mails:
            self._store.check_space(rows, _size_bytes(mails, []))
        for store, record in mails:
            with self._pool.encoded(store.slot) as section:
                result.answers[store.mail_id] = self._intake.store(rows, store.mail_id, record, section)
            result.mails[store.mail_id] = record
        for verdict in verdicts:
            if self._is_replaced():
                continue  # those of the new file may be in examination by now
            conclusion = conclude(rows, verdict, time.time(), self._rules)
            if conclusion.is_written:
                result.concluded.append(verdict)
            if conclusion.retry is not None:
                result.retries.append(conclusion.retry)
            result.static += conclusion.static
            result.ended.append(verdict.alert_id)
        return result


def _size_bytes(mails: Sequence[Mail], verdicts: Sequence[Verdict]) -> int:
    """Return how many bytes of pictures these have."""
    return sum(picture.length for _, record in mails for picture in record.pictures) + sum(
        len(verdict.annotated) + len(verdict.snapshot) for verdict in verdicts
    )


def _unwritten(mails: Sequence[Mail], verdicts: Sequence[Verdict], fault: StoreError) -> BatchResult:
    code = StoreCode.FULL if isinstance(fault, StoreFull) else StoreCode.BUSY
    answers = {store.mail_id: MailResult(code, reason=str(fault)) for store, _ in mails}
    return BatchResult(answers=answers, unwritten=list(verdicts), fault=fault)


def _refused(store: messages.Store, refusal: Exception, *, is_passing: bool) -> MailResult:
    message = _message_of(refusal)
    log.error("mail_refused", slot=store.slot, mail_id=store.mail_id.hex(), message=message)
    return MailResult(StoreCode.BUSY if is_passing else StoreCode.REFUSED, reason=message)


def _message_of(error: Exception) -> str:
    return str(error) if isinstance(error, CamalertError) else f"{type(error).__name__}: {error}"
