"""Copies of a database in use, complete and readable by themselves.

Mechanism: the command line at any time, and the writer before an upgrade.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from camalert.errors import StoreError
from camalert.store.connection import journal_mode, open_reader
from camalert.store.faults import translate

PAGES_A_STEP = 512  # 2 MiB between two calls of `progress`
Progress = Callable[[int, int], None]  # pages done, pages in all


def backup(source: Path, target: Path, progress: Progress | None = None) -> int:
    """Copy the database at `source` to the new file `target` while it is being written.

    In WAL mode the copy is of one moment and holds nobody up. With a rollback journal other programs may write between
    two steps, and SQLite then begins anew by itself.

    Returns: The size of the copy in bytes.
    Raises: StoreError when `target` exists, or either file cannot be used; no half copy is left.
    """
    connection = open_reader(source)
    try:
        return _copy(connection, target, progress)
    finally:
        connection.close()


def before_upgrade(connection: sqlite3.Connection, path: Path, version: int, now_utc: float) -> Path:
    """Copy a database beside itself before its tables are upgraded.

    Raises: StoreError when there is no room for it: an upgrade without a way back is not begun.
    """
    stamp = datetime.datetime.fromtimestamp(now_utc, datetime.UTC).strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.version-{version}-{stamp}")
    _copy(connection, target, None)
    return target


def _copy(connection: sqlite3.Connection, target: Path, progress: Progress | None) -> int:
    if target.exists():
        raise StoreError(f"{target} exists already and is not overwritten")
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as copy:
            if journal_mode(connection) == "wal":
                connection.execute("BEGIN")  # one snapshot for all steps, or every commit would begin the copy anew
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.backup(copy, pages=PAGES_A_STEP, progress=_told(progress))
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        os.rename(unfinished, target)
        return target.stat().st_size
    except sqlite3.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise StoreError(f"the copy {target} cannot be made: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _told(progress: Progress | None) -> Callable[[int, int, int], object] | None:
    if progress is None:
        return None
    return lambda _status, remaining, total: progress(total - remaining, total)
