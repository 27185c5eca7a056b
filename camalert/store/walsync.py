"""Bring commits to the disk after SQLite's lock is free again.

With `synchronous=FULL` a commit waits for the disk while it holds the write lock, and whoever reads and then wants to
write in that time is refused: cams, in one of ten deletions at ten commits a second (measured on a busy disk). So in
WAL mode the writer commits with NORMAL, which leaves the WAL's pages with the kernel, and then has the kernel write
them before anything is answered. What a power cut can undo is the same: nothing that was answered.

Mechanism. Source: sqlite.org/pragma.html, `synchronous` (NORMAL in WAL mode is always consistent, and checkpoints sync
by themselves); fdatasync(2) is about the file, not the descriptor.
"""

from __future__ import annotations

import math
import os
import sqlite3
from pathlib import Path

from camalert.errors import StoreBusy
from camalert.store.connection import journal_mode


class WalSync:
    """Hold a descriptor of the WAL file; SQLite's locks are on other files, so closing it ends none."""

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}-wal")
        self._file: int | None = None

    def begin(self, connection: sqlite3.Connection) -> None:
        """Take over the syncing of a connection; without a WAL file SQLite keeps it."""
        self.end()
        if journal_mode(connection) != "wal":
            return
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        connection.execute("PRAGMA synchronous = NORMAL")

    def end(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def is_removed(self) -> bool:
        """Tell whether somebody removed the WAL file; SQLite goes on in it, and the next program does not find it."""
        if self._file is None:
            return False
        held = os.fstat(self._file)
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return True
        except OSError:  # nothing can be said
            return False
        return (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino)

    @property
    def size_bytes(self) -> float:
        """Return the size of the WAL file, without limit when there is none."""
        return math.inf if self._file is None else os.fstat(self._file).st_size

    def sync(self) -> None:
        """Return when all commits so far are on the disk.

        Raises: StoreBusy when the disk refuses; the commit may be undone by a power cut, so it must not be answered.
        """
        if self._file is None:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise StoreBusy(f"the disk reported an error ({error.strerror})") from error
