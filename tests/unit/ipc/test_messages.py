"""Messages survive their encoding, and nothing else passes for one."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.errors import ProtocolError
from camalert.ipc import messages
from camalert.ipc.messages import NOTE_BYTES, Message, Noted

_VALUES = {
    "I": st.integers(0, 2**32 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "B": st.integers(0, 255),
    "i": st.integers(-(2**31), 2**31 - 1),
    "?": st.booleans(),
    "16s": st.binary(min_size=16, max_size=16),
}


@st.composite
def _any_message(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(messages.KINDS))
    if kind in messages.TEXTS:
        return kind(draw(st.binary(max_size=NOTE_BYTES)))
    return kind(*(draw(_VALUES[code]) for code in messages.CODES[kind].values()))


@given(_any_message())
def test_message_encoded_and_decoded_is_equal(message: Message) -> None:
    """Whatever is sent is what is received."""
    datagram = messages.encode(message)

    assert messages.decode(datagram) == [message]
    assert len(datagram) <= messages.MAX_BYTES


@given(st.lists(_any_message(), max_size=12))
def test_messages_share_datagrams_in_their_order(sent: list[Message]) -> None:
    """Several messages are one wake-up; none is cut, none is lost, no datagram is too long."""
    made = list(messages.datagrams(sent))

    assert [message for datagram in made for message in messages.decode(datagram)] == sent
    assert all(len(datagram) <= messages.MAX_BYTES for datagram in made)
    assert len(made) <= 1 + sum(len(messages.encode(message)) for message in sent) // 3000


@pytest.mark.parametrize("kind", messages.KINDS)
def test_messages_format_names_a_code_for_each_field(kind: type[Message]) -> None:
    """A field without a code would shift all that follow."""
    assert list(messages.CODES[kind]) == [field.name for field in fields(kind)]


@given(st.binary(max_size=64))
def test_messages_garbage_is_refused_or_a_message(datagram: bytes) -> None:
    """Garbage on a channel is told apart, never believed by halves."""
    try:
        found = messages.decode(datagram)
    except ProtocolError:
        return

    assert found
    assert [message for made in messages.datagrams(found) for message in messages.decode(made)] == found


def test_messages_note_too_long_is_cut() -> None:
    """A note never exceeds its room."""
    datagram = messages.encode(Noted(b"x" * 5000))

    assert messages.decode(datagram) == [Noted(b"x" * NOTE_BYTES)]
