"""Let other programs finish their transactions before ours begins.

cams reads a row and deletes it in one transaction that only then asks for the write lock (Django's default). If we
commit between the two, SQLite refuses the deletion at once: "database is locked". So the writer waits for a moment
while somebody reads; SQLite's read locks are visible without taking any (see `walindex`).

Mechanism, WAL mode only.
"""

from __future__ import annotations

import time

from camalert.store.walindex import WalIndex

MOMENT_S = 0.05  # a deletion in cams takes 5 to 30 ms (measured); mails can wait that long
PAUSE_S = 1.0  # who reads longer (a backup) gets no more courtesy for a while
POLL_S = 0.001


class Courtesy:
    """Wait for the readers of one database file."""

    def __init__(self, index: WalIndex) -> None:
        self._index = index
        self._not_before = 0.0

    def wait(self) -> None:
        """Wait until nobody else reads, for at most `MOMENT_S`."""
        if (now := time.monotonic()) < self._not_before:
            return
        while self._index.is_read:
            if time.monotonic() >= now + MOMENT_S:
                self._not_before = now + PAUSE_S
                return
            time.sleep(POLL_S)
