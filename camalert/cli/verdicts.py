"""What became of pictures and clips that were just sent, read from the database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camalert.errors import StoreError
from camalert.store.sqlite.opening import open_reader

POLL_S = 0.05
_ALERT = """a.id, a.subject, a.timestamp, coalesce(c.camera, ''), coalesce(c.outcome, ''), coalesce(c.reason, ''),
    c.detect_id"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stored picture or clip, described for a person."""

    lines: tuple[str, ...]
    is_pending: bool  # its examination has not been concluded
    alert_id: int | None  # None: a clip without an alert


class Watch:
    """Look for rows that are newer than the watch; make it before sending."""

    def __init__(self, path: Path) -> None:
        """Remember the newest row.

        Raises: StoreError when the database cannot be read.
        """
        self._connection = open_reader(path)
        self._newest = int(self._query("SELECT coalesce(max(id), 0) FROM alerts_alert")[0][0])
        self._has_clips = self._query("SELECT count(*) FROM sqlite_master WHERE name = 'camalert_clip'")[0][0]
        newest = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'camalert_clip'"
        self._newest_clip = int(self._query(newest)[0][0]) if self._has_clips else 0

    def rows(self, files: Sequence[bytes]) -> list[Verdict]:
        """Return the new rows that contain one of these files.

        Raises: StoreError when the database cannot be read.
        """
        found = self._query(
            f"""SELECT a.snapshot, {_ALERT}
               FROM alerts_alert AS a LEFT JOIN camalert_alert AS c ON c.alert_id = a.id
               WHERE a.id > ? ORDER BY a.id""",  # noqa: S608 - constant
            self._newest,
        )
        verdicts = [_alert(row) for snapshot, *row in found if bytes(snapshot) in files]
        if self._has_clips:
            sizes = sorted({len(file) for file in files})
            found = self._query(
                f"""SELECT k.clip, k.id, k.kind, k.bytes, k.state, k.reason, {_ALERT}
                   FROM camalert_clip AS k LEFT JOIN alerts_alert AS a ON a.id = k.alert_id
                   LEFT JOIN camalert_alert AS c ON c.alert_id = a.id
                   WHERE k.id > ? AND k.bytes IN ({", ".join("?" * len(sizes))}) ORDER BY k.id""",  # noqa: S608 - constant
                self._newest_clip, *sizes,
            )  # fmt: skip
            verdicts += [_clip(row) for clip, *row in found if bytes(clip) in files]
        return verdicts

    def wait(self, files: Sequence[bytes], wait_s: float, tick: Callable[[float], None]) -> list[Verdict]:
        """Wait until each new row with one of these files has its verdict, at most `wait_s`.

        The rows themselves exist at once: the server answers after the commit.
        """
        started_at = time.monotonic()
        while True:
            found = self.rows(files)
            elapsed_s = time.monotonic() - started_at
            if not any(verdict.is_pending for verdict in found) or elapsed_s >= wait_s:
                return found
            tick(elapsed_s)
            time.sleep(POLL_S)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _query(self, sql: str, *arguments: int) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the database cannot be read: {error}") from error


def _alert(row: Sequence[Any]) -> Verdict:
    alert_id, subject, timestamp, camera, outcome, reason, detect_id = row
    whose = f" (camera {camera})" if camera else ""
    lines = [f"stored as alarm {alert_id}{whose}: {timestamp} {subject}"]
    lines.append(f"  {reason or outcome or 'not examined yet'}")
    if detect_id is not None:
        lines.append(f"  stored with people marked as detection {detect_id}")
    return Verdict(tuple(lines), not outcome, alert_id)


def _clip(row: Sequence[Any]) -> Verdict:
    clip_id, kind, size_bytes, state, reason, *alert = row
    head = f"stored as clip {clip_id} ({kind}, {size_bytes / 1e6:.1f} MB)"
    if state == "pending":
        return Verdict((f"{head}, not examined yet",), is_pending=True, alert_id=None)
    if alert[0] is None:
        return Verdict((head, f"  {reason or state}"), is_pending=False, alert_id=None)
    best = _alert(alert)
    return Verdict((f"{head}; its best picture:", *best.lines), is_pending=False, alert_id=best.alert_id)
