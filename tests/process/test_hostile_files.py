"""Thousands of broken pictures through the decoder's function, in one process that must live through them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import pytest
from testing import hostile, pictures
from testing.service import ROOT

from camalert.decoding import frames
from camalert.decoding.kinds import kind_of
from camalert.errors import FrameError

FLIPS = 2000
OUT = bytearray(320 * 240 * 3)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp", "avif", "jp2", "tiff"])
def test_decoder_lives_through_every_truncation_and_thousands_of_flips(kind: str) -> None:
    """What is broken is refused in words or decoded as far as it goes; nothing else is ever raised."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))

    done = subprocess.run(
        [sys.executable, "-m", "testing.decode_many", kind, str(FLIPS)],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert set(found) <= {"refused", "decoded"}, found
    assert sum(found.values()) > FLIPS + 300
    assert found["refused"] > 300
    checks_itself = kind in {"png", "avif"}  # a wrong bit fails a checksum, or leaves nothing to decode
    assert checks_itself or found["decoded"] > 300


@pytest.mark.parametrize("bomb", [hostile.bomb_png(1), hostile.bomb_jpeg(1)])
def test_bomb_is_refused_before_any_pixel_is_decoded(bomb: bytes) -> None:
    """The words name the size that the header claims and the limit."""
    assert len(bomb) < 20_000

    with pytest.raises(FrameError, match=r"64000x64000 px exceeds the 64000000 px"):
        frames.decode_into(bomb, memoryview(OUT), 64_000_000)


def test_header_that_lies_about_the_size_gives_at_most_what_it_says() -> None:
    """A small size over large data, or the other way round, never writes behind the frame."""
    for width_px, height_px in ((16, 16), (2000, 2000), (320, 1), (65_535, 1)):
        lying = hostile.resized_jpeg(pictures.unique_jpeg(5), width_px, height_px)
        guarded = bytearray(b"\x07" * (len(OUT) + 64))
        with memoryview(guarded) as view, view[: len(OUT)] as out, contextlib.suppress(FrameError):
            frames.decode_into(lying, out, 64_000_000)
        assert guarded[len(OUT) :] == b"\x07" * 64


@pytest.mark.parametrize("name", ["EXR", "HDR", "PNM", "SVG"])
def test_format_that_is_not_on_the_list_meets_no_decoder(name: str) -> None:
    """Only the first bytes decide, and only what `kinds` names is known."""
    content = getattr(hostile, name)

    assert kind_of(content[:64]) == ""
    with pytest.raises(FrameError, match="not a picture"):
        frames.decode_into(content, memoryview(OUT), 64_000_000)


@pytest.mark.parametrize("name", ["JPEG_2000", "J2K_STREAM", "TIFF"])
def test_beginning_without_a_picture_behind_it_is_refused_in_words(name: str) -> None:
    """The first bytes of a known kind with nothing behind them: no size, no decoder."""
    with pytest.raises(FrameError, match=r"ends before its size is known|has no pixels"):
        frames.decode_into(getattr(hostile, name), memoryview(OUT), 64_000_000)
