"""Copies of a database in use, complete and readable by themselves.

Made by the command line at any time, and by the writer before an upgrade.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from camalert.errors import StoreBusy, StoreError, StoreFull
from camalert.store.sqlite.files import free_name
from camalert.store.sqlite.opening import open_reader, sync_folder, translate
from camalert.store.sqlite.wal import journal_mode
from camalert.system import rights

UNFINISHED = ".unfinished"
PAGES_A_STEP = 512  # 2 MiB between two calls of `progress`
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
Progress = Callable[[int, int], None]  # pages done, pages in all


def backup(source: Path, target: Path, progress: Progress | None = None) -> int:
    """Copy the database at `source` to the new file `target` while it is being written.

    In WAL mode the copy is of one moment and holds nobody up. With a rollback journal other programs may write between
    two steps, and SQLite then begins anew.

    Returns: The size of the copy in bytes.
    Raises: StoreError when `target` exists, or either file cannot be used; no half copy is left.
    """
    with rights.as_owner_of(source):
        connection = open_reader(source)
    try:
        return _copy(connection, source, target, progress)
    finally:
        connection.close()


def before_upgrade(
    connection: sqlite3.Connection, path: Path, version: int, now_utc: float, progress: Progress | None = None
) -> Path:
    """Copy a database beside itself before its tables are upgraded.

    A copy that is younger than all of the database is used again: an upgrade that was interrupted, once or a
    hundred times, leaves one copy. One that was interrupted while copying leaves a file that the next one takes over.

    Raises: StoreFull or another StoreError when it cannot be made: an upgrade without a way back is not begun.
    """
    for made in path.parent.glob(f"{path.name}.version-{version}-*"):
        if made.suffix != UNFINISHED and made.stat().st_mtime > _changed(path):
            return made
    target = free_name(path, f"version-{version}", now_utc)
    _copy(connection, path, target, progress, path.with_name(f"{path.name}.version-{version}{UNFINISHED}"))
    return target


def _changed(path: Path) -> float:
    """Return when a database was changed last, in seconds since 1970."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return max((file.stat().st_mtime for file in files if file.exists() and file.stat().st_size), default=0.0)


def _copy(
    connection: sqlite3.Connection,
    source: Path,
    target: Path,
    progress: Progress | None,
    unfinished: Path | None = None,
) -> int:
    """Copy what a connection reads; root does each side with the rights of the one whose folder it is."""
    unfinished = unfinished or target.with_name(target.name + UNFINISHED)
    is_ours = False
    try:
        with rights.as_owner_of(target):
            if os.path.lexists(target):
                raise StoreError(f"{target} exists already and is not overwritten")
            unfinished.unlink(missing_ok=True)
            os.close(os.open(unfinished, _NEW_FILE, 0o600))
            is_ours = True
            copy = sqlite3.connect(unfinished, isolation_level=None)
        with contextlib.closing(copy):
            copy.execute("PRAGMA journal_mode = OFF")  # so that nothing else is opened beside it meanwhile
            with rights.as_owner_of(source):
                if journal_mode(connection) == "wal":
                    connection.execute("BEGIN")  # one snapshot for all steps, or every commit would begin the copy anew
                    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                connection.backup(copy, pages=PAGES_A_STEP, progress=_told(progress))
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            with rights.as_owner_of(target):
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
        with rights.as_owner_of(target):
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            os.rename(unfinished, target)
            is_ours = False
            sync_folder(target.parent)
            return target.stat().st_size
    except sqlite3.Error as error:
        raise translate(error) from error
    except OSError as error:
        kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) else StoreBusy
        raise kind(f"the copy {target} cannot be made: {error.strerror}") from error
    finally:
        if is_ours:
            with contextlib.suppress(OSError), rights.as_owner_of(target):
                unfinished.unlink(missing_ok=True)


def _told(progress: Progress | None) -> Callable[[int, int, int], object] | None:
    if progress is None:
        return None
    return lambda _status, remaining, total: progress(total - remaining, total)
