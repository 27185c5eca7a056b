"""What a picture says of itself is read without decoding it, and nothing unknown gets further."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.errors import FrameError
from camalert.pictures import MAX_BLOCKS, Header, complete_jpeg, identify, read_header

FRAME = np.zeros((30, 50, 3), np.uint8)


def encode(suffix):
    return cv2.imencode(suffix, FRAME)[1].tobytes()


def exif(orientation, order="<"):
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


def with_exif(jpeg, tiff):
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "jpeg"), (".png", "png"), (".webp", "webp"), (".bmp", "bmp")])
def test_read_header_of_each_kind_returns_kind_and_size(suffix, kind):
    """Kind and size are what the encoder was given, for a file and for a view of one."""
    assert read_header(encode(suffix)) == Header(kind, 50, 30)
    assert read_header(memoryview(encode(suffix))) == Header(kind, 50, 30)


def test_read_header_of_a_gif_returns_its_screen():
    """A GIF's size is that of its logical screen."""
    gif = b"GIF89a" + struct.pack("<HH", 50, 30) + bytes(3)

    assert read_header(gif) == Header("gif", 50, 30)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"BMW is not a bitmap", b"%PDF-1.7", b"\0\0\0\x0cjP  \r\n\x87\n", b"II*\0\x08\0\0\0"]
)
def test_identify_of_anything_else_returns_none(data):
    """JPEG 2000, TIFF and text never reach a decoder, whatever the mail called them."""
    assert identify(data) is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_header_of_a_turned_jpeg_returns_its_orientation(orientation, order):
    """Both byte orders of EXIF are read."""
    turned = with_exif(encode(".jpg"), exif(orientation, order))

    assert read_header(turned).orientation == orientation
    assert read_header(memoryview(turned)).orientation == orientation


@pytest.mark.parametrize("tiff", [b"", b"II", exif(0), exif(9), exif(6)[:12], b"XX" + exif(6)[2:]])
def test_read_header_with_torn_exif_is_upright(tiff):
    """EXIF data that makes no sense does not make a picture unreadable."""
    assert read_header(with_exif(encode(".jpg"), tiff)).orientation == 1


def test_read_header_of_a_turned_png_and_webp_returns_their_orientation():
    """PNG and WebP carry the same EXIF data in chunks of their own."""
    png = encode(".png")
    png = png[:33] + struct.pack(">I4s", len(exif(6)), b"eXIf") + exif(6) + bytes(4) + png[33:]
    webp = encode(".webp") + b"EXIF" + struct.pack("<I", len(exif(8))) + exif(8)

    for kind in (bytes, memoryview):
        assert read_header(kind(png)).orientation == 6
        assert read_header(kind(webp)).orientation == 8


def test_read_header_without_pixels_says_so():
    """A size of zero is refused in words."""
    png = encode(".png")

    with pytest.raises(FrameError, match="50x0 px has no pixels"):
        read_header(png[:20] + bytes(4) + png[24:])


@given(st.binary(max_size=200), st.sampled_from([".jpg", ".png", ".webp", ".bmp"]), st.integers(0, 400))
def test_read_header_of_any_bytes_answers_or_refuses(noise, suffix, cut):
    """Whatever bytes come, the answer is a header or a FrameError."""
    for data in (noise, memoryview(encode(suffix)[:cut] + noise)):
        try:
            header = read_header(data)
        except FrameError:
            continue
        assert header.width_px > 0
        assert header.height_px > 0


def test_read_header_looks_at_a_bounded_number_of_blocks():
    """The mail server reads headers too: a file of nothing but empty blocks ends the search, not the server."""
    jpeg, webp = encode(".jpg"), encode(".webp")

    for bomb in (
        jpeg[:2] + b"\xff\xfe\x00\x02" * MAX_BLOCKS + jpeg[2:],
        webp[:12] + struct.pack("<4sI", b"JUNK", 0) * MAX_BLOCKS + webp[12:],
    ):
        with pytest.raises(FrameError, match="before its size"):
            read_header(bomb)


def test_complete_jpeg_leaves_a_whole_one_alone():
    """A JPEG with its end marker is not touched."""
    jpeg = encode(".jpg")

    assert complete_jpeg(jpeg) == jpeg


def test_complete_jpeg_ends_a_torn_one_with_the_marker():
    """Every cut behind the first pixel data gives a file that ends as a JPEG does."""
    jpeg = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8))[1].tobytes()
    start = jpeg.index(b"\xff\xda") + 20

    for cut in range(start, len(jpeg) - 1, 37):
        assert complete_jpeg(jpeg[:cut]).endswith(b"\xff\xd9")


def test_complete_jpeg_before_the_first_pixel_says_so():
    """A JPEG that is only headers has nothing to show."""
    jpeg = encode(".jpg")

    with pytest.raises(FrameError, match="before its first pixel"):
        complete_jpeg(jpeg[: jpeg.index(b"\xff\xda")])
