"""Other programs with the database open, in processes of their own: SQLite's locks tell only those from ours."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from testing.storerig import JPEG, Rig

from camalert.config import schema as config
from camalert.ipc.messages import StoreCode
from camalert.store.sqlite.backup import backup
from camalert.store.sqlite.database import Database
from camalert.store.sqlite.verify import verify

LOOKING_S = 1.5  # of these looks some hundred used to be wrong
COMMIT_AND_EMPTY = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("PRAGMA synchronous = OFF")
print("up", flush=True)
while True:
    for _ in range(5):
        connection.execute("INSERT OR REPLACE INTO camalert_meta VALUES ('stranger', 'x')")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
"""
DO_AS_TOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
for line in sys.stdin:
    try:
        print(connection.execute(line).fetchall(), flush=True)
    except sqlite3.Error as error:
        print(error, flush=True)
connection.close()
"""


class Stranger:
    """Run a program that is not ours on a database."""

    def __init__(self, program: str, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, statement: str) -> str:
        """Let it execute a statement; return what came of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        """Let it close its connection and end."""
        self.process.communicate()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with closing(Rig(tmp_path)) as rig:
        yield rig


@pytest.fixture
def begin() -> Iterator[Callable[[str, Path], Stranger]]:
    begun: list[Stranger] = []

    def begin(program: str, path: Path) -> Stranger:
        begun.append(Stranger(program, path))
        return begun[-1]

    yield begin
    for stranger in begun:
        stranger.end()


def fill(rig: Rig, count: int) -> None:
    """Store mails, and bring all of them home as the writer does in a pause."""
    for number in range(count):
        assert rig.store(JPEG + bytes((number,))).code == StoreCode.STORED
    rig.writer._store.read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


def test_wal_that_another_program_writes_and_empties_is_no_fault(
    tmp_path: Path, begin: Callable[[str, Path], Stranger]
) -> None:
    """Each look falls between two of its steps, and none takes the WAL for cut short."""
    path = tmp_path / "alerts.sqlite3"
    with closing(Database(config.Database(path=str(path)))) as database:
        database.open()
        assert database._connection is not None
        assert begin(COMMIT_AND_EMPTY, path).hear() == "up"
        end = time.monotonic() + LOOKING_S

        while time.monotonic() < end:
            assert database._files.is_in_place(database._connection)


def test_program_that_opened_the_new_database_first_goes_on_in_the_same_one(
    rig: Rig, tmp_path: Path, begin: Callable[[str, Path], Stranger]
) -> None:
    """It keeps its connection for days; what it and the service write is one database."""
    fill(rig, 1)
    backup(rig.path, tmp_path / "copy.sqlite3")
    fill(rig, 5)
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as copy:
        copy.execute("PRAGMA journal_mode = WAL")
    os.replace(tmp_path / "copy.sqlite3", rig.path)
    stranger = begin(DO_AS_TOLD, rig.path)
    assert stranger.say("SELECT count(*) FROM alerts_alert") == "[(1,)]"

    assert rig.store(b"\xff\xd8 new").code == StoreCode.STORED
    assert stranger.say("SELECT count(*) FROM alerts_alert") == "[(2,)]"
    assert stranger.say("DELETE FROM alerts_alert WHERE id = 1") == "[]"
    assert rig.store(b"\xff\xd8 newer").code == StoreCode.STORED
    stranger.end()

    assert rig.rows("SELECT snapshot FROM alerts_alert") == [(b"\xff\xd8 new",), (b"\xff\xd8 newer",)]
    assert verify(rig.path).is_sound


def test_copy_that_another_program_opened_first_is_used_by_both(
    rig: Rig, tmp_path: Path, begin: Callable[[str, Path], Stranger]
) -> None:
    """A backup has no WAL yet and the old one is empty: neither takes the old one's rows for the new file's."""
    fill(rig, 1)
    backup(rig.path, tmp_path / "copy.sqlite3")
    fill(rig, 5)
    os.replace(tmp_path / "copy.sqlite3", rig.path)
    stranger = begin(DO_AS_TOLD, rig.path)
    assert stranger.say("SELECT count(*) FROM alerts_alert") == "[(1,)]"

    assert rig.store(b"\xff\xd8 new").code == StoreCode.STORED
    assert stranger.say("SELECT count(*) FROM alerts_alert") == "[(2,)]"
    assert stranger.say("DELETE FROM alerts_alert WHERE id = 1") == "[]"
    stranger.leave()
    assert rig.store(b"\xff\xd8 newer").code == StoreCode.STORED

    assert begin(DO_AS_TOLD, rig.path).say("SELECT id FROM alerts_alert") == "[(2,), (3,)]"
    assert verify(rig.path).is_sound


def test_larger_database_is_used_though_another_program_opened_it_first(
    rig: Rig, tmp_path: Path, begin: Callable[[str, Path], Stranger]
) -> None:
    """SQLite takes it for damaged beside the old index; the service does not, nor does who opens it from then on."""
    with closing(Rig(tmp_path / "larger")) as larger:
        fill(larger, 12)
    fill(rig, 1)
    os.replace(larger.path, rig.path)
    stranger = begin(DO_AS_TOLD, rig.path)
    assert "malformed" in stranger.say("SELECT count(*) FROM alerts_alert")

    assert rig.store(JPEG, mail_id=bytes(16)).code == StoreCode.STORED

    assert begin(DO_AS_TOLD, rig.path).say("SELECT count(*) FROM alerts_alert") == "[(13,)]"
    assert verify(rig.path).is_sound
