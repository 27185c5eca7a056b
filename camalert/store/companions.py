"""The files beside the database, which SQLite finds by their names: `-wal` and `-shm`.

When another database is put in the place of one in use, they belong to the old one. Usually the writer has emptied the
WAL by then; while another program reads it cannot, and SQLite would take the old WAL for the new file's and ruin it.

Mechanism, in the writer process. Source: sqlite.org/howtocorrupt.html, 1.4 and 4.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
from pathlib import Path

SUFFIXES = ("-shm", "-wal")


class Companions:
    """Know the files that lay beside a database when it was opened."""

    def __init__(self, database: Path) -> None:
        self._paths = {suffix: Path(f"{database}{suffix}") for suffix in SUFFIXES}
        self._known: dict[str, tuple[int, int]] = {}

    def note(self) -> None:
        """Note which files are this database's."""
        self._known = {suffix: found for suffix in SUFFIXES if (found := _identity(self._paths[suffix]))}

    def set_aside(self, now_utc: float) -> list[str]:
        """Take those files away from the database that is now at this path; its own, if it brought some, stay.

        Returns: What the owner should know.
        """
        stamp = datetime.datetime.fromtimestamp(now_utc, datetime.UTC).strftime("%Y%m%d-%H%M%S")
        words = []
        for suffix, path in self._paths.items():
            if self._known.get(suffix) is None or _identity(path) != self._known[suffix]:
                continue
            with contextlib.suppress(OSError):
                if suffix == "-shm" or not path.stat().st_size:
                    path.unlink()
                    continue
                target = free_name(path, f".replaced-{stamp}")
                os.rename(path, target)
                words.append(
                    f"the database was replaced while another program read from it; {target} holds the last rows of "
                    "the old one, and belongs beside it under its name and -wal"
                )
        self._known = {}
        return words


def free_name(path: Path, ending: str) -> Path:
    """Return a name for a file that is set aside, which no other has: without a battery clock dates come again."""
    names = itertools.chain([ending], (f"{ending}-{number}" for number in itertools.count(2)))
    return next(target for name in names if not (target := path.with_name(path.name + name)).exists())


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
