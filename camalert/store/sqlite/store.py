"""The store in a file of this machine: the database with its space on the disk and its upkeep."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import cast

from camalert.config import schema as config
from camalert.errors import StoreError
from camalert.store import filesystem
from camalert.store.interface import Rows, Step
from camalert.store.rows import retention
from camalert.store.sqlite.database import Database
from camalert.store.sqlite.opening import pragma
from camalert.store.sqlite.space import Space, give_back, used_bytes
from camalert.store.sqlite.wal import Checkpoint

SIZE_EVERY_S = 1.0
VACUUM_EVERY_S = 60.0
FREE_PAGES_KEPT = 2560  # 10 MiB: the next pictures go there, without growing the file
PAGES_A_STEP = 256
LONG_FRAMES = 50_000  # 200 MiB: more than any burst; another program has kept a read transaction open
HELD_UP = (
    "another program keeps reading the database, and the file ending in -wal has grown beyond 200 MiB meanwhile: end "
    "that program's long transaction"
)


class SqliteStore(Database):
    """Keep rows in a file; see `store.interface`."""

    node = ""  # a file is its own machine's

    def __init__(self, settings: config.Database, alive: Callable[[], None] = lambda: None) -> None:
        super().__init__(settings, alive)
        self.checkpoint = Checkpoint()
        self._space = Space(settings, self)

    def is_passing(self, refusal: BaseException) -> bool:
        """Tell whether SQLite itself has refused; what cannot be bound or read stays so."""
        return getattr(refusal.__cause__, "sqlite_errorcode", 0) != 0

    def check_space(self, rows: Rows, needed_bytes: int) -> None:
        """Refuse what would fit into the journal and leave no space to write it back."""
        self._space.check(_connection(rows), needed_bytes)

    def has_space(self, needed_bytes: int) -> bool:
        """Tell whether the disk says that it has space for what it has just refused."""
        return self._space.has(needed_bytes)

    def make_room(self, needed_bytes: int, senders: Collection[str], now: float) -> bool:
        """Remove old rows from a full disk."""
        return self._space.free(needed_bytes, senders, now)

    def free_bytes(self) -> int:
        """Return what is free on the disk."""
        return filesystem.free_bytes(self.path.parent)

    def maintain(self, now: float, failed: Callable[[str, str], None], *, is_idle: bool) -> None:
        """Checkpoint when there is enough in the WAL."""
        if not self.checkpoint.is_due(self.frames, now, is_idle=is_idle):
            return
        try:
            self.read(lambda found: self.checkpoint.run(found, now, busy_s=self._settings.busy_seconds))
        except StoreError as error:
            failed("checkpoint", str(error))
            return
        frames = self.frames
        is_long = frames is not None and frames.in_wal >= LONG_FRAMES
        failed("checkpoint", HELD_UP if is_long else "")

    def steps(self, now: float, now_text: str) -> dict[str, tuple[Step, float]]:
        """Keep the file within its limit, and give free pages back."""
        steps: dict[str, tuple[Step, float]] = {}
        if self._settings.keep_bytes or self._settings.keep_disk_percent:
            steps["size"] = (lambda rows: self._by_size(_connection(rows), now_text), SIZE_EVERY_S)
        steps["vacuum"] = (lambda rows: self._give_back(_connection(rows), now), VACUUM_EVERY_S)
        return steps

    def end(self) -> None:
        """Remove the reserve."""
        self._space.end()

    def _by_size(self, connection: sqlite3.Connection, now_text: str) -> int:
        limit_bytes = self._space.limit_bytes(connection)
        if not limit_bytes:
            return 0
        return retention.by_size(connection, limit_bytes, now_text, lambda rows: used_bytes(_connection(rows)))

    def _give_back(self, connection: sqlite3.Connection, now: float) -> int:
        """Give free pages back to the file system, a few at a time; only in files made for it."""
        self._space.keep_reserve(now)
        spare_pages = pragma(connection, "freelist_count") - FREE_PAGES_KEPT
        if spare_pages <= 0 or pragma(connection, "auto_vacuum") != 2:
            return 0
        return give_back(connection, min(PAGES_A_STEP, spare_pages))


def _connection(rows: Rows) -> sqlite3.Connection:
    """Return the rows that this store gave out as what they are."""
    return cast("sqlite3.Connection", rows)
