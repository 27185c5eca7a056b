"""The records of a slot: what is known of a mail or of an examination, as one JSON block in shared memory; and notes.

smtp writes `MailRecord` and the writer reads it; writer, decoder and detector pass `FrameRecord` on; `NoteRecord`
travels to the supervisor in a `Noted` message, `ToldRecord` and `SwitchRecord` to the writer in theirs. Numbers that
route a slot travel in `messages` instead.

A process that was taken over by a picture writes what it likes. So `decode` checks each value against the type and the
range that the field declares, and a reader gets values that SQLite, datetime and JSON can all take.
"""

from __future__ import annotations

import functools
import json
import math
import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, Self, Union, get_args, get_origin, get_type_hints

from camalert.config.objects import PERSON
from camalert.errors import ProtocolError
from camalert.ipc.messages import NOTE_BYTES

RECORD_BYTES = 65_536  # the most that a slot's record may have
RAW = "raw"  # the kind of the one "picture" of a mail that is kept as it came
CLIPS = frozenset(("mp4", "avi", "mkv", "h264", "h265", "ps", "ts", "asf", "flv", "dav"))  # the kinds that are clips
KEPT = "kept"  # the kind of a mail that is kept as it came beside its pictures, which are a mail of their own


@dataclass(frozen=True, slots=True)
class Within:
    """The range of a number, both ends included."""

    low: float
    high: float


Count = Annotated[int, Within(0, (1 << 63) - 1)]  # what SQLite holds
Pixels = Annotated[int, Within(0, 1 << 31)]
Index = Annotated[int, Within(-1, 1000)]
Share = Annotated[float, Within(0, 1)]
Milliseconds = Annotated[float, Within(0, 1e12)]
Offset = Annotated[float, Within(-1e12, 1e12)]  # seconds between two clocks
Seconds = Annotated[float, Within(0, 1e9)]
Moment = Annotated[float, Within(0, 253e9)]  # seconds since 1970, up to the year 9987: datetime ends with 9999


class Record:
    """A dataclass that travels as one block of JSON."""

    __slots__ = ()

    @classmethod
    def decode(cls, block: bytes) -> Self:
        """Decode what `encode` made.

        Raises: ProtocolError when the block is not such a record.
        """
        try:
            found = json.loads(block)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a record of {len(block)} bytes is not JSON: {error}") from error
        try:
            record: Self = _reader(cls)(found)  # type: ignore[arg-type] # a class is hashable; mypy doubts it of type[Self]
        except (TypeError, ValueError) as error:
            raise ProtocolError(f"a record of {len(block)} bytes is not a {cls.__name__}: {error}") from error
        return record


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """One picture or clip of a mail: where it is in the slot and what it is."""

    offset: Count  # bytes from the start of the slot's picture section
    length: Count
    kind: str  # as `camalert.decoding.kinds` names it
    name: str = ""  # the mail's file name, for display only; never a path

    @property
    def is_clip(self) -> bool:
        """Tell a clip from a picture."""
        return self.kind in CLIPS


@dataclass(frozen=True, slots=True)
class MailRecord(Record):
    """What smtp knows of one mail.

    `received_utc` and `taken_utc` are seconds since 1970; `taken_utc` is the camera's own time when it is believable.
    `unreadable` is true for a mail that no reader understood: its one "picture" is the raw mail, kept in a table of its
    own.
    """

    received_utc: Moment
    subject: str = "Unknown"
    taken_utc: Moment | None = None
    camera_time: str = ""  # as the camera wrote it
    camera: str = ""
    channel: str = ""  # which of the sender's cameras, where no name tells
    event: str = ""  # "motion", "line crossing", "person", ...
    clock_off_s: Offset | None = None  # how far the camera's clock is ahead of ours, where it said
    kind: str = "alarm"  # as intake.mail.facts names it, or KEPT
    peer: str = ""  # address of the client
    helo: str = ""
    login: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    digest: str = ""  # hex digest of envelope and bytes, for the repeat rule
    is_lasting: bool = False  # the digest tells a repeat for weeks: an upload with a number of its own
    headers: str = ""  # the mail's header block, cut
    unreadable: str = ""  # why the mail could not be parsed at all; "" when it could
    reasons: tuple[tuple[str, str, str], ...] = ()  # camera, event, time, kind: what, as what it was read, and why
    pictures: tuple[PictureRecord, ...] = ()

    def encode(self, limit_bytes: int = RECORD_BYTES) -> bytes:
        """Encode as JSON of at most `limit_bytes`; the header block gives way first, then the names of the pictures.

        Raises: ProtocolError when even without them it does not fit.
        """
        for headers, names in ((len(self.headers), None), (4096, None), (0, None), (0, 40), (0, 0)):
            record = replace(self, headers=self.headers[:headers])
            if names is not None:
                pictures = tuple(replace(picture, name=picture.name[:names]) for picture in self.pictures)
                record = replace(record, pictures=pictures)
            block = _dump(record)
            if len(block) <= limit_bytes:
                return block
        raise ProtocolError(f"a record of {len(block)} bytes exceeds the slot's {limit_bytes}")


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person or thing found: the box in pixels of the decoded frame, the score from 0 to 1, and what it is."""

    x: Pixels
    y: Pixels
    width: Pixels
    height: Pixels
    score: Share
    kind: str = PERSON  # of `config.objects`
    look: str = ""  # of the box, as `detection.known` writes it
    known: Count = 0  # the object that is watched there, 0 for none


@dataclass(frozen=True, slots=True)
class LeftOutRecord:
    """What was found and did not count, because it is known."""

    x: Pixels
    y: Pixels
    width: Pixels
    height: Pixels
    score: Share
    known: Count
    likeness: Share


@dataclass(frozen=True, slots=True)
class FrameRecord(Record):
    """What is known of an examination, filled in by writer, decoder and detector in turn."""

    alert_id: Count
    camera: str = ""
    event: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    known: str = ""  # what is known of the camera, as `detection.known` packs it; the detector takes it out
    missed: tuple[Share, ...] = ()  # the best scores of its pictures in which somebody was missed
    # decoder
    height_px: Pixels = 0  # of the decoded frame
    width_px: Pixels = 0
    original_height_px: Pixels = 0
    original_width_px: Pixels = 0
    kind: str = ""
    decode_ms: Milliseconds = 0.0
    # detector
    engine: str = ""
    model: str = ""
    effort: str = ""
    threshold: Share = 0.0
    best_score: Share = 0.0
    people: tuple[PersonRecord, ...] = ()  # what counts: people, and what else the camera asks for
    uncounted: tuple[PersonRecord, ...] = ()  # who was found and did not count by threshold, height or area
    left_out: tuple[LeftOutRecord, ...] = ()
    others: tuple[PersonRecord, ...] = ()  # what else was seen
    detect_ms: Milliseconds = 0.0
    annotated_offset: Count = 0  # within the slot's encoded section
    annotated_bytes: Count = 0
    # a clip: its pictures (offset, length in the encoded section), which one is the best so far
    pictures: tuple[tuple[Count, Count], ...] = ()
    moments_ms: tuple[Milliseconds, ...] = ()  # when in the clip each of them is
    index: Index = 0
    best_index: Index = -1
    reason: str = ""  # for a person: why it was or was not counted, or why it failed

    def encode(self) -> bytes:
        """Encode as JSON; the pool refuses what is too large."""
        return _dump(self)


@dataclass(frozen=True, slots=True)
class NoteRecord(Record):
    """What a child reports without a slot; `event` is as in docs/events.md.

    `level` "warning" or "error" makes it a problem; `seen_utc` and what follows come with `camera_known` alone.
    """

    event: str
    level: str = ""
    camera: str = ""
    peer: str = ""
    message: str = ""
    pictures: Count = 0
    clips: Count = 0
    is_failure: bool = False
    seen_utc: Moment | None = None
    first_utc: Moment | None = None
    picture_utc: Moment | None = None
    mails: Count = 0
    clock_off_s: Offset | None = None  # as in a MailRecord

    def encode(self) -> bytes:
        """Encode as JSON of at most `NOTE_BYTES`; sentences and names are cut until it fits."""
        note = self
        for characters in (600, 400, 300, 200, 140, 100, 60, 30):
            shown = {name: value for name, value in _table(note).items() if value != _DEFAULTS.get(name, MISSING)}
            block = _dump(shown)
            if len(block) <= NOTE_BYTES:
                break
            names = max(20, characters // 4)
            note = replace(
                self,
                event=self.event[:names], level=self.level[:names], camera=self.camera[:names], peer=self.peer[:names],
                message=self.message[:characters],
            )  # fmt: skip
        return block


@dataclass(frozen=True, slots=True)
class NameRecord:
    """What a camera is called that calls itself otherwise, "" for one that was forgotten then."""

    known_as: str  # as `identity.key` of what it calls itself
    name: str
    changed_utc: Moment


@dataclass(frozen=True, slots=True)
class NamesRecord(Record):
    """Names that the owner has changed; with the first record of several, those said before do not hold any more."""

    event: str
    is_first: bool
    names: tuple[NameRecord, ...] = ()

    def encode(self) -> bytes:
        """Encode as JSON, which begins with the event and whether it is the first."""
        return _dump(self)


@dataclass(frozen=True, slots=True)
class ToldRecord(Record):
    """What became of one try to send a message of the outbox."""

    outbox_id: Count
    code: str  # "sent", "retry", or "given_up": no later try can succeed
    at_utc: Moment
    tries: Count = 0  # before this one: a report that comes twice counts once
    retry_after_s: Seconds = 0.0  # what the receiver asked for
    reason: str = ""  # why it was not sent, without a secret

    def encode(self) -> bytes:
        """Encode as JSON of at most `NOTE_BYTES`; the reason is cut until it fits."""
        told = replace(self, code=self.code[:20])
        while len(block := _dump(told)) > NOTE_BYTES:
            told = replace(told, reason=told.reason[: len(told.reason) * 3 // 4])
        return block


@dataclass(frozen=True, slots=True)
class EventRecord(Record):
    """Something that happened to a camera, or to the service."""

    kind: str  # "silent", "back", "trouble", "well"
    at_utc: Moment
    camera: str = ""
    message: str = ""

    def encode(self) -> bytes:
        """Encode as JSON of at most `NOTE_BYTES`; the sentence is cut until it fits, then the name."""
        event = self
        for characters in (600, 300, 100, 20, 0):
            block = _dump(event)
            if len(block) <= NOTE_BYTES:
                break
            event = replace(self, kind=self.kind[:20], camera=self.camera[: 20 + characters // 8],
                            message=self.message[:characters])  # fmt: skip
        return block


@dataclass(frozen=True, slots=True)
class SwitchRecord(Record):
    """A switch that somebody uses; see `camalert_switch`."""

    kind: str  # "armed", "snooze", "presence"
    camera: str = ""  # "": all
    value: str = ""
    until_utc: Moment | None = None
    by: str = ""

    def encode(self) -> bytes:
        """Encode as JSON.

        Raises: ProtocolError when that has more than `NOTE_BYTES`: half a camera's name would be another's.
        """
        block = _dump(self)
        if len(block) > NOTE_BYTES:
            raise ProtocolError(f"a switch of {len(block)} bytes exceeds {NOTE_BYTES}")
        return block


_DEFAULTS = {item.name: item.default for item in fields(NoteRecord)}


def _dump(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_table).encode("utf-8", "replace")


def _table(record: Any) -> dict[str, Any]:
    """Return a dataclass as a table; `asdict` copies deeply and takes three times as long."""
    return {name: getattr(record, name) for name in record.__slots__}


@functools.cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what reads a JSON value as a type of a field; it raises TypeError or ValueError for any other value."""
    match get_origin(kind), get_args(kind):
        case None, _ if is_dataclass(kind):
            return _object_reader(kind)
        case None, _:
            return {str: _text, int: _whole, float: _real, bool: _flag}[kind]
        case origin, (base, Within(low=low, high=high)) if origin is Annotated:
            return _ranged_reader(_reader(base), low, high)
        case origin, (base, none) if origin in (Union, types.UnionType) and none is type(None):
            read = _reader(base)
            return lambda value: None if value is None else read(value)
        case origin, (item, rest) if origin is tuple and rest is ...:
            read = _reader(item)
            return lambda value: tuple([read(one) for one in _list(value)])
        case origin, items if origin is tuple:
            reads = [_reader(item) for item in items]
            return lambda value: tuple([read(one) for read, one in zip(reads, _list(value), strict=True)])
    raise TypeError(f"a record cannot hold {kind}")


def _object_reader(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind, include_extras=True)
    reads = {item.name: _reader(hints[item.name]) for item in fields(kind)}

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{type(value).__name__} instead of an object")
        named = {}
        for name, one in value.items():
            if name not in reads:
                raise ValueError("it has a field that is not known")
            try:
                named[name] = reads[name](one)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name}: {error}") from error
        return kind(**named)

    return read


def _ranged_reader(read: Callable[[Any], Any], low: float, high: float) -> Callable[[Any], Any]:
    def ranged(value: Any) -> Any:
        number = read(value)
        if not low <= number <= high:
            raise ValueError(f"a number outside of {low:g} to {high:g}")
        return number

    return ranged


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of a text")
    if not value.isascii():
        value.encode()  # half a surrogate pair, which JSON can spell, is a ValueError here and not in the database
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{type(value).__name__} instead of a whole number")
    return value


def _real(value: Any) -> float:
    if type(value) is int:
        return float(value) if abs(value) <= 1 << 53 else math.inf
    if type(value) is not float:
        raise TypeError(f"{type(value).__name__} instead of a number")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} instead of true or false")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} instead of a list")
    return value
