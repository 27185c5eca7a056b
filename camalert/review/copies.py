"""Copies of the database and of the site's settings: one each night, one when asked for, and as many as are kept.

The site makes them, in a thread of its own, and not the writer: a copy of gigabytes takes minutes, in which no alarm
may wait. They are in the site's data folder, on the same disk, and help against mistakes and damaged files; against a
broken disk helps what is downloaded.
"""

from __future__ import annotations

import datetime
import re
import shutil
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from camalert.config.schema import Config
from camalert.config.settings_file import FILE_NAME
from camalert.errors import StoreError
from camalert.store.sqlite.backup import UNFINISHED, backup
from camalert.system.logs import log

NIGHT = datetime.time(3)  # local
FIRST_S = 3600.0  # a service without any copy makes one after it has run for so long
SPARE = 2.0  # so many times the size of a copy must be free, or none is made
NAME = re.compile(r"(?:alerts|settings)-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{6}\.(?:sqlite3|toml)")
_STAMP = "%Y-%m-%d-%H%M%S"
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of a copy."""

    name: str
    made: datetime.datetime  # local
    bytes: int

    @property
    def is_database(self) -> bool:
        """Tell whether it is the database, else the settings."""
        return self.name.startswith("alerts-")


def folder(config: Config) -> Path:
    """Return where copies are."""
    return Path(config.review.data_dir) / "copies"


def found(config: Config) -> list[Copy]:
    """Return the files of all copies, newest first."""
    files = []
    for path in folder(config).glob("*-*.*"):
        if NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            made = datetime.datetime.strptime(path.stem.partition("-")[2], _STAMP)  # noqa: DTZ007 - local
            files.append(Copy(path.name, made, path.stat().st_size))
    return sorted(files, key=lambda copy: (copy.made, copy.name), reverse=True)


def is_due(now: datetime.datetime, newest: datetime.datetime | None, running_s: float, kept: int) -> bool:
    """Tell whether the nightly copy is to be made.

    Args:
        now: Local time.
        newest: When the newest copy was made.
        running_s: For how long the site has run.
        kept: How many copies are kept; 0: none is made.
    """
    if not kept:
        return False
    if newest is None or newest > now:  # none, or from a clock that was wrong
        return running_s >= FIRST_S
    night = datetime.datetime.combine(now.date(), NIGHT)
    return newest < (night if night <= now else night - datetime.timedelta(days=1))


def too_many(copies: Sequence[Copy], kept: int) -> list[str]:
    """Return the names of the files that give way to newer ones; of each kind one stays in any case."""
    gone = []
    for is_database in (True, False):
        of_kind = [copy for copy in copies if copy.is_database is is_database]
        gone += [copy.name for copy in of_kind[max(1, kept) :]]
    return gone


def make_if_due(config: Config, now: datetime.datetime, running_s: float) -> None:
    """Make the nightly copy when it is time for it."""
    newest = max((copy.made for copy in found(config) if copy.is_database), default=None)
    if is_due(now, newest, running_s, config.review.nightly_copies):
        make(config, now)


def is_being_made() -> bool:
    """Tell whether a copy is being made."""
    return _lock.locked()


def make(config: Config, now: datetime.datetime) -> str:
    """Make a copy now, and remove those that are too many; return why not, "" when it was made."""
    if not _lock.acquire(blocking=False):
        return "A copy is being made already."
    try:
        problem = _make(config, now)
    except (StoreError, OSError, sqlite3.Error) as error:
        problem = str(error)
    finally:
        _lock.release()
    if problem:
        log.warning("backup_failed", message=problem)
    return problem


def _make(config: Config, now: datetime.datetime) -> str:
    source, target = Path(config.database.path), folder(config)
    target.mkdir(mode=0o700, exist_ok=True)
    for path in target.glob(f"*{UNFINISHED}"):  # of a process that ended meanwhile
        path.unlink(missing_ok=True)
    size_bytes = source.stat().st_size
    free_bytes = shutil.disk_usage(target).free
    if free_bytes < SPARE * size_bytes:
        return (
            f"no copy of the database was made: it needs {size_bytes / 1e9:.1f} GB and {free_bytes / 1e9:.1f} GB are"
            " free; twice its size must be, so that alarms have room"
        )
    made = now.strftime(_STAMP)
    copied_bytes = backup(source, target / f"alerts-{made}.sqlite3")
    settings = Path(config.review.data_dir) / FILE_NAME
    if settings.is_file():
        own = target / f"settings-{made}.toml"
        own.touch(mode=0o600)
        own.write_bytes(settings.read_bytes())
    for name in too_many(found(config), config.review.nightly_copies):
        (target / name).unlink(missing_ok=True)
    log.info("backup_made", file=f"alerts-{made}.sqlite3", bytes=copied_bytes)
    return ""
