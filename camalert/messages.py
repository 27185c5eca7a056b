"""The messages that travel between the supervisor and its children, and their encoding.

Pure: used by every process. A datagram of a SEQPACKET socket pair holds one message or several, at most `MAX_BYTES`. A
message is made of numbers only; words (subjects, reasons, boxes) travel as JSON in the slot (see `words`). Nothing is
ever pickled: a child that went wrong must not be able to run code in the supervisor.

Children speak in the past tense (`Ready`, `Stored`), the supervisor in the imperative (`Decode`, `Stop`). Two
messages pass through the supervisor unchanged in meaning: `Store` (smtp to writer) and `Stored` (writer to smtp).
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

from camalert.errors import ProtocolError

MAX_BYTES = 4096  # one datagram; far below the socket buffer, so a send never tears or blocks for long
NOTE_BYTES = 1024  # a `Noted` text is cut to this


class StoreCode(enum.IntEnum):
    """Say what became of a mail."""

    STORED = 1  # committed now
    REPEATED = 2  # the same bytes came within the repeat window; nothing was added
    BUSY = 3  # the database is locked or unwritable for now: 451
    FULL = 4  # no space or read-only: 452
    REFUSED = 5  # the words in the slot could not be read: 451 and a defect of ours


class Outcome(enum.IntEnum):
    """Say how the examination of a picture ended."""

    PERSON = 1
    NOBODY = 2
    FAILED = 3  # the reason is in the slot's words
    DIED = 4  # a decoder or detector ended while it worked on it
    HUNG = 5  # a decoder or detector passed its deadline


class Stage(enum.IntEnum):
    """Name the two stages of an examination."""

    DECODE = 1
    DETECT = 2


@dataclass(frozen=True, slots=True)
class Ready:
    """A child has started and can take work. `pid` is its own."""

    FORMAT: ClassVar[str] = "I"
    pid: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask a child's main loop for a sign of life."""

    FORMAT: ClassVar[str] = "I"
    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer a `Ping`."""

    FORMAT: ClassVar[str] = "I"
    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish what is begun and exit with 0; the smtp process drains."""

    FORMAT: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something without a slot: UTF-8 JSON of at most `NOTE_BYTES`, an object with the key `event`.

    Told once; one that is lost with its sender is missing in the status and nowhere else.
    """

    FORMAT: ClassVar[str] = "*"
    text: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """A mail lies in an intake slot: commit it. `mail_id` is unique; asking twice adds nothing."""

    FORMAT: ClassVar[str] = "II16s"
    slot: int
    generation: int
    mail_id: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to `Store`, after the commit: alert ids `first_id` … `first_id + count - 1`."""

    FORMAT: ClassVar[str] = "II16sBQI"
    slot: int
    generation: int
    mail_id: bytes
    code: int
    first_id: int
    count: int


@dataclass(frozen=True, slots=True)
class Lend:
    """A free frame slot is the writer's, to load a pending picture into.

    Told once: after each `Concluded` the slot is the writer's again, under the generation that follows.
    """

    FORMAT: ClassVar[str] = "II"
    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Held:
    """Tell a new writer that this alert is being examined already, so that it does not load it again."""

    FORMAT: ClassVar[str] = "IIQ"
    slot: int
    generation: int
    alert_id: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The writer put a picture into a frame slot. `tries` counts earlier examinations that a process died of."""

    FORMAT: ClassVar[str] = "IIQIB??"
    slot: int
    generation: int
    alert_id: int
    picture_bytes: int
    tries: int
    is_clip: bool
    is_live: bool


@dataclass(frozen=True, slots=True)
class Decode:
    """Turn the encoded picture `index` of a frame slot into a frame (for a clip: `frames` pictures first)."""

    FORMAT: ClassVar[str] = "IIII?"
    slot: int
    generation: int
    picture_bytes: int
    index: int
    is_clip: bool


@dataclass(frozen=True, slots=True)
class Decoded:
    """The frame is in the slot, or `is_failed` and the words say why. `pictures` counts those of a clip, else 1."""

    FORMAT: ClassVar[str] = "II?I"
    slot: int
    generation: int
    is_failed: bool
    pictures: int


@dataclass(frozen=True, slots=True)
class Detect:
    """Look for people in the frame of a slot."""

    FORMAT: ClassVar[str] = "II"
    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Detected:
    """Detection is done: the words hold boxes, scores and reason; the annotated JPEG is in the slot for PERSON."""

    FORMAT: ClassVar[str] = "IIB"
    slot: int
    generation: int
    outcome: int


@dataclass(frozen=True, slots=True)
class Conclude:
    """Write the verdict of an alert. For DIED and HUNG the writer counts a try and gives up at the second."""

    FORMAT: ClassVar[str] = "IIQBBBi"
    slot: int
    generation: int
    alert_id: int
    outcome: int
    stage: int
    tries: int
    exit: int


@dataclass(frozen=True, slots=True)
class Concluded:
    """The verdict is committed (or was before, or waits): the frame slot is the writer's again, in its next lease."""

    FORMAT: ClassVar[str] = "IIQ"
    slot: int
    generation: int
    alert_id: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The writer's figures for status and systemd, at most once a second."""

    FORMAT: ClassVar[str] = "QQQ"
    pending: int
    alerts_today: int
    detections_today: int


Message = (
    Ready | Ping | Pong | Stop | Noted | Store | Stored | Lend | Held | Loaded
    | Decode | Decoded | Detect | Detected | Conclude | Concluded | Counted
)  # fmt: skip

# The order is the wire's numbering: append only within one release.
KINDS: tuple[type[Message], ...] = (
    Ready, Ping, Pong, Stop, Noted, Store, Stored, Lend, Held, Loaded,
    Decode, Decoded, Detect, Detected, Conclude, Concluded, Counted,
)  # fmt: skip
_NAMES = {kind: tuple(item.name for item in fields(kind)) for kind in KINDS}
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_LAYOUT = {kind: struct.Struct("<B" + kind.FORMAT) for kind in KINDS if kind is not Noted}
_NOTE = struct.Struct("<BH")  # and so many bytes of text


def encode(message: Message) -> bytes:
    """Encode a message."""
    kind = type(message)
    if isinstance(message, Noted):
        text = message.text[:NOTE_BYTES]
        return _NOTE.pack(_NUMBER[kind], len(text)) + text
    return _LAYOUT[kind].pack(_NUMBER[kind], *[getattr(message, name) for name in _NAMES[kind]])


def datagrams(messages: Iterable[Message]) -> Iterator[bytes]:
    """Encode messages into as few datagrams as hold them, in their order."""
    gathered = b""
    for message in messages:
        encoded = encode(message)
        if len(gathered) + len(encoded) > MAX_BYTES:
            yield gathered
            gathered = b""
        gathered += encoded
    if gathered:
        yield gathered


def decode(datagram: bytes) -> list[Message]:
    """Decode the messages of one datagram.

    Raises: ProtocolError when it is empty, or a message in it is of an unknown kind or cut short.
    """
    found: list[Message] = []
    at = 0
    while at < len(datagram) or not found:
        try:
            kind = KINDS[datagram[at]]
            if kind is Noted:
                text = _note(datagram, at + _NOTE.size, *_NOTE.unpack_from(datagram, at)[1:])
                found.append(Noted(text))
                at += _NOTE.size + len(text)
            else:
                layout = _LAYOUT[kind]
                found.append(kind(*layout.unpack_from(datagram, at)[1:]))
                at += layout.size
        except (IndexError, struct.error) as error:
            raise ProtocolError(f"byte {at} of a datagram of {len(datagram)} bytes begins no message") from error
    return found


def _note(datagram: bytes, at: int, length: int) -> bytes:
    if length > NOTE_BYTES or at + length > len(datagram):
        raise ProtocolError(f"a note of {length} bytes in a datagram of {len(datagram)}")
    return datagram[at : at + length]


assert all(len(fields(kind)) or kind is Stop for kind in KINDS)  # noqa: S101 - a message without fields is a typo
