"""Remove what the configuration says is too old or too much, a few rows at a time.

Effects on a connection inside a transaction of the caller's. Every function removes a few rows only, so that a mail
that arrives meanwhile waits for milliseconds, and returns how many; 0 means that there is nothing left to do. Never a
row whose examination is pending.
"""

from __future__ import annotations

import sqlite3

from camalert.store.tables import ALERTS, BOTH, CLIP_BASE, Reviewed

ROWS_A_STEP = 8  # 1 to 3 ms a row of 200 kB, its pages go to the free list one by one (measured)
MAILS_KEPT = 10_000  # mails without any row of theirs: test mails, repeats' originals, deleted alerts
MAIL_KEPT_S = 86_400.0  # longer than any repeat window
RAW_KEPT = 100  # mails that nobody could read
DAYS_KEPT = 800  # sums by day: two years to compare with
_OLDEST = "SELECT timestamp FROM {facts} WHERE {idle} ORDER BY timestamp LIMIT 1"


def by_count(connection: sqlite3.Connection) -> int:
    """Remove the rows beyond the newest `keep` that the triggers left."""
    removed = 0
    for table in BOTH:
        rows, keep = connection.execute("SELECT rows, keep FROM camalert_rows WHERE name = ?", (table.name,)).fetchone()
        if keep is not None and rows > keep:
            removed += _remove(
                connection,
                table,
                f"SELECT {table.key} FROM (SELECT {table.key} FROM {table.facts} ORDER BY {table.key} LIMIT ?)",
                (rows - keep,),
            )
    clips = connection.execute(
        "DELETE FROM camalert_clip WHERE state <> 'pending' AND id IN (SELECT id FROM camalert_clip"
        " WHERE alert_id IS NULL ORDER BY id DESC LIMIT ? OFFSET (SELECT keep FROM camalert_rows WHERE name = ?))",
        (ROWS_A_STEP, ALERTS.name),
    )
    return removed + clips.rowcount


def by_age(connection: sqlite3.Connection, before: str) -> int:
    """Remove the rows whose timestamp is before this text."""
    removed = 0
    for table in BOTH:
        removed += _remove(
            connection,
            table,
            f"SELECT {table.key} FROM {table.facts} WHERE timestamp < ? ORDER BY timestamp",
            (before,),
        )
    clips = connection.execute(
        "DELETE FROM camalert_clip WHERE id IN (SELECT id FROM camalert_clip WHERE timestamp < ?"
        " AND state <> 'pending' ORDER BY id LIMIT ?)",
        (before, ROWS_A_STEP),
    )
    return removed + clips.rowcount


def by_size(connection: sqlite3.Connection, keep_bytes: int) -> int:
    """Remove the oldest rows of both tables while the pages in use are more than `keep_bytes`."""
    if used_bytes(connection) <= keep_bytes:
        return 0
    oldest = [
        (row[0], table)
        for table in BOTH
        if (row := connection.execute(_OLDEST.format(facts=table.facts, idle=_idle(table))).fetchone()) is not None
    ]
    if not oldest:
        return 0
    table = min(oldest, key=lambda found: found[0])[1]
    return _remove(connection, table, f"SELECT {table.key} FROM {table.facts} ORDER BY timestamp, {table.key}", ())


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the pages in use."""
    pages, free, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def of_mails(connection: sqlite3.Connection, now_utc: float, first_day: str) -> int:
    """Remove mails that no row refers to, unreadable mails and sums by day beyond what is kept."""
    mails = connection.execute(
        "DELETE FROM camalert_mail WHERE id IN (SELECT m.id FROM camalert_mail m WHERE m.id <= ("
        "  SELECT id FROM camalert_mail ORDER BY id DESC LIMIT 1 OFFSET ?) AND m.received_utc < ?"
        " AND NOT EXISTS (SELECT 1 FROM camalert_alert WHERE alert_id BETWEEN m.first_id AND m.first_id + m.count - 1)"
        " AND NOT EXISTS (SELECT 1 FROM camalert_detect WHERE mail = m.id)"
        " AND NOT EXISTS (SELECT 1 FROM camalert_clip WHERE mail = m.id) ORDER BY m.id LIMIT ?)",
        (MAILS_KEPT, now_utc - MAIL_KEPT_S, ROWS_A_STEP * 16),
    ).rowcount
    raw = connection.execute(
        "DELETE FROM camalert_raw WHERE mail IN (SELECT mail FROM camalert_raw ORDER BY mail DESC LIMIT ? OFFSET ?)",
        (ROWS_A_STEP, RAW_KEPT),
    ).rowcount
    days = connection.execute("DELETE FROM camalert_day WHERE day < ?", (first_day,)).rowcount
    return mails + raw + days


def _remove(connection: sqlite3.Connection, table: Reviewed, candidates: str, arguments: tuple[object, ...]) -> int:
    """Delete the first rows that a query names and that no examination waits for."""
    cursor = connection.execute(
        f"DELETE FROM {table.name} WHERE id IN (SELECT {table.key} FROM ({candidates})"
        f" WHERE {_idle(table)} LIMIT {ROWS_A_STEP})",
        arguments,
    )
    return cursor.rowcount


def _idle(table: Reviewed) -> str:
    if table is not ALERTS:
        return "1"
    return f"alert_id NOT IN (SELECT alert_id FROM camalert_pending WHERE alert_id < {CLIP_BASE})"
