"""How messages become datagrams, and datagrams messages again.

Pure: used by both ends of every channel. A datagram of a SEQPACKET socket pair holds one message or several: of each
the number of its kind in one byte, then its fields, little-endian and without gaps. Nothing is ever pickled: a child
that went wrong must not be able to run code in the supervisor.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import fields

from camalert.errors import ProtocolError
from camalert.messages import (
    NOTE_BYTES,
    Conclude,
    Concluded,
    Counted,
    Decode,
    Decoded,
    Detect,
    Detected,
    Held,
    Lend,
    Loaded,
    Message,
    Noted,
    Ping,
    Pong,
    Ready,
    Stop,
    Store,
    Stored,
)

MAX_BYTES = 4096  # one datagram; far below the socket buffer, so a send never tears or blocks for long

# The fields of each kind in the codes of `struct`; a note's text has a length and is a case of its own. The order is
# the numbering: append only within one release.
FORMATS: dict[type[Message], str] = {
    Ready: "I",
    Ping: "I",
    Pong: "I",
    Stop: "",
    Noted: "H",
    Store: "II16s",
    Stored: "II16sBQI",
    Lend: "II",
    Held: "IIQ",
    Loaded: "IIQIB??",
    Decode: "IIII?",
    Decoded: "II?I",
    Detect: "II",
    Detected: "IIB",
    Conclude: "IIQBBBi",
    Concluded: "IIQ",
    Counted: "QQQ",
}
_KINDS = tuple(FORMATS)
_NUMBERS = {kind: bytes([number]) for number, kind in enumerate(_KINDS)}
_LAYOUTS = {kind: struct.Struct("<" + layout) for kind, layout in FORMATS.items()}
_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in _KINDS}


def encode(message: Message) -> bytes:
    """Encode a message."""
    kind = type(message)
    if isinstance(message, Noted):
        text = message.text[:NOTE_BYTES]
        return _NUMBERS[kind] + _LAYOUTS[kind].pack(len(text)) + text
    return _NUMBERS[kind] + _LAYOUTS[kind].pack(*[getattr(message, name) for name in _NAMES[kind]])


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
            kind = _KINDS[datagram[at]]
            layout = _LAYOUTS[kind]
            values = layout.unpack_from(datagram, at + 1)
        except (IndexError, struct.error) as error:
            raise ProtocolError(f"byte {at} of a datagram of {len(datagram)} bytes begins no message") from error
        at += 1 + layout.size
        if kind is Noted:
            values = (_note(datagram, at, *values),)
            at += len(values[0])
        found.append(kind(*values))
    return found


def _note(datagram: bytes, at: int, length: int) -> bytes:
    if length > NOTE_BYTES or at + length > len(datagram):
        raise ProtocolError(f"a note of {length} bytes in a datagram of {len(datagram)}")
    return datagram[at : at + length]
