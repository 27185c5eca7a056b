"""Switch something in a database that the writer has open too: for the command line."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from camalert.errors import StoreError
from camalert.ipc.records import SwitchRecord
from camalert.store.rows import switches
from camalert.store.sqlite.opening import translate
from camalert.visits.policy import Switches

BUSY_S = 10.0


def change(path: Path, switch: SwitchRecord, now_utc: float) -> Switches:
    """Switch something in a database that the writer uses too; return what is switched then.

    Raises: StoreError when the database cannot be written.
    """
    if not path.exists():
        raise StoreError(f"there is no database {path}: start the service once, or run `camalert init-db`")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_S
        )
        with contextlib.closing(connection):
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer's work
            connection.execute("BEGIN IMMEDIATE")
            switches.put(connection, switch, now_utc)
            found = switches.read(connection, now_utc)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise translate(error) from error
    return found
