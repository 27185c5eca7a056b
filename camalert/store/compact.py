"""Make a database file as small as its rows, and able to shrink by itself from then on.

Run by the command line while the service and cams are stopped: the whole file is written anew.

Source: sqlite.org/lang_vacuum.html; auto_vacuum of an existing file changes only with a VACUUM.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from camalert.errors import StoreBusy, StoreError, StoreFull
from camalert.store.connection import journal_mode
from camalert.store.faults import translate

STEPS_A_CALL = 200_000  # of SQLite's virtual machine, between two signs of life


def compact(path: Path, alive: Callable[[], None] | None = None) -> tuple[int, int]:
    """Compact a database that nobody else has open.

    Args:
        path: The database file.
        alive: Called now and then; how far SQLite is cannot be known.

    Returns: The size of the file in bytes, before and after.
    Raises: StoreBusy while another program has it open, StoreFull without room for a second copy, other StoreErrors.
    """
    if not path.exists():
        raise StoreError(f"there is no database {path}")
    before = path.stat().st_size
    _need_room(path, before)
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=1.0)
    try:
        journal = journal_mode(connection)
        # Leaving WAL mode works only for the single connection to a file, which is just what VACUUM should have.
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if alive is not None:
            connection.set_progress_handler(alive, STEPS_A_CALL)
        connection.execute("VACUUM")
        connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    except sqlite3.Error as error:
        fault = translate(error)
        if isinstance(fault, StoreBusy):
            raise StoreBusy(f"{path} is in use: stop the service and cams first ({error})") from error
        raise fault from error
    finally:
        connection.close()
    return before, path.stat().st_size


def _need_room(path: Path, size_bytes: int) -> None:
    found = os.statvfs(path.parent)
    free = found.f_bavail * found.f_frsize
    if free < 2 * size_bytes:
        raise StoreFull(
            f"compacting {path} needs {2 * size_bytes >> 20} MiB of free space for a while; there are {free >> 20} MiB"
        )
