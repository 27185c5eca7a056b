"""The database goes wrong: each fault ends in an answer, and work goes on by itself when it is over."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testing.storerig import JPEG, MakeRig, Rig

from camalert.config import schema as config
from camalert.errors import (
    ConfigError,
    ProtocolError,
    StoreBusy,
    StoreDamaged,
    StoreFull,
    StoreLocked,
    StoreLost,
    StoreRefused,
)
from camalert.ipc.messages import Concluded, Held, Loaded, Noted, Outcome, StoreCode, Stored
from camalert.ipc.records import FrameRecord
from camalert.store import batch, filesystem
from camalert.store.queue import Waiting
from camalert.store.rows import alerts, retention
from camalert.store.rows.alerts import Intake
from camalert.store.sqlite import schema, space
from camalert.store.sqlite.backup import backup
from camalert.store.sqlite.database import ABANDONED_MAX, Database
from camalert.store.sqlite.files import free_name
from camalert.store.sqlite.opening import translate
from camalert.store.sqlite.wal import HEADER, WalIndex, WalSync, database_bytes, wal_bytes
from camalert.store.verdict import Verdict


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
    assert [b"unusable" in events[0], b"recovered" in events[1]] == [True, True]
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
    monkeypatch.setattr("camalert.store.batch.HELD_BACK", 1)
    rig.turn(*rig.lend(3))
    for _ in range(3):
        rig.store(JPEG)
    loaded = rig.take(Loaded)
    other.execute("BEGIN IMMEDIATE")
    rig.turn(*(rig.conclusion(message, Outcome.NOBODY) for message in loaded))
    assert len(rig.writer._batch.held_back) == 1
    other.execute("ROLLBACK")

    again: list[Loaded] = []
    rig.turn_until(lambda: bool(again.extend(rig.take(Loaded)) or len(again) == 2))

    assert {message.alert_id for message in again} == {message.alert_id for message in loaded[1:]}
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(2,)]


def test_full_disk_answers_full_and_recovers(rig: Rig) -> None:
    """452 while it lasts; what was accepted stays."""
    rig.store(JPEG)
    connection = rig.writer._store._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    assert rig.store(JPEG, JPEG, JPEG).code == StoreCode.FULL
    connection.execute("PRAGMA max_page_count = 1000000").fetchone()

    assert usable_again(rig)
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def _fill_up(rig: Rig) -> None:
    connection = rig.writer._store._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()


def _examined(rig: Rig, count: int, **mail: Any) -> None:
    """Store mails and conclude that nobody is on them."""
    for _ in range(count):
        assert rig.store(JPEG, **mail).code == StoreCode.STORED
        rig.turn(*rig.lend(2))
        (loaded,) = rig.take(Loaded)
        rig.turn(rig.conclusion(loaded, Outcome.NOBODY))


def test_full_disk_lets_old_rows_give_way_to_new_mails(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a camera is refused, the oldest rows of who has the most go, and the mail gets its 250."""
    monkeypatch.setattr(space, "SPARE_BYTES", 20_000)
    _examined(rig, 200, peer="10.0.0.5", camera="road")
    _examined(rig, 5, peer="10.0.0.6", camera="garage")
    _fill_up(rig)

    _examined(rig, 20, peer="10.0.0.6", camera="garage")

    assert rig.rows("SELECT count(*) FROM camalert_alert WHERE camera = 'garage'") == [(25,)]
    (road,) = rig.rows("SELECT min(alert_id) FROM camalert_alert WHERE camera = 'road'")
    assert road[0] > 1
    assert rig.rows("PRAGMA integrity_check") == [("ok",)]


def test_disk_that_refuses_in_passing_costs_no_row(rig: Rig) -> None:
    """A single ENOSPC of a disk that has room is no reason to remove anybody's alarms."""
    _examined(rig, 30, peer="10.0.0.5", camera="road")
    _fill_up(rig)
    connection = rig.writer._store._connection
    assert connection is not None
    refused = []

    def free_some_after_the_first_refusal(needed_bytes: int) -> bool:
        refused.append(needed_bytes)
        connection.execute("PRAGMA max_page_count = 1000000").fetchone()
        return True

    rig.writer._store._space.has = free_some_after_the_first_refusal  # type: ignore[method-assign]

    _examined(rig, 5, peer="10.0.0.6", camera="garage")

    assert refused
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(35,)]


def test_sender_who_fills_the_disk_is_refused_before_others_lose_a_row(rig: Rig) -> None:
    """What waits for its examination is never removed, so a burst of one sender ends in 452 for that sender alone."""
    _examined(rig, 30, peer="10.0.0.5", camera="garage")
    while rig.store(JPEG, JPEG, JPEG, JPEG, peer="10.0.0.66").first_id < 300:
        pass
    _fill_up(rig)

    assert rig.store(JPEG, JPEG, JPEG, JPEG, peer="10.0.0.66").code == StoreCode.FULL
    assert rig.rows("SELECT count(*) FROM camalert_alert WHERE camera = 'garage' AND mail IN"
                    " (SELECT id FROM camalert_mail WHERE peer = '10.0.0.5')") == [(30,)]  # fmt: skip


def test_reserve_beside_the_database_is_there_only_while_it_may_be_needed(rig: Rig) -> None:
    """It is made after a minute and removed at an orderly end."""
    kept, reserve = rig.writer._store._space, Path(f"{rig.path}-reserve")

    kept.keep_reserve(100.0)
    assert not reserve.exists()
    kept.keep_reserve(161.0)
    assert reserve.stat().st_size > 0
    rig.writer._upkeep.end()
    assert not reserve.exists()


def test_reserve_is_there_at_once_where_the_disk_has_little(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst in the first minute fills a small disk: without a reserve the journal could never be brought home."""
    kept, reserve = rig.writer._store._space, Path(f"{rig.path}-reserve")
    monkeypatch.setattr(filesystem, "free_bytes", lambda _: 40 << 20)

    kept.keep_reserve(100.0)

    assert reserve.stat().st_size == 10 << 20


def test_journal_never_takes_the_space_that_it_needs_to_be_brought_home(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full of journal is full for ever: a mail that would still fit into it is refused before."""
    monkeypatch.setattr(retention, "free", lambda *_: 0)  # nobody has anything to give
    disk = types.SimpleNamespace(free=space.SLACK_BYTES + 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    assert rig.store(bytes(200_000)).code == StoreCode.STORED
    journal = Path(f"{rig.path}-wal")
    before_bytes = journal.stat().st_size

    disk.free = space.SLACK_BYTES + 300_000  # once, but not twice
    answers = [rig.store(bytes(200_000 + number)).code for number in range(3)]

    assert answers == [StoreCode.FULL] * 3
    assert journal.stat().st_size <= before_bytes
    disk.free = 1 << 40
    assert rig.store(bytes(200_000)).code == StoreCode.STORED


def test_read_only_database_answers_full_and_recovers(rig: Rig) -> None:
    """A file system that was remounted read-only is no end of the process."""
    connection = rig.writer._store._connection
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


@pytest.fixture
def disk_error(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the next syncs of the WAL fail."""
    refused: list[None] = []
    sync = os.fdatasync

    def refuse(file: int) -> None:
        if refused:
            refused.pop()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(file)

    monkeypatch.setattr(os, "fdatasync", refuse)
    return lambda times: refused.extend([None] * times)


def test_wal_stays_while_another_program_has_it_open(make_rig: MakeRig) -> None:
    """A changed `journal` takes effect at a start for which nobody else has the file open; until then all works."""
    first = make_rig(journal="wal")
    first.writer._store.close()
    with contextlib.closing(sqlite3.connect(first.path)) as reader:
        reader.execute("SELECT count(*) FROM alerts_alert").fetchall()
        rig = make_rig(journal="delete")
        assert rig.store(JPEG, mail_id=os.urandom(16)).code == StoreCode.STORED
        assert rig.rows("PRAGMA journal_mode") == [("wal",)]
    rig.writer._store.close()

    rig = make_rig(journal="delete")

    assert rig.store(JPEG, mail_id=os.urandom(16)).code == StoreCode.STORED
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]
    assert rig.rows("PRAGMA journal_mode") == [("delete",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_journal_that_root_makes_belongs_to_the_database_s_owner(make_rig: MakeRig) -> None:
    """Else the service could not write after a command that root gave."""
    first = make_rig(journal="delete")
    first.writer._store.close()
    journal = Path(f"{first.path}-journal")
    journal.unlink()
    os.chown(first.path, 4711, 4712)
    first.path.chmod(0o664)

    make_rig(journal="delete")

    found = journal.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (4711, 4712, 0o664)


@pytest.mark.parametrize(("code", "is_taken"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_folder_that_cannot_be_synced_matters_when_the_disk_refuses(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, code: int, is_taken: bool
) -> None:
    """A file system that knows no such thing is used all the same; after an error the names may be lost."""
    monkeypatch.setattr("camalert.store.health.OPENING_S", 0.05)
    sync = os.fsync

    def refuse(file: int) -> None:
        if Path(f"/proc/self/fd/{file}").is_dir():
            raise OSError(code, os.strerror(code))
        sync(file)

    monkeypatch.setattr(os, "fsync", refuse)
    rig = make_rig()

    assert (rig.store(JPEG).code == StoreCode.STORED) is is_taken
    monkeypatch.undo()
    assert usable_again(rig)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """Return what the writer itself writes to files, with where."""
    found: list[tuple[int, bytes]] = []
    write = os.pwrite

    def note(file: int, content: bytes, offset: int) -> int:
        found.append((offset, content))
        return write(file, content, offset)

    monkeypatch.setattr(os, "pwrite", note)
    return found


def test_after_a_refused_sync_nothing_is_answered_before_the_wal_was_written_anew(
    rig: Rig, other: sqlite3.Connection, disk_error: Callable[[int], None], written: list[tuple[int, bytes]]
) -> None:
    """The rows are there, and a sync alone would succeed; still the pages that were refused are not on the disk."""
    rig.store(JPEG)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM alerts_alert").fetchall()
    disk_error(4)
    written.clear()
    assert rig.store(JPEG, digest="d").code == StoreCode.BUSY
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]

    assert rig.store(JPEG, digest="d").code == StoreCode.BUSY, "the repeat of a mail that may be undone"
    assert rig.store(b"\xff\xd8 another").code == StoreCode.BUSY, "what is written behind it is lost with it"
    assert rig.writer._store.frames is None, "what the disk does not have is not brought home"
    written.clear()

    assert rig.store(JPEG, digest="d").code == StoreCode.REPEATED
    wal = Path(f"{rig.path}-wal").read_bytes()
    assert [(0, wal[: len(content)]) for _, content in written] == written
    assert len(written[0][1]) > 2 * len(JPEG), "also while somebody reads"


def test_successor_of_a_writer_whose_sync_was_refused_writes_the_wal_anew_first(
    rig: Rig, disk_error: Callable[[int], None], written: list[tuple[int, bytes]]
) -> None:
    """It finds the rows, and its own sync knows nothing of what was lost."""
    rig.store(JPEG)
    disk_error(2)
    assert rig.store(JPEG, digest="d").code == StoreCode.BUSY
    rig.abandon()
    written.clear()

    rig.start()
    assert written == []
    assert rig.store(JPEG, digest="d").code == StoreCode.REPEATED

    assert JPEG[:1000] in b"".join(content for _, content in written)


def test_writer_that_ends_in_doubt_leaves_the_wal_as_it_is(rig: Rig, disk_error: Callable[[int], None]) -> None:
    """Brought home, it would leave a mixture in the database if the power failed meanwhile."""
    rig.store(JPEG)
    disk_error(100)
    assert rig.store(JPEG).code == StoreCode.BUSY
    before = Path(f"{rig.path}-wal").read_bytes()

    rig.writer._store.close()

    assert Path(f"{rig.path}-wal").read_bytes() == before


@pytest.mark.parametrize("is_wal_refused", [False, True])
def test_rollback_journal_is_cut_and_synced(
    make_rig: MakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_wal_refused: bool
) -> None:
    """A removed one that comes back with the power would undo what was answered; also where WAL was wanted."""
    monkeypatch.setattr("camalert.store.health.OPENING_S", 0.05)
    make_rig(journal="delete").writer._store.close()
    reader = sqlite3.connect(tmp_path / "alerts.sqlite3", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM alerts_alert").fetchall()
    version = schema.version

    def leave_and_look(connection: sqlite3.Connection) -> int:
        reader.close()
        return version(connection)

    monkeypatch.setattr(schema, "version", leave_and_look)
    rig = make_rig(journal="wal" if is_wal_refused else "delete")

    found = rig.writer._store.read(
        lambda found: [found.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    )

    assert found == ["truncate", 3]


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
        made.append(free_name(path, "damaged", 12.0))
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


@pytest.mark.parametrize("recipients", ["'[spoilt'", "'7'", "x'ff'", "'" + "[" * 100_000 + "'"])
def test_recipients_that_another_program_has_spoilt_cost_nothing_else(
    rig: Rig, other: sqlite3.Connection, recipients: str
) -> None:
    """The next writer begins all the same, and the picture is examined."""
    rig.store(JPEG)
    other.execute(f"UPDATE camalert_mail SET recipients = {recipients}")

    rig.start()
    rig.turn(*rig.lend())

    (loaded,) = rig.take(Loaded)
    assert FrameRecord.decode(rig.pool.read_record(loaded.slot)).recipients == ()


def test_statement_that_is_refused_spoils_its_own_job_only(rig: Rig, other: sqlite3.Connection) -> None:
    """A table that refuses detections: that examination has failed, and says why; all others go on."""
    rig.turn(*rig.lend(3))
    rig.store(JPEG)
    rig.store(JPEG)
    first, second = rig.take(Loaded)
    other.execute("CREATE TRIGGER no BEFORE INSERT ON alerts_detect BEGIN SELECT RAISE(ABORT, 'not today'); END")

    rig.turn(rig.conclusion(first, Outcome.PERSON), rig.conclusion(second, Outcome.NOBODY), rig.put_mail(JPEG, slot=1))

    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.STORED]
    outcomes = rig.rows("SELECT outcome, reason FROM camalert_alert ORDER BY alert_id")
    assert [outcome for outcome, _ in outcomes] == ["failed", "nobody", None]
    assert "could not be stored" in outcomes[0][1]
    assert "not today" in outcomes[0][1]
    assert [loaded.alert_id for loaded in rig.take(Loaded)] == [3], "the queue goes on"
    assert not any(b"unusable" in note.text for note in rig.take(Noted)), "the database is not to blame"
    assert not rig.writer._batch.held_back


def test_verdict_that_cannot_even_be_written_as_failed_is_left_for_the_next_start(
    rig: Rig, other: sqlite3.Connection
) -> None:
    """It keeps nothing else from being written, and its picture is not examined over and over."""
    rig.turn(*rig.lend(2))
    rig.store(JPEG)
    (loaded,) = rig.take(Loaded)
    other.execute("CREATE TRIGGER no BEFORE UPDATE OF outcome ON camalert_alert WHEN NEW.alert_id = 1"
                  " BEGIN SELECT RAISE(ABORT, 'no'); END")  # fmt: skip

    rig.turn(rig.conclusion(loaded, Outcome.PERSON))
    rig.writer._look_at = 0.0
    rig.turn()

    assert rig.take(Loaded) == []
    assert rig.store(JPEG).code == StoreCode.STORED
    assert [message.alert_id for message in rig.take(Loaded)] == [2]
    other.execute("DROP TRIGGER no")
    rig.start()
    rig.turn(*rig.lend(2))
    assert 1 in {message.alert_id for message in rig.take(Loaded)}


@pytest.mark.parametrize(
    ("field", "value"), [("subject", 5), ("camera", {}), ("received_utc", "now"), ("peer", 2**70), ("recipients", 7)]
)
def test_mail_with_a_field_of_a_wrong_kind_is_refused_alone(rig: Rig, field: str, value: object) -> None:
    """Whatever another process left in one slot ends neither the writer nor the other mails of the batch."""
    broken = rig.put_mail(JPEG, slot=0)
    record = json.loads(rig.pool.read_record(0))
    rig.pool.write_record(0, json.dumps({**record, field: value}).encode())

    rig.turn(broken, rig.put_mail(JPEG, slot=1))

    answers = {stored.slot: stored.code for stored in rig.take(Stored)}
    assert answers[1] == StoreCode.STORED
    if answers[0] != StoreCode.STORED:  # SQLite takes some of it as text
        assert answers[0] == StoreCode.REFUSED
        assert rig.pool.read_refusal(0)
    assert rig.store(JPEG).code == StoreCode.STORED


@pytest.mark.parametrize(
    ("field", "value"),
    [("height_px", 2**70), ("engine", {}), ("best_score", []), ("annotated_bytes", "x"), ("people", [[1]]),
     ("details", None), ("camera", [1]), ("reason", 7), ("best_index", "a")],
)  # fmt: skip
def test_verdict_with_a_field_of_a_wrong_kind_ends_nothing_but_its_own_examination(
    rig: Rig, field: str, value: object
) -> None:
    """A detector that was taken over by a picture can leave anything in its slot."""
    rig.turn(*rig.lend(2))
    rig.store(JPEG)
    (loaded,) = rig.take(Loaded)
    conclude = rig.conclusion(loaded, Outcome.PERSON)
    record = json.loads(rig.pool.read_record(loaded.slot))
    rig.pool.write_record(loaded.slot, json.dumps({**record, field: value}).encode())

    rig.turn(conclude, rig.put_mail(JPEG))

    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.STORED]
    assert len(rig.take(Concluded)) == 1
    assert 2 in {message.alert_id for message in rig.take(Loaded)}
    assert not rig.writer._health.is_down


@pytest.mark.parametrize(
    ("kind", "expected"), [("locked", "locked"), ("full", "full"), ("error", "disk reported"), ("gone", "is gone")]
)
def test_refusal_says_in_the_slot_what_stands_in_the_way(
    rig: Rig, other: sqlite3.Connection, disk_error: Callable[[int], None], kind: str, expected: str
) -> None:
    """The camera's owner reads the true reason, not that everything is locked."""
    rig.store(JPEG)
    connection = rig.writer._store._connection
    assert connection is not None
    if kind == "locked":
        other.execute("BEGIN IMMEDIATE")
    elif kind == "full":
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    elif kind == "error":
        disk_error(1)
    else:
        rig.path.rename(rig.path.with_name("away.sqlite3"))

    stored = rig.store(JPEG, JPEG, JPEG)

    assert stored.code in (StoreCode.BUSY, StoreCode.FULL)
    assert expected in rig.pool.read_refusal(stored.slot)


def test_mail_that_is_asked_for_again_is_stored_although_it_was_refused(rig: Rig, other: sqlite3.Connection) -> None:
    """A writer that dies between its reason and its answer leaves the mail as it was, for the next one."""
    other.execute("BEGIN IMMEDIATE")
    store = rig.put_mail(JPEG)
    rig.turn(store)
    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.BUSY]
    other.execute("ROLLBACK")
    rig.start()

    rig.turn(store)

    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.STORED]
    assert rig.rows("SELECT subject, snapshot FROM alerts_alert") == [("a mail", JPEG)]


@pytest.mark.parametrize(
    "error", [KeyError("x"), AssertionError(), RecursionError(), ProtocolError("?"), OSError(5, "?")]
)
def test_unforeseen_error_of_one_job_is_refused_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A defect that one mail or one verdict meets ends neither the writer nor the others of its batch."""
    rig.turn(*rig.lend(2))
    rig.turn(rig.put_mail(JPEG, slot=0), rig.put_mail(JPEG, slot=1))
    bad, good = rig.take(Loaded)
    rig.take(Stored)
    keep, end = Intake.store, batch.conclude

    def keep_or_fail(self: Intake, connection: sqlite3.Connection, mail_id: bytes, *rest: Any) -> Any:
        if mail_id == broken.mail_id:
            raise error
        return keep(self, connection, mail_id, *rest)

    def end_or_fail(connection: sqlite3.Connection, verdict: Verdict, *rest: Any) -> Any:
        if verdict.alert_id == bad.alert_id and not verdict.is_refused:
            raise error
        return end(connection, verdict, *rest)

    monkeypatch.setattr(Intake, "store", keep_or_fail)
    monkeypatch.setattr(batch, "conclude", end_or_fail)
    broken, whole = rig.put_mail(JPEG, slot=0), rig.put_mail(JPEG, slot=1)
    rig.turn(rig.conclusion(bad, Outcome.NOBODY), broken, whole, rig.conclusion(good, Outcome.PERSON))

    answers = {stored.mail_id: stored.code for stored in rig.take(Stored)}
    assert answers == {broken.mail_id: StoreCode.REFUSED, whole.mail_id: StoreCode.STORED}
    outcomes = dict(rig.rows("SELECT alert_id, outcome FROM camalert_alert WHERE outcome NOT NULL"))
    assert outcomes == {bad.alert_id: "failed", good.alert_id: "person"}
    assert len(rig.take(Concluded)) == 2
    assert not rig.writer._health.is_down


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_lock_of_another_program_is_said_with_its_name(make_rig: MakeRig, journal: str) -> None:
    """The owner reads which program to end."""
    rig = make_rig(journal=journal)
    program = (
        "import sqlite3, sys; found = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "found.execute('BEGIN IMMEDIATE'); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(rig.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        other.stdout.readline()
        assert rig.store(JPEG).code == StoreCode.BUSY
        reason = rig.pool.read_refusal(0)
        other.communicate(b"\n")

    assert f"(process {other.pid})" in reason
    assert usable_again(rig)


@pytest.mark.parametrize("path", ["", " ", "~/alerts.sqlite3", "FOLDER"])
def test_path_that_names_no_file_ends_the_start(tmp_path: Path, path: str) -> None:
    """Each mail would get a 451 otherwise, or the database lie in a folder named `~`."""
    database = Database(config.Database(path=path.replace("FOLDER", str(tmp_path))))

    with pytest.raises(ConfigError, match=r"database\.path"):
        database.open()

    assert list(tmp_path.iterdir()) == []


def test_picture_on_a_bad_spot_of_the_disk_keeps_no_other_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some tries it is given up with the reason."""
    monkeypatch.setattr("camalert.store.health.RETRY_EVERY_S", 0.0)
    rig.store(JPEG)
    rig.store(JPEG)
    rig.start()
    load = alerts.load

    def read(connection: sqlite3.Connection, waiting: Waiting, learn: config.Learn) -> object:
        if waiting.alert_id == 1:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error
        return load(connection, waiting, learn)

    monkeypatch.setattr(alerts, "load", read)
    rig.turn(*rig.lend(3))

    rig.turn_until(lambda: [message.alert_id for message in rig.take(Loaded)] == [2])
    rig.turn_until(lambda: rig.rows("SELECT outcome FROM camalert_alert WHERE alert_id = 1") == [("failed",)])
    assert "the disk reported an error" in rig.rows("SELECT reason FROM camalert_alert WHERE alert_id = 1")[0][0]


def test_companion_that_cannot_be_taken_away_keeps_the_new_database_closed(
    rig: Rig, other: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the old one's WAL SQLite would ruin it; a second look must not forget that."""
    rig.store(JPEG)
    backup(rig.path, tmp_path / "copy.sqlite3")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM alerts_alert").fetchall()
    rig.store(JPEG)
    os.replace(tmp_path / "copy.sqlite3", rig.path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "rename", refuse)
    for _ in range(2):
        assert rig.store(JPEG).code == StoreCode.BUSY
        assert "cannot be taken away" in rig.pool.read_refusal(0)
    monkeypatch.undo()
    other.close()

    assert usable_again(rig)
    assert rig.rows("PRAGMA integrity_check") == [("ok",)]


def test_damaged_picture_in_the_database_is_given_up_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One unreadable row fails with its reason; the queue goes on."""
    rig.store(JPEG)
    rig.store(JPEG)
    rig.start()
    load = rig.writer._store.read

    def read(work: Callable[[sqlite3.Connection], object]) -> object:
        found = load(work)
        if getattr(getattr(found, "record", None), "alert_id", 0) == 1:
            raise StoreDamaged("the database file is damaged")
        return found

    monkeypatch.setattr(rig.writer._store, "read", read)
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
            assert len(rig.writer._batch.held_back) == 1
    if is_held_back:
        rig.turn_until(lambda: not rig.writer._batch.held_back)
    else:
        rig.turn(held, rig.conclusion(loaded, outcome))

    pending = rig.rows("SELECT alert_id, tries FROM camalert_pending")
    assert (pending, rig.rows("SELECT count(*) FROM alerts_detect")) == left


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_database_of_another_program_ends_the_start_and_stays_as_it_is(tmp_path: Path, journal: str) -> None:
    """A wrong path must not fill somebody's file with our tables."""
    path = tmp_path / "alerts.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA auto_vacuum = FULL")
        theirs.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT)")
        theirs.execute("CREATE TABLE moz_keywords (id INTEGER PRIMARY KEY)")
    before = path.read_bytes()

    with pytest.raises(ConfigError, match=r"another program's database .*moz_keywords, moz_places"):
        Rig(tmp_path, journal=journal)

    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path]


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
    """The mails of the batch have their 250 by then, the queue goes on, and it is said once."""

    def refuse(*_: object, **__: object) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(rig.writer._store.checkpoint, "run", refuse)
    monkeypatch.setattr(rig.writer._store.checkpoint, "is_due", lambda *_, **__: True)
    rig.turn(*rig.lend(2))
    assert rig.store(JPEG).code == StoreCode.STORED
    assert rig.store(JPEG).code == StoreCode.STORED
    monkeypatch.undo()

    assert len(rig.take(Loaded)) == 2
    assert [b"checkpoint: the disk is full" in note.text for note in rig.take(Noted) if b"upkeep" in note.text] == [
        True
    ]
    assert usable_again(rig)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreLocked),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreBusy),
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
