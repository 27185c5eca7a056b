"""The status of a running service as a value: what `camalert status`, the review site and figures are made from.

Pure but for `write` and `read`: the supervisor fills it (see `statusbook`) and writes it as `status.json` into the run
directory; everybody else reads that file. Times are seconds since 1970.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from camalert.errors import StatusError

FILE_NAME = "status.json"
WRITE_AT_LEAST_S = 5.0  # the file is a sign of life too
STALE_S = 20.0  # older than this, the service that wrote it is gone or stuck
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One child process. `reason` says why it is not ready, or why it last ended."""

    name: str
    state: str
    pid: int = 0  # 0: no process
    restarts: int = 0
    since_utc: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What was last heard of one camera; 0.0 for never.

    A sign of life is anything it did: a mail, a test mail, a failed session.
    """

    name: str
    last_sign_utc: float = 0.0
    last_mail_utc: float = 0.0
    last_picture_utc: float = 0.0
    last_failure_utc: float = 0.0
    last_failure: str = ""
    mails: int = 0  # since the service started
    failures: int = 0
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error or warning worth the owner's eyes, newest last."""

    at_utc: float
    event: str
    words: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What one client just did on the mail port, in words; a camera's owner sets it up by these."""

    at_utc: float
    event: str
    peer: str
    camera: str
    words: str
    pictures: int = 0
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The whole service at one moment."""

    version: str
    name: str
    pid: int
    written_utc: float
    started_utc: float
    state: str  # states.Phase
    since_utc: float
    reason: str = ""
    engine: str = ""
    pool_bytes: int = 0
    slots_used: int = 0
    slots_total: int = 0
    pending: int = 0
    alerts_today: int = 0
    detections_today: int = 0
    mails: int = 0  # this and the next four: since the service started
    pictures: int = 0
    examined: int = 0
    persons: int = 0
    failed: int = 0
    pictures_per_minute: float = 0.0
    examined_per_minute: float = 0.0
    database_trouble: str = ""  # why the database cannot be used now; "" when it can
    children: tuple[ChildStatus, ...] = ()
    cameras: tuple[CameraStatus, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    heard: tuple[Heard, ...] = ()  # oldest first

    @property
    def is_running(self) -> bool:
        """Tell whether alarms are taken in."""
        return self.state == "running"

    def degraded(self) -> list[str]:
        """Return in words what is not as it should be, [] when all is well."""
        children = [
            f"{child.name} {_STATE_WORDS[child.state]}{f' ({child.reason})' if child.reason else ''}"
            for child in self.children
            if child.state in _STATE_WORDS
        ]
        return [f"no alarm can be stored: {self.database_trouble}", *children] if self.database_trouble else children

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
            found["children"] = tuple(ChildStatus(**_known(ChildStatus, item)) for item in found["children"])
            found["cameras"] = tuple(CameraStatus(**_known(CameraStatus, item)) for item in found["cameras"])
            found["troubles"] = tuple(Trouble(**_known(Trouble, item)) for item in found["troubles"])
            found["heard"] = tuple(Heard(**_known(Heard, item)) for item in found.get("heard", ()))
            return cls(**found)
        except (KeyError, TypeError, ValueError) as error:
            raise StatusError(f"{len(text)} bytes are no status of camalert: {error!r}") from error


def _by_name(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields for the encoder; asdict would copy the whole tree first, at ten times the cost."""
    return {item.name: getattr(value, item.name) for item in fields(value)}


# The states of a child that its owner should know of; the others are the normal course.
_STATE_WORDS = {"backoff": "ended and is started again", "failed": "failed"}


def status_words(status: Status) -> str:
    """Say in one sentence how the service is, for `systemctl status` and `camalert status`."""
    counted = (
        f"{_many(status.alerts_today, 'alarm')} today, {status.detections_today} with people, {status.pending} pending"
    )
    degraded = "; ".join(status.degraded())
    match status.state:
        case "starting":
            head = f"Starting, waiting for {_list(_unready(status)) or 'nothing more'}"
        case "running" if degraded:
            head = f"Degraded: {degraded}; {counted}"
        case "running":
            unready = _unready(status)
            head = f"Running: {counted}" + (f"; still starting: {_list(unready)}" if unready else "")
        case "draining":
            head = "Stopping: accepting no more mails, finishing what has begun"
        case "stopping":
            head = "Stopping" + (f": {status.reason}" if status.reason else "")
        case _:
            head = "Stopped" + (f": {status.reason}" if status.reason else "")
    silent = status.silent()
    if silent and status.is_running:
        days = (status.written_utc - min(camera.last_sign_utc for camera in silent)) / DAY_S
        head += f"; silent: {_list(camera.name for camera in silent)} (up to {days:.0f} days)"
    return head


def write(folder: Path, status: Status) -> None:
    """Replace the status file in one step: a reader sees the old or the new one, never half of it.

    Raises: OSError when the folder cannot be written; the caller logs it and goes on.
    """
    draft = folder / f".{FILE_NAME}"  # one name, so that a killed writer leaves one file, which the next one uses
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(file, "wb") as stream:
        os.fchmod(stream.fileno(), 0o644)  # for the review site and monitoring, which run as others
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


def _unready(status: Status) -> list[str]:
    return [child.name for child in status.children if child.state in ("starting", "down")]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _known(kind: type[Any], found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError(type(found).__name__)
    names = {item.name for item in fields(kind)}
    return {key: value for key, value in found.items() if key in names}
