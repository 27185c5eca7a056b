"""What SQLite's errors mean for a camera and for the owner, in words.

Pure. Source: sqlite.org/rescode.html; the primary code is the low byte of the extended one.
"""

from __future__ import annotations

import sqlite3

from camalert.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreRefused

_WORDS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreBusy, "the database is locked by another program"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "the database is locked by another program"),
    sqlite3.SQLITE_PROTOCOL: (StoreBusy, "the database's locks are contended"),
    sqlite3.SQLITE_INTERRUPT: (StoreBusy, "the statement was interrupted"),
    sqlite3.SQLITE_IOERR: (StoreBusy, "the disk reported an error"),
    sqlite3.SQLITE_CANTOPEN: (StoreBusy, "the database file or its directory cannot be opened"),
    sqlite3.SQLITE_NOMEM: (StoreBusy, "there is not enough memory"),
    sqlite3.SQLITE_FULL: (StoreFull, "the disk is full"),
    sqlite3.SQLITE_READONLY: (StoreFull, "the database or its file system is read-only"),
    sqlite3.SQLITE_PERM: (StoreFull, "the database file may not be written"),
    sqlite3.SQLITE_CORRUPT: (StoreDamaged, "the database file is damaged"),
    sqlite3.SQLITE_NOTADB: (StoreDamaged, "the file is not a database"),
}


def translate(error: sqlite3.Error) -> StoreError:
    """Return our error for one of SQLite's; what is not known counts as temporary, so that nothing is lost by it."""
    extended = getattr(error, "sqlite_errorcode", 0)
    # The file of the locks could not be made larger: SQLite knows no other reason than the disk's.
    code = sqlite3.SQLITE_FULL if extended == sqlite3.SQLITE_IOERR_SHMSIZE else extended & 0xFF
    kind, words = _WORDS.get(code, (StoreRefused, "the database refused the statement"))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return kind(f"{words} ({error}, {name})")
