"""One transaction for everything that waits: mails and verdicts, committed together and answered together.

Pictures go from shared memory straight into SQLite. What one job has wrong does not spoil the others: if the database
refuses the batch because of a statement, each job gets a transaction of its own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from camalert.config import Config
from camalert.errors import ProtocolError, StoreError, StoreFull, StoreRefused
from camalert.messages import Store, StoreCode
from camalert.pool import Pool
from camalert.store import transfer
from camalert.store.database import Database
from camalert.store.intake import Intake, Kept
from camalert.store.queue import Waiting
from camalert.store.verdict import Ending, Verdict, conclude
from camalert.words import MailWords

SMALL_BYTES = 8_388_608  # a batch of more pictures is undone from a file, or a large clip would double our memory

log = structlog.get_logger()


@dataclass(slots=True)
class Done:
    """What became of a batch."""

    kept: dict[bytes, Kept] = field(default_factory=dict)  # by mail_id
    mails: dict[bytes, MailWords] = field(default_factory=dict)  # those that were written, by mail_id
    ended: list[int] = field(default_factory=list)  # examinations that are over
    concluded: list[Verdict] = field(default_factory=list)  # those that were written now
    again: list[Waiting] = field(default_factory=list)  # examinations that get another try
    unwritten: list[Verdict] = field(default_factory=list)
    written_bytes: int = 0
    fault: StoreError | None = None

    def take(self, other: Done) -> None:
        """Add what became of another part of the same batch."""
        self.kept |= other.kept
        self.mails |= other.mails
        self.ended += other.ended
        self.concluded += other.concluded
        self.again += other.again
        self.unwritten += other.unwritten
        self.written_bytes += other.written_bytes
        self.fault = other.fault or self.fault


OnCommit = Callable[[Done], None]


class Batch:
    """Write batches into a database."""

    def __init__(self, config: Config, database: Database) -> None:
        self._intake = Intake(config)
        self._zone = config.database.timestamps
        self._database = database

    def write(
        self, pool: Pool, stores: Sequence[Store], verdicts: Sequence[Verdict], epoch: int, on_commit: OnCommit
    ) -> Done:
        """Write all, or answer all with what hinders it.

        Args:
            pool: Where the mails' pictures are.
            stores: The mails.
            verdicts: On alerts of the database of this `epoch`; on those of a later one they are dropped.
            epoch: See `Database`. 0 when none has been opened by this process: then they are those that its predecessor
                left, and the first that is opened is taken for the same database.
            on_commit: Gets what became of each transaction before the disk has it, see `Database.write`.
        """
        done = Done()
        mails: list[tuple[Store, MailWords]] = []
        for store in stores:
            try:
                mails.append((store, transfer.mail_words(pool, store.slot)))
            except ProtocolError as error:
                log.error("mail_refused", slot=store.slot, mail_id=store.mail_id.hex(), error=str(error))
                done.kept[store.mail_id] = Kept(StoreCode.REFUSED)
        done.take(self._write(pool, mails, verdicts, epoch, on_commit))
        if epoch and self._database.epoch != epoch:
            done.unwritten.clear()  # another file took the place of theirs
        return done

    def _write(
        self,
        pool: Pool,
        mails: Sequence[tuple[Store, MailWords]],
        verdicts: Sequence[Verdict],
        epoch: int,
        on_commit: OnCommit,
    ) -> Done:
        pictures_bytes = sum(picture.length for _, words in mails for picture in words.pictures)
        pictures_bytes += sum(len(verdict.annotated) + len(verdict.snapshot) for verdict in verdicts)
        try:
            return self._database.write(
                lambda connection: self._work(connection, pool, mails, verdicts, epoch),
                on_commit=on_commit,
                is_small=pictures_bytes <= SMALL_BYTES,
            )
        except StoreRefused as error:
            if len(mails) + len(verdicts) > 1:
                done = Done()
                for mail in mails:
                    done.take(self._write(pool, [mail], [], epoch, on_commit))
                for verdict in verdicts:
                    done.take(self._write(pool, [], [verdict], epoch, on_commit))
                return done
            return _unwritten(mails, verdicts, error)
        except StoreError as error:
            return _unwritten(mails, verdicts, error)

    def _work(
        self,
        connection: sqlite3.Connection,
        pool: Pool,
        mails: Sequence[tuple[Store, MailWords]],
        verdicts: Sequence[Verdict],
        epoch: int,
    ) -> Done:
        done = Done()
        for store, words in mails:
            with pool.encoded(store.slot) as section:
                kept = self._intake.keep(connection, store.mail_id, words, section)
            done.kept[store.mail_id] = kept
            done.mails[store.mail_id] = words
            if kept.queued or kept.count:
                done.written_bytes += sum(picture.length for picture in words.pictures)
        for verdict in verdicts:
            if epoch and self._database.epoch != epoch:
                continue  # the file was replaced: its ids are of other alerts, which may be in examination by now
            ending, waiting = conclude(connection, verdict, time.time(), self._zone)
            done.written_bytes += len(verdict.annotated) + len(verdict.snapshot)
            if ending is Ending.WRITTEN:
                done.concluded.append(verdict)
            if ending is Ending.AGAIN and waiting is not None:
                done.again.append(waiting)
            done.ended.append(verdict.alert_id)
        return done


def _unwritten(mails: Sequence[tuple[Store, MailWords]], verdicts: Sequence[Verdict], fault: StoreError) -> Done:
    code = StoreCode.FULL if isinstance(fault, StoreFull) else StoreCode.BUSY
    return Done(kept={store.mail_id: Kept(code) for store, _ in mails}, unwritten=list(verdicts), fault=fault)
