"""The files beside the database, which SQLite finds by their names: `-wal` and `-shm`.

When another database is put in the place of one in use, they belong to the old one. Usually the writer has emptied the
WAL by then; while another program reads it cannot, and SQLite would take the old WAL for the new file's and ruin it.

Mechanism, in the writer process. Source: sqlite.org/howtocorrupt.html, 1.4, 2.2 and 4; SQLite's lock bytes on the
database file are in sqlite.org/lockingv3.html and os.h: who has a WAL database open shares 510 of them, idle or not.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
from pathlib import Path

from camalert.store.inode import identity, is_locked

SUFFIXES = ("-shm", "-wal")
SHARED_LOCKS = (0x4000_0002, 510)  # offset and length


class Companions:
    """Know the files that lay beside a database when it was opened."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._paths = {suffix: Path(f"{database}{suffix}") for suffix in SUFFIXES}
        self._known: dict[str, tuple[int, int]] = {}

    def note(self) -> None:
        """Note which files are this database's."""
        self._known = {suffix: found for suffix in SUFFIXES if (found := identity(self._paths[suffix]))}

    def set_aside(self, now_utc: float, old_bytes: int) -> list[str]:
        """Take those files away from the database that is now at this path; its own, if it brought some, stay.

        They stay, too, when another program was quicker and uses them for the new database, and the WAL is empty: with
        others of our own each would write what the other never sees.

        Args:
            now_utc: For the name of what is kept.
            old_bytes: How large they make SQLite take the database for; a larger one looks damaged to it.

        Returns: What the owner should know.
        """
        known, self._known = self._known, {}
        left = [path for suffix, path in self._paths.items() if known.get(suffix, ()) == identity(path)]
        if not left or (not _size_bytes(self._paths["-wal"]) and self._serve_the_new_one(old_bytes)):
            return []
        stamp = datetime.datetime.fromtimestamp(now_utc, datetime.UTC).strftime("%Y%m%d-%H%M%S")
        words = []
        for path in left:
            with contextlib.suppress(OSError):
                if path == self._paths["-shm"] or not _size_bytes(path):
                    path.unlink()
                    continue
                target = free_name(path, f".replaced-{stamp}")
                os.rename(path, target)
                words.append(
                    f"the database was replaced while another program read from it; {target} holds the last rows of "
                    "the old one, and belongs beside it under its name and -wal"
                )
        return words

    def _serve_the_new_one(self, old_bytes: int) -> bool:
        """Tell whether another program has the new database open, and can use it with these files."""
        try:
            # Never closed: if this is a database that we left before, that would end SQLite's locks on it. A process
            # leaves only so many connections.
            file = os.open(self._database, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        return os.fstat(file).st_size <= old_bytes and is_locked(file, *SHARED_LOCKS)


def free_name(path: Path, ending: str) -> Path:
    """Return a name for a file that is set aside, which no other has: without a battery clock dates come again."""
    names = itertools.chain([ending], (f"{ending}-{number}" for number in itertools.count(2)))
    return next(target for name in names if not (target := path.with_name(path.name + name)).exists())


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
