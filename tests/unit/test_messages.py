"""Messages and words survive their encoding, and nothing else passes for one."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert import messages
from camalert.errors import ProtocolError
from camalert.words import FrameWords, MailWords, PersonWords, PictureWords

_VALUES = {
    "I": st.integers(0, 2**32 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "B": st.integers(0, 255),
    "i": st.integers(-(2**31), 2**31 - 1),
    "?": st.booleans(),
    "16s": st.binary(min_size=16, max_size=16),
}


def _codes(layout: str) -> list[str]:
    return ["16s" if code == "s" else code for code in layout.replace("16s", "s")]


@st.composite
def _any_message(draw: st.DrawFn) -> messages.Message:
    kind = draw(st.sampled_from(messages.KINDS))
    if kind is messages.Noted:
        return messages.Noted(draw(st.binary(max_size=messages.NOTE_BYTES)))
    return kind(*(draw(_VALUES[code]) for code in _codes(kind.FORMAT)))


@given(_any_message())
def test_messages_encoded_and_decoded_are_equal(message: messages.Message) -> None:
    """Whatever is sent is what is received."""
    datagram = messages.encode(message)

    assert messages.decode(datagram) == [message]
    assert len(datagram) <= messages.MAX_BYTES


@given(st.lists(_any_message(), max_size=12))
def test_messages_share_datagrams_in_their_order(sent: list[messages.Message]) -> None:
    """Several messages are one wake-up; none is cut, none is lost, no datagram is too long."""
    made = list(messages.datagrams(sent))

    assert [message for datagram in made for message in messages.decode(datagram)] == sent
    assert all(len(datagram) <= messages.MAX_BYTES for datagram in made)
    assert len(made) <= 1 + sum(len(messages.encode(message)) for message in sent) // 3000


@pytest.mark.parametrize("kind", [kind for kind in messages.KINDS if kind is not messages.Noted])
def test_messages_format_names_a_code_for_each_field(kind: type[messages.Message]) -> None:
    """A field without a code would shift all that follow."""
    assert len(_codes(kind.FORMAT)) == len(fields(kind))


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
    datagram = messages.encode(messages.Noted(b"x" * 5000))

    assert messages.decode(datagram) == [messages.Noted(b"x" * messages.NOTE_BYTES)]


def test_words_of_a_mail_survive() -> None:
    """The writer reads what smtp wrote, in any script."""
    words = MailWords(
        received_utc=1.5,
        subject="报警 仓库 'ä' \ud800",
        recipients=("a@b", "c"),
        pictures=(PictureWords(0, 10, "jpeg", "../../etc/passwd"),),
    )

    found = MailWords.decode(words.encode())

    assert found.pictures == words.pictures
    assert found.recipients == words.recipients
    assert found.subject.startswith("报警 仓库 'ä' ")


def test_words_of_a_mail_too_long_give_up_their_headers_first() -> None:
    """Long headers cost themselves, never the alarm."""
    words = MailWords(received_utc=1.5, subject="kept", headers="x" * 200_000)

    found = MailWords.decode(words.encode(limit_bytes=4096))

    assert found.subject == "kept"
    assert found.headers == ""


def test_words_of_a_frame_survive() -> None:
    """The writer reads what the detector wrote."""
    words = FrameWords(7, camera="gate", people=(PersonWords(1, 2, 3, 4, 0.5),), pictures=((0, 9), (9, 20)))

    assert FrameWords.decode(words.encode()) == words


@pytest.mark.parametrize("block", [b"", b"[]", b"{", b'{"alert_id": 1, "surprise": 2}', b'{"people": []}', b"\xff"])
def test_words_that_are_none_are_refused(block: bytes) -> None:
    """A block that a dying process left half written is told apart."""
    with pytest.raises(ProtocolError):
        FrameWords.decode(block)
