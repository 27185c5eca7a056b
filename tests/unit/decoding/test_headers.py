"""What a picture says of itself is read without decoding it, and nothing unknown gets further."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing.pictures import exif, with_exif

from camalert.decoding.headers import MAX_BLOCKS, Header, complete_jpeg, read_header
from camalert.decoding.kinds import kind_of
from camalert.errors import FrameError

FRAME = np.zeros((30, 50, 3), np.uint8)


def encode(suffix):
    return cv2.imencode(suffix, FRAME)[1].tobytes()


@pytest.mark.parametrize(("suffix", "kind"), [
    (".jpg", "jpeg"), (".png", "png"), (".webp", "webp"), (".bmp", "bmp"), (".avif", "avif"),
    (".tiff", "tiff"),
])  # fmt: skip
def test_read_header_of_each_kind_returns_kind_and_size(suffix, kind):
    """Kind and size are what the encoder was given, for a file and for a view of one."""
    assert read_header(encode(suffix)) == Header(kind, 50, 30)
    assert read_header(memoryview(encode(suffix))) == Header(kind, 50, 30)


def test_read_header_of_a_gif_returns_its_screen():
    """A GIF's size is that of its logical screen."""
    gif = b"GIF89a" + struct.pack("<HH", 50, 30) + bytes(3)

    assert read_header(gif) == Header("gif", 50, 30)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"BMW is not a bitmap", b"%PDF-1.7", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"]
)
def test_kind_of_anything_else_is_none_and_has_no_header(data):
    """HEIC, documents and text never reach a decoder, whatever the mail called them."""
    assert kind_of(data) == ""
    with pytest.raises(FrameError, match="not a picture"):
        read_header(data)


def test_read_header_of_a_jpeg_2000_trusts_the_code_stream():
    """The size is that of what is decoded, also where the file around it says another, and where there is none."""
    whole = cv2.imencode(".jp2", np.zeros((40, 64, 3), np.uint8))[1].tobytes()
    stream = whole[whole.index(b"\xff\x4f\xff\x51") :]
    lying = whole.replace(struct.pack(">II", 40, 64), struct.pack(">II", 1, 1), 1)

    assert read_header(whole) == read_header(stream) == read_header(lying) == Header("jp2", 64, 40)
    with pytest.raises(FrameError, match="16384 components"):
        read_header(stream[:40] + b"\x40\0" + stream[42:])


def test_read_header_of_an_avif_returns_the_largest_of_its_items():
    """A small thumbnail beside the picture does not make it small."""
    whole = encode(".avif")
    place = whole.index(b"ispe") + 8

    assert whole[place : place + 8] == struct.pack(">II", 50, 30)
    small = whole[:place] + struct.pack(">II", 9000, 8000) + whole[place + 8 :]
    assert read_header(small) == Header("avif", 9000, 8000)


@pytest.mark.parametrize("order", ["<", ">"])
def test_read_header_of_a_tiff_in_either_order_returns_size_and_orientation(order):
    """Sizes are short or long numbers; the first directory counts."""
    mark = {"<": b"II", ">": b"MM"}[order]
    entries = struct.pack(order + "HHIHH", 0x100, 3, 1, 50, 0) + struct.pack(order + "HHII", 0x101, 4, 1, 30)
    tiff = mark + struct.pack(order + "HIH", 42, 8, 3) + entries + struct.pack(order + "HHIHH", 0x112, 3, 1, 6, 0)

    assert read_header(tiff) == Header("tiff", 50, 30, 6)


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


def test_clip_is_called_a_clip() -> None:
    """Who gives a clip where a picture is meant learns that, and not its first bytes."""
    with pytest.raises(FrameError, match=r"a video clip \(MP4\) and not a picture"):
        read_header(b"\0\0\0\x18ftypmp42" + bytes(100))
