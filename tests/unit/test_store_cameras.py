"""What the database remembers of its cameras."""

from __future__ import annotations

import sqlite3

from camalert.store import cameras


def test_last_seen_lists_named_cameras_latest_first() -> None:
    """The status learns from it who was there before a reboot."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE camalert_camera (name TEXT, last_seen_utc REAL)")
    connection.executemany("INSERT INTO camalert_camera VALUES (?, ?)", [("old", 1.0), ("new", 2.0), ("", 3.0)])

    found = cameras.last_seen(connection)
    connection.close()

    assert found == [("new", 2.0), ("old", 1.0)]
