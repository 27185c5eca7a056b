"""What cameras are called that call themselves otherwise, and which were forgotten: the rows of `camalert_name`."""

from __future__ import annotations

import sqlite3

from camalert.identity import key

GONE = ""  # the name of a camera that was forgotten


def named_now(connection: sqlite3.Connection, name: str) -> str:
    """Return what a camera is called that calls itself so."""
    row = connection.execute(
        "SELECT name FROM camalert_name WHERE known_as = ? AND name <> ?", (key(name), GONE)
    ).fetchone()
    return name if row is None else str(row[0])


def changes(connection: sqlite3.Connection) -> int:
    """Return a number that is another one after each change."""
    row = connection.execute("SELECT value FROM camalert_meta WHERE name = 'names changed'").fetchone()
    return int(row[0]) if row else 0


def before(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return by what a camera is called what it calls itself, both as they are compared."""
    found: dict[str, set[str]] = {}
    for own, name in connection.execute("SELECT known_as, name FROM camalert_name WHERE name <> ?", (GONE,)):
        found.setdefault(key(name), set()).add(str(own))
    return found


def put(connection: sqlite3.Connection, own: str, name: str, now_utc: float) -> None:
    """Say what a camera is called, by the key of what it calls itself, inside a transaction."""
    connection.execute("INSERT OR REPLACE INTO camalert_name VALUES (?, ?, ?)", (own, name, now_utc))
    connection.execute(
        "INSERT INTO camalert_meta VALUES ('names changed', '1') ON CONFLICT (name) DO UPDATE SET value = value + 1"
    )
