"""The writer's database: one connection, transactions that end in an answer, and what to do when the file goes wrong.

Whatever happens to the file (locked, moved, replaced, altered by a `migrate`,
damaged, no space left), a transaction ends in its result or in one of `StoreError`'s kinds, and a later one works again
as soon as the file does.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from camalert.config import schema as config
from camalert.errors import ConfigError, StoreBusy, StoreDamaged, StoreError, StoreForeign, StoreLocked, StoreLost
from camalert.store.sqlite import backup, schema
from camalert.store.sqlite.files import FileWatch
from camalert.store.sqlite.opening import abandon, choose_journal, leave, lock_holders, open_writer, pragma, translate
from camalert.store.sqlite.wal import Courtesy, Frames, WalIndex, WalSync, journal_mode, wait_at_most, wal_bytes

Result = TypeVar("Result")
REOPEN_S = 2.0  # for locks on a file in the place of ours; the write itself waits for `busy_seconds`
ABANDONED_MAX = 20  # each keeps its descriptors; a process that has left more connections is replaced by a new one
# What SQLite locks to write: its bytes of the WAL's index, and of the database file. Source: sqlite.org/walformat.html,
# 2.3; sqlite.org/lockingv3.html.
WAL_LOCKS = (120, 122)
FILE_LOCKS = (0x4000_0000, 0x4000_01FF)
STEPS_A_SIGN = 200_000  # of SQLite's virtual machine, between two calls of `alive`: milliseconds
SCHEMA_ROUNDS = 5  # each round waits for the lock; a schema that changes more often than this is being worked on


class Database:
    """Hold the writer's connection to the database of `[database] path`."""

    def __init__(self, settings: config.Database, alive: Callable[[], None] = lambda: None) -> None:
        """Open nothing yet.

        Args:
            settings: Where it is, and how it is kept.
            alive: Called again and again while tables are made, adopted or upgraded, which may take minutes.
        """
        self._alive = alive
        self.path = Path(settings.path)
        self.epoch = 0  # counts the files opened; ids are those of one epoch
        self._warnings: list[str] = []
        self._settings = settings
        self._limits = schema.Limits(settings.keep_alerts, settings.keep_detections)
        self._connection: sqlite3.Connection | None = None
        self._abandoned = 0  # connections
        self._schema_version = 0
        self._is_small = False
        self._is_in_doubt = False  # the disk may lack what was committed: nothing is answered, see `_prove`
        self._wal_index = WalIndex(self.path)
        self._courtesy = Courtesy(self._wal_index)
        self._wal_sync = WalSync(self.path)
        self._files = FileWatch(self.path, self._wal_index, self._wal_sync)

    def open(self, *, wait_s: float | None = None) -> None:
        """Open, create, adopt or upgrade the database.

        Args:
            wait_s: How long to wait for a lock, when not `[database] busy_seconds`.

        Raises: ConfigError on a network file system, and when the first file of this process is no database of ours;
            StoreError and its kinds.
        """
        try:
            connection = self._connect(self._settings.busy_seconds if wait_s is None else wait_s)
        except StoreForeign as fault:
            if not self.epoch:
                raise ConfigError(str(fault)) from fault
            raise
        except StoreDamaged:
            self._files.note_damaged()
            self._abandoned += 1
            raise
        self._connection = connection
        self._is_small = False
        self._wal_index.begin()
        self._wal_sync.begin(connection)
        if self._files.note_opened():
            self.epoch += 1
        # A predecessor may have crashed with a sync refused, and its rows would be taken for stored.
        self._is_in_doubt = True

    def close(self) -> None:
        """Close the connection, if any, which checkpoints the WAL unless another program has it open."""
        if self._connection is not None:
            try:
                if self._is_in_doubt:
                    self._prove(self._connection)
                self._connection.close()
            except (sqlite3.Error, StoreBusy):
                abandon(self._connection)  # a WAL in doubt stays as it is
            self._connection = None
            self._wal_index.end()
            self._wal_sync.end()

    def take_warnings(self) -> list[str]:
        """Return what the owner should know of the tables, once."""
        found, self._warnings = self._warnings, []
        return found

    @property
    def frames(self) -> Frames | None:
        """Return what is in the WAL, None when that is unknown, or when it must not be checkpointed now."""
        return self._wal_index.frames() if self._connection is not None and not self._is_in_doubt else None

    def write(
        self,
        work: Callable[[sqlite3.Connection], Result],
        *,
        on_commit: Callable[[Result], None] = lambda _: None,
        wait_s: float | None = None,
        is_small: bool = False,
    ) -> Result:
        """Run `work` in one transaction; when this returns, it is on the disk.

        Args:
            work: Gets the connection; what it raises rolls everything back.
            on_commit: Gets the result when everybody can read what was written, before the disk has it. It must not use
                the database.
            wait_s: How long to wait for a lock, when not `[database] busy_seconds`.
            is_small: Whether the pages that one statement changes may be kept in memory, to undo it. SQLite keeps them
                in a temporary file otherwise, which is every second page that is written at all (perf/store.py).

        Raises: StoreError and its kinds; nothing is written. Only when the disk refuses after the commit, the rows are
            there and `on_commit` has passed them on, but a power cut may undo them: they must not be answered for, and
            every further call raises until the disk has proven that it has them.
            StoreLost when only a new process can go on; nothing is written.
        """
        connection = self._ready(wait_s)
        try:
            if wait_s is not None:
                wait_at_most(connection, wait_s)
            if self._is_in_doubt:
                self._prove(connection)
            self._undo_in_memory(connection, is_small)
            self._courtesy.wait()
            self._begin(connection)
            result = work(connection)
            connection.execute("COMMIT")
            on_commit(result)
            try:
                self._wal_sync.sync()
            except StoreBusy:
                self._is_in_doubt = True
                with contextlib.suppress(sqlite3.Error, StoreBusy):  # at once: pages may leave the cache
                    self._prove(connection)
                raise
        except sqlite3.Error as error:
            _roll_back(connection)
            raise self._failed(error) from error
        except BaseException:
            _roll_back(connection)
            raise
        finally:
            if wait_s is not None:
                wait_at_most(connection, self._settings.busy_seconds)
        return result

    def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` without a transaction of its own: queries, pragmas.

        Raises: StoreError and its kinds; StoreLost when only a new process can go on.
        """
        connection = self._ready()
        try:
            return work(connection)
        except sqlite3.Error as error:
            raise self._failed(error, is_write=False) from error

    @property
    def place(self) -> str:
        """Return the file's name."""
        return str(self.path)

    def set_aside(self) -> str | None:
        """Rename a damaged file, its journal with it, so that the next `open` begins a new one.

        Returns: The new name; None unless `[database] replace_corrupt` allows it.
        Raises: StoreBusy when the file system refuses.
        """
        if not self._settings.replace_corrupt:
            return None
        self._let_go()
        try:
            return str(self._files.set_aside(time.time()))
        except OSError as error:
            raise StoreBusy(f"the damaged file {self.path} cannot be renamed: {error.strerror}") from error

    def _connect(self, wait_s: float) -> sqlite3.Connection:
        connection = open_writer(self._settings, wait_s)
        try:
            schema.refuse_foreign(connection)
            choose_journal(connection, self.path, self._settings.journal)
            found = schema.version(connection)
            if 0 < found < len(schema.MIGRATIONS):
                backup.before_upgrade(connection, self.path, found, time.time(), lambda *_: self._alive())
            connection.set_progress_handler(self._alive, STEPS_A_SIGN)
            self._warnings += schema.prepare(connection, self._limits, time.time())
            connection.set_progress_handler(None, 0)
            self._schema_version = pragma(connection, "schema_version")
            wait_at_most(connection, self._settings.busy_seconds)
        except sqlite3.Error as error:
            fault = self._translate(error)
            leave(connection, fault)
            raise fault from error
        except StoreError as fault:
            leave(connection, fault)
            raise
        return connection

    def _ready(self, wait_s: float | None = None) -> sqlite3.Connection:
        """Return the connection; open the file again when it is another one than before.

        Raises: See `open` and `FileWatch`; StoreLost also when too many connections had to be left.
        """
        if self._connection is not None and not self._files.is_in_place(self._connection):
            self._let_go()
        if self._connection is None:
            self._warnings += self._files.make_way(time.time())
            if self._abandoned >= ABANDONED_MAX:
                raise StoreLost(f"the database file {self.path} was away or damaged {self._abandoned} times")
            self.open(wait_s=min(REOPEN_S, self._settings.busy_seconds) if wait_s is None else wait_s)
        assert self._connection is not None  # noqa: S101 - open() ends in a connection or raises
        return self._connection

    def _undo_in_memory(self, connection: sqlite3.Connection, is_small: bool) -> None:
        """Say where SQLite keeps what undoes a statement. Source: sqlite.org/tempfiles.html, 2.5 and 3."""
        if is_small != self._is_small:
            connection.execute(f"PRAGMA temp_store = {'MEMORY' if is_small else 'FILE'}")
            self._is_small = is_small

    def _prove(self, connection: sqlite3.Connection) -> None:
        """Have the disk take everything that was committed, after a sync failed.

        The kernel reports a lost write once and takes the pages for clean from then on, so that the next sync says
        nothing of them. So the WAL is written anew; a checkpoint instead would copy pages whose frames the disk
        does not have, and a power cut in its midst would leave a mixture. With a rollback journal, the database is
        synced before the journal ends, so what is in doubt is that end.

        Raises: sqlite3.Error and StoreBusy while that does not succeed.
        Source: fsync(2) on reports of write-back errors; sqlite.org/atomiccommit.html.
        """
        connection.execute("BEGIN IMMEDIATE")
        if journal_mode(connection) == "wal":
            self._wal_sync.write_anew(wal_bytes(self._wal_index.header()))
        else:
            self._wal_sync.end_journal()
        connection.execute("COMMIT")
        self._is_in_doubt = False

    def _begin(self, connection: sqlite3.Connection) -> None:
        for _ in range(SCHEMA_ROUNDS):
            connection.execute("BEGIN IMMEDIATE")
            if pragma(connection, "schema_version") == self._schema_version:
                return
            # A `migrate` of the site rebuilds a table without its triggers; put them back before the first row.
            connection.execute("ROLLBACK")
            self._warnings += schema.prepare(connection, self._limits, time.time())
            self._schema_version = pragma(connection, "schema_version")
        raise StoreLocked("the database's tables are being altered by another program")

    def _failed(self, error: sqlite3.Error, *, is_write: bool = True) -> StoreError:
        fault = self._translate(error)
        if is_write and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
            self._is_in_doubt = True  # a sync, a write or a removal of the journal: what the disk has is not known
        if isinstance(fault, StoreDamaged) and is_write:
            self._files.note_damaged()
            self._let_go()
        return fault

    def _translate(self, error: sqlite3.Error) -> StoreError:
        """Return our error for one of SQLite's, with who holds the lock if it is that."""
        if not isinstance(translate(error), StoreLocked):
            return translate(error)
        index = self.path.with_name(f"{self.path.name}-shm")
        found = lock_holders(index, *WAL_LOCKS) or lock_holders(self.path, *FILE_LOCKS)
        if not found and not index.exists():  # a reader of a rollback journal's database keeps commits waiting
            found = lock_holders(self.path, *FILE_LOCKS, is_shared=True)
        return translate(error, " and ".join(found[:3])) if found else translate(error)

    def _let_go(self) -> None:
        if self._connection is not None:
            abandon(self._connection)
            self._connection = None
            self._abandoned += 1


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # SQLite rolls back on its own after some errors
        if connection.in_transaction:
            connection.execute("ROLLBACK")
