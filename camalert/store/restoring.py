"""Another database in the place of the present one: what is where, what became of it, and the way back.

    site:        upload or copy ──▶ X.restore-draft ── verified ──▶ X.restoring        one rename
    next start:  X is closed to one file, and kept as X.before-restore; X.restoring ──▶ X      one rename each
    no start:    X ──▶ X.failed-restore; X.before-restore ──▶ X                        one rename

At every moment X is whole: the old one or the new one. The note `X.restored` says how far it is, so that what was
interrupted is completed at the next start, before any process opens X. Ids go on after those of the one that leaves its
place, there and back. This module renames, and opens no database: the supervisor uses it. The swap itself and the
counting, which do, are `store.swap`, in a process of its own.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from camalert.system.logs import log

COMPANIONS = ("-wal", "-shm", "-journal")
SWAP_S = 300.0  # the present database's WAL is worked in first
COUNT_S = 60.0
NOTE_BYTES = 65_536


class State(StrEnum):
    """How far a restore is."""

    NONE = "none"
    SWAPPED = "swapped"  # the new one is in place, or about to be, and the service has not yet worked with it
    DONE = "done"
    GOING_BACK = "going back"
    FAILED = "failed"  # the service did not start with it; the former one is back
    REFUSED = "refused"  # nothing was touched


@dataclass(frozen=True, slots=True)
class Note:
    """What became of the last restore."""

    state: State = State.NONE
    why: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a restore, beside the database."""

    database: Path

    @classmethod
    def of(cls, path: str | Path) -> Places:
        """Return the places of a database: where it is in truth, so that a link stays a link."""
        return cls(Path(path).absolute().resolve())

    @property
    def draft(self) -> Path:
        """Return where an upload or a copy grows."""
        return self._beside("restore-draft")

    @property
    def staged(self) -> Path:
        """Return where it is when it is complete and sound: the next start takes it."""
        return self._beside("restoring")

    @property
    def kept(self) -> Path:
        """Return where the database of before is; one is kept."""
        return self._beside("before-restore")

    @property
    def failed(self) -> Path:
        """Return where a database is with which the service did not start."""
        return self._beside("failed-restore")

    @property
    def note(self) -> Path:
        """Return where the note is."""
        return self._beside("restored")

    def companions(self) -> list[Path]:
        """Return what SQLite may have beside the database."""
        return [Path(f"{self.database}{suffix}") for suffix in COMPANIONS]

    def _beside(self, suffix: str) -> Path:
        return self.database.with_name(f"{self.database.name}.{suffix}")


def read(places: Places) -> Note:
    """Return the note; one that cannot be read says nothing."""
    try:
        with places.note.open("rb") as file:
            found = json.loads(file.read(NOTE_BYTES))
        return Note(State(found["state"]), str(found["why"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Note()


def write(places: Places, note: Note) -> None:
    """Replace the note in one step.

    Raises: OSError.
    """
    draft = _draft_of(places.note)
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(note), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, places.note)
    sync(places.note.parent)


def stage(places: Places) -> None:
    """Make the finished draft what the next start takes.

    Raises: OSError.
    """
    forget_companions(places.kept)
    with places.draft.open("rb") as file:
        os.fsync(file.fileno())
    places.note.unlink(missing_ok=True)  # of the last one
    os.replace(places.draft, places.staged)
    sync(places.database.parent)


def withdraw(places: Places, why: str) -> bool:
    """Take back a restore that was not done; return whether there was one.

    Raises: OSError.
    """
    if not places.staged.exists():
        return False
    places.note.unlink(missing_ok=True)  # even if there is no room for another one, this one is no longer true
    _draft_of(places.kept).unlink(missing_ok=True)
    if places.kept.exists() and places.database.exists() and places.kept.samefile(places.database):
        os.replace(places.staged, places.kept)  # it may be the only copy of what was kept before
    else:
        places.staged.unlink()
    write(places, Note(State.REFUSED, why))
    return True


# --- at the start of the service -------------------------------------------------------------------------------------


def complete(path: str) -> None:
    """Do what is to be done before any process opens the database: go on with what was asked for or interrupted."""
    places = Places.of(path)
    try:
        if read(places).state is State.GOING_BACK:
            _finish_going_back(places)
        if places.staged.exists():
            _swap(places)
    except OSError as error:
        log.error("restore_refused", message=f"{error}; the database is as it was")


def _swap(places: Places) -> None:
    why = ""
    try:
        ran = subprocess.run(  # noqa: S603 - of our own
            [sys.executable, "-m", "camalert.store.swap", str(places.database)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=SWAP_S, check=False,
        )  # fmt: skip
        if ran.returncode:
            why = (ran.stdout.strip() or ran.stderr.strip() or f"exit {ran.returncode}")[-1000:]
    except subprocess.TimeoutExpired:
        why = "the present database could not be closed in time"
    if why:
        withdraw(places, why)
        log.error("restore_refused", message=why)
    elif read(places).state is State.SWAPPED:
        log.info("database_restored", path=str(places.database), kept=str(places.kept))


def prove(path: str) -> None:
    """Note that the service works with what was restored: every process that it needs is ready."""
    places = Places.of(path)
    if _is_unproven(places):
        with contextlib.suppress(OSError):
            write(places, Note(State.DONE))


def go_back(path: str, why: str) -> bool:
    """Put the database of before back when the service failed with a restored one; return whether that was it."""
    places = Places.of(path)
    if not _is_unproven(places) or not places.kept.exists():
        return False
    try:
        forget_companions(places.failed)
        write(places, Note(State.GOING_BACK, why[:1000]))
        _finish_going_back(places)
    except OSError as error:
        log.error("restore_failed", message=f"{why}; the former database could not be put back: {error}")
        return False
    log.error("restore_failed", message=f"{why}; the former database is in its place again")
    return True


def _is_unproven(places: Places) -> bool:
    return read(places).state is State.SWAPPED and not places.staged.exists()


def _finish_going_back(places: Places) -> None:
    """Keep the restored database with what it may have taken in, and put the former one in its place."""
    note = read(places)
    if places.kept.exists():
        keep(places.database, places.failed)
        set_companions_aside(places, places.failed)
        os.replace(places.kept, places.database)
        sync(places.database.parent)
    with contextlib.suppress(subprocess.SubprocessError):  # it works without
        subprocess.run(  # noqa: S603 - of our own
            [sys.executable, "-m", "camalert.store.swap", str(places.database), "back"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=COUNT_S, check=False,
        )  # fmt: skip
    write(places, Note(State.FAILED, note.why))


def set_companions_aside(places: Places, target: Path) -> None:
    """Take away what SQLite has beside the database: beside another one it would be ruinous.

    Raises: OSError.
    """
    for old, new in zip(places.companions(), Places(target).companions(), strict=True):
        with contextlib.suppress(FileNotFoundError):  # or it was taken away before this was interrupted
            os.replace(old, new)
    sync(places.database.parent)


def forget_companions(file: Path) -> None:
    """Remove what an earlier restore has left beside a name that will get another file.

    Raises: OSError.
    """
    for companion in Places(file).companions():
        companion.unlink(missing_ok=True)


def keep(file: Path, name: Path) -> None:
    """Give a file another name and leave it where it is, so that the rename that follows loses nothing.

    Raises: OSError; what had that name before has it still.
    """
    draft = _draft_of(name)
    draft.unlink(missing_ok=True)
    try:
        _link(file, draft)
        os.replace(draft, name)
    except FileNotFoundError:
        name.unlink(missing_ok=True)  # there is nothing to be kept, and what was kept before is not it
    finally:
        draft.unlink(missing_ok=True)  # also where both were one file already: a rename leaves both names then
    sync(name.parent)


def _link(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        shutil.copyfile(file, name)  # a file system without hard links
        name.chmod(0o600)
        with name.open("rb") as copy:
            os.fsync(copy.fileno())


def _draft_of(name: Path) -> Path:
    return name.with_name(f"{name.name}.draft")


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the file system knows such a thing."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(file)
