"""Frames: encoded pictures become BGR arrays in the caller's buffer, and arrays become JPEG again.

No array made here outlives its call, except the one `view` returns, so that the shared memory below can be closed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeAlias

# OpenCV reads these once, when it is imported. The size of a picture is checked before it is decoded; this is the wall
# behind that check, for a file whose header says one size and whose data says another.
WALL_PX = 1 << 27
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(WALL_PX))
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")  # we say ourselves what is wrong with a file

import cv2  # noqa: E402 - see above
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

from camalert.decoding.headers import Header, check_scans, complete_jpeg, read_header  # noqa: E402
from camalert.errors import FrameError  # noqa: E402

Frame: TypeAlias = npt.NDArray[np.uint8]  # BGR, (height, width, 3), C-contiguous

CHANNELS = 3
LOWEST_QUALITY = 35  # below it blocks hide a distant person; then the picture is made smaller instead

# The value is the flag that makes libjpeg decode at 1/n of the size, for a fraction of the time.
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """What lies in the buffer, and how large the picture was; both upright."""

    kind: str
    height_px: int
    width_px: int
    original_height_px: int
    original_width_px: int


def decode_into(encoded: memoryview | bytes, out: memoryview, max_pixels: int) -> Decoded:
    """Decode a picture into the start of a buffer, upright, reduced until it fits.

    Args:
        encoded: A whole picture file; of an animation the first picture is taken.
        out: Where the BGR rows go, without gaps; what follows them stays untouched.
        max_pixels: The largest picture that is decoded at all.
    Raises: FrameError when it is no picture, has more than `max_pixels` (before any pixel is decoded), or nothing of
        it can be decoded.
    """
    data = bytes(encoded)  # our own copy: a view held by an exception's traceback would block closing the memory
    header = read_header(data)
    if header.width_px * header.height_px > max_pixels:
        raise FrameError(
            f"{header.kind} picture of {header.width_px}x{header.height_px} px exceeds the "
            f"{max_pixels} px of decode.max_pixels"
        )
    if header.kind == "jpeg":
        check_scans(data, header)
        data = complete_jpeg(data)
    limit_px = len(out) // CHANNELS
    frame = _decode_tiff(data) if header.kind == "tiff" else _decode(data, _flag(header, limit_px))
    if frame is None:
        raise FrameError(
            f"{header.kind} picture of {header.width_px}x{header.height_px} px is damaged: OpenCV {cv2.__version__} "
            f"decodes nothing of its {len(data)} bytes"
        )
    frame = reduce(frame, limit_px)
    if header.kind != "tiff":  # libtiff turns it
        frame = _upright(frame, header.orientation)
    height, width = frame.shape[:2]
    np.frombuffer(out, np.uint8, frame.size).reshape(frame.shape)[:] = frame
    is_turned = header.orientation >= 5
    original = (header.width_px, header.height_px) if is_turned else (header.height_px, header.width_px)
    return Decoded(header.kind, height, width, *original)


def use_threads(count: int) -> None:
    """Let OpenCV use so many threads in this process."""
    cv2.setNumThreads(count)


def view(buffer: memoryview | bytes, height: int, width: int) -> Frame:
    """Return the frame at the start of a buffer, without copying; it must not outlive the buffer.

    Raises: FrameError when the buffer holds no frame of this size.
    """
    count = height * width * CHANNELS
    if min(height, width) < 1 or count > len(buffer):
        raise FrameError(f"a frame of {width}x{height} px cannot lie in {len(buffer)} bytes")
    return np.frombuffer(buffer, np.uint8, count).reshape(height, width, CHANNELS)


def encode_jpeg(frame: Frame, quality: int, limit_bytes: int) -> bytes:
    """Encode a frame as JPEG of at most `limit_bytes`: at lower quality, then smaller, until it fits.

    Raises: FrameError when even the smallest does not fit, or there is no memory for it.
    """
    while min(frame.shape[:2]) >= 16:
        for step in range(quality, LOWEST_QUALITY - 1, -12):
            is_done, encoded = cv2.imencode(".jpg", frame, (cv2.IMWRITE_JPEG_QUALITY, step))
            if not is_done:
                raise FrameError(
                    f"a picture of {frame.shape[1]}x{frame.shape[0]} px cannot be encoded, most likely for want of "
                    "memory (decode.memory_bytes)"
                )
            if encoded.size <= limit_bytes:
                return encoded.tobytes()
        height, width = frame.shape[:2]
        frame = reduce(frame, height * width // 2)
    raise FrameError(f"picture does not fit into {limit_bytes} bytes")


def reduce(frame: Frame, limit_px: int) -> Frame:
    """Shrink a frame, keeping its shape, until it has at most `limit_px` pixels, at least 1.

    A side of one pixel stays one, so a very thin frame loses its shape.
    """
    height, width = frame.shape[:2]
    if height * width <= limit_px:
        return frame
    scale = (limit_px / (height * width)) ** 0.5
    height, width = max(1, int(height * scale)), max(1, int(width * scale))
    size = min(width, max(1, limit_px // height)), min(height, max(1, limit_px // width))
    reduced: Frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return reduced


def _flag(header: Header, limit_px: int) -> int:
    """Choose how a picture is decoded: JPEGs by libjpeg at the largest size that fits, all others at full size."""
    divisor = 1
    if header.kind == "jpeg":
        fits = (n for n in _REDUCED if -(-header.width_px // n) * -(-header.height_px // n) <= limit_px)
        divisor = next(fits, 8)
    # The turn is ours, because OpenCV's versions differ in which formats they look for it.
    return _REDUCED[divisor] | cv2.IMREAD_IGNORE_ORIENTATION


def _decode(data: bytes, flag: int) -> Frame | None:
    try:
        frame: Frame | None = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None  # some formats raise where others return nothing
    return frame


def _decode_tiff(data: bytes) -> Frame | None:
    """Decode a TIFF; what has more than 8 bits is stretched: a thermal camera's values lie in a small part of them."""
    frame = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if frame is None:
        frame = _decode(data, cv2.IMREAD_UNCHANGED)  # of floating point, which OpenCV does not make coloured
    if frame is None or (frame.dtype == np.uint8 and frame.ndim == CHANNELS):
        return frame
    stretched: Frame = np.empty(frame.shape, np.uint8)
    cv2.normalize(frame, stretched, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    return cv2.cvtColor(stretched, cv2.COLOR_GRAY2BGR) if stretched.ndim == 2 else stretched


def _upright(frame: Frame, orientation: int) -> Frame:
    """Turn and mirror a frame as its EXIF orientation asks.

    Source: TIFF 6.0, tag Orientation: which side of the picture row 0 and column 0 of the data are.
    """
    turned = frame
    match orientation:
        case 2:
            turned = cv2.flip(frame, 1)
        case 3:
            turned = cv2.rotate(frame, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(frame, 0)
        case 5:
            turned = cv2.transpose(frame)
        case 6:
            turned = cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(frame), -1)
        case 8:
            turned = cv2.rotate(frame, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return turned
