"""Messages survive their encoding, and nothing else passes for one."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert import wire
from camalert.errors import ProtocolError
from camalert.messages import NOTE_BYTES, Message, Noted

_VALUES = {
    "I": st.integers(0, 2**32 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "B": st.integers(0, 255),
    "i": st.integers(-(2**31), 2**31 - 1),
    "?": st.booleans(),
    "16s": st.binary(min_size=16, max_size=16),
}


def _codes(kind: type[Message]) -> list[str]:
    return ["16s" if code == "s" else code for code in wire.FORMATS[kind].replace("16s", "s")]


@st.composite
def _any_message(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(list(wire.FORMATS)))
    if kind is Noted:
        return Noted(draw(st.binary(max_size=NOTE_BYTES)))
    return kind(*(draw(_VALUES[code]) for code in _codes(kind)))


@given(_any_message())
def test_wire_message_encoded_and_decoded_is_equal(message: Message) -> None:
    """Whatever is sent is what is received."""
    datagram = wire.encode(message)

    assert wire.decode(datagram) == [message]
    assert len(datagram) <= wire.MAX_BYTES


@given(st.lists(_any_message(), max_size=12))
def test_wire_messages_share_datagrams_in_their_order(sent: list[Message]) -> None:
    """Several messages are one wake-up; none is cut, none is lost, no datagram is too long."""
    made = list(wire.datagrams(sent))

    assert [message for datagram in made for message in wire.decode(datagram)] == sent
    assert all(len(datagram) <= wire.MAX_BYTES for datagram in made)
    assert len(made) <= 1 + sum(len(wire.encode(message)) for message in sent) // 3000


def test_wire_knows_each_message() -> None:
    """A message that has no number cannot be sent."""
    assert set(wire.FORMATS) == set(get_args(Message))


@pytest.mark.parametrize("kind", wire.FORMATS)
def test_wire_format_names_a_code_for_each_field(kind: type[Message]) -> None:
    """A field without a code would shift all that follow."""
    assert len(_codes(kind)) == len(fields(kind))


@given(st.binary(max_size=64))
def test_wire_garbage_is_refused_or_a_message(datagram: bytes) -> None:
    """Garbage on a channel is told apart, never believed by halves."""
    try:
        found = wire.decode(datagram)
    except ProtocolError:
        return

    assert found
    assert [message for made in wire.datagrams(found) for message in wire.decode(made)] == found


def test_wire_note_too_long_is_cut() -> None:
    """A note never exceeds its room."""
    datagram = wire.encode(Noted(b"x" * 5000))

    assert wire.decode(datagram) == [Noted(b"x" * NOTE_BYTES)]
