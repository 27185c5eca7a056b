"""The writer's database: one connection, transactions that end in an answer, and what to do when the file goes wrong.

Mechanism, in the writer process only. Whatever happens to the file (locked, moved, replaced, altered by a `migrate`,
damaged, no space left), a transaction ends in its result or in one of `StoreError`'s kinds, and a later one works again
as soon as the file does.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from camalert import config
from camalert.errors import StoreBusy, StoreDamaged, StoreError, StoreLost
from camalert.store import backup, schema
from camalert.store.companions import Companions, free_name
from camalert.store.connection import abandon, leave, open_writer
from camalert.store.courtesy import Courtesy
from camalert.store.faults import translate
from camalert.store.walindex import WalIndex
from camalert.store.walsync import WalSync

Result = TypeVar("Result")
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
        self._file: tuple[int, int] | None = None
        self._damaged: tuple[int, ...] | None = None
        self._abandoned = 0  # connections
        self._schema_version = 0
        self._is_small = False
        self._wal_index = WalIndex(self.path)
        self._courtesy = Courtesy(self._wal_index)
        self._wal_sync = WalSync(self.path)
        self._companions = Companions(self.path)

    def open(self, *, wait_s: float | None = None) -> None:
        """Open, create, adopt or upgrade the database.

        Args:
            wait_s: How long to wait for a lock, when not `[database] busy_seconds`.

        Raises: ConfigError on a network file system; StoreError and its kinds.
        """
        try:
            connection = self._connect(self._settings.busy_seconds if wait_s is None else wait_s)
        except StoreDamaged:
            self._damaged = _looks(self.path)
            self._abandoned += 1
            raise
        self._connection = connection
        self._is_small = False
        self._wal_index.begin()
        self._wal_sync.begin(connection)
        self._companions.note()
        file = _identity(self.path)
        if file != self._file:
            self.epoch += 1
        self._file, self._damaged = file, None

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
            on_commit: Gets the result when everybody can read what was written, before the disk has it.
            wait_s: How long to wait for a lock, when not `[database] busy_seconds`.
            is_small: Whether the pages that one statement changes may be kept in memory, to undo it. SQLite keeps them
                in a temporary file otherwise, which is every second page that is written at all (perf/store.py).

        Raises: StoreBusy, StoreFull or StoreDamaged; nothing is written, or at least not answered for.
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

        Raises: StoreBusy, StoreFull or StoreDamaged.
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
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        target = free_name(self.path, f".damaged-{stamp}")
        for suffix in ("-wal", "-shm", "-journal", ""):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self.path}{suffix}", f"{target}{suffix}")
        self._file = self._damaged = None
        return target

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

        Raises: StoreBusy while it is away, StoreDamaged while it lies there unchanged after it was found damaged,
            StoreLost when only a new process can go on.
        """
        found = _identity(self.path)
        if self._connection is not None and found != self._file:
            self._leave_moved_file()
        if self._connection is not None:
            self._look_after_wal(self._connection)
        else:
            if self._damaged is not None and self._damaged == _looks(self.path):
                raise StoreDamaged(f"the database file {self.path} is damaged; put a sound one in its place")
            if self._file is not None and self._damaged is None and _identity(self.path) is None:
                # Somebody moved it and will bring it back, or another one: an empty one in its place would hide that.
                raise StoreBusy(f"the database file {self.path} is gone")
            if self._file is not None and found not in (None, self._file):
                self._warnings += self._companions.set_aside(time.time())
            if self._abandoned >= ABANDONED_MAX:
                raise StoreLost(f"the database file {self.path} was away or damaged {self._abandoned} times")
            self.open(wait_s=wait_s)
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
            self._damaged = _looks(self.path)
            self._let_go()
        return fault

    def _look_after_wal(self, connection: sqlite3.Connection) -> None:
        """End this process when somebody took the WAL file away or cut it: whatever were committed would be lost."""
        if self._wal_sync.size_bytes < self._wal_index.wal_bytes:
            raise StoreLost(f"the file {self.path}-wal was cut short while it was in use")
        if self._wal_sync.is_removed:
            with contextlib.suppress(sqlite3.Error):
                # This connection still has it, and brings its rows home.
                if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                    raise StoreLost(f"the file {self.path}-wal was removed while it was in use; its rows are saved")
            raise StoreBusy(f"the file {self.path}-wal was removed and other programs still read from it")

    def _leave_moved_file(self) -> None:
        """Bring what the WAL still holds into the moved file, then let it go."""
        assert self._connection is not None  # noqa: S101 - its caller looked
        with contextlib.suppress(sqlite3.Error):
            _wait_at_most(self._connection, 0.0)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._let_go()

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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _looks(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody repairs or replaces a file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
