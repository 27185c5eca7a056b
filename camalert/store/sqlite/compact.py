"""Make a database file as small as its rows, and able to shrink on its own from then on.

Run by the command line while the service and cams are stopped: the whole file is written anew.

Source: sqlite.org/lang_vacuum.html; auto_vacuum of an existing file changes only with a VACUUM.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from camalert.errors import StoreBusy, StoreError, StoreFull, StoreLocked
from camalert.store import filesystem
from camalert.store.sqlite.opening import connect, translate
from camalert.store.sqlite.wal import journal_mode

STEPS_A_CALL = 200_000  # of SQLite's virtual machine, between two calls


def compact(path: Path, alive: Callable[[], None] | None = None) -> tuple[int, int]:
    """Compact a database that nobody else has open.

    Args:
        path: The database file.
        alive: Called now and then; how far SQLite is cannot be known.

    Returns: The size of the file in bytes, before and after.
    Raises: StoreBusy while another program has it open, StoreFull without space for a second copy, other StoreErrors.
    """
    if not path.exists():
        raise StoreError(f"there is no database {path}")
    before = path.stat().st_size
    if (free := filesystem.free_bytes(path.parent)) < 2 * before:
        raise StoreFull(
            f"compacting {path} needs {2 * before >> 20} MiB of free space for a while; there are {free >> 20} MiB"
        )
    connection = connect(path, "rw", wait_s=1.0)
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
        if isinstance(fault, StoreLocked):
            raise StoreBusy(
                f"{path} is in use: first stop camalert and other programs that have it open ({error})"
            ) from error
        raise fault from error
    finally:
        connection.close()
    return before, path.stat().st_size
