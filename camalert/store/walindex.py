"""The WAL's index, the `-shm` file: who reads now, and how much of the WAL there has to be.

Mechanism: looked at beside SQLite, never locked or written. SQLite's locks are on this file and belong to the process:
closing any descriptor of it would end them, so it is closed after the connection. Source: sqlite.org/walformat.html,
2.1 (header) and 2.3.1 (lock bytes 120 to 127, of which the last five are the readers'); fcntl(2), F_GETLK.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

READ_LOCKS = (123, 5)  # offset and length
LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit file offsets
HEADER = struct.Struct("=12xB1xHI28x")  # in the machine's byte order; what counts: isInit, szPage, mxFrame
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
        if self._file is None:
            return False
        asked = LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, *READ_LOCKS, 0)
        found = LOCK.unpack(fcntl.fcntl(self._file, fcntl.F_GETLK, asked))
        return bool(found[0] != fcntl.F_UNLCK)

    @property
    def wal_bytes(self) -> int:
        """Return how long the WAL file is at least, in bytes; 0 when nothing is said.

        SQLite writes the file before it counts its frames here, and counts none before it cuts the file.
        """
        if self._file is None:
            return 0
        both = os.pread(self._file, 2 * HEADER.size, 0)
        header = both[: HEADER.size]
        if header != both[HEADER.size :]:  # being written, or not there
            return 0
        is_set, page_bytes, frames = HEADER.unpack(header)
        if not is_set or not frames:
            return 0
        page_bytes = 65_536 if page_bytes == 1 else page_bytes
        return int(WAL_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_bytes))
