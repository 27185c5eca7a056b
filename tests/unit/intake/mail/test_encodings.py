"""Base64 of a mail, with and without the library that makes it fast: the bytes are the same, whatever the dirt."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camalert.intake.mail import encodings
from camalert.intake.mail.region import PIECE_BYTES, Region

pytest.importorskip("pybase64")
DIRT = [b"=", b"==", b"!", b"\0", b"\xff", b"-", b"\n"]


def with_decoder(decode: Callable[[memoryview], bytes], text: bytes) -> bytes:
    """Decode a region as the reader does, its lines by this decoder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_decode_lines", decode)
        return b"".join(encodings.decoded(Region.whole(text), encodings.BASE64))


def in_lines(content: bytes, characters: int, line_end: bytes) -> bytes:
    """Encode in lines of so many characters."""
    text = base64.b64encode(content)
    return line_end.join(text[at : at + characters] for at in range(0, len(text), characters)) + line_end


@pytest.mark.parametrize("decode", [binascii.a2b_base64, encodings._decode_lines])
@pytest.mark.parametrize("characters", [60, 64, 72, 76, 1000])
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_base64_of_a_picture_is_decoded_whole(
    decode: Callable[[memoryview], bytes], characters: int, line_end: bytes
) -> None:
    """Every length of line that cameras use, over several pieces."""
    content = random.Random(characters).randbytes(3 * PIECE_BYTES + 7)

    assert with_decoder(decode, in_lines(content, characters, line_end)) == content


@given(
    seed=st.integers(0, 2**16),
    dirt=st.lists(st.tuples(st.integers(0, 250_000), st.sampled_from(DIRT))),
    cut=st.integers(0, 250_000),
)
@settings(max_examples=60, deadline=None)
def test_base64_with_dirt_is_the_same_by_both(seed: int, dirt: list[tuple[int, bytes]], cut: int) -> None:
    """Padding in the middle, strange characters, torn lines, a missing end."""
    text = bytearray(in_lines(random.Random(seed).randbytes(180_000), 76, b"\r\n"))
    for place, what in dirt:
        text[place:place] = what
    del text[len(text) - cut % 1000 :]

    assert with_decoder(encodings._decode_lines, bytes(text)) == with_decoder(binascii.a2b_base64, bytes(text))
