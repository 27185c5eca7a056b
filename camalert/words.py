"""The words of a slot: what is known of a mail or of an examination, as one JSON block in shared memory.

Pure: smtp writes `MailWords` and the writer reads them; writer, decoder and detector pass `FrameWords` on. They are
typed here so that both ends agree; numbers that route a slot travel in `messages` instead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from camalert.errors import ProtocolError

WORDS_BYTES = 65_536  # the size of a slot's words section


@dataclass(frozen=True, slots=True)
class PictureWords:
    """One picture or clip of a mail: where it lies in the slot and what it is."""

    offset: int  # bytes from the start of the slot's picture section
    length: int
    kind: str  # "jpeg", "png", "webp", "bmp", "gif"; clips: "mp4", "avi", "mkv"
    name: str = ""  # the mail's file name, for display only; never a path

    @property
    def is_clip(self) -> bool:
        """Tell a clip from a picture."""
        return self.kind in ("mp4", "avi", "mkv")


@dataclass(frozen=True, slots=True)
class MailWords:
    """What smtp knows of one mail.

    `received_utc` and `taken_utc` are seconds since 1970; `taken_utc` is the camera's own time when it is believable.
    `unreadable` is true for a mail that no reader understood: its one "picture" is the raw mail, kept in a table of its
    own.
    """

    received_utc: float
    subject: str = "Unknown"
    taken_utc: float | None = None
    camera_time: str = ""  # as the camera wrote it
    camera: str = ""
    event: str = ""  # "motion", "line crossing", "person", ...
    kind: str = "alarm"  # "alarm", "test", "health", "end"
    peer: str = ""  # address of the client
    helo: str = ""
    login: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    digest: str = ""  # hex digest of envelope and bytes, for the repeat rule
    headers: str = ""  # the mail's header block, cut
    unreadable: str = ""  # why the mail could not be parsed at all; "" when it could
    pictures: tuple[PictureWords, ...] = ()

    def encode(self, limit_bytes: int = WORDS_BYTES) -> bytes:
        """Encode as JSON of at most `limit_bytes`; the header block gives way first, then the subject.

        Raises: ProtocolError when even without them it does not fit.
        """
        words = self
        for cut in (len(self.headers), 4096, 0):
            words = replace(words, headers=words.headers[:cut])
            block = _dump(words)
            if len(block) <= limit_bytes:
                return block
        raise ProtocolError(f"words of {len(block)} bytes exceed the slot's {limit_bytes}")

    @classmethod
    def decode(cls, block: bytes) -> Self:
        """Decode what `encode` made.

        Raises: ProtocolError when the block is not such words.
        """
        found = _load(cls, block)
        try:
            found["recipients"] = tuple(found.get("recipients", ()))
            found["pictures"] = tuple(PictureWords(**picture) for picture in found.get("pictures", ()))
            return cls(**found)
        except TypeError as error:
            raise ProtocolError(f"words of a mail are incomplete: {error}") from error


@dataclass(frozen=True, slots=True)
class PersonWords:
    """One person found: the box in pixels of the decoded frame, the score from 0 to 1."""

    x: int
    y: int
    width: int
    height: int
    score: float


@dataclass(frozen=True, slots=True)
class FrameWords:
    """What is known of an examination, filled in by writer, decoder and detector in turn."""

    alert_id: int
    camera: str = ""
    event: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    # decoder
    height_px: int = 0  # of the decoded frame
    width_px: int = 0
    original_height_px: int = 0
    original_width_px: int = 0
    kind: str = ""
    decode_ms: float = 0.0
    # detector
    engine: str = ""
    model: str = ""
    effort: str = ""
    threshold: float = 0.0
    best_score: float = 0.0
    people: tuple[PersonWords, ...] = ()
    detect_ms: float = 0.0
    annotated_offset: int = 0  # within the slot's encoded section
    annotated_bytes: int = 0
    # a clip: its pictures (offset, length in the encoded section), which one is the best so far
    pictures: tuple[tuple[int, int], ...] = ()
    index: int = 0
    best_index: int = -1
    reason: str = ""  # for a person: why it was or was not counted, or why it failed
    details: dict[str, Any] = field(default_factory=dict)

    def encode(self, limit_bytes: int = WORDS_BYTES) -> bytes:
        """Encode as JSON of at most `limit_bytes`.

        Raises: ProtocolError when it does not fit.
        """
        block = _dump(self)
        if len(block) > limit_bytes:
            raise ProtocolError(f"words of {len(block)} bytes exceed the slot's {limit_bytes}")
        return block

    @classmethod
    def decode(cls, block: bytes) -> Self:
        """Decode what `encode` made.

        Raises: ProtocolError when the block is not such words.
        """
        found = _load(cls, block)
        try:
            found["recipients"] = tuple(found.get("recipients", ()))
            found["people"] = tuple(PersonWords(**person) for person in found.get("people", ()))
            found["pictures"] = tuple((int(a), int(b)) for a, b in found.get("pictures", ()))
            return cls(**found)
        except (TypeError, ValueError) as error:
            raise ProtocolError(f"words of a frame are incomplete: {error}") from error


def _dump(words: MailWords | FrameWords) -> bytes:
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"), default=_table).encode("utf-8", "replace")


def _table(words: Any) -> dict[str, Any]:
    """Return a dataclass as a table; `asdict` copies deeply and takes three times as long."""
    return {name: getattr(words, name) for name in words.__slots__}


def _load(cls: type, block: bytes) -> dict[str, Any]:
    try:
        found = json.loads(block)
    except ValueError as error:
        raise ProtocolError(f"words of {len(block)} bytes are not JSON: {error}") from error
    if not isinstance(found, dict) or set(found) - {item.name for item in fields(cls)}:
        raise ProtocolError(f"words of {len(block)} bytes are not {cls.__name__}")
    return found
