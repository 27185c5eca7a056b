"""Retention and checkpoints: by count, age and size, in slices, and never a row whose examination is pending."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing.logged import captured

from camalert.config.schema import Config
from camalert.config.schema import Database as Settings
from camalert.errors import StoreBusy
from camalert.store import filesystem
from camalert.store.rows import outbox, retention, visits
from camalert.store.rows.tables import ALERTS, DETECTIONS, DjangoTable
from camalert.store.sqlite import space
from camalert.store.sqlite.store import SqliteStore
from camalert.store.sqlite.wal import BUSY_FRAMES, IDLE_FRAMES, PAUSE_S, QUIET_S, Checkpoint, Frames, truncate
from camalert.store.upkeep import BUSY_S, STEADY_S, Steadiness, Upkeep

PICTURE = b"\xff\xd8" + bytes(50_000)


class KeptRows:
    """A database with its upkeep."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.settings = Settings(path=str(directory / "a.sqlite3"), **settings)
        self.database = SqliteStore(self.settings)
        self.database.open()
        self.said: list[tuple[str, str]] = []
        self.upkeep = Upkeep(
            Config(database=self.settings),
            self.database,
            lambda *said: self.said.append(said),
        )

    def add(
        self, count: int, table: DjangoTable = ALERTS, *, at: str = "2026-07-01 12:00:00", pending: bool = False
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

    def ids(self, table: DjangoTable = ALERTS) -> list[int]:
        query = f"SELECT id FROM {table.name} ORDER BY id"
        return [row[0] for row in self.database.read(lambda found: found.execute(query).fetchall())]

    def query(self, query: str) -> Any:
        return self.database.read(lambda found: found.execute(query).fetchall())


@pytest.fixture
def made() -> Iterator[list[KeptRows]]:
    made: list[KeptRows] = []
    yield made
    for kept in made:
        kept.database.close()


def make(made: list[KeptRows], directory: Path, **settings: Any) -> KeptRows:
    made.append(KeptRows(directory, **settings))
    return made[-1]


def test_upkeep_removes_what_was_pending_beyond_the_limit(made: list[KeptRows], tmp_path: Path) -> None:
    """A backlog larger than the limit stays until it is examined; then the newest are left, with what still waits."""
    kept = make(made, tmp_path, keep_alerts=5)
    kept.add(40, pending=True)

    kept.run()
    assert len(kept.ids()) == 40
    kept.database.write(lambda found: found.execute("DELETE FROM camalert_pending WHERE alert_id <> 3"))
    kept.run()

    assert kept.ids() == [3, 37, 38, 39, 40]


def test_upkeep_removes_by_age(made: list[KeptRows], tmp_path: Path) -> None:
    """Rows of both tables older than keep_days go, however few there are; pending ones stay."""
    kept = make(made, tmp_path, keep_days=30, timestamps="utc")
    kept.add(3, at="2026-05-01 00:00:00")
    kept.add(1, at="2026-05-01 00:00:00", pending=True)
    kept.add(2, DETECTIONS, at="2026-05-01 00:00:00")
    kept.add(2, at="2026-06-30 00:00:00")

    kept.run(now_utc=1_782_864_000.0)  # 2026-07-01

    assert kept.ids() == [4, 5, 6]
    assert kept.ids(DETECTIONS) == []


def test_upkeep_removes_by_size_plain_rows_before_people(made: list[KeptRows], tmp_path: Path) -> None:
    """The file's used pages come down to the limit; rows with people stay ten times as long as others."""
    limit = 40 * 52_000
    kept = make(made, tmp_path, keep_bytes=limit, timestamps="utc")
    kept.add(30, at="2026-07-01 00:00:00")
    kept.add(5, DETECTIONS, at="2026-01-01 00:00:00")
    kept.add(25, DETECTIONS, at="2026-07-01 00:00:00")

    kept.run(now_utc=1_783_036_800.0)  # 2026-07-03

    assert kept.database.read(space.used_bytes) <= limit
    assert kept.ids(DETECTIONS) == list(range(6, 31)), "those of half a year ago go before plain ones of yesterday"
    assert 0 < len(kept.ids()) < 30


def _add_junk(connection: sqlite3.Connection, peer: str, clips: int, raw: int) -> None:
    holder = retention.take_holder(connection, peer, "", time.time())
    for _ in range(clips):
        connection.execute(
            "INSERT INTO camalert_clip (holder, mail, name, kind, bytes, subject, timestamp, camera, event,"
            " received_utc, state, reason, clip)"
            " VALUES (?, 1, '', '', ?, '', '2026-01-01', '', '', 0, 'failed', '', ?)",
            (holder, len(PICTURE), PICTURE),
        )
    for number in range(raw):
        connection.execute(
            "INSERT INTO camalert_raw (holder, mail, received_utc, bytes, raw) VALUES (?, ?, 0, ?, ?)",
            (holder, 1000 * holder + number, len(PICTURE), PICTURE),
        )


def test_size_takes_junk_before_any_alarm(made: list[KeptRows], tmp_path: Path) -> None:
    """Clips of which nothing came and unreadable mails count and go first, whoever sent them."""
    kept = make(made, tmp_path, keep_bytes=60 * 52_000)
    kept.add(40)
    kept.database.write(lambda found: _add_junk(found, "10.0.0.9", clips=50, raw=50))

    kept.run()

    assert kept.database.read(space.used_bytes) <= 60 * 52_000
    assert len(kept.ids()) == 40
    assert 0 < kept.query("SELECT count(*) FROM camalert_raw")[0][0] < 50


def test_size_takes_the_junk_of_the_address_with_the_most_whatever_it_calls_itself(
    made: list[KeptRows], tmp_path: Path
) -> None:
    """A stranger with a name a mail pays for all of them, before a camera whose mails are kept as they came."""
    kept = make(made, tmp_path, keep_bytes=60 * 52_000)

    def fill(connection: sqlite3.Connection) -> None:
        _add_junk(connection, "10.0.0.5", clips=0, raw=20)
        for number in range(50):
            holder = retention.take_holder(connection, "10.0.0.66", f"x{number}", time.time())
            connection.execute(
                "INSERT INTO camalert_raw (holder, mail, received_utc, bytes, raw) VALUES (?, ?, 0, ?, ?)",
                (holder, 1_000_000 + number, len(PICTURE), PICTURE),
            )

    kept.database.write(fill)
    kept.run()

    held = "SELECT count(*) FROM camalert_raw JOIN camalert_holder h ON h.id = holder WHERE address = ?"
    counts = [kept.query(held.replace("?", f"'{address}'"))[0][0] for address in ("10.0.0.5", "10.0.0.66")]
    assert counts[0] == 20
    assert 0 < counts[1] < 50


def test_nobody_gives_junk_for_a_sender_who_has_more(made: list[KeptRows], tmp_path: Path) -> None:
    """On a full disk a mail kept as it came is worth as much as a row, when it is of who has little."""
    kept = make(made, tmp_path)

    def make_room(connection: sqlite3.Connection) -> list[int]:
        _add_junk(connection, "10.0.0.5", clips=1, raw=2)
        _add_junk(connection, "10.0.0.66", clips=4, raw=2)
        freed = [retention.free(connection, 1 << 30, [sender], "2026-07-01 00:00:00")
                 for sender in ("10.0.0.66", "10.0.0.5")]  # fmt: skip
        return [size // len(PICTURE) for size in freed]

    assert kept.database.write(make_room) == [6, 3]


def test_size_takes_the_rows_of_who_has_the_most_bytes(made: list[KeptRows], tmp_path: Path) -> None:
    """A sender of few large pictures pays for them, not the camera with many small ones."""
    kept = make(made, tmp_path, keep_bytes=60 * 52_000)

    def fill(connection: sqlite3.Connection) -> None:
        for peer, count, size in (("10.0.0.5", 100, 2000), ("10.0.0.66", 8, 900_000)):
            holder = retention.take_holder(connection, peer, "", time.time())
            for _ in range(count):
                found = connection.execute(
                    "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('', '2026-07-01', zeroblob(?))",
                    (size,),
                )
                connection.execute("UPDATE camalert_alert SET holder = ?, mail = 1, outcome = 'nobody' WHERE alert_id"
                                   " = ?", (holder, found.lastrowid))  # fmt: skip

    kept.database.write(fill)
    kept.run()

    assert kept.database.read(space.used_bytes) <= 60 * 52_000
    assert set(range(1, 101)) <= set(kept.ids())


def test_junk_is_bounded_in_count_and_bytes_and_fair(
    made: list[KeptRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose junk is beyond the bound is removed, not that of another sender with little of it."""
    monkeypatch.setattr(retention, "RAW_KEPT", 10)
    monkeypatch.setattr(retention, "CLIPS_BYTES", 10 * len(PICTURE))
    kept = make(made, tmp_path)
    kept.database.write(lambda found: _add_junk(found, "10.0.0.5", clips=3, raw=3))
    kept.database.write(lambda found: _add_junk(found, "10.0.0.66", clips=40, raw=40))

    kept.run()

    held = "SELECT address, count(*) FROM {} JOIN camalert_holder h ON h.id = holder GROUP BY address ORDER BY 1"
    assert kept.query(held.format("camalert_raw")) == [("10.0.0.5", 3), ("10.0.0.66", 7)]
    assert kept.query(held.format("camalert_clip")) == [("10.0.0.5", 3), ("10.0.0.66", 7)]


GIB = 1 << 30


@pytest.mark.parametrize(
    ("database_bytes", "free_bytes", "share"),
    [
        (0, 100 * GIB, 50 * GIB),
        (30 * GIB, 70 * GIB, 50 * GIB),
        (0, 3 * GIB, 1 * GIB),  # 2 GiB stay free
        (0, 2 * GIB, GIB // 2),  # too small for that: a quarter
        (0, 0, 0),
    ],
)
def test_share_of_the_disk(database_bytes: int, free_bytes: int, share: int) -> None:
    """Half of what there is, and 2 GiB stay free where that is possible."""
    assert filesystem.share_bytes(50, database_bytes, free_bytes) == share


@given(st.floats(0.1, 95), st.integers(0, 1 << 44), st.integers(0, 1 << 44))
def test_share_of_the_disk_is_never_more_than_configured(percent: float, database_bytes: int, free_bytes: int) -> None:
    """Whatever the disk: from nothing to the configured share."""
    share = filesystem.share_bytes(percent, database_bytes, free_bytes)

    assert 0 <= share <= (database_bytes + free_bytes) * percent / 100


def test_another_program_that_fills_the_disk_costs_no_row(
    made: list[KeptRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database grows no more then, old rows give way to new ones, but it is not emptied for the other program."""
    free = [100 * 52_000]
    monkeypatch.setattr(filesystem, "free_bytes", lambda _: free[0])
    kept = make(made, tmp_path)
    kept.add(30)
    kept.run()
    free[0] = 0
    kept.run()
    assert len(kept.ids()) == 30

    kept.add(10)
    kept.run()

    assert 29 <= len(kept.ids()) <= 31
    assert kept.ids()[-1] == 40


def test_upkeep_gives_free_pages_back(made: list[KeptRows], tmp_path: Path) -> None:
    """A new database shrinks after many deletions, but for a reserve."""
    kept = make(made, tmp_path)
    kept.add(400)
    kept.database.write(lambda found: found.execute("DELETE FROM alerts_alert"))
    before = kept.query("PRAGMA page_count")[0][0]

    kept.run()

    assert kept.query("PRAGMA auto_vacuum") == [(2,)]
    assert kept.query("PRAGMA page_count")[0][0] < before
    assert kept.query("PRAGMA freelist_count")[0][0] <= 2560


def test_upkeep_gives_way_to_a_message(made: list[KeptRows], tmp_path: Path) -> None:
    """Nothing is removed while somebody waits; it stays due."""
    kept = make(made, tmp_path, keep_alerts=1)
    kept.add(20, pending=True)
    kept.database.write(lambda found: found.execute("DELETE FROM camalert_pending"))
    now = time.monotonic()
    kept.upkeep._busy_until = now + BUSY_S

    assert kept.upkeep.slice(now, time.time(), lambda: True)

    assert len(kept.ids()) == 20


def test_limits_hold_under_traffic_without_a_gap(
    made: list[KeptRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step every few seconds, each step in its turn: also the ones behind one that has always something to do."""
    kept = make(made, tmp_path, keep_days=1, keep_bytes=1)
    done: list[str] = []
    for module, step in (
        (retention, "by_count"), (retention, "by_age"), (retention, "by_size"), (retention, "of_mails"),
        (retention, "of_bin"), (visits, "keep_up"), (outbox, "keep_up"),
    ):  # fmt: skip
        monkeypatch.setattr(module, step, lambda *_, step=step: done.append(step) or 1)
    now = time.monotonic()
    kept.upkeep._steadiness = Steadiness(time.time() - now, -STEADY_S)

    for second in range(40):
        assert kept.upkeep.slice(now + second, time.time() + second, lambda: True)

    assert 7 <= len(done) <= 40 / BUSY_S
    assert {"by_count", "by_age", "by_size", "of_mails", "keep_up"} <= set(done)


def test_step_that_the_database_refuses_keeps_no_other_from_its_turn(
    made: list[KeptRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said in a line, and the limit by age holds all the same."""
    kept = make(made, tmp_path, keep_days=1)
    kept.add(3, at="2020-01-01 00:00:00")

    def refuse(connection: sqlite3.Connection, *_: object) -> int:
        connection.execute("INSERT INTO camalert_rows (name, rows) VALUES ('alerts_alert', 0)")
        raise AssertionError("not refused")

    monkeypatch.setattr(retention, "by_count", refuse)
    kept.run()

    assert kept.ids() == []
    assert [name for name, words in kept.said if words] == ["count"]
    assert "UNIQUE" in dict(kept.said)["count"]


def test_trigger_of_somebody_else_keeps_no_limit_from_holding(made: list[KeptRows], tmp_path: Path) -> None:
    """One named as the original's with another text is left alone; the other limits hold, and nothing is refused."""
    kept = make(made, tmp_path)
    kept.database.close()
    with closing(sqlite3.connect(kept.database.path)) as other:
        other.executescript(
            "DROP TRIGGER delete_alarms;"
            "CREATE TRIGGER delete_alarms AFTER INSERT ON alerts_alert BEGIN DELETE FROM alerts_alert WHERE id < 0; END"
        )
    kept = make(made, tmp_path, keep_days=1)
    kept.add(3, at="2020-01-01 00:00:00")

    kept.run()

    assert kept.ids() == []
    assert [said for said in kept.said if said[1]] == []


def test_fault_of_the_disk_in_one_step_is_told_and_the_others_come_next(
    made: list[KeptRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the whole database's, so the writer hears of it."""
    kept = make(made, tmp_path, keep_days=1)
    kept.add(3, at="2020-01-01 00:00:00")

    def fail(*_: object) -> int:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    monkeypatch.setattr(retention, "by_count", fail)
    with pytest.raises(StoreBusy, match="disk"):
        kept.run()

    kept.upkeep.slice(time.monotonic(), time.time(), lambda: False)
    assert kept.ids() == []


def test_upkeep_takes_no_offence_at_somebody_else_s_lock(made: list[KeptRows], tmp_path: Path) -> None:
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


def test_old_mails_without_rows_are_removed(
    made: list[KeptRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    kept.database.write(lambda found: found.execute("UPDATE camalert_alert SET mail = 1, outcome = 'nobody'"))

    kept.run()

    assert kept.query("SELECT id FROM camalert_mail") == [(1,), (3,), (4,), (5,)]


def test_rows_that_give_way_young_are_one_warning_a_day(made: list[KeptRows], tmp_path: Path) -> None:
    """The owner hears that a burst removes fresh alarms, and who sends them, and not with every alarm again."""
    kept = make(made, tmp_path, keep_alerts=5)

    def burst(connection: sqlite3.Connection) -> None:
        for number in range(8):
            found = connection.execute("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('', '', x'')")
            holder = retention.take_holder(connection, "10.0.0.66", "Road", time.time())
            connection.execute(
                "UPDATE camalert_alert SET mail = ?, holder = ?, received_utc = ?, outcome = 'nobody'"
                " WHERE alert_id = ?", (number, holder, time.time(), found.lastrowid),
            )  # fmt: skip

    with captured() as logged:
        for _ in range(3):
            kept.database.write(burst)
            kept.run()
            kept.upkeep.slice(time.monotonic() + 61, time.time(), lambda: False)
    warnings = [event for event in logged if event["event"] == "recent_alarms_removed"]

    assert [(event["count"], event["camera"], event["address"]) for event in warnings] == [(3, "road", "10.0.0.66")]


def test_warning_of_young_rows_tells_who_lost_them_from_who_sends_the_most(
    made: list[KeptRows], tmp_path: Path
) -> None:
    """Alarms of the garage gave way to a burst of somebody else: the garage is not asked about."""
    kept = make(made, tmp_path, keep_alerts=13)

    def mails(connection: sqlite3.Connection) -> None:
        for number in range(15):
            found = connection.execute("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('', '', x'')")
            by = ("10.0.0.5", "Garage") if number < 8 else ("10.0.0.66", "")
            holder = retention.take_holder(connection, *by, time.time())
            connection.execute(
                "UPDATE camalert_alert SET mail = ?, holder = ?, received_utc = ?, outcome = ? WHERE alert_id = ?",
                (number, holder, time.time(), "nobody" if number < 8 else "pending", found.lastrowid),
            )

    with captured() as logged:
        kept.database.write(mails)
        kept.run()
        kept.upkeep.slice(time.monotonic() + 61, time.time(), lambda: False)
    (warning,) = [event for event in logged if event["event"] == "recent_alarms_removed"]

    assert (warning["camera"], warning["address"]) == ("garage", "10.0.0.66")
    assert "2 pictures, garage's among them, were removed" in warning["message"]
    assert "most of the newest are sent by 10.0.0.66" in warning["message"]


def test_checkpoint_waits_for_a_pause_and_never_for_ever() -> None:
    """A gap within a burst is none; a full burst is interrupted; a little is brought home in the end."""
    checkpoint = Checkpoint()
    some, many = Frames(IDLE_FRAMES, 0), Frames(BUSY_FRAMES + 50, 50)

    assert not checkpoint.is_due(some, 10.0, is_idle=False)
    assert not checkpoint.is_due(some, 10.0 + PAUSE_S / 2, is_idle=True)
    assert checkpoint.is_due(some, 10.0 + 2 * PAUSE_S, is_idle=True)
    assert not checkpoint.is_due(some, 10.0 + 2 * PAUSE_S, is_idle=False)
    assert checkpoint.is_due(many, 10.0, is_idle=False)
    little = Checkpoint()
    assert not little.is_due(Frames(3, 0), 10.0, is_idle=True)
    assert not little.is_due(Frames(3, 0), 11.0, is_idle=True)
    assert little.is_due(Frames(3, 0), 11.0 + QUIET_S, is_idle=True)


@pytest.mark.parametrize("frames", [None, Frames(0, 0), Frames(9000, 9000)])
def test_wal_without_anything_to_bring_home_is_left_alone(frames: Frames | None) -> None:
    """A checkpoint that begins when all is copied is half of what SQLite's WAL-reset bug needs."""
    checkpoint = Checkpoint()

    assert not any(checkpoint.is_due(frames, now, is_idle=is_idle) for now in (0.0, 1e6) for is_idle in (True, False))


def test_what_lies_in_the_wal_is_known_exactly(made: list[KeptRows], tmp_path: Path) -> None:
    """Other programs' commits count as well; a checkpoint leaves nothing in it and nothing to do for a commit."""
    kept = make(made, tmp_path)
    kept.add(1)
    kept.database.read(lambda found: truncate(found, busy_s=1.0))
    other = sqlite3.connect(kept.database.path, isolation_level=None)
    other.execute("UPDATE camalert_meta SET value = 'x'")
    other.execute("PRAGMA wal_autocheckpoint = 0")
    ours_begin = kept.database.frames
    assert ours_begin is not None
    assert ours_begin.uncopied > 0
    kept.add(5)

    frames = kept.database.frames

    assert frames is not None
    told = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (frames.in_wal, frames.copied) == (told[1], 0)
    assert kept.database.frames == Frames(told[1], told[2])
    kept.add(1)
    assert kept.database.read(lambda found: truncate(found, busy_s=1.0))
    assert kept.database.frames == Frames(0, 0)
    other.close()


def test_checkpoint_brings_the_wal_home_and_begins_it_anew(made: list[KeptRows], tmp_path: Path) -> None:
    """Afterwards the database file alone has every row, and the WAL does not grow for ever."""
    kept = make(made, tmp_path)
    sizes = []
    for _ in range(5):
        kept.add(20)
        assert kept.database.read(lambda found: kept.database.checkpoint.run(found, 0.0, busy_s=1.0))
        sizes.append(Path(f"{kept.database.path}-wal").stat().st_size)

    assert sizes == [0] * 5
    alone = tmp_path / "copy.sqlite3"
    alone.write_bytes(_read_elsewhere(kept.database.path))
    copy = sqlite3.connect(alone)
    assert copy.execute("SELECT count(*) FROM alerts_alert").fetchone() == (100,)
    copy.close()


def _read_elsewhere(path: Path) -> bytes:
    """Read a database file that this process has locked, in another process: closing a descriptor ends the locks."""
    return subprocess.run(["cat", str(path)], check=True, capture_output=True).stdout


def test_checkpoint_held_up_by_a_reader_is_tried_later(made: list[KeptRows], tmp_path: Path) -> None:
    """A long reader costs a moment, not the writer's time."""
    kept = make(made, tmp_path)
    kept.add(5)
    reader = sqlite3.connect(kept.database.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM alerts_alert").fetchone()
    kept.add(5)
    checkpoint = Checkpoint()
    some = Frames(IDLE_FRAMES, 0)
    assert not checkpoint.is_due(some, 99.0, is_idle=True)

    done = kept.database.read(lambda found: checkpoint.run(found, 100.0, busy_s=1.0))

    assert not done
    assert not checkpoint.is_due(some, 100.5, is_idle=True)
    assert checkpoint.is_due(some, 101.0, is_idle=True)
    reader.close()


def test_clock_is_steady_after_an_hour_without_a_jump() -> None:
    """Slewing by NTP is no jump."""
    clock = Steadiness()

    assert not clock.is_steady(0.0, 1e9)
    assert not clock.is_steady(STEADY_S - 1, 1e9 + STEADY_S + 5)
    assert clock.is_steady(STEADY_S, 1e9 + STEADY_S + 9)


def test_clock_that_jumped_is_not_believed_for_an_hour() -> None:
    """Neither forwards nor backwards."""
    clock = Steadiness()
    clock.is_steady(0.0, 0.0)
    assert clock.is_steady(STEADY_S, STEADY_S)

    assert not clock.is_steady(STEADY_S + 1, 1.8e9)
    assert not clock.is_steady(2 * STEADY_S, 1.8e9 + STEADY_S)
    assert clock.is_steady(2 * STEADY_S + 2, 1.8e9 + STEADY_S + 1)
    assert not clock.is_steady(2 * STEADY_S + 3, 1.8e9)
