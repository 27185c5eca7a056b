"""The database goes wrong: each fault ends in an answer, and work goes on by itself when it is over."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testing.storerig import JPEG, Rig

from camalert import config
from camalert.errors import ConfigError, StoreBusy, StoreDamaged, StoreFull, StoreLost, StoreRefused
from camalert.messages import Concluded, Held, Loaded, Noted, Outcome, StoreCode, Stored
from camalert.store.backup import backup
from camalert.store.companions import free_name
from camalert.store.database import ABANDONED_MAX, Database
from camalert.store.faults import translate
from camalert.store.walindex import HEADER, WalIndex, database_bytes, wal_bytes
from camalert.store.walsync import WalSync

MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    made: list[Rig] = []

    def make(**settings: object) -> Rig:
        made.append(Rig(tmp_path, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def other(rig: Rig) -> Iterator[sqlite3.Connection]:
    """Another program that has the database open."""
    connection = sqlite3.connect(rig.path, isolation_level=None)
    yield connection
    connection.close()


def usable_again(rig: Rig) -> bool:
    """Tell whether a mail is stored now; the writer tries once a second by itself."""
    return rig.store(JPEG).code == StoreCode.STORED


def test_locked_database_answers_busy_and_recovers(rig: Rig, other: sqlite3.Connection) -> None:
    """A shell in a transaction costs a 451, not the service."""
    other.execute("BEGIN IMMEDIATE")
    assert rig.store(JPEG).code == StoreCode.BUSY
    other.execute("ROLLBACK")

    assert usable_again(rig)

    events = [note.text for note in rig.take(Noted)]
    assert [b"unusable" in events[0], b"usable_again" in events[1]] == [True, True]
    assert b"locked by another program" in events[0]


def test_verdict_outlives_a_locked_database(rig: Rig, other: sqlite3.Connection) -> None:
    """The frame slot is free at once; the verdict is written when the lock is gone, without a second examination."""
    rig.turn(*rig.lend(1))
    rig.store(JPEG)
    (loaded,) = rig.take(Loaded)
    other.execute("BEGIN IMMEDIATE")

    rig.turn(rig.conclusion(loaded, Outcome.PERSON))
    # At once and not with what is sent next: a successor must not be asked for a verdict whose slot is in use again.
    told = list(iter(rig.channel.receive, None))
    assert Concluded(loaded.slot, loaded.generation, loaded.alert_id) in told
    other.execute("ROLLBACK")

    rig.turn_until(lambda: rig.rows("SELECT count(*) FROM alerts_detect") == [(1,)])
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(0,)]


def test_nothing_is_loaded_while_the_database_cannot_be_written(rig: Rig, other: sqlite3.Connection) -> None:
    """Examinations whose verdicts cannot be kept would only burn the processor."""
    rig.store(JPEG)
    other.execute("BEGIN IMMEDIATE")
    assert rig.store(JPEG).code == StoreCode.BUSY

    rig.turn(*rig.lend(3))
    assert rig.take(Loaded) == []
    other.execute("ROLLBACK")

    rig.turn_until(lambda: bool(rig.take(Loaded)))


def test_verdicts_beyond_those_held_back_are_examined_again(
    rig: Rig, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays bounded in a long lock, and no alert is forgotten."""
    monkeypatch.setattr("camalert.store.conclusions.HELD_BACK", 1)
    rig.turn(*rig.lend(3))
    for _ in range(3):
        rig.store(JPEG)
    loaded = rig.take(Loaded)
    other.execute("BEGIN IMMEDIATE")
    rig.turn(*(rig.conclusion(message, Outcome.NOBODY) for message in loaded))
    assert len(rig.writer._conclusions.held_back) == 1
    other.execute("ROLLBACK")

    again: list[Loaded] = []
    rig.turn_until(lambda: bool(again.extend(rig.take(Loaded)) or len(again) == 2))

    assert {message.alert_id for message in again} == {message.alert_id for message in loaded[1:]}
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(2,)]


def test_full_disk_answers_full_and_recovers(rig: Rig) -> None:
    """452 while it lasts; what was accepted stays."""
    rig.store(JPEG)
    connection = rig.writer._database._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    assert rig.store(JPEG, JPEG, JPEG).code == StoreCode.FULL
    connection.execute("PRAGMA max_page_count = 1000000").fetchone()

    assert usable_again(rig)
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def test_read_only_database_answers_full_and_recovers(rig: Rig) -> None:
    """A file system that was remounted read-only is no end of the process."""
    connection = rig.writer._database._connection
    assert connection is not None
    connection.execute("PRAGMA query_only = ON")
    assert rig.store(JPEG).code == StoreCode.FULL
    connection.execute("PRAGMA query_only = OFF")

    assert usable_again(rig)


def test_moved_database_answers_busy_until_it_is_back(rig: Rig) -> None:
    """The moved file has every row that was accepted, and no empty one takes its place."""
    rig.store(JPEG)
    away = rig.path.with_name("away.sqlite3")
    rig.path.rename(away)

    assert rig.store(JPEG).code == StoreCode.BUSY
    assert not rig.path.exists()
    rows = sqlite3.connect(f"file:{away}?mode=ro", uri=True)
    assert rows.execute("SELECT snapshot FROM alerts_alert").fetchall() == [(JPEG,)]
    rows.close()
    away.rename(rig.path)

    assert usable_again(rig)
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def test_replaced_database_is_followed(rig: Rig, tmp_path: Path) -> None:
    """Another file in its place is used from the next mail on; old verdicts do not end up in it."""
    rig.store(JPEG)
    empty = Rig(tmp_path / "other")
    empty.store(b"\xff\xd8 other")
    empty.close()
    rig.turn(*rig.lend(1))
    (loaded,) = rig.take(Loaded) or (None,)
    assert loaded is None or loaded.alert_id == 1
    os.replace(tmp_path / "other" / "alerts.sqlite3", rig.path)

    assert usable_again(rig)
    if loaded:
        rig.turn(rig.conclusion(loaded, Outcome.PERSON))

    assert rig.rows("SELECT id, snapshot FROM alerts_alert") == [(1, b"\xff\xd8 other"), (2, JPEG)]
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(0,)]
    assert rig.rows("SELECT alert_id FROM camalert_pending ORDER BY 1") == [(1,), (2,)]


def test_old_verdict_does_not_end_the_examination_of_a_new_alert(rig: Rig, tmp_path: Path) -> None:
    """In one batch with the first mail of the new database, whose alert has the same id."""
    backup(rig.path, tmp_path / "empty.sqlite3")
    rig.turn(*rig.lend(3), rig.put_mail(JPEG))
    (old,) = rig.take(Loaded)
    os.replace(tmp_path / "empty.sqlite3", rig.path)

    rig.turn(rig.put_mail(b"\xff\xd8 new"), rig.conclusion(old, Outcome.NOBODY))
    rig.turn()

    (new,) = rig.take(Loaded)
    assert new.alert_id == old.alert_id
    assert rig.rows("SELECT alert_id FROM camalert_pending") == [(new.alert_id,)]


def test_replaced_database_does_not_inherit_the_wal_of_the_old_one(
    rig: Rig, other: sqlite3.Connection, tmp_path: Path
) -> None:
    """While another program reads, the old WAL cannot be emptied; in the new file it would be ruin."""
    rig.store(JPEG)
    backup(rig.path, tmp_path / "copy.sqlite3")
    for number in range(5):
        rig.store(JPEG + bytes((number,)))
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM alerts_alert").fetchall()
    for number in range(5, 10):
        rig.store(JPEG + bytes((number,)))
    os.replace(tmp_path / "copy.sqlite3", rig.path)

    assert rig.store(b"\xff\xd8 new").code == StoreCode.STORED
    other.close()

    assert rig.rows("PRAGMA integrity_check") == [("ok",)]
    assert rig.rows("SELECT id, snapshot FROM alerts_alert") == [(1, JPEG), (2, b"\xff\xd8 new")]
    [left] = rig.path.parent.glob("*-wal.replaced-*")
    assert left.stat().st_size > 0


def test_removed_wal_is_brought_home_before_the_writer_begins_anew(rig: Rig) -> None:
    """Its rows are in the database, and no mail is answered for what would be lost with it."""
    rig.store(JPEG)
    Path(f"{rig.path}-wal").unlink()

    with pytest.raises(StoreLost, match="removed"):
        rig.store(b"\xff\xd8 later")

    alone = sqlite3.connect(f"file:{rig.path}?immutable=1", uri=True)
    assert alone.execute("SELECT snapshot FROM alerts_alert").fetchall() == [(JPEG,)]
    alone.close()


def test_wal_emptied_by_another_program_is_no_fault(rig: Rig, other: sqlite3.Connection) -> None:
    """A checkpoint of the owner's own brings every row home before it cuts the file."""
    rig.store(JPEG)
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert rig.path.with_name(f"{rig.path.name}-wal").stat().st_size == 0

    assert rig.store(JPEG).code == StoreCode.STORED

    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def test_wal_cut_short_takes_no_further_mail(rig: Rig) -> None:
    """What were committed behind the gap would be lost at the next start."""
    rig.store(JPEG)
    os.truncate(f"{rig.path}-wal", 100)

    with pytest.raises(StoreLost, match="cut short"):
        rig.store(JPEG)


@pytest.mark.parametrize("is_emptied", [False, True])
@pytest.mark.parametrize("is_looked_at_first", [False, True])
def test_wal_written_while_it_is_looked_at_is_no_fault(
    rig: Rig, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, is_emptied: bool, is_looked_at_first: bool
) -> None:
    """Its size and its index are two looks; another program commits, or empties it, between them."""
    look = WalSync.size_bytes.fget
    assert look is not None

    def look_slowly(sync: WalSync) -> float:
        before = look(sync)
        other.execute("INSERT OR REPLACE INTO camalert_meta VALUES ('stranger', ?)", (time.monotonic(),))
        if is_emptied:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        return before if is_looked_at_first else look(sync)

    other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    rig.store(JPEG)
    monkeypatch.setattr(WalSync, "size_bytes", property(look_slowly))

    assert rig.store(JPEG).code == StoreCode.STORED
    assert rig.store(JPEG).code == StoreCode.STORED


def test_index_that_says_nothing_of_the_wal_alarms_nobody(tmp_path: Path) -> None:
    """A -shm that somebody emptied, or that is being written."""
    index = WalIndex(tmp_path / "alerts.sqlite3")
    shm = tmp_path / "alerts.sqlite3-shm"
    sound = HEADER.pack(1, 4096, 2, 7)

    said = []
    for content in (b"", sound, sound + HEADER.pack(1, 4096, 3, 7), sound + sound):
        shm.write_bytes(content)
        index.begin()
        said.append((wal_bytes(index.header()), database_bytes(index.header())))
        index.end()

    assert said == [(0, 0), (0, 0), (0, 0), (32 + 2 * (24 + 4096), 7 * 4096)]


def test_database_that_is_moved_again_and_again_costs_a_new_writer(rig: Rig) -> None:
    """Each connection that is left keeps its descriptors; before they run out a new process begins with none."""
    away = rig.path.with_name("away.sqlite3")
    rig.store(JPEG)

    for _ in range(ABANDONED_MAX - 1):
        rig.path.rename(away)
        assert rig.store(JPEG).code == StoreCode.BUSY
        away.rename(rig.path)
        assert rig.store(JPEG).code == StoreCode.STORED
    rig.path.rename(away)
    rig.store(JPEG)
    away.rename(rig.path)

    with pytest.raises(StoreLost, match="times"):
        rig.store(JPEG)


def damage(path: Path) -> bytes:
    """Overwrite the beginning of a database in use, and return what is there then."""
    with path.open("r+b") as file:
        file.write(b"this is not a database" * 400)
    with contextlib.closing(sqlite3.connect(path)):
        pass
    return path.read_bytes()


def test_damaged_database_is_left_as_it_is(make_rig: MakeRig) -> None:
    """451 until its owner puts a sound file in its place; nothing is written into the damaged one."""
    rig = make_rig(journal="delete")
    rig.store(JPEG)
    sound = rig.path.with_name("sound.sqlite3")
    shutil.copy(rig.path, sound)
    damaged = damage(rig.path)

    assert rig.store(JPEG).code == StoreCode.BUSY
    assert rig.store(JPEG).code == StoreCode.BUSY
    assert rig.path.read_bytes() == damaged
    os.replace(sound, rig.path)

    assert usable_again(rig)
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def test_damaged_database_is_set_aside_when_that_is_allowed(make_rig: MakeRig) -> None:
    """A new file is begun, and the damaged one keeps its bytes under a name with the date."""
    rig = make_rig(journal="delete", replace_corrupt=True)
    rig.store(JPEG)
    damaged = damage(rig.path)

    assert rig.store(JPEG).code == StoreCode.BUSY
    rig.turn_until(lambda: usable_again(rig))

    (aside,) = rig.path.parent.glob("alerts.sqlite3.damaged-*")
    assert aside.read_bytes() == damaged
    assert rig.rows("SELECT id FROM alerts_alert") == [(1,)]


def test_file_set_aside_never_takes_the_place_of_another(tmp_path: Path) -> None:
    """A machine without a battery clock may set two files aside at the same date."""
    path = tmp_path / "alerts.sqlite3"

    made = []
    for _ in range(3):
        made.append(free_name(path, ".damaged-19700101-000012"))
        made[-1].touch()

    assert len(set(made)) == 3


def test_damaged_database_at_start_is_the_owner_s_decision(tmp_path: Path) -> None:
    """The service does not begin, and says what the choices are."""
    path = tmp_path / "alerts.sqlite3"
    path.write_bytes(b"not a database at all " * 300)

    with pytest.raises(ConfigError, match="replace_corrupt"):
        Rig(tmp_path)

    assert path.read_bytes() == b"not a database at all " * 300
    rig = Rig(tmp_path, replace_corrupt=True)
    assert usable_again(rig)
    rig.close()


def test_tables_altered_by_a_migrate_get_their_triggers_back(rig: Rig, other: sqlite3.Connection) -> None:
    """Django alters a table by building a copy without triggers; the next mail finds them in place again."""
    rig.store(JPEG)
    create = other.execute("SELECT sql FROM sqlite_master WHERE name = 'alerts_alert'").fetchone()[0]
    other.executescript(
        create.replace('"alerts_alert"', '"new__alerts_alert"').replace("varchar(200)", "varchar(250)")
        + ";INSERT INTO new__alerts_alert SELECT * FROM alerts_alert; DROP TABLE alerts_alert;"
        "ALTER TABLE new__alerts_alert RENAME TO alerts_alert; INSERT INTO alerts_alert VALUES (9, 's', 't', x'ff')"
    )

    assert usable_again(rig)

    assert rig.rows("SELECT alert_id, mail FROM camalert_alert") == [(1, 1), (9, None), (10, 2)]
    assert rig.rows("SELECT rows FROM camalert_rows WHERE name = 'alerts_alert'") == [(3,)]
    assert rig.rows("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'alerts_alert'") == [(5,)]


def test_statement_that_is_refused_spoils_its_own_job_only(rig: Rig, other: sqlite3.Connection) -> None:
    """A table that refuses detections keeps no mail from its 250."""
    rig.turn(*rig.lend(1))
    rig.store(JPEG)
    (loaded,) = rig.take(Loaded)
    other.execute("CREATE TRIGGER no BEFORE INSERT ON alerts_detect BEGIN SELECT RAISE(ABORT, 'no'); END")

    rig.turn(rig.conclusion(loaded, Outcome.PERSON), rig.put_mail(JPEG))
    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.STORED]
    other.execute("DROP TRIGGER no")

    rig.turn_until(lambda: rig.rows("SELECT count(*) FROM alerts_detect") == [(1,)])


def test_damaged_picture_in_the_database_is_given_up_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One unreadable row fails with its reason; the queue goes on."""
    rig.store(JPEG)
    rig.store(JPEG)
    rig.start()
    load = rig.writer._database.read

    def read(work: Callable[[sqlite3.Connection], object]) -> object:
        found = load(work)
        if getattr(getattr(found, "words", None), "alert_id", 0) == 1:
            raise StoreDamaged("the database file is damaged")
        return found

    monkeypatch.setattr(rig.writer._database, "read", read)
    rig.turn(*rig.lend(2))
    rig.turn()

    assert [message.alert_id for message in rig.take(Loaded)] == [2]
    assert rig.rows("SELECT outcome, reason FROM camalert_alert WHERE alert_id = 1") == [
        ("failed", "not examined: the database file is damaged")
    ]


def test_locked_database_at_start_is_waited_for(tmp_path: Path) -> None:
    """A new writer begins when the lock is gone; it is not sent away."""
    locker = sqlite3.connect(tmp_path / "alerts.sqlite3", isolation_level=None, check_same_thread=False)
    locker.execute("PRAGMA journal_mode = WAL")
    locker.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.5, lambda: locker.execute("ROLLBACK"))
    release.start()

    rig = Rig(tmp_path)

    release.join()
    locker.close()
    assert usable_again(rig)
    rig.close()


@pytest.mark.parametrize("is_held_back", [False, True])
@pytest.mark.parametrize(
    ("outcome", "left"),
    [(Outcome.PERSON, ([], [(1,)])), (Outcome.DIED, ([(1, 1)], [(0,)]))],
    ids=["person", "died"],
)
def test_verdict_for_a_predecessor_is_written_though_the_database_was_locked_at_the_start(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    is_held_back: bool,
    outcome: Outcome,
    left: tuple[list[tuple[int, ...]], list[tuple[int]]],
) -> None:
    """Nobody replaced the file; the first transaction that succeeds opens it, and the verdict is in it."""
    monkeypatch.setattr("camalert.store.health.OPENING_S", 0.05)
    rig.turn(*rig.lend(1), rig.put_mail(JPEG))
    (loaded,) = rig.take(Loaded)
    with contextlib.closing(sqlite3.connect(rig.path, isolation_level=None)) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        rig.start()
        held = Held(loaded.slot, loaded.generation, loaded.alert_id)
        if is_held_back:
            rig.turn(held, rig.conclusion(loaded, outcome))
            assert len(rig.writer._conclusions.held_back) == 1
    if is_held_back:
        rig.turn_until(lambda: not rig.writer._conclusions.held_back)
    else:
        rig.turn(held, rig.conclusion(loaded, outcome))

    pending = rig.rows("SELECT alert_id, tries FROM camalert_pending")
    assert (pending, rig.rows("SELECT count(*) FROM alerts_detect")) == left


@pytest.mark.parametrize("is_locked", [False, True])
def test_database_of_a_newer_release_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    """Only its owner can do something, whether it is met at once or when another program lets go of it."""
    monkeypatch.setattr("camalert.store.health.OPENING_S", 0.05)
    path = make_newer(tmp_path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as locker:
        if not is_locked:
            with pytest.raises(ConfigError, match="newer release"):
                Rig(tmp_path)
            return
        locker.execute("BEGIN EXCLUSIVE")
        rig = Rig(tmp_path)
        locker.execute("ROLLBACK")

    with contextlib.closing(rig), pytest.raises(ConfigError, match="newer release"):
        rig.store(JPEG)


def test_database_of_a_newer_release_in_the_place_of_ours_is_left_alone(rig: Rig, tmp_path: Path) -> None:
    """A running service answers 451, and takes ours up again when it is put back."""
    rig.store(JPEG)
    ours = rig.path.with_name("ours.sqlite3")
    newer = make_newer(tmp_path / "newer")
    rig.path.rename(ours)
    newer.rename(rig.path)

    assert rig.store(JPEG).code == StoreCode.BUSY
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(0,)]
    os.replace(ours, rig.path)

    assert usable_again(rig)
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def make_newer(directory: Path) -> Path:
    """Make a database that a later release has upgraded."""
    directory.mkdir(exist_ok=True)
    path = directory / "alerts.sqlite3"
    with contextlib.closing(Database(config.Database(path=str(path)))) as database:
        database.open()
        database.write(lambda connection: connection.execute("INSERT INTO camalert_schema VALUES (99, 0)"))
    return path


def test_database_locked_while_it_is_opened_is_waited_for_as_long_as_asked(tmp_path: Path) -> None:
    """A try that nobody waits for does not hold up the mails behind it."""
    path = tmp_path / "alerts.sqlite3"
    database = Database(config.Database(path=str(path), busy_seconds=30.0))
    database.open()
    database.close()
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    began = time.monotonic()

    with pytest.raises(StoreBusy):
        database.open(wait_s=0.0)

    assert time.monotonic() - began < 15
    locker.close()
    database.open()
    database.close()


def test_disk_that_is_full_at_a_checkpoint_does_not_end_the_writer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mails of the batch have their 250 by then, and the writer stays."""

    def refuse(*_: object, **__: object) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(rig.writer._upkeep, "checkpoint_if_due", refuse)
    assert rig.store(JPEG).code == StoreCode.STORED
    monkeypatch.undo()

    assert usable_again(rig)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreBusy),
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFull),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreDamaged),
        (sqlite3.SQLITE_CONSTRAINT_NOTNULL, StoreRefused),
        (0, StoreRefused),
    ],
)
def test_translate_knows_extended_codes(code: int, kind: type[Exception]) -> None:
    """What SQLite reports in detail is the same to a camera."""
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "NAME"

    assert type(translate(error)) is kind
