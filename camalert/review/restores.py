"""Restoring from the site: a copy or an upload, verified, and put in the place of the database at the next start.

An upload comes in pieces, each a request within the server's ordinary limits, and grows as a file beside the database:
nothing of it is held in memory, and a piece that is lost is sent again. `camalert verify` looks at it in a process of
its own before anything is touched. Then the service begins again, and puts it in its place before any process opens the
database (`store.restoring`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections
from django.utils.translation import gettext as _

from camalert.errors import CamalertError, ConfigError, StoreError
from camalert.ipc.messages import Reload
from camalert.review import configuration, line
from camalert.store import restoring, swap
from camalert.store.restoring import Note, Places
from camalert.system.logs import log

UPLOAD_BYTES = 64 << 30
SPARE_BYTES = 256 << 20  # that stay free on the disk: alarms go on meanwhile
IDLE_S = 600.0  # an upload that nobody goes on with for so long makes way
CHECK_S = 7200.0
COPY_BYTES = 1 << 20
SQLITE = b"SQLite format 3\0"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


_lock = threading.Lock()


class RestoreError(CamalertError):
    """A restore cannot be begun, or goes no further; the message says why."""


class Step(StrEnum):
    """What a restore is doing."""

    RECEIVING = "receiving"
    COPYING = "copying"
    CHECKING = "checking"
    ASKED = "asked"  # the service begins again with it
    SETTINGS = "settings"  # it was settings, which have a history of their own
    FAILED = "failed"  # nothing was touched


@dataclass(slots=True)
class Job:
    """A restore under way, one at a time."""

    id: str
    user: str
    name: str  # of the file
    all_bytes: int
    step: Step
    done_bytes: int = 0
    why: str = ""
    moved_at: float = 0.0  # monotonic

    @property
    def is_under_way(self) -> bool:
        """Tell whether another one has to wait for it."""
        if self.step is Step.RECEIVING:
            return time.monotonic() - self.moved_at < IDLE_S
        return self.step in (Step.COPYING, Step.CHECKING, Step.ASKED)


_job: Job | None = None


def places() -> Places:
    """Return where the files of a restore are."""
    return Places.of(settings.CAMALERT.database.path)


def kept_bytes() -> int:
    """Return the size of the database of before the last restore, 0 when there is none."""
    try:
        return places().kept.stat().st_size
    except OSError:
        return 0


def shown() -> dict[str, Any]:
    """Return what is under way, and what became of the last restore."""
    note = last()
    found: dict[str, Any] = {"last": note.state.value, "last_why": note.why, "step": "", "kept_bytes": kept_bytes()}
    if (job := _job) is not None:
        found |= {
            "id": job.id, "step": job.step.value, "why": job.why, "name": job.name, "done_bytes": job.done_bytes,
            "all_bytes": job.all_bytes,
        }  # fmt: skip
    return found


def last() -> Note:
    """Return what became of the last restore."""
    return restoring.read(places())


def tidy() -> None:
    """Remove what a process that ended has left."""
    for path in (places().draft, *Places(places().draft).companions()):
        path.unlink(missing_ok=True)


def refused(why: str) -> None:
    """Take back what the supervisor refuses to begin with."""
    with _lock:
        if restoring.withdraw(places(), why):
            _fail(why)


# --- an upload -------------------------------------------------------------------------------------------------------


def begin(user: str, name: str, all_bytes: int) -> Job:
    """Begin an upload.

    Raises: RestoreError when there is no room, or another restore is under way.
    """
    if not 0 < all_bytes <= UPLOAD_BYTES:
        raise RestoreError(_("This file is empty, or too large to be a database of camalert."))
    with _lock:
        return _begin(user, name, all_bytes, Step.RECEIVING)


def receive(number: str, at: int, data: bytes) -> Job:
    """Add a piece; one that was there already adds nothing.

    Raises: RestoreError when it does not fit.
    """
    with _lock:
        job = _job
        if job is None or job.id != number or job.step is not Step.RECEIVING:
            raise RestoreError(_("This upload has ended; begin again."))
        if at + len(data) <= job.done_bytes:
            return job
        if at != job.done_bytes or at + len(data) > job.all_bytes:
            raise RestoreError(_("A piece of the upload is missing; begin again."))
        try:
            with places().draft.open("ab") as file:
                file.write(data)
        except OSError as error:
            _fail(f"{error.strerror}")
            raise RestoreError(_("The upload cannot be stored: %s") % error.strerror) from error
        job.done_bytes += len(data)
        job.moved_at = time.monotonic()
        return job


def finish(number: str) -> Job:
    """Check a complete upload, in a thread.

    Raises: RestoreError when it is not complete.
    """
    with _lock:
        job = _job
        if job is None or job.id != number or job.step is not Step.RECEIVING or job.done_bytes != job.all_bytes:
            raise RestoreError(_("The upload is not complete; begin again."))
        job.step = Step.CHECKING
    threading.Thread(target=_checked, args=(job,), name="review-restore", daemon=True).start()
    return job


def cancel(number: str) -> None:
    """End an upload."""
    with _lock:
        if _job is not None and _job.id == number and _job.step is Step.RECEIVING:
            _fail(_("It was cancelled."))


# --- a copy that is here ---------------------------------------------------------------------------------------------


def take(user: str, path: Path) -> Job:
    """Restore a file of this machine: a copy, or the database of before the last restore; in a thread.

    Raises: RestoreError as `begin` does.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise RestoreError(_("This copy no longer exists.")) from error
    with _lock:
        job = _begin(user, path.name, size_bytes, Step.COPYING)
    threading.Thread(target=_copied, args=(job, path), name="review-restore", daemon=True).start()
    return job


def _copied(job: Job, path: Path) -> None:
    try:
        with path.open("rb") as source, places().draft.open("ab") as target:
            while piece := source.read(COPY_BYTES):
                target.write(piece)
                job.done_bytes += len(piece)
    except OSError as error:
        with _lock:
            _fail(f"{error.strerror}")
        return
    job.step = Step.CHECKING
    _checked(job)


# --- the same for both -----------------------------------------------------------------------------------------------


def _begin(user: str, name: str, all_bytes: int, step: Step) -> Job:
    global _job  # noqa: PLW0603 - one at a time
    if _job is not None and _job.is_under_way:
        raise RestoreError(_("Another restore is under way."))
    if places().staged.exists():
        raise RestoreError(_("A database waits already to be put in its place when the service begins again."))
    try:
        tidy()
        free_bytes = shutil.disk_usage(places().database.parent).free
        if free_bytes < all_bytes + SPARE_BYTES:
            raise RestoreError(
                _("There is no room: %(wanted).1f GB are needed beside the present database, %(free).1f GB are free.")
                % {"wanted": (all_bytes + SPARE_BYTES) / 1e9, "free": free_bytes / 1e9}
            )
        os.close(os.open(places().draft, _NEW_FILE, 0o600))
    except OSError as error:
        raise RestoreError(_("The upload cannot be stored: %s") % error.strerror) from error
    _job = Job(secrets.token_urlsafe(12), user, name[:200], all_bytes, step, moved_at=time.monotonic())
    log.info("restore_begun", user=user, file=_job.name, bytes=all_bytes)
    return _job


def _checked(job: Job) -> None:
    """Look at what came, and ask for it to be taken."""
    try:
        if _is_database():
            _check_database()
            with _lock:
                restoring.stage(places())
                job.step = Step.ASKED
            log.info("restore_asked", user=job.user, file=job.name)
            if not line.say(Reload()):
                job.why = _("It is put in its place when the service is started the next time.")
        else:
            _take_settings(job)
    except (RestoreError, ConfigError, StoreError) as error:
        why = str(error)
    except (OSError, sqlite3.Error, DatabaseError, subprocess.SubprocessError) as error:
        why = f"{type(error).__name__}: {error}"
    else:
        return
    finally:
        connections.close_all()
    with _lock:
        _fail(why)


def _is_database() -> bool:
    with places().draft.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _check_database() -> None:
    """Verify the draft as `camalert verify` does, by that very command: what is in it is not ours yet.

    Raises: RestoreError with what is wrong.
    """
    draft = places().draft
    try:
        swap.close_to_one_file(draft)  # a copy of a database in use says that it has a WAL
        swap.refuse_unusable(draft)
    except StoreError as error:
        raise RestoreError(str(error)) from error
    ran = subprocess.run(  # noqa: S603 - of our own
        [sys.executable, "-m", "camalert", "verify", "--database", str(draft)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=CHECK_S, check=False,
    )  # fmt: skip
    if ran.returncode:
        found = [text for text in (ran.stdout + ran.stderr).splitlines() if text.strip()]
        wrong = [text for text in found if text.startswith("WRONG")] or found[-3:]
        raise RestoreError(_("This is not a sound database of camalert:") + "\n" + "\n".join(wrong)[:1000])
    for companion in Places(draft).companions():
        companion.unlink(missing_ok=True)


def _take_settings(job: Job) -> None:
    """Take the draft as settings.toml.

    Raises: RestoreError or ConfigError with what is wrong.
    """
    if job.all_bytes > configuration.TEXT_BYTES:
        raise RestoreError(_("This is neither a database nor the settings of this site."))
    try:
        text = places().draft.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RestoreError(_("This is neither a database nor the settings of this site.")) from error
    configuration.put_whole(job.user, text, _("Restored: %s") % job.name)
    tidy()
    job.step = Step.SETTINGS


def _fail(why: str) -> None:
    if _job is not None:
        log.warning("restore_not_begun", file=_job.name, message=why)
        _job.step, _job.why = Step.FAILED, why
    tidy()


def remove_kept(user: str) -> bool:
    """Remove the database of before the last restore; return whether there was one."""
    with _lock:
        if last().state is restoring.State.SWAPPED or not places().kept.exists():
            return False
        restoring.forget_companions(places().kept)
        places().kept.unlink()
    log.info("restore_kept_removed", user=user)
    return True
