"""What became of pictures that were just sent, read from the database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camalert.errors import StoreError
from camalert.store.connection import open_reader

POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of alerts_alert and what its examination said so far."""

    alert_id: int
    subject: str
    timestamp: str
    camera: str
    outcome: str  # 'person', 'nobody', 'failed', 'unexamined'; "" while it is pending
    reason: str
    detect_id: int | None  # the row of alerts_detect

    def in_words(self) -> str:
        """Say in a line what there is."""
        text = f"alerts_alert {self.alert_id}: {self.timestamp} {self.subject}"
        if self.camera:
            text += f" (camera {self.camera})"
        if not self.outcome:
            return f"{text}\n  not examined yet"
        if self.detect_id is not None:
            text += f"\nalerts_detect {self.detect_id}: the same with the people marked"
        return f"{text}\n  {self.reason or self.outcome}"


class Watch:
    """Look for the rows that come after its making; use it before sending."""

    def __init__(self, path: Path) -> None:
        """Remember the newest row.

        Raises: StoreError when the database cannot be read.
        """
        self._connection = open_reader(path)
        self._newest = int(self._query("SELECT coalesce(max(id), 0) FROM alerts_alert")[0][0])

    def rows(self, pictures: Sequence[bytes]) -> list[Verdict]:
        """Return the new rows that hold one of these pictures.

        Raises: StoreError when the database cannot be read.
        """
        found = self._query(
            """SELECT a.id, a.subject, a.timestamp, coalesce(c.camera, ''), coalesce(c.outcome, ''),
                   coalesce(c.reason, ''), c.detect_id, a.snapshot
               FROM alerts_alert AS a LEFT JOIN camalert_alert AS c ON c.alert_id = a.id
               WHERE a.id > ? ORDER BY a.id""",
            self._newest,
        )
        wanted = set(pictures)
        return [Verdict(*row[:7]) for row in found if bytes(row[7]) in wanted]

    def wait(self, pictures: Sequence[bytes], wait_s: float, tick: Callable[[float], None]) -> list[Verdict]:
        """Wait until each new row with one of these pictures has its verdict, at most `wait_s`.

        The rows themselves are there at once: the server answers after the commit.
        """
        started_at = time.monotonic()
        while True:
            found = self.rows(pictures)
            elapsed_s = time.monotonic() - started_at
            if all(verdict.outcome for verdict in found) or elapsed_s >= wait_s:
                return found
            tick(elapsed_s)
            time.sleep(POLL_S)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()

    def _query(self, sql: str, *arguments: int) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the database cannot be read: {error}") from error
