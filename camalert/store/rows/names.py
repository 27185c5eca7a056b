"""What cameras are called that call themselves otherwise, and which were forgotten: the rows of `camalert_name`."""

from __future__ import annotations

from camalert.identity import key
from camalert.store.interface import Rows

GONE = ""  # the name of a camera that was forgotten


def named_now(connection: Rows, name: str) -> str:
    """Return what a camera is called that calls itself so."""
    row = connection.execute(
        "SELECT name FROM camalert_name WHERE known_as = ? AND name <> ?", (key(name), GONE)
    ).fetchone()
    return name if row is None else str(row[0])


def changes(connection: Rows) -> int:
    """Return a number that is another one after each change."""
    row = connection.execute("SELECT value FROM camalert_meta WHERE name = 'names changed'").fetchone()
    return int(row[0]) if row else 0


def before(connection: Rows) -> dict[str, set[str]]:
    """Return by what a camera is called what it calls itself, both as they are compared."""
    found: dict[str, set[str]] = {}
    for own, name in connection.execute("SELECT known_as, name FROM camalert_name WHERE name <> ?", (GONE,)):
        found.setdefault(key(name), set()).add(str(own))
    return found


def put(connection: Rows, own: str, name: str, now_utc: float) -> None:
    """Say what a camera is called, by the key of what it calls itself, inside a transaction."""
    connection.execute(
        "INSERT INTO camalert_name (known_as, name, changed_utc) VALUES (?, ?, ?) ON CONFLICT (known_as)"
        " DO UPDATE SET name = excluded.name, changed_utc = excluded.changed_utc",
        (own, name, now_utc),
    )
    connection.execute(
        "INSERT INTO camalert_meta VALUES ('names changed', '1') ON CONFLICT (name) DO UPDATE"
        " SET value = CAST(CAST(camalert_meta.value AS INTEGER) + 1 AS TEXT)"
    )
