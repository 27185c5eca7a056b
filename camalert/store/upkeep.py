"""What the writer does when no mail waits: checkpoints, retention, giving free pages back.

In slices: each step is one short transaction, and the writer looks for messages between two steps.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from camalert import config
from camalert.errors import StoreBusy
from camalert.store import clock, retention
from camalert.store.checkpoint import Checkpoint
from camalert.store.database import Database

SLICE_S = 0.05
DAY_S = 86_400.0
SOON_S = 1.0  # how often the counts are looked at
SELDOM_S = 60.0  # how often age, size and mails are
FREE_PAGES_KEPT = 2560  # 10 MiB: the next pictures go there, without growing the file
PAGES_A_STEP = 256
LOCK_S = 0.1  # upkeep never waits long for somebody else's lock

Step = Callable[[sqlite3.Connection], int]  # returns how much it removed


class Upkeep:
    """Know what is due and do it step by step."""

    def __init__(self, settings: config.Database, database: Database) -> None:
        self.checkpoint = Checkpoint()
        self._settings = settings
        self._database = database
        self._steadiness = clock.Steadiness()
        self._due: dict[str, float] = {"count": 0.0, "age": 0.0, "size": 0.0, "mails": 0.0, "vacuum": 0.0}

    def slice(self, now: float, now_utc: float, has_company: Callable[[], bool]) -> bool:
        """Work for at most `SLICE_S`, less when `has_company` says that a message waits.

        Returns: Whether something is left to do.
        Raises: StoreFull and StoreDamaged; what is due stays due. A lock that somebody else holds is no trouble here.
        """
        try:
            return self._slice(now, now_utc, has_company)
        except StoreBusy:
            self._due = {name: max(due, now + SOON_S) for name, due in self._due.items()}
            return False

    def _slice(self, now: float, now_utc: float, has_company: Callable[[], bool]) -> bool:
        end = now + SLICE_S
        self.checkpoint_if_due(now, is_idle=True)
        is_steady = self._steadiness.is_steady(now, now_utc)
        for name, step, pause_s in self._steps(now_utc, is_clock_steady=is_steady):
            while self._due[name] <= now:
                if has_company() or time.monotonic() >= end:
                    return True
                if not self._run(step, now):
                    self._due[name] = now + pause_s
        return False

    def checkpoint_if_due(self, now: float, *, is_idle: bool) -> None:
        """Checkpoint when there is enough in the WAL."""
        if self.checkpoint.is_due(now, is_idle=is_idle):
            self._database.read(lambda found: self.checkpoint.run(found, now, busy_s=self._settings.busy_seconds))

    def _run(self, step: Step, now: float) -> int:
        removed = self._database.write(step, wait_s=LOCK_S)
        if removed:
            self.checkpoint.note(0, now)
        return removed

    def _steps(self, now_utc: float, *, is_clock_steady: bool) -> list[tuple[str, Step, float]]:
        settings = self._settings
        zone = settings.timestamps
        steps: list[tuple[str, Step, float]] = [("count", retention.by_count, SOON_S)]
        if settings.keep_days and is_clock_steady:
            before = clock.text(now_utc - settings.keep_days * DAY_S, zone)
            steps.append(("age", lambda found: retention.by_age(found, before), SELDOM_S))
        if settings.keep_bytes:
            steps.append(("size", lambda found: retention.by_size(found, settings.keep_bytes), SOON_S))
        if is_clock_steady:
            first_day = clock.day(now_utc - retention.DAYS_KEPT * DAY_S, zone)
            steps.append(("mails", lambda found: retention.of_mails(found, now_utc, first_day), SELDOM_S))
        steps.append(("vacuum", _give_back, SELDOM_S))
        return steps


def _give_back(connection: sqlite3.Connection) -> int:
    """Give free pages back to the file system, a few at a time; only in files made for it."""
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    if free <= FREE_PAGES_KEPT or int(connection.execute("PRAGMA auto_vacuum").fetchone()[0]) != 2:
        return 0
    pages = min(PAGES_A_STEP, free - FREE_PAGES_KEPT)
    # One at a time: the statement gives a page back each time it is stepped, and `execute` steps it once.
    for _ in range(pages):
        connection.execute("PRAGMA incremental_vacuum(1)").fetchall()
    return pages
