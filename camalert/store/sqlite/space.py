"""Space on the disk: how much the database may fill, and how it goes on when the disk is full.

Unless told otherwise the database takes a share of its disk. That share counts what is free, so another
program that fills the disk makes it smaller; the database then grows no more, but it is not emptied for the other one.

When the disk is full nevertheless, old rows give way to the mail that does not fit. SQLite needs a little space even to
delete: for that a file of a few megabytes is kept beside the database, and is removed first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection
from pathlib import Path

from camalert.config import schema as config
from camalert.errors import StoreError, StoreFull
from camalert.store import filesystem
from camalert.store.rows import retention
from camalert.store.rows.tables import timestamp_of
from camalert.store.sqlite.database import Database
from camalert.store.sqlite.opening import pragma
from camalert.store.sqlite.wal import truncate
from camalert.system.logs import log

RESERVE_BYTES = 16_777_216  # as much as may be in the journal and has to be copied before anything can be freed
RESERVE_AFTER_S = 60.0  # of life: who runs for a moment leaves nothing behind
AMPLE_BYTES = 1 << 30  # free on the disk: more than the journal and what comes within a minute
RESERVE_SUFFIX = "-reserve"
SPARE_BYTES = 1_048_576  # beside the pictures themselves: facts, indices, pages that are half full
SLACK_BYTES = 2_097_152  # for verdicts and for removing rows
SLICE_PAGES = 32  # a slice is journaled, too, on a disk that has next to nothing
AGAIN_S = 2.0  # after it was of no use; meanwhile mails are refused at once
SAID_AGAIN_S = 60.0


class Space:
    """Know how much may be filled, and free some."""

    def __init__(self, settings: config.Database, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._path = Path(settings.path)
        self._reserve = Path(f"{settings.path}{RESERVE_SUFFIX}")
        self._share_bytes = 0
        self._not_before = 0.0
        self._say_at = 0.0
        self._began_at: float | None = None

    def limit_bytes(self, connection: sqlite3.Connection) -> int:
        """Return how many bytes may be in use, 0 for any number."""
        limits = [self._settings.keep_bytes] if self._settings.keep_bytes else []
        if self._settings.keep_disk_percent:
            in_use_bytes = used_bytes(connection)
            allowed_bytes = filesystem.share_bytes(
                self._settings.keep_disk_percent, file_bytes(connection), filesystem.free_bytes(self._path.parent)
            )
            # What was allowed once stays allowed: nothing is removed because another program fills the disk.
            self._share_bytes = max(allowed_bytes, min(self._share_bytes or in_use_bytes, in_use_bytes))
            limits.append(self._share_bytes)
        return min(limits, default=0)

    def keep_reserve(self, now: float, spare_bytes: int = 0) -> None:
        """Put the reserve beside the database, a smaller one where there is little to spare; `now` is monotonic."""
        if self._began_at is None:
            self._began_at = now
        free_bytes = filesystem.free_bytes(self._path.parent) - spare_bytes
        size_bytes = min(RESERVE_BYTES, free_bytes // 4)
        is_too_early = free_bytes > AMPLE_BYTES and now - self._began_at < RESERVE_AFTER_S
        if self._reserve.exists() or size_bytes < SPARE_BYTES or is_too_early:
            return
        with contextlib.suppress(OSError):  # then there is none: only a disk that is full to the last byte needs it
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self._reserve, flags, 0o600)
            try:
                os.posix_fallocate(file, 0, size_bytes)
            finally:
                os.close(file)

    def has(self, needed_bytes: int) -> bool:
        """Tell whether the disk says that it has space for a mail that it has just refused.

        Then it was refused in passing, or by a quota, which will refuse it again: no row should go for the former.
        """
        return self._free_bytes() >= 2 * (needed_bytes + SPARE_BYTES) + RESERVE_BYTES

    def check(self, connection: sqlite3.Connection, needed_bytes: int) -> None:
        """Refuse in time what would still fit into the journal, but leave no space to write the journal back.

        Then nothing could be stored, examined or removed any more, however much were to give way.

        Args:
            connection: Inside a transaction.
            needed_bytes: The mails' pictures.
        Raises: StoreFull.
        """
        try:
            free_bytes = shutil.disk_usage(self._path.parent).free
            missing_bytes = max(0, file_bytes(connection) - self._path.stat().st_size)  # to be written back already
        except OSError:
            return  # the write itself will tell
        if free_bytes > AMPLE_BYTES:
            return
        with contextlib.suppress(OSError):
            free_bytes += self._reserve.stat().st_size
        unused_bytes = file_bytes(connection) - used_bytes(connection)
        grows_bytes = max(0, needed_bytes - unused_bytes)
        if free_bytes < needed_bytes + grows_bytes + missing_bytes + SLACK_BYTES:
            raise StoreFull("the disk is full")

    def free(self, needed_bytes: int, senders: Collection[str], now: float) -> bool:
        """Remove old rows, so that a mail fits that did not; return whether it is worth trying again.

        Args:
            needed_bytes: The mail's pictures.
            senders: Whose mails they are, see `retention.free`.
            now: Monotonic seconds.
        """
        if now < self._not_before:
            return False
        self._not_before = now + AGAIN_S
        now_text = timestamp_of(time.time(), self._settings.timestamps)
        # The pictures pass through the journal on their way: both need space, the file and its disk.
        wanted_bytes = 2 * (needed_bytes + SPARE_BYTES)
        if not self._reserve.exists():
            wanted_bytes += needed_bytes + 5 * SPARE_BYTES  # for a new one
        try:
            before_bytes = self._free_bytes()  # a quota may be full where the disk is not
            self._reserve.unlink(missing_ok=True)
            self._checkpoint()
            if before_bytes < wanted_bytes and self._free_bytes() >= wanted_bytes + RESERVE_BYTES:
                self._not_before = 0.0
                return True  # the journal had it
            freed_bytes = self._database.write(
                lambda connection: _without_zeros(
                    connection, lambda: retention.free(connection, wanted_bytes, senders, now_text)
                )
            )
            self._checkpoint()
            while self._is_tight(needed_bytes) and self._database.write(lambda found: give_back(found, SLICE_PAGES)):
                self._checkpoint()
            self.keep_reserve(now, 2 * needed_bytes + SPARE_BYTES)
        except (StoreError, OSError):
            return False  # the mail's own fault is reported
        if not freed_bytes:
            return False
        self._not_before = 0.0
        if now >= self._say_at:
            self._say_at = now + SAID_AGAIN_S
            log.warning(
                "old_rows_removed", bytes=freed_bytes, message="disk full: old pictures were removed for new ones"
            )
        return True

    def end(self) -> None:
        """Remove the reserve, when the service stops."""
        with contextlib.suppress(OSError):
            self._reserve.unlink()

    def _free_bytes(self) -> int:
        return filesystem.free_bytes(self._path.parent)

    def _is_tight(self, needed_bytes: int) -> bool:
        """Tell whether the disk has less than the journal needs, while the database has more than enough free pages."""
        if self._free_bytes() > 2 * needed_bytes + 5 * SPARE_BYTES:
            return False
        spare_bytes = self._database.read(lambda found: file_bytes(found) - used_bytes(found))
        return spare_bytes > needed_bytes + SPARE_BYTES

    def _checkpoint(self) -> None:
        """Empty the journal as far as that goes: the database file may have to grow for it."""
        busy_s = self._settings.busy_seconds
        with contextlib.suppress(StoreFull):
            self._database.read(lambda connection: truncate(connection, busy_s=busy_s))


def _without_zeros(connection: sqlite3.Connection, work: Callable[[], int]) -> int:
    """Delete without writing zeros over what is deleted: a full disk has no space for them in the journal.

    Some distributions build SQLite so that it does. Source: sqlite.org/pragma.html#pragma_secure_delete.
    """
    before = pragma(connection, "secure_delete")
    connection.execute("PRAGMA secure_delete = OFF").fetchall()
    try:
        return work()
    finally:
        connection.execute(f"PRAGMA secure_delete = {before}").fetchall()


def file_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the database file when all of the WAL is in it."""
    return pragma(connection, "page_count") * pragma(connection, "page_size")


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the pages in use."""
    return file_bytes(connection) - pragma(connection, "freelist_count") * pragma(connection, "page_size")


def give_back(connection: sqlite3.Connection, pages: int) -> int:
    """Give free pages back to the disk; return how many bytes, 0 for a file that was not made for it."""
    before_bytes = file_bytes(connection)
    # One at a time: the statement gives a page back each time it is stepped, and `execute` steps it once.
    for _ in range(pages):
        connection.execute("PRAGMA incremental_vacuum(1)").fetchall()
    return before_bytes - file_bytes(connection)
