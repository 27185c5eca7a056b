"""What a browser is told of bytes from mails."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.review.views.files import byte_range, clip_kind, file_name, picture_kind

HOSTILE = [
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"<!doctype html><script>alert(1)</script>",
    b"%PDF-1.7", b"GIF8", b"", b"\x00" * 50, b"BM<html><script>alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE)
def test_what_is_no_picture_is_only_downloaded(data: bytes) -> None:
    """HTML and SVG in disguise never get a type that a browser would run."""
    kind = picture_kind(data)

    assert (kind.content_type, kind.suffix, kind.is_shown) == ("application/octet-stream", "bin", False)


def test_picture_is_told_by_its_first_bytes() -> None:
    """A name or media type of the mail decides nothing."""
    assert picture_kind(b"\xff\xd8\xff\xe0....JFIF").content_type == "image/jpeg"
    assert picture_kind(b"\x89PNG\r\n\x1a\n....").content_type == "image/png"


def test_clip_that_no_browser_plays_is_downloaded() -> None:
    """Only mp4 is played in the page."""
    assert clip_kind("mp4").is_shown
    assert not clip_kind("avi").is_shown
    assert clip_kind("text/html").content_type == "application/octet-stream"


@given(st.text(), st.text(), st.integers(0, 1 << 62))
def test_file_name_is_plain(camera: str, timestamp: str, row_id: int) -> None:
    """No quote, slash, line end or script of another world gets into a header."""
    assert re.fullmatch(r"camalert-[A-Za-z0-9-]*[0-9]\.jpg", file_name(camera, timestamp, row_id, "jpg"))


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("bytes=0-", (0, 99)), ("bytes=10-19", (10, 19)), ("bytes=-5", (95, 99)), ("bytes=90-500", (90, 99)),
     ("bytes=100-", None), ("bytes=-0", None), ("bytes=5-4", None), ("bytes=0-1,5-6", None), ("", None),
     ("bytes=-", None)],
)  # fmt: skip
def test_byte_range_is_one_satisfiable_range(header: str, wanted: tuple[int, int] | None) -> None:
    """Anything else gets the whole clip."""
    assert byte_range(header, 100) == wanted
