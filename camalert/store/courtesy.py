"""Let other programs finish their transactions before ours begins.

cams reads a row and deletes it in one transaction that only then asks for the write lock (Django's default). If we
commit between the two, SQLite refuses the deletion at once: "database is locked". So the writer waits for a moment
while somebody reads; SQLite's read locks are visible to `fcntl` without taking any.

Mechanism, WAL mode only. Source: sqlite.org/walformat.html, 2.3.1 (lock bytes 120 to 127 of the -shm file, the last
five are the readers'); fcntl(2), F_GETLK.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path

READ_LOCKS = (123, 5)  # offset and length in the -shm file
LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit file offsets
MOMENT_S = 0.05  # a deletion in cams takes 5 to 30 ms (measured); mails can wait that long
PAUSE_S = 1.0  # who reads longer (a backup) gets no more courtesy for a while
POLL_S = 0.001


class Courtesy:
    """Watch the readers of one database file."""

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}-shm")
        self._file: int | None = None
        self._not_before = 0.0

    def begin(self) -> None:
        """Open the lock file, if there is one; the connection is open already."""
        self._file = None  # that of an abandoned connection stays open with it
        with contextlib.suppress(OSError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def end(self) -> None:
        """Close the lock file, after the connection: closing it would end the locks that SQLite holds."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def wait(self) -> None:
        """Wait until nobody else reads, for at most `MOMENT_S`."""
        if self._file is None or (now := time.monotonic()) < self._not_before:
            return
        while _is_read(self._file):
            if time.monotonic() >= now + MOMENT_S:
                self._not_before = now + PAUSE_S
                return
            time.sleep(POLL_S)


def _is_read(file: int) -> bool:
    offset, length = READ_LOCKS
    asked = LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, length, 0)
    found = LOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return bool(found[0] != fcntl.F_UNLCK)
