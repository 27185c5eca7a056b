"""The WAL's index, the `-shm` file: who reads now, how long WAL and database have to be.

Mechanism: looked at beside SQLite, never locked or written. SQLite's locks are on this file and belong to the process:
closing any descriptor of it would end them, so it is closed after the connection. Other programs write the index at any
moment. Source: sqlite.org/walformat.html, 2.1 (header) and 2.3.1 (lock bytes 120 to 127, of which the last five are the
readers').
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

from camalert.store.inode import is_locked

READ_LOCKS = (123, 5)  # offset and length
HEADER = struct.Struct("=12xB1xHII24x")  # in the machine's byte order; what counts: isInit, szPage, mxFrame, nPage
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


class WalIndex:
    """Hold the index of one database file open, if it has one."""

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}-shm")
        self._file: int | None = None

    def begin(self) -> None:
        """Open the file; the connection is open already."""
        self._file = None  # that of an abandoned connection stays open with it
        with contextlib.suppress(OSError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def end(self) -> None:
        """Close the file, after the connection."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def is_read(self) -> bool:
        """Tell whether anybody reads the database at this moment."""
        return self._file is not None and is_locked(self._file, *READ_LOCKS)

    def header(self) -> bytes:
        """Return what is said of the WAL at this moment, b"" when nothing is: being written, or not there.

        Each commit leaves another header, and so does each time that the WAL is begun anew.
        """
        if self._file is None:
            return b""
        both = os.pread(self._file, 2 * HEADER.size, 0)
        header = both[: HEADER.size]
        return header if len(both) == 2 * HEADER.size and header == both[HEADER.size :] else b""


def wal_bytes(header: bytes) -> int:
    """Return how long the WAL file is at least while its index has this header, in bytes; 0 when nothing is said.

    SQLite writes the file before it counts its frames in the index, and counts none before it cuts the file.
    """
    _, frames, page_bytes = _counts(header)
    return WAL_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_bytes) if frames else 0


def database_bytes(header: bytes) -> int:
    """Return how large SQLite takes the database for while its index has this header; 0 when nothing is said.

    That holds also while there is no frame in the WAL. Source: sqlite3WalDbsize in SQLite's wal.c.
    """
    pages, _, page_bytes = _counts(header)
    return pages * page_bytes


def _counts(header: bytes) -> tuple[int, int, int]:
    """Return the pages of the database, the frames of the WAL, and the size of a page in bytes."""
    if not header:
        return 0, 0, 0
    is_set, page_bytes, frames, pages = HEADER.unpack(header)
    if not is_set:
        return 0, 0, 0
    return pages, frames, 65_536 if page_bytes == 1 else page_bytes
