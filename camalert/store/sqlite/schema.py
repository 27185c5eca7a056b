"""Bring a database to the shape that this release needs: create, adopt, upgrade, repair the triggers.

The caller opens the connection, holds no transaction, and makes the backup before an upgrade. A
database may be new, ours, or the original's with thousands of rows; it may also have been altered by a `migrate` of the
site since we looked last. All cases take the same way, and all of it is one transaction.
"""

from __future__ import annotations

import datetime
import re
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from camalert.errors import StoreForeign
from camalert.store import queue
from camalert.store.rows import retention
from camalert.store.rows.columns import COLUMNS, without_default
from camalert.store.rows.tables import ALERTS, BOTH, ORIGINAL_KEEP, DjangoTable
from camalert.store.sqlite import tables

# In order; version n is what the first n entries made. Append only.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    tables.FIRST_VERSION,
    tables.SECOND_VERSION,
    tables.THIRD_VERSION,
    tables.FOURTH_VERSION,
    tables.FIFTH_VERSION,
    tables.SIXTH_VERSION,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many rows the triggers keep; 0: the number of the original's trigger, if there was one, else 1000."""

    alerts: int
    detections: int

    def of(self, table: DjangoTable) -> int:
        """Return the limit of one table."""
        return self.alerts if table is ALERTS else self.detections


def version(connection: sqlite3.Connection) -> int:
    """Return the version of our tables, 0 when there are none yet."""
    if "camalert_schema" not in _names(connection, "table"):
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM camalert_schema").fetchone()[0])


def refuse_foreign(connection: sqlite3.Connection) -> None:
    """Refuse a database of another program.

    Raises: StoreForeign when there are tables, and none is ours or Django's.
    """
    found = {name for name in _names(connection, "table") if not name.startswith("sqlite_")}
    if found and not any(name.startswith(("camalert_", "alerts_", "django_")) for name in found):
        shown = ", ".join(sorted(found)[:3])
        raise StoreForeign(
            f"the file is another program's database (it has the table{'s' if len(found) > 1 else ''} {shown}"
            f"{' …' if len(found) > 3 else ''}); choose another path for ours"
        )


def prepare(
    connection: sqlite3.Connection,
    limits: Limits,
    now_utc: float,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> list[str]:
    """Create, adopt or upgrade in one transaction; what is in order already is left alone.

    Returns: Warnings for the owner.
    Raises: StoreForeign for a database that is not one of ours or the original's, or is newer than this release.
    """
    connection.create_function("camalert_sender", 1, queue.sender_of, deterministic=True)
    connection.create_function("camalert_known_as", 1, queue.known_as, deterministic=True)
    connection.create_function("camalert_now", 0, lambda: now_utc)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _make_django_tables(connection, now_utc)
        _migrate(connection, migrations, now_utc)
        warnings = []
        for table in BOTH:
            warnings += _make_triggers(connection, table, limits.of(table))
            warnings += [
                f"{table.name} has the column {name} of another program, which must have a value and has no default: "
                f"new rows get {value} in it"
                for name, value in without_default(connection, table).items()
            ]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return warnings


def refuse_unusable(connection: sqlite3.Connection) -> None:
    """Look, without a change, whether this release would take a database.

    Raises: StoreForeign when it is not one of ours or the original's, or is newer.
    """
    refuse_foreign(connection)
    present = _names(connection, "table")
    for table in BOTH:
        if table.name in present:
            _refuse_columns(connection, table)
    _refuse_newer(version(connection), len(MIGRATIONS))


def fold(text: str) -> str:
    """Fold white space and case, to compare two texts of SQL."""
    return " ".join(text.split()).casefold()


def original_number(sql: str, table: DjangoTable) -> int | None:
    """Return the number of rows that the original's trigger keeps, None when the text is another one's."""
    pattern = re.escape(fold(tables.original_keeper(table).format(keep="@"))).replace("@", r"(\d{1,9})")
    found = re.fullmatch(pattern, fold(sql))
    return int(found[1]) if found else None


def _names(connection: sqlite3.Connection, kind: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,))}


def _make_django_tables(connection: sqlite3.Connection, now_utc: float) -> None:
    present = _names(connection, "table")
    made = [table for table in BOTH if table.name not in present]
    for table in BOTH:
        if table in made:
            connection.execute(tables.django_table(table))
            continue
        _refuse_columns(connection, table)
    if "django_migrations" not in present:
        connection.execute(tables.DJANGO_MIGRATIONS)
        made = list(BOTH)
    applied = datetime.datetime.fromtimestamp(now_utc, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    # Without these rows a `migrate` of the site would try to create the tables again and fail.
    for migration in (name for table in made for name in table.migrations):
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied) SELECT 'alerts', :name, :applied WHERE NOT EXISTS"
            " (SELECT 1 FROM django_migrations WHERE app = 'alerts' AND name = :name)",
            {"name": migration, "applied": applied},
        )


def _refuse_columns(connection: sqlite3.Connection, table: DjangoTable) -> None:
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    if not columns >= COLUMNS:
        missing = ", ".join(sorted(COLUMNS - columns))
        raise StoreForeign(f"the table {table.name} of this database lacks the column {missing}")


def _refuse_newer(found: int, known: int) -> None:
    if found > known:
        raise StoreForeign(
            f"the database has version {found} of camalert's tables and this release knows {known}: "
            "install the newer release, or go back to the backup made before the upgrade"
        )


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]], now_utc: float) -> None:
    found = version(connection)
    _refuse_newer(found, len(migrations))
    if found == 0:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS camalert_schema"
            " (version INTEGER NOT NULL PRIMARY KEY, applied_utc REAL NOT NULL)"
        )
    for number, statements in enumerate(migrations[found:], start=found + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute("INSERT INTO camalert_schema VALUES (?, ?)", (number, now_utc))
    connection.execute("INSERT OR IGNORE INTO camalert_meta VALUES ('identity', ?)", (uuid.uuid4().hex,))


def _make_triggers(connection: sqlite3.Connection, table: DjangoTable, limit: int) -> list[str]:
    present = dict(
        connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table.name,))
    )
    put = [_put_trigger(connection, name, present.get(name), sql) for name, sql in tables.followers(table).items()]
    if any(put):  # else the facts are complete, and walking over all pictures' pages would cost a start seconds
        _gather_facts(connection, table)
        there = _names(connection, "table")
        retention.recount_holders(connection, [name for name in retention.HOLDING if name in there])
    found = present.get(table.trigger)
    number = original_number(found, table) if found is not None else None
    if number is not None:
        _remember(connection, f"{table.trigger} keeps", number)
    is_ours = found is None or number is not None or "camalert_rows" in found
    warnings = []
    keep = None
    if is_ours:
        _put_trigger(connection, table.trigger, found, tables.keeper(table))
        keep = limit or _remembered(connection, f"{table.trigger} keeps") or ORIGINAL_KEEP
    else:
        warnings.append(
            f"the trigger {table.trigger} on {table.name} is not one that camalert knows and stays as it is; "
            "it may delete pictures before they are examined"
        )
    connection.execute(
        f"INSERT INTO camalert_rows (name, rows, keep) SELECT ?, count(*), ? FROM {table.facts} WHERE true"
        " ON CONFLICT (name) DO UPDATE SET rows = excluded.rows, keep = excluded.keep",
        (table.name, keep),
    )
    return warnings


def _put_trigger(connection: sqlite3.Connection, name: str, found: str | None, wanted: str) -> bool:
    """Put a trigger in place; return whether it was not there as wanted."""
    if found is not None:
        if fold(found) == fold(wanted):
            return False
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(wanted)
    return True


def _gather_facts(connection: sqlite3.Connection, table: DjangoTable) -> None:
    """Give a row of facts to each row that has none, and drop the facts of rows that are gone."""
    name, facts, key = table.name, table.facts, table.key
    connection.execute(
        f"INSERT INTO {facts} ({key}, subject, timestamp, bytes)"
        f" SELECT id, subject, timestamp, length(snapshot) FROM {name} WHERE id NOT IN (SELECT {key} FROM {facts})"
    )
    connection.execute(f"DELETE FROM {facts} WHERE {key} NOT IN (SELECT id FROM {name})")
    if table is ALERTS:
        connection.execute(
            "DELETE FROM camalert_pending WHERE alert_id < ? AND alert_id NOT IN (SELECT id FROM alerts_alert)",
            (queue.CLIP_BASE,),
        )


def _remember(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("INSERT OR REPLACE INTO camalert_meta VALUES (?, ?)", (name, str(value)))


def _remembered(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT value FROM camalert_meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0
