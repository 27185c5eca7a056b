"""Open the database: the writer's connection and the readers'.

Mechanism. SQLite's locks belong to the process and end when any descriptor of the same file is closed, so nothing in
the writer opens the database file by other means than these connections.

Source: sqlite.org/wal.html, sqlite.org/howtocorrupt.html (2.2), sqlite.org/pragma.html.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from camalert import config
from camalert.errors import ConfigError, StoreDamaged, StoreError, StoreFull
from camalert.store import filesystem
from camalert.store.faults import translate

WAL_KEPT_BYTES = 16_777_216  # a burst may let the WAL grow; after its reset the file is cut back to this
READER_BUSY_S = 5.0
# The WAL-reset bug: first and last affected version, and the fixed releases within that range.
_AFFECTED = ((3, 7, 0), (3, 51, 2))
_FIXED = {(3, 44): 6, (3, 50): 7}


def open_writer(settings: config.Database, wait_s: float) -> sqlite3.Connection:
    """Open or create the database for writing, waiting so long for locks; transactions are begun and ended by hand.

    Raises: ConfigError on a network file system; StoreError and its kinds when the file cannot be used.
    """
    path = Path(settings.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFull(f"the directory {path.parent} cannot be made: {error.strerror}") from error
    refuse_network(path)
    _create(path)
    try:
        connection = sqlite3.connect(_uri(path, "rwc"), uri=True, isolation_level=None, timeout=wait_s)
    except sqlite3.Error as error:
        raise translate(error) from error
    try:
        # Has an effect on a new file only; see `compact` for the others.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA synchronous = FULL")  # a 250 outlives a power cut; see `walsync`
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `checkpoint`
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA trusted_schema = ON")
        if journal_mode(connection) != settings.journal:
            # Needs the file alone for a moment; while another program has it open it stays as it is.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute(f"PRAGMA journal_mode = {settings.journal}")
    except sqlite3.Error as error:
        fault = translate(error)
        leave(connection, fault)
        raise fault from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading only.

    Raises: StoreError when there is none or it cannot be read.
    """
    if not path.exists():
        raise StoreError(f"there is no database {path}; `camalert init-db` makes it, as does the first run")
    try:
        connection = sqlite3.connect(_uri(path, "ro"), uri=True, isolation_level=None, timeout=READER_BUSY_S)
    except sqlite3.Error as error:
        raise translate(error) from error
    try:
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        connection.close()
        raise translate(error) from error
    return connection


def refuse_network(path: Path) -> None:
    """Refuse a path on a network file system.

    Raises: ConfigError with the reason.
    """
    kind = filesystem.kind(path.parent)
    if kind in filesystem.NETWORK:
        raise ConfigError(
            f"database.path = {path} lies on a network file system ({kind}), where SQLite's locks do not hold and "
            "alarms would be lost; choose a local disk"
        )


def journal_mode(connection: sqlite3.Connection) -> str:
    """Return the journal mode in force, `wal` or `delete` for ours."""
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def is_affected(version: tuple[int, int, int]) -> bool:
    """Tell whether this version of SQLite has the WAL-reset bug.

    Source: sqlite.org/wal.html, "The WAL-Reset Bug"; releases 3.51.3, 3.50.7 and 3.44.6.
    """
    fixed_from = _FIXED.get(version[:2])
    if fixed_from is not None and version[2] >= fixed_from:
        return False
    return _AFFECTED[0] <= version <= _AFFECTED[1]


def advice(journal: str) -> list[str]:
    """Return what the owner should know about this machine's SQLite."""
    if journal != "wal" or not is_affected(sqlite3.sqlite_version_info):
        return []
    return [
        f"SQLite {sqlite3.sqlite_version} can damage a WAL database that several programs write (fixed in 3.51.3, "
        "3.50.7 and 3.44.6); the risk is small, docs/database.md says what lowers it further"
    ]


def leave(connection: sqlite3.Connection, fault: StoreError) -> None:
    """Leave a connection that could not be made ready: close it, unless the file is damaged."""
    if isinstance(fault, StoreDamaged):
        abandon(connection)
    else:
        connection.close()


def abandon(connection: sqlite3.Connection) -> None:
    """Leave a connection that failed without letting SQLite clean up behind it.

    Closing the last connection writes the WAL back into the file and removes it: into a damaged file, or beside one
    that has been put in its place, that is the last thing to do. The descriptors stay open until the process ends.
    """
    _abandoned.append(connection)


_abandoned: list[sqlite3.Connection] = []


def _create(path: Path) -> None:
    """Create an empty file, for SQLite to begin in, with the rights that the umask leaves to the group.

    SQLite itself would leave the group no right to write, and its WAL takes the database's rights: the review site,
    which runs as another user of the group, could delete nothing.
    """
    with contextlib.suppress(OSError):  # it is there already; or SQLite says what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"
