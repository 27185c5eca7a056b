"""Every kind of picture becomes the right frame in the caller's buffer, and a damaged one never an older picture."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from testing.pictures import exif, with_exif

from camalert.decoding import frames
from camalert.decoding import headers as pictures
from camalert.errors import FrameError

HAS_GIF = cv2.haveImageWriter("any.gif")  # from 4.12 on
MAX_PX = 64_000_000


@pytest.fixture(scope="module")
def scene():
    """Four coloured quarters, all different, 64x96."""
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:32, :48], frame[:32, 48:] = (200, 30, 30), (30, 200, 30)
    frame[32:, :48], frame[32:, 48:] = (30, 30, 200), (200, 200, 200)
    return frame


def decode(data, picture_px=64 * 96, max_pixels=MAX_PX):
    buffer = bytearray(picture_px * 3)
    with memoryview(buffer) as out, memoryview(data) as encoded:
        decoded = frames.decode_into(encoded, out, max_pixels)
    return decoded, frames.view(buffer, decoded.height_px, decoded.width_px)


def close_to(frame, expected, tolerance=14):
    """Compare the middles of the quarters, which survive any compression."""
    height, width = frame.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    scale_y, scale_x = expected.shape[0] / height, expected.shape[1] / width
    return all(
        np.abs(frame[y, x].astype(int) - expected[int(y * scale_y), int(x * scale_x)]).max() <= tolerance
        for y in rows
        for x in columns
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".avif", ".jp2", ".tiff"])
def test_decode_into_each_kind_gives_the_scene(scene, suffix):
    """The frame in the buffer is the picture that was encoded."""
    decoded, frame = decode(cv2.imencode(suffix, scene)[1].tobytes())

    assert (decoded.height_px, decoded.width_px) == (64, 96)
    assert close_to(frame, scene)


@pytest.mark.skipif(not HAS_GIF, reason="this OpenCV has no GIF codec")
def test_decode_into_gif_gives_its_first_picture(scene):
    """Of an animation the first picture is taken."""
    _, frame = decode(cv2.imencode(".gif", scene)[1].tobytes())

    assert close_to(frame, scene, tolerance=70)  # 256 colours, dithered


def test_decode_into_progressive_jpeg_gives_the_scene(scene):
    """Progressive files decode like any other."""
    _, frame = decode(cv2.imencode(".jpg", scene, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes())

    assert close_to(frame, scene)


def test_decode_into_grey_jpeg_gives_three_equal_channels(scene):
    """A grey picture becomes BGR."""
    grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)

    _, frame = decode(cv2.imencode(".jpg", grey)[1].tobytes())

    assert close_to(frame, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))


def test_decode_into_png_with_16_bits_or_alpha_gives_the_scene(scene):
    """Depth is cut to 8 bits, transparency is dropped."""
    deep = cv2.imencode(".png", scene.astype(np.uint16) * 257)[1].tobytes()
    clear = cv2.imencode(".png", np.dstack((scene, np.full(scene.shape[:2], 9, np.uint8))))[1].tobytes()

    for data in (deep, clear):
        assert close_to(decode(data)[1], scene, tolerance=2)


def test_decode_into_cmyk_jpeg_gives_the_scene(scene):
    """Four inks, as some print tools write them, become BGR."""
    image = pytest.importorskip("PIL.Image")
    io = pytest.importorskip("io")
    file = io.BytesIO()
    image.fromarray(scene[:, :, ::-1]).convert("CMYK").save(file, "JPEG", quality=95)

    assert close_to(decode(file.getvalue())[1], scene, tolerance=20)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_into_turned_jpeg_gives_an_upright_frame(scene, orientation):
    """All eight EXIF orientations come out as the scene was."""
    undo = {
        1: lambda f: f, 2: lambda f: f[:, ::-1], 3: lambda f: f[::-1, ::-1], 4: lambda f: f[::-1],
        5: lambda f: f.transpose(1, 0, 2), 6: lambda f: np.rot90(f, 1),
        7: lambda f: np.rot90(f, 2).transpose(1, 0, 2), 8: lambda f: np.rot90(f, -1),
    }  # fmt: skip
    stored = np.ascontiguousarray(undo[orientation](scene))
    jpeg = with_exif(cv2.imencode(".jpg", stored)[1].tobytes(), exif(orientation))

    decoded, frame = decode(jpeg)

    assert (decoded.original_height_px, decoded.original_width_px) == (64, 96)
    assert close_to(frame, scene)


@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_into_turned_picture_of_its_own_way_is_as_the_turned_jpeg(scene, orientation, kind):
    """AVIF turns by properties and TIFF by a tag of its own; each comes out as the JPEG with that orientation does."""
    exif_of = Image.Exif()
    exif_of[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(scene[..., ::-1]).save(out, kind, exif=exif_of)
    _, expected = decode(with_exif(cv2.imencode(".jpg", scene)[1].tobytes(), exif(orientation)))

    decoded, frame = decode(out.getvalue())

    assert frame.shape == expected.shape == (decoded.original_height_px, decoded.original_width_px, 3)
    assert close_to(frame, expected)


@pytest.mark.parametrize("depth", [np.uint16, np.float32])
def test_decode_into_thermal_tiff_uses_its_few_values_fully(depth):
    """Temperatures fill a small part of 16 bits: stretched, a warm person is light before a dark wall."""
    wall = np.full((64, 96), 29_300, depth)
    wall[16:48, 40:56] = 30_700

    _, frame = decode(cv2.imencode(".tiff", wall)[1].tobytes())

    assert frame[5, 5].tolist() == [0, 0, 0]
    assert frame[30, 48].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("picture_px", "height"), [(64 * 96, 64), (6143, 32), (1000, 16), (96, 8), (40, 5)])
def test_decode_into_small_buffer_reduces_a_jpeg(scene, picture_px, height):
    """A JPEG is decoded at 1/2, 1/4 or 1/8, and shrunk further only where that is still too large."""
    decoded, frame = decode(cv2.imencode(".jpg", scene)[1].tobytes(), picture_px)

    assert decoded.height_px == height
    assert decoded.height_px * decoded.width_px <= picture_px
    assert (decoded.original_height_px, decoded.original_width_px) == (64, 96)
    assert close_to(frame, scene, tolerance=30)


def test_decode_into_small_buffer_reduces_a_png_to_what_fits(scene):
    """Other kinds use the space there is."""
    decoded, frame = decode(cv2.imencode(".png", scene)[1].tobytes(), 5000)

    assert 4500 < decoded.height_px * decoded.width_px <= 5000
    assert close_to(frame, scene)


def test_decode_into_leaves_the_rest_of_the_buffer_alone(scene):
    """Only the frame's own bytes are written."""
    buffer = bytearray(b"\x07" * (64 * 96 * 3 + 100))

    frames.decode_into(cv2.imencode(".jpg", scene)[1].tobytes(), memoryview(buffer), MAX_PX)

    assert bytes(buffer[-100:]) == b"\x07" * 100


def test_decode_into_too_large_is_refused_before_decoding():
    """The refusal names size and limit, and comes from the header alone."""
    png = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    png[16:24] = (60_000).to_bytes(4, "big") * 2

    with pytest.raises(FrameError, match=r"60000x60000 px exceeds the 64000000 px of decode.max_pixels"):
        decode(bytes(png))


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + bytes(50), b"GIF89a\x01\0\x01\0"])
def test_decode_into_something_else_is_refused_and_frees_the_buffer(data):
    """The refusal keeps no view: the shared memory below can be closed while it is handled."""
    buffer = bytearray(300)
    out = memoryview(buffer)

    with pytest.raises(FrameError):
        frames.decode_into(data, out, MAX_PX)
    out.release()
    buffer.clear()


@pytest.mark.parametrize("suffix", [".jpg", "progressive", ".png", ".webp", ".bmp"])
def test_decode_into_truncated_shows_nothing_of_the_picture_before(suffix):
    """However a file is cut, no pixel of the picture decoded before appears in its frame (opencv#26488).

    The earlier pictures are pure magenta, the cut one is green and grey noise: any magenta is a leak.
    """
    shape = (240, 320, 3)
    earlier = cv2.imencode(".png", np.full(shape, (255, 0, 255), np.uint8))[1].tobytes()
    noise = np.random.default_rng(3).integers(60, 120, shape, np.uint8)
    noise[:, :, 1] = 200
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1) if suffix == "progressive" else ()
    data = cv2.imencode(".jpg" if suffix == "progressive" else suffix, noise, options)[1].tobytes()

    for part in np.linspace(0.02, 0.98, 13):
        for _ in range(3):
            decode(earlier, 240 * 320)
        try:
            _, frame = decode(data[: int(len(data) * part)], 240 * 320)
        except FrameError:
            continue
        blue, green, red = (frame[:, :, channel].astype(int) for channel in range(3))
        assert not ((blue > 200) & (green < 60) & (red > 200)).any(), f"cut at {part:.0%}"


def test_encode_jpeg_fits_the_limit():
    """Quality goes down, then size, until it fits."""
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), np.uint8)
    noise = cv2.GaussianBlur(noise, (5, 5), 0)

    whole = frames.encode_jpeg(noise, 88, 10_000_000)
    small = frames.encode_jpeg(noise, 88, 15_000)
    tiny = frames.encode_jpeg(noise, 88, 3_000)

    assert len(whole) > 15_000 >= len(small)
    assert len(tiny) <= 3_000
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape == (200, 300, 3)


def test_encode_jpeg_without_space_says_so():
    """A limit that nothing fits ends in words."""
    with pytest.raises(FrameError, match="does not fit into 10 bytes"):
        frames.encode_jpeg(np.zeros((40, 40, 3), np.uint8), 88, 10)


def scanned(scans, height_px=64, width_px=96):
    """Return a JPEG that says it has this size, with so many scans: its own, and its last one again and again."""
    encoded = cv2.imencode(".jpg", np.zeros((64, 96, 3), np.uint8), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes()
    size, last = encoded.index(b"\xff\xc2") + 5, encoded.rindex(b"\xff\xda")
    resized = encoded[:size] + height_px.to_bytes(2, "big") + width_px.to_bytes(2, "big") + encoded[size + 4 : -2]
    return resized + encoded[last:-2] * (scans - encoded.count(b"\xff\xda")) + b"\xff\xd9"


def test_decode_into_jpeg_of_many_scans_is_refused_before_a_pixel_is_decoded():
    """Each scan goes over the whole picture again: half a megabyte would take a minute."""
    with pytest.raises(FrameError, match="has 65 scans, more than the 64"):
        decode(scanned(65))
    with pytest.raises(FrameError, match="7900x7900 px has 33 scans, more than the 32"):
        decode(scanned(33, 7900, 7900))

    decoded, _ = decode(scanned(64))
    assert (decoded.height_px, decoded.width_px) == (64, 96)


@pytest.mark.parametrize("option", [(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_PROGRESSIVE, 0)])
def test_decode_into_scans_of_an_honest_picture_are_few(scene, option):
    """What libjpeg writes is far below the limit at any size that is decoded."""
    encoded = cv2.imencode(".jpg", scene, option)[1].tobytes()

    pictures.check_scans(encoded, pictures.Header("jpeg", 11_000, 11_000))


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 5000))
def test_reduce_never_exceeds_the_limit(height, width, limit_px):
    """Also of thin pictures, whose shorter side cannot shrink any more."""
    reduced = frames.reduce(np.zeros((height, width, 3), np.uint8), limit_px)

    assert 1 <= reduced.shape[0] * reduced.shape[1] <= max(limit_px, 1)


@pytest.mark.parametrize(("height", "width"), [(1, 1_000_000), (1_000_000, 1), (2, 600_000)])
def test_decode_into_thin_picture_fits(height, width):
    """A line of a million points is no reason for a decoder to end."""
    decoded, _ = decode(cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes(), picture_px=1000)

    assert decoded.height_px * decoded.width_px <= 1000


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (2000, 2000), (-1, -1), (1 << 40, 1 << 40)])
def test_view_of_a_frame_that_is_not_there_is_refused(size):
    """Numbers out of a slot's words are a reason in words, not the detector's end."""
    with pytest.raises(FrameError, match="cannot lie in"):
        frames.view(bytearray(3000), *size)
