"""The writer's database: one connection, transactions that end in an answer, and what to do when the file goes wrong.

Mechanism, in the writer process only. Whatever happens to the file (locked, moved, replaced, altered by a `migrate`,
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

from camalert import config
from camalert.errors import ConfigError, StoreBusy, StoreDamaged, StoreError, StoreForeign, StoreLost
from camalert.store import backup, schema
from camalert.store.connection import abandon, leave, open_writer
from camalert.store.courtesy import Courtesy
from camalert.store.faults import translate
from camalert.store.filewatch import FileWatch
from camalert.store.walindex import WalIndex
from camalert.store.walsync import WalSync

Result = TypeVar("Result")
REOPEN_S = 2.0  # for locks on a file in the place of ours; the write itself waits for `busy_seconds`
ABANDONED_MAX = 20  # each keeps its descriptors; a process that has left more connections makes room for a new one
SCHEMA_ROUNDS = 5  # each round waits for the lock; a schema that changes more often than this is being worked on


class Database:
    """Hold the writer's connection to the database of `[database] path`."""

    def __init__(self, settings: config.Database) -> None:
        self.path = Path(settings.path)
        self.epoch = 0  # counts the files opened; ids are those of one epoch
        self._warnings: list[str] = []
        self._settings = settings
        self._limits = schema.Limits(settings.keep_alerts, settings.keep_detections)
        self._connection: sqlite3.Connection | None = None
        self._abandoned = 0  # connections
        self._schema_version = 0
        self._is_small = False
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

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._wal_index.end()
            self._wal_sync.end()

    def take_warnings(self) -> list[str]:
        """Return what the owner should know of the tables, once."""
        found, self._warnings = self._warnings, []
        return found

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
            there and `on_commit` has passed them on, but a power cut may undo them: they must not be answered for.
            StoreLost when only a new process can go on; nothing is written.
        """
        connection = self._ready(wait_s)
        try:
            if wait_s is not None:
                _wait_at_most(connection, wait_s)
            self._undo_in_memory(connection, is_small)
            self._courtesy.wait()
            self._begin(connection)
            result = work(connection)
            connection.execute("COMMIT")
            on_commit(result)
            self._wal_sync.sync()
        except sqlite3.Error as error:
            _roll_back(connection)
            raise self._failed(error) from error
        except BaseException:
            _roll_back(connection)
            raise
        finally:
            if wait_s is not None:
                _wait_at_most(connection, self._settings.busy_seconds)
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

    def set_aside(self) -> Path | None:
        """Rename a damaged file, its journal with it, so that the next `open` begins a new one.

        Returns: The new name; None unless `[database] replace_corrupt` allows it.
        """
        if not self._settings.replace_corrupt:
            return None
        self._let_go()
        return self._files.set_aside(time.time())

    def _connect(self, wait_s: float) -> sqlite3.Connection:
        connection = open_writer(self._settings, wait_s)
        try:
            found = schema.version(connection)
            if 0 < found < len(schema.MIGRATIONS):
                backup.before_upgrade(connection, self.path, found, time.time())
            self._warnings += schema.prepare(connection, self._limits, time.time())
            self._schema_version = _schema_version(connection)
            _wait_at_most(connection, self._settings.busy_seconds)
        except sqlite3.Error as error:
            fault = translate(error)
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

    def _begin(self, connection: sqlite3.Connection) -> None:
        for _ in range(SCHEMA_ROUNDS):
            connection.execute("BEGIN IMMEDIATE")
            if _schema_version(connection) == self._schema_version:
                return
            # A `migrate` of the site rebuilds a table without its triggers; put them back before the first row.
            connection.execute("ROLLBACK")
            self._warnings += schema.prepare(connection, self._limits, time.time())
            self._schema_version = _schema_version(connection)
        raise StoreBusy("the database's tables are being altered by another program")

    def _failed(self, error: sqlite3.Error, *, is_write: bool = True) -> StoreError:
        fault = translate(error)
        if isinstance(fault, StoreDamaged) and is_write:
            self._files.note_damaged()
            self._let_go()
        return fault

    def _let_go(self) -> None:
        if self._connection is not None:
            abandon(self._connection)
            self._connection = None
            self._abandoned += 1


def _schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA schema_version").fetchone()[0])


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # SQLite rolls back by itself after some errors
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _wait_at_most(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}").fetchall()
