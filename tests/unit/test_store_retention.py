"""Retention and checkpoints: by count, age and size, in slices, and never a row whose examination is pending."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from camalert.config import Database as Settings
from camalert.store import retention
from camalert.store.checkpoint import BUSY_PAGES, IDLE_PAGES, PAUSE_S, QUIET_S, Checkpoint, wal_bytes
from camalert.store.clock import STEADY_S, Steadiness
from camalert.store.database import Database
from camalert.store.tables import ALERTS, DETECTIONS, Reviewed
from camalert.store.upkeep import Upkeep

PICTURE = b"\xff\xd8" + bytes(50_000)


class Kept:
    """A database with its upkeep."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.settings = Settings(path=str(directory / "a.sqlite3"), **settings)
        self.database = Database(self.settings)
        self.database.open()
        self.upkeep = Upkeep(self.settings, self.database)

    def add(
        self, count: int, table: Reviewed = ALERTS, *, at: str = "2026-07-01 12:00:00", pending: bool = False
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for _ in range(count):
                cursor = connection.execute(
                    f"INSERT INTO {table.name} (subject, timestamp, snapshot) VALUES ('s', ?, ?)", (at, PICTURE)
                )
                if pending:
                    connection.execute("INSERT INTO camalert_pending VALUES (?, 0, 1)", (cursor.lastrowid,))

        self.database.write(work)

    def run(self, now_utc: float | None = None) -> None:
        """Let the upkeep do everything that is due."""
        utc = time.time() if now_utc is None else now_utc
        self.upkeep._due = dict.fromkeys(self.upkeep._due, 0.0)
        self.upkeep._steadiness = Steadiness(utc - time.monotonic(), -STEADY_S)
        while self.upkeep.slice(time.monotonic(), utc, lambda: False):
            pass

    def ids(self, table: Reviewed = ALERTS) -> list[int]:
        query = f"SELECT id FROM {table.name} ORDER BY id"
        return [row[0] for row in self.database.read(lambda found: found.execute(query).fetchall())]

    def query(self, query: str) -> Any:
        return self.database.read(lambda found: found.execute(query).fetchall())


@pytest.fixture
def made() -> Iterator[list[Kept]]:
    made: list[Kept] = []
    yield made
    for kept in made:
        kept.database.close()


def make(made: list[Kept], directory: Path, **settings: Any) -> Kept:
    made.append(Kept(directory, **settings))
    return made[-1]


def test_upkeep_removes_what_was_pending_beyond_the_limit(made: list[Kept], tmp_path: Path) -> None:
    """A backlog larger than the limit stays until it is examined; then exactly the newest rows are left."""
    kept = make(made, tmp_path, keep_alerts=5)
    kept.add(40, pending=True)

    kept.run()
    assert len(kept.ids()) == 40
    kept.database.write(lambda found: found.execute("DELETE FROM camalert_pending WHERE alert_id <> 3"))
    kept.run()

    assert kept.ids() == [3, 36, 37, 38, 39, 40]


def test_upkeep_removes_by_age(made: list[Kept], tmp_path: Path) -> None:
    """Rows of both tables older than keep_days go, however few there are; pending ones stay."""
    kept = make(made, tmp_path, keep_days=30, timestamps="utc")
    kept.add(3, at="2026-05-01 00:00:00")
    kept.add(1, at="2026-05-01 00:00:00", pending=True)
    kept.add(2, DETECTIONS, at="2026-05-01 00:00:00")
    kept.add(2, at="2026-06-30 00:00:00")

    kept.run(now_utc=1_782_864_000.0)  # 2026-07-01

    assert kept.ids() == [4, 5, 6]
    assert kept.ids(DETECTIONS) == []


def test_upkeep_removes_by_size_the_oldest_of_both_tables(made: list[Kept], tmp_path: Path) -> None:
    """The file's used pages come down to the limit; the oldest rows go first, whichever table they are in."""
    limit = 40 * 52_000
    kept = make(made, tmp_path, keep_bytes=limit)
    kept.add(30, at="2026-07-02 00:00:00")
    kept.add(30, DETECTIONS, at="2026-07-01 00:00:00")

    kept.run()

    assert kept.database.read(retention.used_bytes) <= limit
    assert len(kept.ids()) == 30
    assert 0 < len(kept.ids(DETECTIONS)) < 30


def test_upkeep_gives_free_pages_back(made: list[Kept], tmp_path: Path) -> None:
    """A new database shrinks after many deletions, but for a reserve."""
    kept = make(made, tmp_path)
    kept.add(400)
    kept.database.write(lambda found: found.execute("DELETE FROM alerts_alert"))
    before = kept.query("PRAGMA page_count")[0][0]

    kept.run()

    assert kept.query("PRAGMA auto_vacuum") == [(2,)]
    assert kept.query("PRAGMA page_count")[0][0] < before
    assert kept.query("PRAGMA freelist_count")[0][0] <= 2560


def test_upkeep_gives_way_to_a_message(made: list[Kept], tmp_path: Path) -> None:
    """Nothing is removed while somebody waits; it stays due."""
    kept = make(made, tmp_path, keep_alerts=1)
    kept.add(20, pending=True)
    kept.database.write(lambda found: found.execute("DELETE FROM camalert_pending"))

    assert kept.upkeep.slice(time.monotonic(), time.time(), lambda: True)

    assert len(kept.ids()) == 20


def test_upkeep_takes_no_offence_at_somebody_else_s_lock(made: list[Kept], tmp_path: Path) -> None:
    """cams deletes for a while: what is due is done a second later, and nothing is reported."""
    kept = make(made, tmp_path, keep_alerts=1)
    kept.add(3, pending=True)
    kept.database.write(lambda found: found.execute("DELETE FROM camalert_pending"))
    other = sqlite3.connect(kept.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    for _ in range(3):
        kept.upkeep.slice(time.monotonic(), time.time(), lambda: False)
    assert kept.ids() == [1, 2, 3]
    other.close()

    kept.run()
    assert kept.ids() == [3]


def test_old_mails_without_rows_are_removed(made: list[Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail whose pictures are there stays; one without any goes when it is old and many are newer."""
    monkeypatch.setattr(retention, "MAILS_KEPT", 2)
    kept = make(made, tmp_path)
    kept.add(1)
    mail = (
        "INSERT INTO camalert_mail (mail_id, digest, received_utc, first_id, count, peer, helo, login, sender,"
        " recipients, subject, camera, event, camera_time, kind, unreadable, headers)"
        " VALUES (randomblob(16), '', ?, ?, ?, '', '', '', '', '[]', '', '', '', '', 'alarm', '', '')"
    )
    now = time.time()
    mails = [(now - 1e6, 1, 1), (now - 1e6, 50, 2), (now - 10, 0, 0), (now, 0, 0), (now, 0, 0)]
    kept.database.write(lambda found: found.executemany(mail, mails))

    kept.run()

    assert kept.query("SELECT id FROM camalert_mail") == [(1,), (3,), (4,), (5,)]


def test_checkpoint_waits_for_a_pause_and_never_for_ever() -> None:
    """A gap within a burst is none; a full burst is interrupted; a little is brought home in the end."""
    checkpoint = Checkpoint()
    checkpoint._pages = 0
    checkpoint.note(IDLE_PAGES * 4096, 10.0)

    assert not checkpoint.is_due(10.0 + PAUSE_S / 2, is_idle=True)
    assert checkpoint.is_due(10.0 + 2 * PAUSE_S, is_idle=True)
    assert not checkpoint.is_due(10.0 + 2 * PAUSE_S, is_idle=False)
    checkpoint.note(BUSY_PAGES * 4096, 10.0)
    assert checkpoint.is_due(10.0, is_idle=False)
    little = Checkpoint()
    little._pages = 0
    little.note(0, 10.0)
    assert not little.is_due(11.0, is_idle=True)
    assert little.is_due(11.0 + QUIET_S, is_idle=True)


def test_checkpoint_brings_the_wal_home_and_begins_it_anew(made: list[Kept], tmp_path: Path) -> None:
    """Afterwards the database file alone has every row, and the WAL does not grow for ever."""
    kept = make(made, tmp_path)
    sizes = []
    for number in range(5):
        kept.add(20)
        kept.upkeep.checkpoint.note(20 * len(PICTURE), float(number))
        assert kept.database.read(lambda found: kept.upkeep.checkpoint.run(found, 0.0, busy_s=1.0))
        sizes.append(wal_bytes(kept.database.path))

    assert max(sizes) <= 2 * sizes[0]
    alone = tmp_path / "copy.sqlite3"
    alone.write_bytes(_read_elsewhere(kept.database.path))
    copy = sqlite3.connect(alone)
    assert copy.execute("SELECT count(*) FROM alerts_alert").fetchone() == (100,)
    copy.close()


def _read_elsewhere(path: Path) -> bytes:
    """Read a database file that this process has locked, in another process: closing a descriptor ends the locks."""
    return subprocess.run(["cat", str(path)], check=True, capture_output=True).stdout


def test_checkpoint_held_up_by_a_reader_is_tried_later(made: list[Kept], tmp_path: Path) -> None:
    """A long reader costs a moment, not the writer's time."""
    kept = make(made, tmp_path)
    kept.add(5)
    reader = sqlite3.connect(kept.database.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM alerts_alert").fetchone()
    kept.add(5)
    checkpoint = Checkpoint()
    checkpoint.note(IDLE_PAGES * 4096, 0.0)

    done = kept.database.read(lambda found: checkpoint.run(found, 100.0, busy_s=1.0))

    assert not done
    assert not checkpoint.is_due(100.5, is_idle=True)
    assert checkpoint.is_due(101.0, is_idle=True)
    reader.close()
