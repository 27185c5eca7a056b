"""Words survive their encoding, and nothing else passes for them."""

from __future__ import annotations

import pytest

from camalert.errors import ProtocolError
from camalert.words import FrameWords, MailWords, PersonWords, PictureWords


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
