"""Read the queue in the database: which pictures wait, and what a frame slot needs of one.

Queries only, on the writer's connection.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from camalert.store.queue import FETCH_ROWS, Line, Waiting
from camalert.store.tables import CLIP_BASE
from camalert.words import FrameWords

_SMALL = (
    "SELECT alert_id, bytes, tries FROM camalert_pending WHERE alert_id > :cursor"
    " AND alert_id < :clips AND bytes <= :small ORDER BY alert_id LIMIT :rows"
)
_LARGE = (
    "SELECT alert_id, bytes, tries FROM camalert_pending WHERE alert_id > :cursor"
    " AND (bytes > :small OR alert_id >= :clips) ORDER BY alert_id LIMIT :rows"
)
_PICTURE = (
    "SELECT p.tries, f.camera, f.event, f.picture_kind, m.sender, m.recipients, a.snapshot"
    " FROM camalert_pending p JOIN alerts_alert a ON a.id = p.alert_id"
    " LEFT JOIN camalert_alert f ON f.alert_id = a.id LEFT JOIN camalert_mail m ON m.id = f.mail WHERE p.alert_id = ?"
)
_CLIP = (
    "SELECT p.tries, c.camera, c.event, c.kind, m.sender, m.recipients, c.clip"
    " FROM camalert_pending p JOIN camalert_clip c ON c.id = p.alert_id - :clips"
    " LEFT JOIN camalert_mail m ON m.id = c.mail WHERE p.alert_id = :id"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A pending picture or clip with what the examination is told of it."""

    words: FrameWords
    tries: int
    content: bytes


def rows(connection: sqlite3.Connection, line: Line, small_bytes: int) -> list[Waiting]:
    """Return the next pending rows of a line, above its cursor, oldest first."""
    query = _LARGE if line.is_large else _SMALL
    limits = {"cursor": line.cursor, "small": small_bytes, "clips": CLIP_BASE, "rows": FETCH_ROWS}
    return [Waiting(*row) for row in connection.execute(query, limits)]


def load(connection: sqlite3.Connection, waiting: Waiting) -> Picture | None:
    """Return a pending picture, None when it is not pending any more."""
    if waiting.is_clip:
        row = connection.execute(_CLIP, {"id": waiting.alert_id, "clips": CLIP_BASE}).fetchone()
    else:
        row = connection.execute(_PICTURE, (waiting.alert_id,)).fetchone()
    if row is None:
        return None
    tries, camera, event, kind, sender, recipients, content = row
    words = FrameWords(
        alert_id=waiting.alert_id,
        camera=camera or "",
        event=event or "",
        sender=sender or "",
        recipients=tuple(json.loads(recipients or "[]")),
        kind=kind or "",
    )
    return Picture(words, tries, content)


def count(connection: sqlite3.Connection) -> int:
    """Return how many examinations are pending."""
    return int(connection.execute("SELECT count(*) FROM camalert_pending").fetchone()[0])


def today(connection: sqlite3.Connection, day: str) -> tuple[int, int]:
    """Return how many alerts and detections a day has had."""
    row = connection.execute(
        "SELECT coalesce(sum(alerts), 0), coalesce(sum(detections), 0) FROM camalert_day WHERE day = ?", (day,)
    ).fetchone()
    return int(row[0]), int(row[1])
