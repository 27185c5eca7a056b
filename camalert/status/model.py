"""The status of a running service as a value: what `camalert status`, the review site and the metrics show.

The supervisor fills it (see `tracker`) and writes it as `status.json` into the run directory; all others read that
file. Times are seconds since 1970.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from camalert.errors import StatusError

FILE_NAME = "status.json"
WRITE_AT_LEAST_S = 5.0  # its age says whether the service still works
STALE_S = 20.0  # older than this, the service that wrote it is gone or stuck
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One child process. `reason` says why it is not ready, or why it last exited."""

    name: str
    state: str
    pid: int = 0  # 0: no process
    restarts: int = 0
    since_utc: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What is known of one camera; 0.0 for never. It was seen when it did anything, a failed session included."""

    name: str
    last_seen_utc: float = 0.0
    last_mail_utc: float = 0.0
    last_picture_utc: float = 0.0
    last_failure_utc: float = 0.0
    last_failure: str = ""
    mails: int = 0  # all that are known of
    failures: int = 0  # since the service started
    is_silent: bool = False
    address: str = ""  # its own
    address_since_utc: float = 0.0
    other_address: str = ""  # another one from which mails come under its name
    other_since_utc: float = 0.0
    clock_off_s: float = 0.0  # how far its clock is ahead, where it is too far off; behind when it is negative

    @property
    def clock(self) -> str:
        """Say how its clock is off, "" for one that is right."""
        return off_in_words(self.clock_off_s) if self.clock_off_s else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a warning for the owner."""

    at_utc: float
    event: str
    message: str


@dataclass(frozen=True, slots=True)
class MailActivity:
    """What one client just did on the mail port, for the owner who is setting it up."""

    at_utc: float
    event: str
    peer: str
    camera: str
    message: str
    pictures: int = 0
    clips: int = 0
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The whole service at one moment."""

    version: str
    pid: int
    written_utc: float
    started_utc: float
    state: str  # Lifecycle.shown_state
    since_utc: float
    reason: str = ""
    engine: str = ""
    pool_bytes: int = 0
    slots_used: int = 0
    slots_total: int = 0
    pending: int = 0
    alerts_today: int = 0
    detections_today: int = 0
    visits_today: int = 0
    mails: int = 0  # this and the next four: since the service started
    pictures: int = 0
    examined: int = 0
    persons: int = 0
    failed: int = 0
    pictures_per_minute: float = 0.0
    examined_per_minute: float = 0.0
    database_problem: str = ""  # why alarms cannot be stored now; "" when they can
    examination_problem: str = ""  # why pictures cannot be examined now; "" when they can
    children: tuple[ChildStatus, ...] = ()
    cameras: tuple[CameraStatus, ...] = ()
    problems: tuple[Problem, ...] = ()  # oldest first, as the next
    mail_activity: tuple[MailActivity, ...] = ()

    @property
    def is_running(self) -> bool:
        """Tell whether alarms are taken in."""
        return self.state == "running"

    def degraded(self) -> list[str]:
        """Say what is not as it should be, [] when all is well."""
        children = [
            f"{child.name} {_PROBLEM_STATES[child.state]}{f' ({child.reason})' if child.reason else ''}"
            for child in self.children
            if child.state in _PROBLEM_STATES
        ]
        database = [f"cannot store alarms: {self.database_problem}"] if self.database_problem else []
        examination = [f"cannot examine pictures: {self.examination_problem}"] if self.examination_problem else []
        return [*database, *examination, *children]

    def silent(self) -> list[CameraStatus]:
        """Return the cameras that have been silent for too long."""
        return [camera for camera in self.cameras if camera.is_silent]

    def encode(self) -> bytes:
        """Encode as JSON for people and programs."""
        text = json.dumps(self, default=_by_name, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace") + b"\n"

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Decode what `encode` made, by this version or another.

        Raises: StatusError when the text is no status.
        """
        try:
            found = _known(cls, json.loads(text))
            for name, kind in _PARTS.items():
                found[name] = tuple(kind(**_known(kind, item)) for item in found.get(name, ()))
            return cls(**found)
        except (TypeError, ValueError) as error:
            raise StatusError(f"{len(text)} bytes are no status of camalert: {error!r}") from error


def _by_name(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields for the encoder; `asdict` would copy the whole tree first, at ten times the cost."""
    return {item.name: getattr(value, item.name) for item in fields(value)}


_PARTS = {"children": ChildStatus, "cameras": CameraStatus, "problems": Problem, "mail_activity": MailActivity}
# The states of a child that its owner should know of; the others are normal.
_PROBLEM_STATES = {"backoff": "restarting", "failed": "failed"}


def write(folder: Path, status: Status) -> None:
    """Replace the status file in one step: a reader sees the old or the new one, never half of it.

    Raises: OSError when the folder cannot be written; the caller logs it and goes on.
    """
    draft = folder / f".{FILE_NAME}"  # one name, so that a killed writer leaves one file, which the next one uses
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        # For monitoring, which runs as somebody else, where the folder is open to others, as systemd makes it.
        os.fchmod(stream.fileno(), 0o644 if folder.stat().st_mode & 0o001 else 0o600)
        stream.write(status.encode())
    os.replace(draft, folder / FILE_NAME)


def read(folder: Path) -> Status:
    """Read the status file.

    Raises: StatusError when there is none, it cannot be read or is no status.
    """
    try:
        text = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError as error:
        raise StatusError(
            f"there is no {folder / FILE_NAME}: camalert does not run, or with another run_dir"
        ) from error
    except OSError as error:
        raise StatusError(f"{folder / FILE_NAME} cannot be read: {error.strerror}") from error
    return Status.decode(text)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 alarm", "2 processes"."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{ending}"


def off_in_words(off_s: float) -> str:
    """Say how far a clock is ahead, or behind where the seconds are negative: 5 h 2 min behind."""
    minutes, seconds = divmod(round(abs(off_s)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((number for number, (count, _) in enumerate(units) if count), len(units) - 1)
    shown = " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count) or "0 s"
    return f"{shown} {'ahead' if off_s > 0 else 'behind'}"


def _known(kind: type[Any], found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError(type(found).__name__)
    names = {item.name for item in fields(kind)}
    return {key: value for key, value in found.items() if key in names}
