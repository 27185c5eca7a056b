"""What a picture file says of itself before any pixel is decoded: its kind, its size, how it was held.

Pure: reads bytes with `struct`, imports no decoder. The kind comes from the first bytes alone, never from a name or a
media type, because cameras send `application/octet-stream`; a kind that is not known here reaches no decoder at all.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from camalert.errors import FrameError
from camalert.mail.magic import HEAD_BYTES, PICTURES, kind_of

MAX_BLOCKS = 2000  # looked at for one header: a JPEG has a dozen, a PNG some hundred, a hostile file millions

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # ends entropy-coded data; not stuffing, not a restart
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # frame headers: not DHT, JPG, DAC
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_ORIENTATION_TAG = 0x0112

Data = bytes | memoryview  # read where it lies: copying the picture took 7 % of the CPU of its mail (measured)


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's kind, its size as stored, and its EXIF orientation (1 to 8, 1 = upright)."""

    kind: str
    width_px: int
    height_px: int
    orientation: int = 1


def identify(data: Data) -> str | None:
    """Return the kind of a picture by its first bytes, None when it is none that is ever decoded."""
    kind = kind_of(bytes(data[:HEAD_BYTES]))
    return kind if kind in PICTURES else None


def read_header(data: Data) -> Header:
    """Read kind, size and orientation.

    Raises: FrameError when the file is no known picture, ends before its size, or has no pixels.
    """
    kind = identify(data)
    readers = {"jpeg": _read_jpeg, "png": _read_png, "webp": _read_webp, "bmp": _read_bmp, "gif": _read_gif}
    if kind is None:
        raise FrameError(f"not a picture: {len(data)} bytes that begin with {bytes(data[:8]).hex(' ') or 'nothing'}")
    try:
        header = readers[kind](data)
    except (struct.error, IndexError):
        header = None
    if header is None:
        raise FrameError(f"{kind} picture of {len(data)} bytes ends before its size is known")
    if header.width_px < 1 or header.height_px < 1:
        raise FrameError(f"{kind} picture of {header.width_px}x{header.height_px} px has no pixels")
    return header


def complete_jpeg(data: bytes) -> bytes:
    """Return a JPEG that ends with an end marker, whatever its sender cut off.

    A decoder that meets the marker early fills the missing rows with grey; one that meets the end of the file may
    leave them as they lay in memory, which is the picture before (opencv/opencv#26488).

    Raises: FrameError when not even the first scan begins.
    """
    has_scan = False
    end = 2
    for marker, _, stop in _segments(data):
        if marker == _EOI:
            return data
        if stop > len(data):
            break  # a torn segment: what is before it is whole
        end = stop
        if marker == _SOS:
            found = _MARKER.search(data, stop)
            end = found.start() if found else len(data)
            has_scan = has_scan or end > stop
    if not has_scan:
        raise FrameError(f"jpeg picture of {len(data)} bytes ends before its first pixel")
    return data[:end].rstrip(b"\xff") + b"\xff\xd9"


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """Walk a JPEG's marker segments: marker, start and end of what belongs to it; entropy data is stepped over.

    Source: ITU-T T.81 B.1.1.
    """
    position = 2
    while found := _MARKER.search(data, position):
        marker, start = found[1][0], found.end()
        if marker == _EOI:
            yield marker, start, start
            return
        if marker in (0x01, 0xD8):  # TEM and a repeated SOI stand alone
            position = start
            continue
        if start + 2 > len(data):
            return
        stop = start + int.from_bytes(data[start : start + 2], "big")
        yield marker, start, stop
        position = stop


def _read_jpeg(data: Data) -> Header | None:
    orientation = 1
    for marker, start, stop in itertools.islice(_segments(data), MAX_BLOCKS):
        if marker == _APP1 and data[start + 2 : start + 8] == b"Exif\0\0":
            orientation = _read_orientation(bytes(data[start + 8 : stop]))
        elif marker in _SOF:
            _, height, width = struct.unpack_from(">BHH", data, start + 2)
            return Header("jpeg", width, height, orientation)
    return None


def _read_png(data: Data) -> Header | None:
    width, height = struct.unpack_from(">II", data, 16)
    orientation, position = 1, 8
    for _ in range(MAX_BLOCKS):
        if position + 8 > len(data):
            break
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"eXIf":
            orientation = _read_orientation(bytes(data[position + 8 : position + 8 + length]))
        if name in (b"eXIf", b"IEND"):
            break
        position += length + 12
    return Header("png", width, height, orientation)


def _read_webp(data: Data) -> Header | None:
    size: tuple[int, int] | None = None
    orientation, position = 1, 12
    for _ in range(MAX_BLOCKS):
        if position + 8 > len(data):
            break
        name, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if name == b"VP8X":
            width, height = data[body + 4 : body + 7], data[body + 7 : body + 10]
            size = int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
        elif name == b"VP8 " and size is None:
            width_bits, height_bits = struct.unpack_from("<HH", data, body + 6)
            size = width_bits & 0x3FFF, height_bits & 0x3FFF
        elif name == b"VP8L" and size is None:
            (bits,) = struct.unpack_from("<I", data, body + 1)
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif name == b"EXIF":
            orientation = _read_orientation(bytes(data[body : body + length]).removeprefix(b"Exif\0\0"))
        position = body + length + (length & 1)
    return Header("webp", *size, orientation) if size else None


def _read_bmp(data: Data) -> Header | None:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<hh" if header_bytes == 12 else "<ii", data, 18)
    return Header("bmp", abs(width), abs(height))  # a negative height only means: rows from the top


def _read_gif(data: Data) -> Header | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("gif", width, height)


def _read_orientation(tiff: bytes) -> int:
    """Return the orientation in a block of EXIF data, 1 when it holds none that is allowed.

    Source: TIFF 6.0, section 2 and the tag Orientation.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for number in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * number)
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1  # torn EXIF data does not make a picture unreadable
    return 1
