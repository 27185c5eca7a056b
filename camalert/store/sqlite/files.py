"""Whether the files at the database's path are still those that the writer's connection has open.

Somebody may move the database, put another one in its place, or take away the WAL beside it, all while it is in use.
SQLite notices none of that: it goes on in unlinked files, or creates an empty database. So before each
transaction the writer looks at names, sizes and the WAL's index, which takes 8 microseconds (measured).

Source: sqlite.org/howtocorrupt.html, 1.4, 2.2 and 4; SQLite's lock bytes on the database file are in
sqlite.org/lockingv3.html and os.h: every program that has a WAL database open holds 510 of them shared, idle or not.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import sqlite3
from pathlib import Path

from camalert.errors import StoreBusy, StoreDamaged, StoreLost
from camalert.store.sqlite.wal import WalIndex, WalSync, checkpoint, database_bytes, is_locked, wait_at_most, wal_bytes

SHARED_LOCKS = (0x4000_0002, 510)  # offset and length


class FileWatch:
    """Know the database's files as they were when it was opened last.

    SQLite finds the companions, `-wal` and `-shm`, by their names. When another database is put in the place of one in
    use, they belong to the old one. Usually the writer has emptied the WAL by then; while another program reads it
    cannot, and SQLite would take the old WAL for the new file's and ruin it.
    """

    def __init__(self, database: Path, wal_index: WalIndex, wal_sync: WalSync) -> None:
        self._path = database
        self._wal_index = wal_index
        self._wal_sync = wal_sync
        self._companions = {Path(f"{database}{suffix}"): (0, 0) for suffix in ("-shm", "-wal")}
        self._file: tuple[int, int] | None = None
        self._damaged: tuple[int, ...] | None = None

    def note_opened(self) -> bool:
        """Note the files of the connection that was just opened; tell whether it is another database than the last."""
        last, self._file, self._damaged = self._file, _identity(self._path), None
        self._companions = {path: _identity(path) or (0, 0) for path in self._companions}
        return self._file != last

    def note_damaged(self) -> None:
        """Note that the file at the path is damaged."""
        self._damaged = _appearance(self._path)

    def set_aside(self, now_utc: float) -> Path:
        """Rename the file, its journal with it, and expect a new one; return the new name."""
        target = free_name(self._path, "damaged", now_utc)
        for suffix in ("-wal", "-shm", "-journal", ""):
            with contextlib.suppress(FileNotFoundError):
                if suffix and not os.stat(f"{self._path}{suffix}").st_size:
                    os.unlink(f"{self._path}{suffix}")
                    continue
                os.rename(f"{self._path}{suffix}", f"{target}{suffix}")
        self._file = self._damaged = None
        return target

    def is_in_place(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the database is where it was opened; a moved one gets what the WAL holds, as far as it can.

        Raises: StoreLost or StoreBusy when somebody took its WAL away or cut it: whatever were committed would be lost.
        """
        if _identity(self._path) != self._file:
            with contextlib.suppress(sqlite3.Error):
                wait_at_most(connection, 0)
                checkpoint(connection)
            return False
        if self._is_wal_cut():
            raise StoreLost(f"the file {self._path}-wal was cut short while it was in use")
        if self._wal_sync.is_removed:
            with contextlib.suppress(sqlite3.Error):
                if checkpoint(connection):  # this connection still has it
                    raise StoreLost(f"the file {self._path}-wal was removed while it was in use; its rows are saved")
            raise StoreBusy(f"the file {self._path}-wal was removed and other programs still read from it")
        return True

    def make_way(self, now_utc: float) -> list[str]:
        """Look whether the file at the path can be opened, and take from it what belongs to another one.

        Returns: What the owner should know.

        Raises: StoreDamaged while it is there unchanged after it was found damaged, StoreBusy while it is away.
        """
        if self._damaged is not None and self._damaged == _appearance(self._path):
            raise StoreDamaged(f"the database file {self._path} is damaged; put a sound one in its place")
        found = _identity(self._path)
        if self._file is None or found == self._file:
            return []
        if found is None:
            if self._damaged is None:
                # Somebody moved it and will bring it back, or another one: an empty one in its place would hide that.
                raise StoreBusy(f"the database file {self._path} is gone")
            return []
        return self._set_companions_aside(now_utc)

    def _set_companions_aside(self, now_utc: float) -> list[str]:
        """Take the old companions away from the database that is now at this path; its own, if it brought some, stay.

        They stay, too, when another program was quicker and uses them for the new database, and the WAL is empty: with
        others of our own each would write what the other never sees.

        Returns: What the owner should know.
        Raises: StoreBusy when one of them cannot be taken away: beside it the new database must not be opened.
        """
        left = [path for path, known in self._companions.items() if known == _identity(path)]
        if not left or (not any(map(_wal_size, self._companions)) and self._serve_the_new_one()):
            return []
        warnings = []
        for path in left:
            try:
                if not _wal_size(path):
                    path.unlink(missing_ok=True)
                    continue
                target = free_name(path, "replaced", now_utc)
                os.rename(path, target)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreBusy(
                    f"{path} belongs to the database that was replaced and cannot be taken away: {error.strerror}"
                ) from error
            warnings.append(
                f"the database was replaced while another program read from it; {target} holds the last rows of "
                "the old one, and belongs beside it under its name and -wal"
            )
        self._companions = dict.fromkeys(self._companions, (0, 0))
        return warnings

    def _serve_the_new_one(self) -> bool:
        """Tell whether another program has the new database open, and can use it with these files.

        A database larger than the old index says looks damaged to SQLite.
        """
        try:
            # Never closed: if this is a database that we left before, that would end SQLite's locks on it. A process
            # leaves only so many connections.
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        is_fit = os.fstat(file).st_size <= database_bytes(self._wal_index.header())
        return is_fit and is_locked(file, *SHARED_LOCKS)

    def _is_wal_cut(self) -> bool:
        """Tell whether the WAL is shorter than its index says, which another program may write at this moment."""
        header = self._wal_index.header()
        return self._wal_sync.size_bytes < wal_bytes(header) and self._wal_index.header() == header


def free_name(path: Path, why: str, now_utc: float) -> Path:
    """Return a name with a date for a copy or a file that is set aside; no other has it, though dates may come again.

    Without a battery a clock starts in the same year each time.
    """
    ending = f".{why}-{datetime.datetime.fromtimestamp(now_utc, datetime.UTC):%Y%m%d-%H%M%S}"
    names = itertools.chain([ending], (f"{ending}-{number}" for number in itertools.count(2)))
    return next(target for name in names if not (target := path.with_name(path.name + name)).exists())


def _wal_size(path: Path) -> int:
    """Return how many bytes a companion holds that must not be lost: those of a WAL."""
    try:
        return path.stat().st_size if path.name.endswith("-wal") else 0
    except OSError:
        return 0


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from every other one, None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _appearance(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody repairs or replaces a file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
