"""Which files of the folder are taken, when, and what record they make.

A file is chosen by the ending of its name and judged by its first bytes, as everywhere; its path is never used for
anything but to find it again.

Source: the original detect service's files, `Snap_YYYYMMDD-HHMMSS-n.jpg` beside a `.txt` of the same name with the
subject.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from camalert.config.schema import Folder
from camalert.decoding.headers import complete_jpeg, ends_with_a_box
from camalert.decoding.kinds import PICTURE_ENDINGS
from camalert.errors import FrameError
from camalert.intake.folder.paths import facts_of_path, is_numbered
from camalert.intake.mail.charsets import text_of
from camalert.intake.mail.facts import facts_of
from camalert.intake.mail.text import legible, table_subject
from camalert.intake.mail.times import camera_time
from camalert.ipc.records import MailRecord, PictureRecord

ENDINGS = frozenset(
    (
        *PICTURE_ENDINGS,
        ".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".264", ".h264", ".265", ".h265", ".hevc", ".mpg",
        ".mpeg", ".ps", ".ts", ".mts", ".m2ts", ".asf", ".wmv", ".flv", ".dav",
    )
)  # fmt: skip
TEXT_ENDINGS = (".txt", ".TXT")
TEXT_BYTES = 16_384  # what is read of a text: its first line is the subject, the rest may name event and time
FIELD_CHARACTERS = 200
ENDING_CHARACTERS = 12  # longer ones are names with a dot in them
_TAIL_BYTES = 4096  # where the last chunk of a format is looked for; some programs append a little of their own


@dataclass(frozen=True, slots=True)
class FileState:
    """A regular file as it was seen; equal states mean an unchanged file.

    `path` is relative to the folder. `arrived_utc` is when the file last changed here (its ctime), in seconds since
    1970: unlike the time of modification no camera can set it.
    """

    path: str
    inode: int
    size_bytes: int
    mtime_ns: int
    arrived_utc: float

    @property
    def name(self) -> str:
        """Return the file's name without its folders."""
        return PurePosixPath(self.path).name

    @property
    def shown(self) -> str:
        """Return the path for a log line, whatever bytes it is made of."""
        return self.path.encode("utf-8", "replace").decode()

    @property
    def mail_id(self) -> bytes:
        """Return 16 bytes that stay the same for this very file, so that storing it twice adds nothing."""
        facts = f"{self.path}\0{self.inode}\0{self.mtime_ns}\0{self.size_bytes}"
        return hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def is_wanted(path: str) -> bool:
    """Tell whether a name is that of a picture or clip; hidden files and unfinished uploads (`.part`) are not."""
    name = PurePosixPath(path)
    return not name.name.startswith(".") and name.suffix.lower() in ENDINGS


def text_paths(path: str) -> tuple[str, ...]:
    """Return where the text of a picture may be."""
    return tuple(str(PurePosixPath(path).with_suffix(ending)) for ending in TEXT_ENDINGS)


def is_whole(content: bytes, kind: str) -> bool:
    """Tell whether a file has its end, where its format tells.

    Source: ITU-T T.81 B.1.1.3 (EOI), PNG 11.2.5 (IEND), RIFF and BITMAPFILEHEADER lengths, GIF89a 27, and the box
    `moov` of ISO/IEC 14496-12, which is written last.
    """
    match kind:
        case "jpeg":
            try:
                return complete_jpeg(content) == content
            except FrameError:
                return False
        case "png":
            return b"IEND" in content[-_TAIL_BYTES:]
        case "gif":
            return content.rstrip(b"\0\r\n ").endswith(b";")
        case "webp" | "avi":
            return 8 + int.from_bytes(content[4:8], "little") <= len(content)
        case "bmp":
            return int.from_bytes(content[2:6], "little") <= len(content)
        case "jp2":
            return content.rstrip(b"\0\r\n ").endswith(b"\xff\xd9")
        case "avif":
            return ends_with_a_box(content)
        case "mp4":
            return b"moov" in content
        case _:
            return True


def record_of(  # noqa: PLR0913 - all by name
    *, file: FileState, kind: str, content: bytes, text: bytes, folder: Folder, now_utc: float, max_skew_s: float
) -> MailRecord:
    """Make the record of a file's alarm.

    Args:
        file: Its state when it was read.
        kind: What its first bytes say.
        content: The whole file.
        text: What the `.txt` beside it says, empty without one.
        folder: The owner's settings.
        now_utc: The present, in seconds since 1970.
        max_skew_s: How far the camera's time may be off the file's arrival to be believed, in seconds.
    """
    lines = legible(text_of(text)).strip("\ufeff \t\r\n\0")
    subject = lines.partition("\n")[0].strip()
    facts = facts_of_path(file.shown, folder, facts_of(subject, lines, (file.name,)))
    camera = facts.camera
    arrived_utc = min(file.arrived_utc, now_utc)
    moment = camera_time((facts.time, subject, lines), (file.name,), "", arrived_utc, max_skew_s)
    digest = hashlib.blake2b(file.path.encode("utf-8", "surrogateescape") + b"\0", digest_size=32)
    digest.update(content)
    return MailRecord(
        received_utc=now_utc,
        subject=table_subject(subject or camera, lines),
        taken_utc=arrived_utc if moment.believed_utc is None else moment.believed_utc,
        camera_time=moment.written[:FIELD_CHARACTERS],
        camera=camera[:FIELD_CHARACTERS],
        event=facts.event,
        digest=digest.hexdigest(),
        is_lasting=is_numbered(file.path),
        pictures=(PictureRecord(0, len(content), kind, file.name[:FIELD_CHARACTERS]),),
    )


# Why a file stays where it is, by its ending, where more is to be said than that it is neither a picture nor a clip.
_REASONS = {
    ".heic": "HEIC pictures are not examined: set the camera to JPEG",
    ".heif": "HEIC pictures are not examined: set the camera to JPEG",
    ".jxl": "JPEG XL pictures are not examined: set the camera to JPEG",
    ".zip": "archives are not opened here",
    ".rar": "archives are not opened here",
    ".idx": "an index of clips",
    ".txt": "a text without a picture of its name",
    ".part": "an upload that is not finished, or was broken off",
    ".tmp": "an upload that is not finished, or was broken off",
}


def ending_of(path: str) -> str:
    """Return the ending of a name as strays are counted by it, "" without one."""
    ending = PurePosixPath(path).suffix.lower()
    return ending if len(ending) <= ENDING_CHARACTERS else ""


def stray_reason(ending: str, count: int) -> str:
    """Say how many files of an ending stay where they are, and why."""
    why = _REASONS.get(ending, "neither a picture nor a clip by its name")
    return f"{count} {ending or 'without an ending'}: {why}"


class Watch:
    """Remember which files have been as they are since when.

    What counts is not the age of a file but how long it was seen unchanged, because an upload may set the time of
    modification to whatever the camera's clock says.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._watched: dict[str, _Watched] = {}

    def update(self, files: Iterable[FileState], now: float) -> list[FileState]:
        """Take all that is in the folder now; return the pictures that are due, the oldest first.

        A picture whose text still changes is not due.
        """
        before, self._watched = self._watched, {}
        for file in files:
            known = before.get(file.path)
            is_unchanged = known is not None and known.file == file
            self._watched[file.path] = known if known and is_unchanged else _Watched(file, now, now + self._settle_s)
        due = [
            watched.file
            for path, watched in self._watched.items()
            if is_wanted(path) and watched.due_at <= now and self._has_settled_text(path, now)
        ]
        return sorted(due, key=lambda file: (file.mtime_ns, file.path))

    def text_of(self, path: str) -> FileState | None:
        """Return the text that was seen beside a picture."""
        return next((self._watched[text].file for text in text_paths(path) if text in self._watched), None)

    def unchanged_s(self, file: FileState, now: float) -> float:
        """Return for how long a file has been seen as it is, in seconds."""
        return now - self._watched[file.path].since

    def put_off(self, file: FileState, due_at: float = math.inf) -> None:
        """Make a file due at that time only, or when it changes."""
        self._watched[file.path].due_at = due_at

    def _has_settled_text(self, path: str, now: float) -> bool:
        return all(self._watched[text].due_at <= now for text in text_paths(path) if text in self._watched)


@dataclass(slots=True)
class _Watched:
    file: FileState
    since: float
    due_at: float
