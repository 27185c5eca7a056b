"""Put a staged database in the place of the present one: `python -m camalert.store.swap DATABASE`.

A process of its own, run by the supervisor before any other opens the database. The present one is closed to a single
file first, which also shows that nobody else has it open; so one rename changes all of it. See `store.restoring`.

With `back` after it, for a database that was put back: let its ids go on after those of the one that failed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import sys
import time
from pathlib import Path

from camalert.errors import StoreDamaged, StoreError, StoreFull, StoreLocked
from camalert.store import restoring
from camalert.store.restoring import Note, Places, State
from camalert.store.sqlite import schema
from camalert.store.sqlite.opening import translate

BUSY_S = 10.0
AGAIN_S = 0.1
MOST_ID = 1 << 53  # what a damaged database says beyond that is not gone on from: no row could follow


def swap(places: Places) -> None:
    """Swap the two, if there is one to be swapped.

    Raises: StoreError or OSError; the present database is whole then, and in its place.
    """
    try:
        staged = os.open(places.staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(staged, fcntl.LOCK_EX)  # one at a time, also after a supervisor that was killed
        if not places.staged.exists() or not os.path.samestat(os.fstat(staged), places.staged.stat()):
            return
        is_damaged = False
        try:
            close_to_one_file(places.database)
        except StoreDamaged:
            is_damaged = True
        go_on_counting(places.staged, places.database)  # only now: alarms came until the service ended
        if any(companion.exists() for companion in Places(places.staged).companions()):
            close_to_one_file(places.staged)  # it was killed while it counted
        os.fsync(staged)
        restoring.write(places, Note(State.SWAPPED))  # while `staged` is there, it is still to be done
        restoring.keep(places.database, places.kept)
        if is_damaged:
            restoring.set_companions_aside(places, places.kept)
        os.replace(places.staged, places.database)
        restoring.sync(places.database.parent)
    finally:
        os.close(staged)


def close_to_one_file(path: Path) -> None:
    """Work in what lies beside a database, and remove it; who only looks into it for a moment is waited for.

    Raises: StoreLocked while another program has the database open, StoreDamaged when it cannot be read, StoreFull when
        it cannot be written.
    """
    companions = Places(path).companions()
    if not path.exists():
        if any(companion.exists() for companion in companions):
            raise StoreDamaged(f"{path} is gone, and what belongs to it is left")
        return
    until = time.monotonic() + BUSY_S
    while not _is_closed(path):  # SQLite itself does not wait for the others to close it
        if time.monotonic() >= until:
            raise StoreLocked(f"another program has {path} open; end it and try again")
        time.sleep(AGAIN_S)
    for companion in companions:
        if companion.exists():
            if companion.stat().st_size and not companion.name.endswith("-shm"):
                raise StoreFull(f"{companion} cannot be worked in")
            companion.unlink()
    restoring.sync(path.parent)


def _is_closed(path: Path) -> bool:
    """Leave WAL mode, which needs the file alone; tell whether that was possible.

    Raises: StoreError for anything else than another program's lock.
    """
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=AGAIN_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # rolls back what was interrupted
            return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",))
    except sqlite3.Error as error:
        fault = translate(error)
        if isinstance(fault, StoreLocked):
            return False
        raise fault from error


def go_on_counting(staged: Path, present: Path) -> None:
    """Let ids go on after those of the present database: a picture that a browser keeps never gets another one's id."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_reader(present)) as old:
        old.execute("PRAGMA trusted_schema = OFF")
        wanted = "SELECT name, seq FROM sqlite_sequence WHERE typeof(seq) = 'integer' AND seq < ?"
        reached = old.execute(wanted, (MOST_ID,)).fetchall()
        with contextlib.closing(sqlite3.connect(staged)) as new, new:
            new.execute("PRAGMA trusted_schema = OFF")
            known = dict(new.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
            for name, seq in reached:
                if name in known:
                    new.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (seq, name))
                elif new.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone():
                    new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, seq))


def refuse_unusable(path: Path) -> None:
    """Refuse a database of a newer release, or of another program.

    Raises: StoreError.
    """
    try:
        with contextlib.closing(_reader(path)) as connection:
            schema.refuse_unusable(connection)
    except sqlite3.Error as error:
        raise translate(error) from error


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)


def main() -> int:
    """Swap; say why not on the standard output."""
    places = Places(Path(sys.argv[1]))
    try:
        if sys.argv[2:] == ["back"]:
            go_on_counting(places.database, places.failed)
        else:
            swap(places)
    except (StoreError, OSError) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
