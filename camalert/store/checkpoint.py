"""When and how the WAL is brought back into the database file.

Only the writer checkpoints, in RESTART mode and only when there is something new. SQLite 3.7.0 to 3.51.2 can corrupt a
WAL database when a checkpoint that begins while the WAL is completely copied already races with a commit that begins
the WAL anew. RESTART holds the write lock from its first to its last step, so nobody commits during ours, and it leaves
the WAL begun anew, so no later commit has to do it. What remains is cams: SQLite checkpoints there by itself after a
commit that leaves 1000 pages or more in the WAL. We stay below that number unless mails come without a pause.

Source: sqlite.org/wal.html, "The WAL-Reset Bug"; sqlite.org/c3ref/wal_checkpoint_v2.html.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from camalert.store.connection import journal_mode

IDLE_PAGES = 400  # in a pause between mails; far below the 1000 at which other programs begin
PAUSE_S = 0.2  # since the last commit: a gap within a burst is no pause
BUSY_PAGES = 4000  # between two commits of a burst: 16 MiB, about 20 ms of writing (measured on an SSD)
QUIET_S = 20.0  # what lies in the WAL for so long is brought home, however little it is
LOCK_S = 0.05  # a reader or writer that holds longer is waited for another time
PAGE_BYTES = 4096


class Checkpoint:
    """Keep the estimate of how much lies in the WAL.

    SQLite tells the number of frames only by checkpointing, and the file keeps its size when it is begun anew.
    """

    def __init__(self) -> None:
        self._pages = IDLE_PAGES  # what a predecessor left is unknown: look soon
        self._since = 0.0
        self._last = 0.0
        self._not_before = 0.0

    def note(self, written_bytes: int, now: float) -> None:
        """Add what a commit wrote."""
        if self._pages == 0:
            self._since = now
        self._last = now
        self._pages += written_bytes // PAGE_BYTES + 20  # rows, indexes and counts beside the pictures

    def is_due(self, now: float, *, is_idle: bool) -> bool:
        """Tell whether to checkpoint now."""
        if now < self._not_before or not self._pages:
            return False
        if not is_idle:
            return self._pages >= BUSY_PAGES
        return (self._pages >= IDLE_PAGES and now - self._last >= PAUSE_S) or now - self._since >= QUIET_S

    def run(self, connection: sqlite3.Connection, now: float, *, busy_s: float) -> bool:
        """Checkpoint; return whether all of the WAL was brought home."""
        if journal_mode(connection) != "wal":
            self._pages = 0
            return True
        connection.execute(f"PRAGMA busy_timeout = {int(LOCK_S * 1000)}").fetchall()
        try:
            is_busy, in_wal, copied = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}").fetchall()
        if is_busy or in_wal != copied:
            self._not_before = now + 1.0  # a long reader holds it up: try again, but not at every turn
            return False
        self._pages = 0
        return True


def wal_bytes(database: Path) -> int:
    """Return the size of the WAL file, 0 when there is none."""
    try:
        return Path(f"{database}-wal").stat().st_size
    except OSError:
        return 0
