"""When each camera was last heard, from the database.

Effects: one query.
"""

from __future__ import annotations

import sqlite3

MOST = 256  # the status shows no more


def last_seen(connection: sqlite3.Connection) -> list[tuple[str, float]]:
    """Return the cameras that were heard latest, with the time in seconds since 1970."""
    rows = connection.execute(
        "SELECT name, last_seen_utc FROM camalert_camera WHERE name <> '' ORDER BY last_seen_utc DESC LIMIT ?", (MOST,)
    )
    return [(str(name), float(seen_utc)) for name, seen_utc in rows]
