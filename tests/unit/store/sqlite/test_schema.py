"""The schema: made, adopted from the original, upgraded, repaired."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from camalert.config.schema import Database as Settings
from camalert.errors import StoreError, StoreRefused
from camalert.store.rows.tables import ALERTS, BOTH, DETECTIONS, DjangoTable
from camalert.store.sqlite import schema, tables
from camalert.store.sqlite.database import Database

ORIGINAL = """CREATE TRIGGER delete_alarms AFTER INSERT ON alerts_alert
    BEGIN
      DELETE FROM alerts_alert WHERE id IN (SELECT id FROM alerts_alert ORDER BY id DESC LIMIT -1 OFFSET {keep});
    END"""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    found = sqlite3.connect(":memory:", isolation_level=None)
    yield found
    found.close()


def prepare(connection: sqlite3.Connection, alerts: int = 0, detections: int = 0) -> list[str]:
    return schema.prepare(connection, schema.Limits(alerts, detections), time.time())


def add(connection: sqlite3.Connection, table: DjangoTable = ALERTS, count: int = 1) -> None:
    """Insert as cams or a shell does."""
    for _ in range(count):
        connection.execute(f"INSERT INTO {table.name} (subject, timestamp, snapshot) VALUES ('s', '2026-07-01', x'ff')")


def ids(connection: sqlite3.Connection, table: DjangoTable = ALERTS) -> list[int]:
    return [row[0] for row in connection.execute(f"SELECT id FROM {table.name} ORDER BY id")]


def make_original(connection: sqlite3.Connection, keep: int) -> None:
    for table in BOTH:
        connection.execute(tables.django_table(table))
    connection.execute(ORIGINAL.format(keep=keep))
    connection.execute(ORIGINAL.format(keep=keep).replace("alerts_alert", "alerts_detect").replace("alarms", "detect"))


def test_prepare_twice_changes_nothing(connection: sqlite3.Connection) -> None:
    """A database in order is left alone, down to the schema's version number that other programs watch."""
    prepare(connection)
    before = connection.execute("PRAGMA schema_version").fetchone()

    assert prepare(connection) == []

    assert connection.execute("PRAGMA schema_version").fetchone() == before


@pytest.mark.parametrize("table", BOTH, ids=lambda table: table.name)
@pytest.mark.parametrize("condition", ["", "WHERE best_score >= 0.5", "WHERE camera = 'x' AND best_score >= 0.5"])
def test_lists_are_read_in_their_order(connection: sqlite3.Connection, table: DjangoTable, condition: str) -> None:
    """A page of the newest rows is read by an index, whatever the filter; never all rows, to be sorted then."""
    prepare(connection)

    plan = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT * FROM {table.facts} {condition} ORDER BY timestamp DESC, {table.key} DESC LIMIT 9"
    ).fetchall()

    assert [step[3] for step in plan if "USING INDEX" not in step[3]] == []


@pytest.mark.parametrize("table", BOTH, ids=lambda table: table.name)
def test_inserts_by_anyone_keep_exactly_the_newest_rows(connection: sqlite3.Connection, table: DjangoTable) -> None:
    """Without pending rows the table holds exactly the newest N after each insert."""
    prepare(connection, alerts=5, detections=5)

    for number in range(1, 13):
        add(connection, table)
        assert ids(connection, table) == list(range(max(1, number - 4), number + 1))


def test_keeper_spares_pending_rows(connection: sqlite3.Connection) -> None:
    """A pending row stays, however old; it is one of the rows that are kept."""
    prepare(connection, alerts=3)
    add(connection)
    connection.execute("INSERT INTO camalert_pending VALUES (1, 0, 1)")

    add(connection, count=6)

    assert ids(connection) == [1, 6, 7]


def test_keeper_does_bounded_work_after_the_limit_was_lowered(connection: sqlite3.Connection) -> None:
    """An insert never deletes thousands of pictures at once."""
    prepare(connection, alerts=100)
    add(connection, count=100)
    prepare(connection, alerts=10)

    add(connection)

    assert len(ids(connection)) == 101 - tables.DELETES_PER_INSERT


def test_keeper_of_the_original_is_replaced_and_its_number_kept(connection: sqlite3.Connection) -> None:
    """Who moves over with another limit than 1000 keeps it, also at later starts."""
    make_original(connection, keep=7)
    add(connection, count=9)

    assert prepare(connection) == []
    prepare(connection)
    add(connection, count=2)

    assert ids(connection) == list(range(5, 12))
    assert connection.execute("SELECT keep FROM camalert_rows ORDER BY name").fetchall() == [(7,), (7,)]
    text = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'delete_alarms'").fetchone()[0]
    assert "OFFSET" not in text


def test_keeper_of_the_original_in_other_white_space_is_recognised() -> None:
    """White space and case tell nothing; another clause does."""
    text = ORIGINAL.format(keep=250)

    assert schema.original_number(text, ALERTS) == 250
    assert schema.original_number(text.replace("\n", " \t\n ").lower(), ALERTS) == 250
    assert schema.original_number(text, DETECTIONS) is None
    assert schema.original_number(text.replace("DESC", "ASC"), ALERTS) is None


def test_configured_limit_goes_before_the_original_s(connection: sqlite3.Connection) -> None:
    """A number in the configuration is the owner's latest word."""
    make_original(connection, keep=7)

    prepare(connection, alerts=3)
    add(connection, count=9)

    assert len(ids(connection)) == 3


def test_foreign_keeper_is_left_alone_with_a_warning(connection: sqlite3.Connection) -> None:
    """A trigger that somebody else wrote is his; we say so and keep our hands off."""
    make_original(connection, keep=7)
    connection.execute("DROP TRIGGER delete_alarms")
    foreign = (
        "CREATE TRIGGER delete_alarms AFTER INSERT ON alerts_alert BEGIN DELETE FROM alerts_alert WHERE id = 0; END"
    )
    connection.execute(foreign)

    (warning,) = prepare(connection)
    add(connection, count=2000)

    assert "delete_alarms" in warning
    assert connection.execute("SELECT sql FROM sqlite_master WHERE name = 'delete_alarms'").fetchone() == (foreign,)
    assert len(ids(connection)) == 2000


def test_every_row_has_facts_and_loses_them_with_its_deletion(connection: sqlite3.Connection) -> None:
    """Rows of before, rows that cams adds, edits and deletes: the facts follow."""
    make_original(connection, keep=1000)
    add(connection, count=2)
    prepare(connection)
    add(connection)

    connection.execute("UPDATE alerts_alert SET subject = 'edited' WHERE id = 2")
    connection.execute("DELETE FROM alerts_alert WHERE id = 1")

    facts = connection.execute("SELECT alert_id, subject, timestamp, mail FROM camalert_alert").fetchall()
    assert facts == [(2, "edited", "2026-07-01", None), (3, "s", "2026-07-01", None)]
    assert connection.execute("SELECT rows FROM camalert_rows WHERE name = 'alerts_alert'").fetchone() == (2,)


def test_deleting_an_alert_ends_its_place_in_the_queue(connection: sqlite3.Connection) -> None:
    """What the owner deletes is not examined any more."""
    prepare(connection)
    add(connection)
    connection.execute("INSERT INTO camalert_pending VALUES (1, 0, 1)")

    connection.execute("DELETE FROM alerts_alert")

    assert connection.execute("SELECT * FROM camalert_pending").fetchall() == []


def test_table_of_another_shape_is_refused_unharmed(connection: sqlite3.Connection) -> None:
    """A database that is not the original's stays as it is, and the message names what is missing."""
    connection.execute("CREATE TABLE alerts_alert (id INTEGER PRIMARY KEY, subject TEXT, timestamp TEXT)")

    with pytest.raises(StoreError, match="snapshot"):
        prepare(connection)

    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_newer_database_is_refused(connection: sqlite3.Connection) -> None:
    """An older release never touches a newer one's tables."""
    prepare(connection)
    connection.execute("INSERT INTO camalert_schema VALUES (99, 0)")

    with pytest.raises(StoreError, match="version 99"):
        prepare(connection)


def test_upgrade_goes_in_order_and_all_or_nothing(connection: sqlite3.Connection) -> None:
    """A step that fails leaves the version before it."""
    limits = schema.Limits(0, 0)
    good = (*schema.MIGRATIONS, ("CREATE TABLE camalert_second (x)",))
    bad = (*good, ("CREATE TABLE camalert_third (x)", "CREATE TABLE camalert_second (x)"))
    prepare(connection)

    with pytest.raises(sqlite3.OperationalError):
        schema.prepare(connection, limits, 0.0, bad)
    assert schema.version(connection) == len(schema.MIGRATIONS)
    schema.prepare(connection, limits, 0.0, good)

    assert schema.version(connection) == len(good)


def test_upgrade_is_preceded_by_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way back lies beside the database before its tables change."""
    database = Database(Settings(path=str(tmp_path / "a.sqlite3")))
    database.open()
    database.write(add)
    database.close()

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE camalert_second (x)",)))
    monkeypatch.setattr(schema.prepare, "__defaults__", (schema.MIGRATIONS,))
    database.open()
    database.close()

    before = len(schema.MIGRATIONS) - 1
    (copy,) = tmp_path.glob(f"a.sqlite3.version-{before}-*")
    with_rows = sqlite3.connect(copy)
    assert schema.version(with_rows) == before
    assert ids(with_rows) == [1]
    with_rows.close()


def test_upgrade_that_is_ended_again_and_again_leaves_one_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of what has not changed since is used again, and one file is where unfinished copies lie."""
    path = tmp_path / "a.sqlite3"
    database = Database(Settings(path=str(path)))
    database.open()
    database.close()
    before = len(schema.MIGRATIONS)
    (tmp_path / f"a.sqlite3.version-{before}.unfinished").write_bytes(b"of a copy that was ended")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE camalert_second (x",)))
    monkeypatch.setattr(schema.prepare, "__defaults__", (schema.MIGRATIONS,))
    for _ in range(3):
        with pytest.raises(StoreRefused):
            database.open()

    assert [copy.name for copy in tmp_path.glob("*.version-*")] == [
        copy.name for copy in tmp_path.glob(f"a.sqlite3.version-{before}-*")
    ]
    assert len(list(tmp_path.glob("*.version-*"))) == 1
    database.close()


def test_preparing_a_large_database_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an original with many rows is adopted the writer says that it lives, long before it is ready."""
    monkeypatch.setattr("camalert.store.sqlite.database.STEPS_A_SIGN", 1000)
    with closing(sqlite3.connect(tmp_path / "a.sqlite3")) as connection:
        connection.execute(tables.django_table(ALERTS))
        connection.executemany(
            "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('s', 't', ?)", [(b"x",)] * 500
        )
        connection.commit()
    signs: list[int] = []
    database = Database(Settings(path=str(tmp_path / "a.sqlite3")), lambda: signs.append(1))

    database.open()
    at_the_opening = len(signs)
    database.write(lambda found: found.execute("UPDATE camalert_alert SET subject = 'x'"))

    assert at_the_opening > 5
    assert len(signs) == at_the_opening, "not in the middle of ordinary work"
    database.close()


def test_database_of_the_original_before_detections_gets_that_table(connection: sqlite3.Connection) -> None:
    """An old installation that stopped at its third migration is completed, and a later `migrate` finds it done."""
    connection.execute(tables.django_table(ALERTS))
    connection.execute(tables.DJANGO_MIGRATIONS)
    for name in ALERTS.migrations:
        connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('alerts', ?, 'x')", (name,))

    prepare(connection)

    names = [row[0] for row in connection.execute("SELECT name FROM django_migrations ORDER BY id")]
    assert names == [*ALERTS.migrations, *DETECTIONS.migrations]
