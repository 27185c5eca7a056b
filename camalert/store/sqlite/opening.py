"""Open the database, for the writer and for readers, and what SQLite's errors mean for a camera and for the owner.

SQLite's locks belong to the process and end when any descriptor of the same file is closed, so nothing in
the writer opens the database file by other means than these connections.

Source: sqlite.org/wal.html, sqlite.org/howtocorrupt.html (2.2), sqlite.org/pragma.html, sqlite.org/rescode.html.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from camalert.config import schema as config
from camalert.errors import (
    ConfigError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreRefused,
)
from camalert.store import filesystem
from camalert.store.sqlite.wal import journal_mode

WAL_KEPT_BYTES = 16_777_216  # a burst may let the WAL grow; after its reset the file is cut back to this
READER_BUSY_S = 5.0
# The WAL-reset bug: first and last affected version, and the fixed releases within that range.
_AFFECTED = ((3, 7, 0), (3, 51, 2))
_FIXED = {(3, 44): 6, (3, 50): 7}

LOCKS = Path("/proc/locks")
# By primary code, the low byte of the extended one.
_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreLocked, "the database is locked by {holder}"),
    sqlite3.SQLITE_LOCKED: (StoreLocked, "the database is locked by {holder}"),
    sqlite3.SQLITE_PROTOCOL: (StoreLocked, "the database's locks are contended"),
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


def open_writer(settings: config.Database, wait_s: float) -> sqlite3.Connection:
    """Open or create the database for writing, waiting so long for locks; transactions are begun and ended by hand.

    Nothing is written to a file that has content, whosever it is.

    Raises: ConfigError on a network file system; StoreError and its kinds when the file cannot be used.
    """
    path = Path(settings.path)
    if not settings.path.strip() or settings.path.startswith("~") or path.is_dir():
        raise ConfigError(f'database.path = "{settings.path}" must name a file, in a folder that is written out (no ~)')
    try:
        missing = [folder for folder in path.absolute().parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            sync_folder(folder.parent)
    except OSError as error:
        raise StoreFull(f"the directory {path.parent} cannot be made: {error.strerror}") from error
    refuse_network(path)
    _create(path)
    connection = connect(path, "rwc", wait_s=wait_s)
    try:
        if not pragma(connection, "page_count"):
            # Has an effect on a new file only; see `compact` for the others.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # A 250 outlives a power cut. Where a rollback journal is removed only EXTRA syncs the folder afterwards; one
        # that comes back undoes the commit. In WAL mode it is the same as FULL, and `WalSync` takes its place.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `Checkpoint`
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA trusted_schema = ON")
    except sqlite3.Error as error:
        fault = translate(error)
        leave(connection, fault)
        raise fault from error
    return connection


def choose_journal(connection: sqlite3.Connection, path: Path, journal: str) -> None:
    """Switch to the configured journal: the WAL, or a rollback journal that is cut to nothing by each commit.

    Leaving or entering WAL mode needs the file alone for a moment; while another program has it open it stays as it is.
    TRUNCATE is DELETE without a name that comes and goes with each commit: that is on the disk only after a sync of the
    folder, and SQLite takes no notice when it cannot open the folder, or when the sync after the creation fails.

    Raises: sqlite3.Error for anything else than such a lock; StoreBusy when the disk refuses.
    """
    try:
        connection.execute(f"PRAGMA journal_mode = {'wal' if journal == 'wal' else 'truncate'}").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        if journal_mode(connection) != "wal":  # this needs nobody's leave: both are rollback journals
            connection.execute("PRAGMA journal_mode = truncate").fetchone()
    if journal_mode(connection) != "wal":
        _make(Path(f"{path}-journal"), like=path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where that is possible: some file systems know no such thing.

    Raises: StoreBusy when the disk refuses.
    """
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM):
            raise StoreBusy(f"the folder {folder} cannot be brought to the disk: {error.strerror}") from error


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading only.

    Raises: StoreError when there is none or it cannot be read.
    """
    try:
        is_there = path.exists()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; join the group of its folder") from error
    if not is_there:
        raise StoreError(f"there is no database {path}; `camalert init-db` makes it, as does the first run")
    connection = connect(path, "ro", wait_s=READER_BUSY_S)
    try:
        with translated():
            connection.execute("PRAGMA query_only = ON")
    except StoreError:
        connection.close()
        raise
    return connection


def connect(path: Path, mode: str, *, wait_s: float) -> sqlite3.Connection:
    """Connect to a database whose transactions are begun and ended by hand.

    Args:
        path: The file.
        mode: `ro`, `rw` for one that exists, `rwc`. Source: sqlite.org/uri.html.
        wait_s: How long it waits for locks.
    Raises: StoreError when the file cannot be opened.
    """
    with translated():
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=wait_s)


def refuse_network(path: Path) -> None:
    """Refuse a path on a network file system.

    Raises: ConfigError with the reason.
    """
    kind = filesystem.kind(path.parent)
    if kind in filesystem.NETWORK:
        raise ConfigError(
            f"database.path = {path} is on a network file system ({kind}), where SQLite's locks do not hold and "
            "alarms would be lost; choose a local disk"
        )


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return a number that SQLite says of a connection or its file."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def is_affected(version: tuple[int, int, int]) -> bool:
    """Tell whether this version of SQLite has the WAL-reset bug.

    Source: sqlite.org/wal.html, "The WAL-Reset Bug"; releases 3.51.3, 3.50.7 and 3.44.6.
    """
    is_fixed = version[2] >= _FIXED.get(version[:2], version[2] + 1)
    return _AFFECTED[0] <= version <= _AFFECTED[1] and not is_fixed


def advice(journal: str) -> list[str]:
    """Return what the owner should know about this machine's SQLite."""
    if journal != "wal" or not is_affected(sqlite3.sqlite_version_info):
        return []
    return [
        f"SQLite {sqlite3.sqlite_version} can damage a WAL database that several programs write (fixed in 3.51.3, "
        "3.50.7 and 3.44.6); the risk is small, docs/database.md says what lowers it further"
    ]


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise our errors for SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error) from error


def translate(error: sqlite3.Error, holder: str = "another program") -> StoreError:
    """Return our error for one of SQLite's; what is not known counts as the statement's own fault.

    Args:
        error: SQLite's.
        holder: Who has the database locked, if it is that.
    """
    extended = getattr(error, "sqlite_errorcode", 0)
    # The file of the locks could not be made larger: SQLite knows no other reason than the disk's.
    code = sqlite3.SQLITE_FULL if extended == sqlite3.SQLITE_IOERR_SHMSIZE else extended & 0xFF
    kind, message = _MEANINGS.get(code, (StoreRefused, "the database refused the statement"))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return kind(f"{message.format(holder=holder)} ({error}, {name})")


def lock_holders(path: Path, first: int, last: int, *, is_shared: bool = False) -> list[str]:
    """Return which other processes lock bytes of a file, as text: `sqlite3 (process 4711)`.

    Args:
        path: The file.
        first: The first of the bytes.
        last: The last of them.
        is_shared: Whether read locks count as well.
    Returns: Nothing where the kernel does not tell, as in a container of another user.
    Source: proc_locks(5).
    """
    try:
        table, inode = LOCKS.read_text(encoding="ascii", errors="replace"), path.stat().st_ino
    except OSError:
        return []
    pids = set()
    for line in table.splitlines():
        fields = line.split()
        if len(fields) != 8 or fields[1] != "POSIX" or (fields[3] != "WRITE" and not is_shared):
            continue
        # The device is left out: some file systems tell another one here than by stat.
        is_same, end = int(fields[5].rpartition(":")[2]) == inode, fields[7]
        if is_same and int(fields[6]) <= last and (end == "EOF" or int(end) >= first):
            pids.add(int(fields[4]))
    return [f"{_name(pid)} (process {pid})" for pid in sorted(pids - {os.getpid(), -1, 0})]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program that has exited"


def leave(connection: sqlite3.Connection, fault: StoreError) -> None:
    """Leave a connection that could not be made ready: close it, unless the file is damaged."""
    if isinstance(fault, StoreDamaged):
        abandon(connection)
    else:
        connection.close()


def abandon(connection: sqlite3.Connection) -> None:
    """Leave a connection that failed without letting SQLite clean up behind it.

    Closing the last connection writes the WAL back into the file and removes it: into a damaged file, or beside one
    that has been put in its place, that is the last thing to do. The descriptors stay open until the process exits.
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


def _make(path: Path, *, like: Path) -> None:
    """Create an empty file with the owner and the rights of another one, as SQLite does, if it is not there.

    Raises: StoreBusy when that is not possible.
    """
    try:
        found = like.stat()
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:
                os.fchown(file, found.st_uid, found.st_gid)
            os.fchmod(file, found.st_mode & 0o777)
        finally:
            os.close(file)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreBusy(f"{path} cannot be made: {error.strerror}") from error
