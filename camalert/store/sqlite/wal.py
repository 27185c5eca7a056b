"""The write-ahead log: how much of it the database file lacks, its way to the disk, and its checkpoints.

`WalIndex` looks at the `-shm` file beside SQLite, never locks or writes it. SQLite's locks are on this file and belong
to the process: closing any descriptor of it would end them, so it is closed after the connection. Other programs write
the index at any moment. Source: sqlite.org/walformat.html, 2.1 (header), 2.2 (nBackfill, the first word behind both
copies of it) and 2.3.1 (lock bytes 120 to 127, of which the last five are the readers').
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.errors import StoreBusy

READ_LOCKS = (123, 5)  # offset and length
HEADER = struct.Struct("=12xB1xHII24x")  # in the machine's byte order; what counts: isInit, szPage, mxFrame, nPage
BACKFILLED = struct.Struct("=I")
LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit file offsets
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24

COURTESY_S = 0.05  # a deletion in cams takes 5 to 30 ms (measured); mails can wait that long
COURTESY_PAUSE_S = 1.0  # who reads longer (a backup) gets no more courtesy for a while
COURTESY_POLL_S = 0.001

CHUNK_BYTES = 1 << 20
JOURNAL_HEADER_BYTES = 512

IDLE_FRAMES = 400  # in a pause between mails; far below the 1000 at which other programs begin
PAUSE_S = 0.2  # since the last commit: a gap within a burst is no pause
BUSY_FRAMES = 4000  # between two commits of a burst: 16 MiB, about 20 ms of writing (measured on an SSD)
QUIET_S = 20.0  # what has been in the WAL for so long is checkpointed, however little it is
LOCK_S = 0.05  # a reader or writer that holds longer is waited for another time
AGAIN_S = 1.0  # after one that was held up or failed


def journal_mode(connection: sqlite3.Connection) -> str:
    """Return the journal mode in force, `wal` or `truncate` for the writer's."""
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def wait_at_most(connection: sqlite3.Connection, seconds: float) -> None:
    """Set how long a connection waits for locks."""
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}").fetchall()


def is_locked(file: int, first: int, count: int) -> bool:
    """Tell whether another process holds a lock on any of `count` bytes of an open file, from `first` on.

    Asking takes no lock. Source: fcntl(2), F_GETLK, which names no lock of the asking process.
    """
    asked = LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first, count, 0)
    found = LOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return bool(found[0] != fcntl.F_UNLCK)


@dataclass(frozen=True, slots=True)
class Frames:
    """How many frames of pages the WAL holds, and how many of them the database file has already."""

    in_wal: int
    copied: int

    @property
    def uncopied(self) -> int:
        """Return how many a checkpoint would copy."""
        return max(0, self.in_wal - self.copied)


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
        """Return the index header, b"" while it is being written or when there is none.

        Each commit leaves another header, and so does each time that the WAL is begun anew.
        """
        if self._file is None:
            return b""
        both = os.pread(self._file, 2 * HEADER.size, 0)
        header = both[: HEADER.size]
        return header if len(both) == 2 * HEADER.size and header == both[HEADER.size :] else b""

    def frames(self) -> Frames | None:
        """Return how many frames the WAL holds and the database has, of all programs; None when unknown."""
        header = self.header()
        if self._file is None or not header:
            return None
        copied = os.pread(self._file, BACKFILLED.size, 2 * HEADER.size)
        return Frames(_counts(header)[1], BACKFILLED.unpack(copied)[0]) if len(copied) == BACKFILLED.size else None


def wal_bytes(header: bytes) -> int:
    """Return how long the WAL file is at least while its index has this header, in bytes; 0 when unknown.

    SQLite writes the file before it counts its frames in the index, and counts none before it cuts the file.
    """
    _, frames, page_bytes = _counts(header)
    return WAL_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_bytes) if frames else 0


def database_bytes(header: bytes) -> int:
    """Return how large SQLite takes the database for while its index has this header; 0 when unknown.

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


class Courtesy:
    """Let other programs finish their transactions before ours begins.

    cams reads a row and deletes it in one transaction that only then asks for the write lock (Django's default). If we
    commit between the two, SQLite refuses the deletion at once: "database is locked". So the writer waits for a moment
    while somebody reads; SQLite's read locks are visible without taking any.
    """

    def __init__(self, index: WalIndex) -> None:
        self._index = index
        self._not_before = 0.0

    def wait(self) -> None:
        """Wait until no other program reads, for at most `COURTESY_S`."""
        if (now := time.monotonic()) < self._not_before:
            return
        while self._index.is_read:
            if time.monotonic() >= now + COURTESY_S:
                self._not_before = now + COURTESY_PAUSE_S
                return
            time.sleep(COURTESY_POLL_S)


class WalSync:
    """Bring commits to the disk after SQLite's lock is free again.

    With `synchronous=FULL` a commit waits for the disk while it holds the write lock, and whoever reads and then wants
    to write in that time is refused: cams, in one of ten deletions at ten commits a second (measured on a busy disk).
    So in WAL mode the writer commits with NORMAL, which leaves the WAL's pages with the kernel, and then has the kernel
    write them before anything is answered. What a power cut can undo is the same: nothing that was answered. When a
    sync fails, FULL would undo the commit; here it is visible already, so `Database` answers nothing until the WAL was
    written anew.

    Holds a descriptor of the WAL file; SQLite's locks are on other files, so closing it ends none. `write_anew` and
    `end_journal` are for the time after a sync that failed: the kernel takes the pages for clean, and another sync
    alone would write none of them. The caller holds SQLite's write lock meanwhile.

    Source: sqlite.org/pragma.html, `synchronous` (NORMAL in WAL mode is always consistent, and checkpoints sync on
    their own); fdatasync(2) is about the file, not the descriptor.
    """

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}-wal")
        self._journal = Path(f"{database}-journal")
        self._file: int | None = None

    def begin(self, connection: sqlite3.Connection) -> None:
        """Take over the syncing of a connection; without a WAL file SQLite keeps it."""
        self.end()
        if journal_mode(connection) != "wal":
            return
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
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
        if self._file is not None:
            with _disk_errors():
                os.fdatasync(self._file)

    def write_anew(self, length: int) -> None:
        """Write the first `length` bytes of the WAL, as the page cache has them, once more, and sync them.

        Nobody writes or cuts the WAL meanwhile, thanks to the lock; that others read it is no harm.

        Raises: StoreBusy when the disk refuses again.
        """
        if self._file is None:
            return
        with _disk_errors():
            for offset in range(0, length, CHUNK_BYTES):
                _write(self._file, os.pread(self._file, min(CHUNK_BYTES, length - offset), offset), offset)
        self.sync()

    def end_journal(self) -> None:
        """Make sure that a rollback journal of the past, which the disk may still have, undoes nothing.

        With the lock granted no journal is in use or needed. One whose header is zero counts for none.

        Raises: StoreBusy when the disk refuses again.
        Source: sqlite.org/fileformat2.html, 3; sqlite.org/atomiccommit.html, 4.1 and 7.6.
        """
        try:
            file = os.open(self._journal, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreBusy(f"{self._journal} cannot be opened: {error.strerror}") from error
        try:
            with _disk_errors():
                _write(file, bytes(JOURNAL_HEADER_BYTES), 0)
                os.fsync(file)
                os.ftruncate(file, 0)
                os.fsync(file)
        finally:
            os.close(file)


class Checkpoint:
    """When the WAL is brought back into the database file: since when there is something, when the last commit was.

    Only the writer checkpoints, in TRUNCATE mode and only when the WAL has frames that the database file lacks. SQLite
    3.7.0 to 3.51.2 can corrupt a WAL database when a checkpoint that begins while the WAL is completely copied already
    races with a commit that begins the WAL anew. The first half is never ours: a completely copied WAL is left alone.
    TRUNCATE takes the write lock, waits for the readers and resets the WAL, so that no commit has to begin it anew.
    What it cannot get within `LOCK_S` it goes without: it copies what it can, and the WAL stays, which a later commit
    may then begin anew. What remains besides is cams: SQLite checkpoints there automatically after a commit that leaves
    1000 pages or more in the WAL. We stay below that number unless mails come without a pause.

    Source: sqlite.org/wal.html, "The WAL-Reset Bug"; sqlite.org/c3ref/wal_checkpoint_v2.html; sqlite3WalCheckpoint in
    SQLite's wal.c.
    """

    def __init__(self) -> None:
        self._in_wal = 0
        self._since: float | None = None
        self._last = 0.0
        self._not_before = 0.0

    def is_due(self, frames: Frames | None, now: float, *, is_idle: bool) -> bool:
        """Tell whether to checkpoint now, from what the WAL's index says."""
        if frames is None or not frames.uncopied:
            self._since = None
            return False
        if self._since is None or frames.in_wal != self._in_wal:  # somebody has committed
            self._last = now
            self._in_wal = frames.in_wal
        if self._since is None:
            self._since = now
        if now < self._not_before:
            return False
        if not is_idle:
            return frames.uncopied >= BUSY_FRAMES
        return (frames.uncopied >= IDLE_FRAMES and now - self._last >= PAUSE_S) or now - self._since >= QUIET_S

    def run(self, connection: sqlite3.Connection, now: float, *, busy_s: float) -> bool:
        """Checkpoint; return whether all of the WAL was copied and the WAL emptied."""
        self._not_before = now + AGAIN_S  # held up by a long reader or by the disk: not again at every turn
        if is_done := truncate(connection, busy_s=busy_s):
            self._not_before = 0.0
        return is_done


def truncate(connection: sqlite3.Connection, *, busy_s: float) -> bool:
    """Checkpoint and empty the WAL; return whether nobody held it up.

    With True the database file has everything, synced, and nothing depends on the WAL any more. Without a WAL (rollback
    journal) there is nothing to do.

    Args:
        connection: Outside of a transaction.
        busy_s: What the connection waits for locks afterwards.
    """
    wait_at_most(connection, LOCK_S)
    try:
        return checkpoint(connection)
    finally:
        wait_at_most(connection, busy_s)


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Do the same, with the connection's own busy timeout."""
    return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreBusy(f"the disk reported an error ({error.strerror})") from error


def _write(file: int, content: bytes, offset: int) -> None:
    if os.pwrite(file, content, offset) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
