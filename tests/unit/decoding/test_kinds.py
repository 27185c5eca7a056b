"""The first bytes tell what a file is: what is examined has a kind, what is not has words, a text has neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing.clips import raw_h264

from camalert.decoding.kinds import HEAD_BYTES, KINDS, PICTURES, kind_of, named
from camalert.ipc.records import CLIPS

TS_PACKET = b"\x47\x40\x11\x10" + bytes(184)


def test_every_kind_has_its_words() -> None:
    """What is examined can be named, saved under a suffix and handed out."""
    assert set(KINDS) == PICTURES | CLIPS
    assert not PICTURES & CLIPS


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf", "avif"), (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1", "avif"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"), (b"\xff\x4f\xff\x51\0\x2f", "jp2"), (b"MM\0*\0\0\0\x08", "tiff"),
        (b"\0\0\0\x01\x67\x64\0\x15", "h264"), (b"\0\0\x01\x27\x42\0\x15", "h264"),
        (b"\0\0\0\x01\x09\xf0\0\0\0\x01\x67\x4d", "h264"), (b"\0\0\0\x01\x06\x05\x04\0\0\x01\x67\x4d", "h264"),
        (b"\0\0\0\x01\x40\x01\x0c\x01", "h265"), (b"\0\0\0\x01\x46\x01\x50\0\0\x01\x40\x01", "h265"),
        (b"\0\0\x01\xfc\x03" + bytes(11) + b"\0\0\0\x01\x40\x01", "h265"), (b"HXVT\x80\x02\0\0", "h265"),
        (b"HXVS\x80\x01\0\0", "h264"), (b"IMKH\x01\x01\0\0", "ps"), (b"\0\0\x01\xba\x44\0", "ps"),
        (b"DHAV\xfd\0\0\0", "dav"), (b"DAHUA\0\0\0", "dav"), (b"FLV\x01\x05\0\0\0\x09", "flv"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"), (TS_PACKET * 3, "ts"),
        ((bytes(4) + TS_PACKET) * 3, "ts"), (raw_h264(1)[:HEAD_BYTES], "h264"),
    ],
)  # fmt: skip
def test_kind_is_told_by_the_first_bytes(head: bytes, kind: str) -> None:
    """Of pictures and of the clips of recorders, which often have no container or a header of their maker's own."""
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\x01\0\x01\0\x10\x10", TS_PACKET * 2, TS_PACKET + b"x" + TS_PACKET * 2, b"G0 1" * 128, b"DHAV is a magic",
        b"FLV\x04", b"\0\0\0\x01\x65\x88", b"\0\0\x01\xb3\x14\0", b"\0\0\0\0", b"HXVS is a container, as text",
        b"\0\0\0\x18ftypmif1\0\0\0\0heicmif1",
    ],
)  # fmt: skip
def test_what_only_resembles_one_is_no_kind(head: bytes) -> None:
    """An icon, two packets, a text or a stream without its parameters reaches no decoder."""
    assert kind_of(head) == ""


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "a HEIC picture, which is not examined: set the camera to JPEG"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0heicmif1", "a HEIC picture, which is not examined: set the camera to JPEG"),
        (b"\xff\x0a\0", "a JPEG XL picture: set the camera to JPEG"), (b"RIFF1234WAVEfmt ", "a sound file (WAV)"),
        (b"Rar!\x1a\x07\0", "a RAR archive, which is not opened: let the camera send its pictures as they are"),
        (b"what is this", ""), (b"\0\0\0\x18ftypisom", ""), (b"", ""),
    ],
)  # fmt: skip
def test_what_is_not_examined_is_named_with_what_to_do(head: bytes, words: str) -> None:
    """The owner reads what the camera sent, and what to set."""
    assert named(head) == words


@given(st.text(st.characters(codec="ascii"), max_size=HEAD_BYTES))
def test_text_is_no_clip_of_a_recorder(text: str) -> None:
    """Whatever letters it begins with."""
    assert kind_of(text.encode()) in {"", "gif"}
