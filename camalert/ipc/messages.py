"""The messages between the supervisor and its children, and how they become datagrams.

A message is made of numbers only; text (subjects, reasons, boxes) travels as a JSON record in the slot, see `records`.
A datagram of a SEQPACKET socket pair holds one message or several: of each the number of its kind in one byte, then its
fields, little-endian and without gaps. Nothing is ever pickled: a child that went wrong must not be able to run code in
the supervisor.

Children speak in the past tense (`Ready`, `Stored`), the supervisor in the imperative (`Decode`, `Stop`). Two
messages pass through the supervisor unchanged in meaning: `Store` (smtp to writer) and `Stored` (writer to smtp).
`Read` and `WasRead` travel between smtp and its reader processes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, get_args, get_type_hints

from camalert.errors import ProtocolError

MAX_BYTES = 4096  # one datagram; far below the socket buffer, so a send never tears or blocks for long
NOTE_BYTES = 1024  # the most that the text of a message in `TEXTS` may have
MAX_TRIES = 2  # a picture with which two processes crashed or hung is not given to a third
WORDS_SHARED = "words_shared"  # the event of a note that goes on to the intake children, with a list `words`
NAMES_CHANGED = "names_changed"  # of those that go there and to the status: a `NamesRecord`

# The types of fields, each with its code in `struct`.
U8 = Annotated[int, "B"]
U32 = Annotated[int, "I"]
I32 = Annotated[int, "i"]
U64 = Annotated[int, "Q"]
Flag = Annotated[bool, "?"]
MailId = Annotated[bytes, "16s"]
Note = Annotated[bytes, "H"]  # preceded by its length; a message has no other field then


class StoreCode(enum.IntEnum):
    """What became of a mail."""

    STORED = 1  # committed now
    REPEATED = 2  # the same bytes came within the repeat window; nothing was added
    # With these the slot's refusal says why.
    BUSY = 3  # the database is locked or unwritable for now: 451
    FULL = 4  # no space or read-only: 452
    REFUSED = 5  # this mail alone cannot be written, also not later: 451


class Outcome(enum.IntEnum):
    """How the examination of a picture ended."""

    PERSON = 1
    NOBODY = 2
    FAILED = 3  # the reason is in the slot's record
    DIED = 4  # a decoder or detector exited while it worked on it
    HUNG = 5  # a decoder or detector passed its deadline
    # As DIED or HUNG, but the process is to blame, or says itself that it cannot examine now: no try is counted, the
    # picture stays pending.
    SPARED = 6


class Stage(enum.IntEnum):
    """The two stages of an examination."""

    DECODE = 1
    DETECT = 2


@dataclass(frozen=True, slots=True)
class Ready:
    """A child has started and can take work. `pid` is its own."""

    pid: U32


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask a child's main loop whether it still works."""

    number: U32


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer a `Ping`."""

    number: U32


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish what is begun and exit with 0; the smtp process drains."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something without a slot: UTF-8 JSON of at most `NOTE_BYTES`, an object with the key `event`.

    Sent once, by a child to the supervisor, which passes `WORDS_SHARED` and `NAMES_CHANGED` on to the
    intake; one that is lost with its sender is missing in the status and nowhere else.
    """

    text: Note


@dataclass(frozen=True, slots=True)
class Store:
    """A mail is in an intake slot: commit it. `mail_id`, 16 bytes, is unique; asking twice adds nothing."""

    slot: U32
    generation: U32
    mail_id: MailId


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to `Store`, after the commit: the first alert's id, 0 for none, and how many it has."""

    slot: U32
    generation: U32
    mail_id: MailId
    code: U8
    first_id: U64
    count: U32


@dataclass(frozen=True, slots=True)
class Read:
    """Read a mail of so many bytes in an intake slot, its envelope in the record."""

    slot: U32
    mail_bytes: U32


@dataclass(frozen=True, slots=True)
class WasRead:
    """The mail's pictures are in its place, and the record says what it says."""

    slot: U32


@dataclass(frozen=True, slots=True)
class Lend:
    """A free frame slot is the writer's, to load a pending picture into.

    Sent once: after each `Concluded` the slot is the writer's again, under the generation that follows.
    """

    slot: U32
    generation: U32


@dataclass(frozen=True, slots=True)
class Held:
    """Tell a new writer that this alert is being examined already, so that it does not load it again."""

    slot: U32
    generation: U32
    alert_id: U64


@dataclass(frozen=True, slots=True)
class Loaded:
    """The writer put a picture into a frame slot. `tries` counts earlier ones that crashed or hung a process."""

    slot: U32
    generation: U32
    alert_id: U64
    picture_bytes: U32
    tries: U8
    is_clip: Flag
    is_live: Flag


@dataclass(frozen=True, slots=True)
class Decode:
    """Turn the encoded picture `index` of a frame slot into a frame (for a clip: `frames` pictures first)."""

    slot: U32
    generation: U32
    picture_bytes: U32
    index: U32
    is_clip: Flag


@dataclass(frozen=True, slots=True)
class Decoded:
    """The frame is in the slot, or `is_failed` and the record says why. `pictures` counts those of a clip, else 1."""

    slot: U32
    generation: U32
    is_failed: Flag
    pictures: U32


@dataclass(frozen=True, slots=True)
class Detect:
    """Look for people in the frame of a slot."""

    slot: U32
    generation: U32


@dataclass(frozen=True, slots=True)
class Detected:
    """Detection is done: the record holds boxes, scores and reason; the annotated JPEG is in the slot for PERSON."""

    slot: U32
    generation: U32
    outcome: U8


@dataclass(frozen=True, slots=True)
class Conclude:
    """Write the verdict of an alert. For DIED and HUNG the writer counts a try and gives up at the second.

    After SPARED the picture simply waits again, behind all others.
    """

    slot: U32
    generation: U32
    alert_id: U64
    outcome: U8
    stage: U8
    tries: U8
    exit: I32


@dataclass(frozen=True, slots=True)
class Concluded:
    """The verdict is committed (or was before, or waits): the frame slot is the writer's again, in its next lease."""

    slot: U32
    generation: U32
    alert_id: U64


@dataclass(frozen=True, slots=True)
class Counted:
    """The writer's figures for status and systemd, at most once a second."""

    pending: U64
    alerts_today: U64
    detections_today: U64
    visits_today: U64


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox or a switch has changed: the writer to the notifier, through the supervisor. Losing one costs time."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message of the outbox, a `ToldRecord`: the notifier to the writer, through the supervisor.

    It is sent again until the row has changed.
    """

    text: Note


@dataclass(frozen=True, slots=True)
class Switch:
    """Somebody switches something from afar, a `SwitchRecord`: the notifier to the writer, through the supervisor."""

    text: Note


@dataclass(frozen=True, slots=True)
class Happened:
    """Something of the service that may be worth telling, an `EventRecord`: the supervisor to the writer."""

    text: Note


@dataclass(frozen=True, slots=True)
class Reload:
    """The site has written settings.toml: take the configuration anew, as after a SIGHUP. Sent once."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the configuration that was asked for is not taken, UTF-8 text: the supervisor to the site."""

    text: Note


# The order is the numbering: append only within one release.
Message = (
    Ready | Ping | Pong | Stop | Noted | Store | Stored | Lend | Held | Loaded | Decode | Decoded | Detect | Detected
    | Conclude | Concluded | Counted | Read | WasRead | Outbox | Told | Switch | Happened | Reload | Refused
)  # fmt: skip
KINDS: tuple[type[Message], ...] = get_args(Message)
CODES = {
    kind: {name: str(get_args(hint)[1]) for name, hint in get_type_hints(kind, include_extras=True).items()}
    for kind in KINDS
}
TEXTS = (Noted, Told, Switch, Happened, Refused)
_NUMBERS = {kind: bytes([number]) for number, kind in enumerate(KINDS)}
_STRUCTS = {kind: struct.Struct("<" + "".join(codes.values())) for kind, codes in CODES.items()}


def encode(message: Message) -> bytes:
    """Encode a message; a text that is too long is cut."""
    kind = type(message)
    if isinstance(message, TEXTS):
        text = message.text[:NOTE_BYTES]
        return _NUMBERS[kind] + _STRUCTS[kind].pack(len(text)) + text
    return _NUMBERS[kind] + _STRUCTS[kind].pack(*[getattr(message, name) for name in CODES[kind]])


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
            values = _STRUCTS[kind].unpack_from(datagram, at + 1)
        except (IndexError, struct.error) as error:
            raise ProtocolError(f"byte {at} of a datagram of {len(datagram)} bytes begins no message") from error
        at += 1 + _STRUCTS[kind].size
        if kind in TEXTS:
            [length] = values
            if length > NOTE_BYTES or at + length > len(datagram):
                raise ProtocolError(f"a note of {length} bytes in a datagram of {len(datagram)}")
            values = (datagram[at : at + length],)
            at += length
        found.append(kind(*values))
    return found
