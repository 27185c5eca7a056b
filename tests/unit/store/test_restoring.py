"""A database put in the place of another one: whatever kills it in the middle, the old one or the new one is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camalert.errors import StoreDamaged, StoreError, StoreLocked
from camalert.store import restoring, swap
from camalert.store.restoring import Note, Places, State

OLD, NEW, FORMER = 40, 7, 23
# Everything that changes a name or a file on the way. A run is killed before the n-th call of any of them.
EFFECTS = ("link", "replace", "rename", "unlink", "open", "fsync")


def filled(path: Path, rows: int, *, wal: bool = False) -> None:
    """Make a database with so many rows; with `wal` some of them are only in the WAL, as after a crash."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, filling)")
        connection.executemany("INSERT INTO t (filling) VALUES (?)", [(b"x" * 2000,)] * (rows - 5))
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.executemany("INSERT INTO t (filling) VALUES (?)", [(b"x" * 2000,)] * 5)
        if wal:
            copies = [(name, (path.parent / name).read_bytes()) for name in (path.name, f"{path.name}-wal")]
    if wal:
        for name, content in copies:
            (path.parent / name).write_bytes(content)


def rows(path: Path) -> int:
    """Return how many rows a database has that is whole, as the next process finds it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


def next_id(path: Path) -> int:
    """Return the id that the next row gets."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("INSERT INTO t (filling) VALUES (1)").lastrowid or 0)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return a database with rows in its WAL, and a staged one."""
    found = Places.of(tmp_path / "alerts.sqlite3")
    filled(found.database, OLD, wal=True)
    filled(found.staged, NEW)
    return found


def killed(places: Places, calls: int, what: Callable[[Places], object]) -> bool:
    """Run it in a process that is killed before so many calls; return whether it was."""
    pid = os.fork()
    if pid == 0:
        left = calls

        def counted(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*args, **kwargs)

            return call

        for name in EFFECTS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            what(places)
        except BaseException:  # noqa: BLE001 - the parent sees it
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def test_new_one_is_in_place_and_the_old_one_is_kept_with_its_wal(places: Places) -> None:
    """Rows that were only in the WAL are in the kept one; nothing of the old one lies beside the new one."""
    swap.swap(places)

    assert rows(places.database) == NEW
    assert rows(places.kept) == OLD
    assert restoring.read(places).state is State.SWAPPED
    assert not any(path.exists() for path in (places.staged, *places.companions()))
    restoring.prove(str(places.database))
    assert restoring.read(places).state is State.DONE
    assert not restoring.go_back(str(places.database), "later")  # it worked: an unrelated failure takes nothing back


def test_kill_at_any_moment_leaves_one_of_both_whole(tmp_path: Path) -> None:
    """Killed before each step in turn; the next start completes what was begun, and the old one is kept."""
    seen = set()
    for calls in range(100):
        places = Places.of(tmp_path / str(calls) / "alerts.sqlite3")
        places.database.parent.mkdir()
        filled(places.database, OLD, wal=True)
        filled(places.staged, NEW)
        if not killed(places, calls, swap.swap):
            break
        found = rows(places.database)
        assert found in (OLD, NEW)
        seen.add(found)
        restoring.complete(str(places.database))
        assert rows(places.database) == NEW
        assert rows(places.kept) == OLD
        assert len(list(places.database.parent.iterdir())) == 3  # these two and the note
        assert next_id(places.database) == OLD + 1
    else:
        pytest.fail("it never came to its end")
    assert seen == {OLD, NEW}  # the kills were on both sides of the swap


def _back(places: Places) -> None:
    restoring.go_back(str(places.database), "it did not start")


def test_kill_on_the_way_back_loses_neither(tmp_path: Path) -> None:
    """Also what the new one took in meanwhile is kept, its WAL with it."""
    for calls in range(100):
        places = Places.of(tmp_path / str(calls) / "alerts.sqlite3")
        places.database.parent.mkdir()
        filled(places.database, NEW, wal=True)
        filled(places.kept, OLD)
        restoring.write(places, Note(State.SWAPPED))
        was_killed = killed(places, calls, _back)
        if restoring.read(places).state is State.SWAPPED:
            assert rows(places.database) == NEW  # not begun
            continue
        restoring.complete(str(places.database))
        assert rows(places.database) == OLD
        assert rows(places.failed) == NEW
        assert not places.failed.with_name(f"{places.failed.name}.draft").exists()
        assert restoring.read(places) == Note(State.FAILED, "it did not start")
        if not was_killed:
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("fault", ["the note", "the link", "the rename"])
def test_full_disk_in_the_swap_loses_neither_the_present_nor_the_kept_one(
    places: Places, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Going back to the kept one fails: it is the only copy of the database of before, and stays."""
    places.staged.unlink()
    filled(places.kept, FORMER)
    filled(places.staged, FORMER)
    write, link, replace = restoring.write, os.link, os.replace

    def failing(what: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if fault == what and (what != "the rename" or args == (places.staged, places.database)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*args)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "write", failing("the note", write))
        patch.setattr(os, "link", failing("the link", link))
        patch.setattr(os, "replace", failing("the rename", replace))
        with pytest.raises(OSError, match="No space left"):
            swap.swap(places)
        with contextlib.suppress(OSError):  # no room for this note either
            restoring.withdraw(places, "No space left")

    assert not restoring.go_back(str(places.database), "an unrelated failure")
    assert rows(places.database) == OLD
    assert rows(places.kept) == FORMER
    assert not places.staged.exists()
    assert restoring.read(places).state is (State.NONE if fault == "the note" else State.REFUSED)


def test_failed_swap_that_cannot_be_taken_back_is_not_gone_back_from(places: Places) -> None:
    """The note is written before the swap: as long as another one is staged, the present one is the former one."""
    filled(places.kept, FORMER)
    restoring.write(places, Note(State.SWAPPED))

    restoring.prove(str(places.database))

    assert restoring.read(places).state is State.SWAPPED
    assert not restoring.go_back(str(places.database), "it did not start")
    assert rows(places.database) == OLD


def test_damaged_database_keeps_its_wal_when_it_cannot_be_kept(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does that get beside the one that was kept before, where it would be ruinous."""
    filled(places.kept, FORMER)

    def damaged(_: Path) -> None:
        raise StoreDamaged("it cannot be read")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(swap, "close_to_one_file", damaged)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", full)
        with pytest.raises(OSError, match="full"):
            swap.swap(places)
    assert not any(path.exists() for path in Places(places.kept).companions())
    assert places.companions()[0].exists()

    swap.swap(places)
    assert rows(places.kept) == OLD
    assert rows(places.database) == NEW


def test_database_that_another_program_has_open_is_not_swapped(places: Places) -> None:
    """It is said, and everything is as before; the staged one is gone, so that the next start does not try again."""
    with contextlib.closing(sqlite3.connect(places.database)) as other:
        other.execute("SELECT count(*) FROM t").fetchone()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(swap, "BUSY_S", 0.1)
            with pytest.raises(StoreLocked, match="another program has"):
                swap.swap(places)
        assert rows(places.database) == OLD
    assert restoring.withdraw(places, "it is open elsewhere")
    assert not places.staged.exists()
    assert restoring.read(places) == Note(State.REFUSED, "it is open elsewhere")


def test_program_that_looks_for_a_moment_is_waited_for(places: Places) -> None:
    """Such as a page of another site: it closes the database again, and the swap goes on."""
    other = sqlite3.connect(places.database, check_same_thread=False)
    other.execute("SELECT count(*) FROM t").fetchone()
    closing = threading.Timer(0.5, other.close)
    closing.start()

    swap.swap(places)

    closing.join()
    assert rows(places.database) == NEW
    assert rows(places.kept) == OLD


def test_damaged_or_missing_database_is_replaced_all_the_same(tmp_path: Path) -> None:
    """What is left of it is kept as it was."""
    places = Places.of(tmp_path / "alerts.sqlite3")
    places.database.write_bytes(b"no database at all" * 500)
    filled(places.staged, NEW)

    restoring.complete(str(places.database))

    assert rows(places.database) == NEW
    assert places.kept.read_bytes().startswith(b"no database at all")

    places.database.unlink()
    filled(places.staged, NEW)
    restoring.complete(str(places.database))
    assert rows(places.database) == NEW


def test_link_to_a_database_stays_a_link(tmp_path: Path) -> None:
    """The file that it names is swapped, on its own disk."""
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "real.sqlite3", tmp_path / "alerts.sqlite3"
    filled(target, OLD)
    link.symlink_to(target)
    filled(Places.of(link).staged, NEW)

    restoring.complete(str(link))

    assert link.is_symlink()
    assert rows(target) == NEW


def test_ids_go_on_after_those_of_the_present_database(tmp_path: Path) -> None:
    """The next row gets an id that no picture had."""
    old, new = tmp_path / "old", tmp_path / "new"
    filled(old, OLD)
    filled(new, NEW)

    swap.go_on_counting(new, old)

    assert next_id(new) == OLD + 1


def test_highest_id_of_all_is_not_gone_on_from(tmp_path: Path) -> None:
    """A damaged database says it; no row could follow."""
    old, new = tmp_path / "old", tmp_path / "new"
    filled(old, OLD)
    filled(new, NEW)
    with contextlib.closing(sqlite3.connect(new)) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")
        connection.commit()

    swap.go_on_counting(old, new)

    assert next_id(old) == OLD + 1


def test_ids_count_that_were_given_until_the_service_ended(places: Places) -> None:
    """Alarms come between the look at the other database and the swap, and on the way back too."""
    with contextlib.closing(sqlite3.connect(places.database)) as connection, connection:
        connection.execute("INSERT INTO t (id, filling) VALUES (100, 1)")

    swap.swap(places)

    assert next_id(places.database) == 101
    with contextlib.closing(sqlite3.connect(places.database)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO t (id, filling) VALUES (200, 1)")
    assert restoring.go_back(str(places.database), "it did not start")
    assert next_id(places.database) == 201
    assert rows(places.failed) == NEW + 1


def test_kill_while_it_counts_leaves_the_other_one_whole(places: Places) -> None:
    """What SQLite had not finished is rolled back before the file gets another name, beside which it would be lost."""
    pid = os.fork()
    if pid == 0:
        connection = sqlite3.connect(places.staged, isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET filling = zeroblob(4000)")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    journal = Places(places.staged).companions()[2]
    assert journal.stat().st_size
    for path in (places.database, *places.companions()):
        path.unlink(missing_ok=True)  # so that there is nothing to be counted

    swap.swap(places)

    assert rows(places.database) == NEW
    assert not journal.exists()


def test_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    """Before anything is touched: nothing here knows its tables."""
    path = tmp_path / "new"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE camalert_schema (version)")
        connection.execute("INSERT INTO camalert_schema VALUES (99)")

    with pytest.raises(StoreError, match="newer release"):
        swap.refuse_unusable(path)


def test_nothing_is_done_where_nothing_was_asked_for(tmp_path: Path) -> None:
    """A start without a restore starts no process and writes nothing."""
    places = Places.of(tmp_path / "alerts.sqlite3")
    filled(places.database, OLD)
    before = sorted(os.listdir(tmp_path))

    restoring.complete(str(places.database))
    restoring.prove(str(places.database))

    assert not restoring.go_back(str(places.database), "whatever")
    assert sorted(os.listdir(tmp_path)) == before
