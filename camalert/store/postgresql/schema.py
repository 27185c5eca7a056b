"""Bring a PostgreSQL database to the shape that this release needs: create, adopt, upgrade, put triggers in place.

The caller has begun a transaction and holds the lock that all of camalert's writers take, so that of several that
start at once one makes the tables and the others find them.
"""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from camalert.config import schema as config
from camalert.errors import StoreForeign
from camalert.store.interface import Rows
from camalert.store.postgresql import tables
from camalert.store.queue import CLIP_BASE
from camalert.store.rows import retention
from camalert.store.rows.columns import COLUMNS, without_default
from camalert.store.rows.tables import ALERTS, BOTH, ORIGINAL_KEEP, DjangoTable

# In order; version n is what the first n entries made. Append only.
MIGRATIONS: tuple[tuple[str, ...], ...] = (tables.FIRST_VERSION, tables.SECOND_VERSION)

# What a server must have switched on, and what may happen otherwise.
SAFE = {
    "fsync": "it may lose alarms that were answered, and the whole database, when the power fails",
    "full_page_writes": "it may damage the database when the power fails",
}

Run = Callable[[str], Any]  # runs a statement in PostgreSQL's own words


def refuse_unsafe(settings: dict[str, str]) -> None:
    """Refuse a server that forgets what it has said to be committed.

    Args:
        settings: The server's, by name.
    Raises: StoreForeign with the reason.
    """
    for name, danger in SAFE.items():
        if settings.get(name) != "on":
            raise StoreForeign(f"the database server runs with {name} = {settings.get(name)}: {danger}; set it to on")


def prepare(rows: Rows, run: Run, limits: config.Database, zone: str, now_utc: float) -> list[str]:
    """Create, adopt or upgrade; what is in order already is left alone.

    Returns: Warnings for the owner.
    Raises: StoreForeign for a database that is another program's, or newer than this release.
    """
    schema = str(rows.execute("SELECT current_schema()").fetchone()[0] or "")
    present = _tables(rows)
    found = _version(rows, present)
    made = _make_django_tables(rows, run, present, now_utc)
    if found < len(MIGRATIONS):
        _migrate(rows, run, found, now_utc)
    is_gathering = bool(made) or found == 0
    is_gathering |= _put_triggers(rows, run, zone, schema)
    if is_gathering:
        _gather_facts(rows, run, zone)
    warnings = []
    for table in BOTH:
        keep = limits.keep_alerts if table is ALERTS else limits.keep_detections
        rows.execute(
            f"INSERT INTO camalert_rows (name, rows, keep) SELECT ?, count(*), ? FROM {table.facts}"
            " ON CONFLICT (name) DO UPDATE SET rows = excluded.rows, keep = excluded.keep",
            (table.name, keep or ORIGINAL_KEEP),
        )
        warnings += [
            f"{table.name} has the column {name} of another program, which must have a value and has no default: "
            f"new rows get {value} in it"
            for name, value in without_default(rows, table).items()
        ]
    return warnings


def look(rows: Rows) -> int | None:
    """Return how many alerts a database has, None when our tables are still to be made.

    Raises: StoreForeign for one that is another program's, or newer than this release.
    """
    if not _version(rows, _tables(rows)):
        return None
    return int(rows.execute("SELECT count(*) FROM camalert_alert").fetchone()[0])


def _version(rows: Rows, present: set[str]) -> int:
    """Return the version of our tables, 0 when there are none yet."""
    _refuse_foreign(rows, present)
    if "camalert_schema" not in present:
        return 0
    (found,) = rows.execute("SELECT coalesce(max(version), 0) FROM camalert_schema").fetchone()
    if found > len(MIGRATIONS):
        raise StoreForeign(
            f"the database has version {found} of camalert's tables and this release knows {len(MIGRATIONS)}: "
            "install the newer release"
        )
    return int(found)


def identity(rows: Rows) -> str:
    """Return what tells this database from another one."""
    return str(rows.execute("SELECT value FROM camalert_meta WHERE name = 'identity'").fetchone()[0])


def _tables(rows: Rows) -> set[str]:
    """Return the tables in the schema in which ours are.

    Raises: StoreForeign when there is no such schema.
    """
    if not rows.execute("SELECT current_schema()").fetchone()[0]:
        raise StoreForeign("the database has no schema that this user may use: see its search_path")
    found = rows.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    )
    return {name for (name,) in found}


def _refuse_foreign(rows: Rows, present: set[str]) -> None:
    if present and not any(name.startswith(("camalert_", "alerts_", "django_", "auth_")) for name in present):
        shown = ", ".join(sorted(present)[:3])
        raise StoreForeign(f"the database is another program's (it has the tables {shown}); create one for camalert")
    for table in BOTH:
        if table.name in present:
            columns = {row[1] for row in rows.execute(f"PRAGMA table_info({table.name})")}
            if missing := ", ".join(sorted(COLUMNS - columns)):
                raise StoreForeign(f"the table {table.name} of this database lacks the column {missing}")
    unlogged = [
        name
        for (name,) in rows.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
            " AND relpersistence <> 'p' AND (relname LIKE 'camalert_%' OR relname IN ('alerts_alert', 'alerts_detect'))"
        )
    ]
    if unlogged:
        raise StoreForeign(f"the table {unlogged[0]} is UNLOGGED: a crash of the server would empty it")


def _make_django_tables(rows: Rows, run: Run, present: set[str], now_utc: float) -> list[DjangoTable]:
    made = [table for table in BOTH if table.name not in present]
    for table in made:
        run(tables.DJANGO_TABLE.format(name=table.name))
    noted: Sequence[DjangoTable] = made
    if "django_migrations" not in present:
        run(tables.DJANGO_MIGRATIONS)
        noted = BOTH
    applied = datetime.datetime.fromtimestamp(now_utc, datetime.UTC).isoformat(" ")
    # Without these rows a `migrate` of the site would try to create the tables again and fail.
    for name in (name for table in noted for name in table.migrations):
        rows.execute(
            "INSERT INTO django_migrations (app, name, applied) SELECT 'alerts', CAST(:name AS varchar),"
            " CAST(:applied AS timestamptz) WHERE NOT EXISTS"
            " (SELECT 1 FROM django_migrations WHERE app = 'alerts' AND name = :name)",
            {"name": name, "applied": applied},
        )
    return made


def _migrate(rows: Rows, run: Run, found: int, now_utc: float) -> None:
    if found == 0:
        run(
            "CREATE TABLE IF NOT EXISTS camalert_schema (version int NOT NULL PRIMARY KEY, applied_utc float8 NOT NULL)"
        )
    for number, statements in enumerate(MIGRATIONS[found:], start=found + 1):
        for statement in statements:
            run(statement)
        rows.execute("INSERT INTO camalert_schema (version, applied_utc) VALUES (?, ?)", (number, now_utc))
    rows.execute(
        "INSERT INTO camalert_meta (name, value) VALUES ('identity', ?) ON CONFLICT DO NOTHING", (uuid.uuid4().hex,)
    )


def _put_triggers(rows: Rows, run: Run, zone: str, schema: str) -> bool:
    """Put the triggers in place when they are others than before, or one is gone; return whether they were."""
    statements = tables.triggers(zone, schema)
    own = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    noted = rows.execute("SELECT value FROM camalert_meta WHERE name = 'triggers'").fetchone()
    (count,) = rows.execute(
        "SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = current_schema()::regnamespace AND t.tgname LIKE 'camalert_%' AND t.tgenabled <> 'D'"
    ).fetchone()
    if noted is not None and noted[0] == own and count == len(statements) // 2:
        return False
    for statement in statements:
        run(statement)
    rows.execute(
        "INSERT INTO camalert_meta (name, value) VALUES ('triggers', ?) ON CONFLICT (name)"
        " DO UPDATE SET value = excluded.value",
        (own,),
    )
    return True


def _gather_facts(rows: Rows, run: Run, zone: str) -> None:
    """Give a row of facts to each row that has none, and drop the facts of rows that are gone."""
    for table in BOTH:
        name, facts, key = table.name, table.facts, table.key
        rows.execute(
            f"INSERT INTO {facts} ({key}, subject, timestamp, bytes) SELECT id, subject,"
            " to_char(timestamp AT TIME ZONE ?, 'YYYY-MM-DD HH24:MI:SS'), octet_length(snapshot)"
            f" FROM {name} t WHERE NOT EXISTS (SELECT 1 FROM {facts} f WHERE f.{key} = t.id)",
            (zone,),
        )
        run(f"DELETE FROM {facts} f WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE t.id = f.{key})")
    run(f"DELETE FROM camalert_pending WHERE alert_id < {CLIP_BASE} AND alert_id NOT IN (SELECT id FROM alerts_alert)")
    retention.recount_holders(rows)
