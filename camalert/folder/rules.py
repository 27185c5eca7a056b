"""What a file in the folder is: wanted or not, whole or not, and what the words of its alarm are.

Pure. A file is chosen by the ending of its name and judged by its first bytes, as everywhere; its path is never used
for anything but to find it again.

Source: the original detect service's files, `Snap_YYYYMMDD-HHMMSS-n.jpg` beside a `.txt` of the same name with the
subject.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from camalert.config import Folder
from camalert.errors import FrameError
from camalert.mail.charsets import text_of
from camalert.mail.styles import facts_of
from camalert.mail.text import table_subject
from camalert.mail.times import camera_time
from camalert.pictures import complete_jpeg
from camalert.words import MailWords, PictureWords

ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
)
TEXT_ENDINGS = (".txt", ".TXT")
TEXT_BYTES = 16_384  # what is read of a text: its first line is the subject, the rest may name event and time
FIELD_CHARACTERS = 200
_TAIL_BYTES = 4096  # where the last chunk of a format is looked for; some programs append a little of their own


@dataclass(frozen=True, slots=True)
class Sighting:
    """A regular file as it was seen; equal sightings mean an unchanged file.

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
    """Tell a picture or clip by its name; hidden files and the unfinished `.part` of an upload are none."""
    name = PurePosixPath(path)
    return not name.name.startswith(".") and name.suffix.lower() in ENDINGS


def text_paths(path: str) -> tuple[str, ...]:
    """Return where the text of a picture may lie."""
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
        case "mp4":
            return b"moov" in content
        case _:
            return True


def words_of(  # noqa: PLR0913 - all by name
    *, seen: Sighting, kind: str, content: bytes, text: bytes, folder: Folder, now_utc: float, max_skew_s: float
) -> MailWords:
    """Make the words of a file's alarm.

    Args:
        seen: The file.
        kind: What its first bytes say.
        content: The whole file.
        text: What lies beside it in a `.txt`, empty without one.
        folder: The owner's settings.
        now_utc: The present, in seconds since 1970.
        max_skew_s: How far the camera's time may be off the file's arrival to be believed, in seconds.
    """
    lines = text_of(text).strip("\ufeff \t\r\n\0")
    subject = lines.partition("\n")[0].strip()
    facts = facts_of(subject, lines, (seen.name,))
    parts = PurePosixPath(seen.path).parts
    camera = parts[0] if len(parts) > 1 else folder.camera or facts.camera
    arrived_utc = min(seen.arrived_utc, now_utc)
    written, taken_utc = camera_time((facts.time, subject, lines), (seen.name,), "", arrived_utc, max_skew_s)
    digest = hashlib.blake2b(seen.path.encode("utf-8", "surrogateescape") + b"\0", digest_size=32)
    digest.update(content)
    return MailWords(
        received_utc=now_utc,
        subject=table_subject(subject or camera, lines),
        taken_utc=arrived_utc if taken_utc is None else taken_utc,
        camera_time=written[:FIELD_CHARACTERS],
        camera=camera[:FIELD_CHARACTERS],
        event=facts.event,
        digest=digest.hexdigest(),
        pictures=(PictureWords(0, len(content), kind, seen.name[:FIELD_CHARACTERS]),),
    )
