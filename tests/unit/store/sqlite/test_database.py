"""The writer's connection: where SQLite keeps what undoes a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from camalert.config.schema import Database as Settings
from camalert.store.sqlite.database import Database

IN_FILE, IN_MEMORY = 1, 2


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(Settings(path=str(tmp_path / "alerts.sqlite3")))
    database.open()
    yield database
    database.close()


def place(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA temp_store").fetchone()[0])


def test_small_transaction_needs_no_temporary_file(database: Database) -> None:
    """Each transaction has it as it asks for, also with the connection of a database that was opened again."""
    assert database.write(place, is_small=True) == IN_MEMORY
    assert database.write(place) == IN_FILE
    assert database.write(place, is_small=True) == IN_MEMORY

    database.close()
    database.open()

    assert database.write(place, is_small=True) == IN_MEMORY


def test_small_transaction_that_is_refused_leaves_nothing(database: Database) -> None:
    """A statement that is refused half done is undone from memory as it is from a file."""
    database.write(lambda found: found.execute("CREATE TABLE number (value INTEGER UNIQUE)"))

    def add(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO number VALUES (7)")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO number WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                               " LIMIT 9) SELECT i FROM n")  # fmt: skip
        return int(connection.execute("SELECT count(*) FROM number").fetchone()[0])

    assert database.write(add, is_small=True) == 1
