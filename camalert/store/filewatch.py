"""Whether the files at the database's path are still those that the writer's connection has open.

Somebody may move the database, put another one in its place, or take away the WAL beside it, all while it is in use.
SQLite notices none of that: it goes on in files that nobody else finds, or begins an empty database.

Mechanism, in the writer process; before each transaction it looks at names, sizes and the WAL's index, which takes 8
microseconds (measured). Source: sqlite.org/howtocorrupt.html, 4.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from pathlib import Path

from camalert.errors import StoreBusy, StoreDamaged, StoreLost
from camalert.store.companions import Companions, free_name
from camalert.store.inode import identity, looks
from camalert.store.walindex import WalIndex, database_bytes, wal_bytes
from camalert.store.walsync import WalSync


class FileWatch:
    """Know the database's files as they were when it was opened last."""

    def __init__(self, database: Path, wal_index: WalIndex, wal_sync: WalSync) -> None:
        self._path = database
        self._wal_index = wal_index
        self._wal_sync = wal_sync
        self._companions = Companions(database)
        self._file: tuple[int, int] | None = None
        self._damaged: tuple[int, ...] | None = None

    def note_opened(self) -> bool:
        """Note the files of the connection that was just opened; tell whether it is another database than the last."""
        last, self._file, self._damaged = self._file, identity(self._path), None
        self._companions.note()
        return self._file != last

    def note_damaged(self) -> None:
        """Note that the file at the path is damaged."""
        self._damaged = looks(self._path)

    def set_aside(self, now_utc: float) -> Path:
        """Rename the file, its journal with it, and expect a new one; return the new name."""
        stamp = datetime.datetime.fromtimestamp(now_utc, datetime.UTC).strftime("%Y%m%d-%H%M%S")
        target = free_name(self._path, f".damaged-{stamp}")
        for suffix in ("-wal", "-shm", "-journal", ""):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self._path}{suffix}", f"{target}{suffix}")
        self._file = self._damaged = None
        return target

    def is_in_place(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the database is where it was opened; a moved one gets what the WAL holds, as far as it can.

        Raises: StoreLost or StoreBusy when somebody took its WAL away or cut it: whatever were committed would be lost.
        """
        if identity(self._path) != self._file:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA busy_timeout = 0").fetchall()
                _bring_home(connection)
            return False
        if self._is_wal_cut():
            raise StoreLost(f"the file {self._path}-wal was cut short while it was in use")
        if self._wal_sync.is_removed:
            with contextlib.suppress(sqlite3.Error):
                if _bring_home(connection):  # this connection still has it
                    raise StoreLost(f"the file {self._path}-wal was removed while it was in use; its rows are saved")
            raise StoreBusy(f"the file {self._path}-wal was removed and other programs still read from it")
        return True

    def make_way(self, now_utc: float) -> list[str]:
        """Look whether the file at the path can be opened, and take from it what belongs to another one.

        Returns: What the owner should know.

        Raises: StoreDamaged while it lies there unchanged after it was found damaged, StoreBusy while it is away.
        """
        if self._damaged is not None and self._damaged == looks(self._path):
            raise StoreDamaged(f"the database file {self._path} is damaged; put a sound one in its place")
        found = identity(self._path)
        if self._file is None or found == self._file:
            return []
        if found is None:
            if self._damaged is None:
                # Somebody moved it and will bring it back, or another one: an empty one in its place would hide that.
                raise StoreBusy(f"the database file {self._path} is gone")
            return []
        return self._companions.set_aside(now_utc, database_bytes(self._wal_index.header()))

    def _is_wal_cut(self) -> bool:
        """Tell whether the WAL is shorter than its index says, which another program may write at this moment."""
        header = self._wal_index.header()
        return self._wal_sync.size_bytes < wal_bytes(header) and self._wal_index.header() == header


def _bring_home(connection: sqlite3.Connection) -> bool:
    """Bring the WAL's rows into the file that this connection has open, whatever its name; tell whether all are."""
    return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
