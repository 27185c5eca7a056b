"""What a picture file says of itself before anything is decoded: its size and its orientation."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from camalert.decoding.kinds import HEAD_BYTES, PICTURES, kind_of
from camalert.errors import FrameError

# Each scan of a JPEG goes over the whole picture again, however few bytes it has: the work is pixels times scans.
# libjpeg's own script has 10 scans, other encoders a few more. 32 of 62 million pixels took 4 s on a busy core.
# Source: "Two Issues with the JPEG Standard" of the libjpeg-turbo project, and its `djpeg -maxscans`.
MAX_SCANS = 64
MAX_SCANNED_PX = 2_000_000_000
MAX_BLOCKS = 2000  # looked at for one header: a JPEG has a dozen, a PNG some hundred, a hostile file millions
MAX_MARKERS = 20_000  # of a JPEG, in all of it

# Ends entropy-coded data; not stuffing, not a restart. Fill bytes before it need no mention: the last FF is enough.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_FILL = re.compile(rb"\xff*+")
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # frame headers: not DHT, JPG, DAC
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_ORIENTATION_TAG = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT, _SHORT = 0x0100, 0x0101, 3
_CODE_STREAM = b"\xff\x4f\xff\x51"
MAX_COMPONENTS = 4  # of a JPEG 2000 picture: colours and transparency; the format allows 16 384, each of full size
_UNMIRRORED = 2
_TURNED = ((4, 5, 2, 7), (2, 7, 4, 5), (1, 8, 3, 6))  # EXIF orientation by the axis of mirroring and the quarter turns

Data = bytes | memoryview  # read where it lies: copying the picture took 7 % of the CPU of its mail (measured)


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's kind, its size as stored, and its EXIF orientation (1 to 8, 1 is upright)."""

    kind: str
    width_px: int
    height_px: int
    orientation: int = 1


def read_header(data: Data) -> Header:
    """Read kind, size and orientation.

    Raises: FrameError when the file is no known picture, ends before its size, or has no pixels.
    """
    kind = kind_of(bytes(data[:HEAD_BYTES]))
    readers = {
        "jpeg": _read_jpeg, "png": _read_png, "webp": _read_webp, "bmp": _read_bmp, "gif": _read_gif,
        "avif": _read_avif, "jp2": _read_jp2, "tiff": _read_tiff,
    }  # fmt: skip
    if kind and kind not in PICTURES:
        raise FrameError(f"a video clip ({kind.upper()}) and not a picture")
    if not kind:
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


def check_scans(data: Data, header: Header) -> None:
    """Refuse a JPEG whose scans would take a decoder far longer than its size says.

    Raises: FrameError with the number and the limit.
    """
    pixels = header.width_px * header.height_px
    allowed = min(MAX_SCANS, max(1, MAX_SCANNED_PX // pixels))
    scans = sum(1 for marker, _, _ in _segments(data) if marker == _SOS)
    if scans > allowed:
        raise FrameError(
            f"jpeg picture of {header.width_px}x{header.height_px} px has {scans} scans, more than the {allowed} that "
            "are decoded at this size: no camera makes such a file"
        )


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
            fill = _FILL.match(data, stop)
            has_scan = has_scan or (fill is not None and fill.end() < end)
    if not has_scan:
        raise FrameError(f"jpeg picture of {len(data)} bytes ends before its first pixel")
    return data[:end].rstrip(b"\xff") + b"\xff\xd9"


def ends_with_a_box(data: Data) -> bool:
    """Tell whether the last box of a file in the container of a film has its end."""
    start, stop = 0, len(data)
    for _ in range(MAX_BLOCKS):
        if start + 8 > stop:
            return start == stop
        length = int.from_bytes(data[start : start + 4], "big")
        if length < 8:  # up to the end, or of more than 4 GiB
            return length == 0
        start += length
    return False


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """Walk a JPEG's marker segments: marker, start and end of what belongs to it; entropy data is stepped over.

    Source: ITU-T T.81 B.1.1.
    """
    position = 2
    for _ in range(MAX_MARKERS):
        found = _MARKER.search(data, position)
        if found is None:
            return
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
    orientation = 0
    for marker, start, stop in itertools.islice(_segments(data), MAX_BLOCKS):
        if not orientation and marker == _APP1 and data[start + 2 : start + 8] == b"Exif\0\0":
            orientation = _read_orientation(bytes(data[start + 8 : stop]))
        elif marker in _SOF:
            _, height, width = struct.unpack_from(">BHH", data, start + 2)
            return Header("jpeg", width, height, orientation or 1)
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


def _read_avif(data: Data) -> Header | None:
    """Read the largest size among the properties of all items: that of the picture, its tiles and its thumbnail.

    Source: ISO/IEC 23008-12, 6.5.3 (ispe), 6.5.10 (irot, quarter turns against the clock) and 6.5.12 (imir, after it).
    """
    meta = _box(data, (0, len(data)), b"meta")
    properties = meta and _box(data, (meta[0] + 4, meta[1]), b"iprp")
    container = properties and _box(data, properties, b"ipco")
    if not container:
        return None
    size, turns, mirror = (0, 0), 0, _UNMIRRORED
    for name, start, _ in _boxes(data, *container):
        if name == b"ispe":
            size = max(size, struct.unpack_from(">II", data, start + 4), key=lambda sides: sides[0] * sides[1])
        elif name == b"irot":
            turns = data[start] & 3
        elif name == b"imir":
            mirror = data[start] & 1
    return Header("avif", *size, _TURNED[mirror][turns])


def _read_jp2(data: Data) -> Header | None:
    """Read the size of the code stream, which is what a decoder makes, whatever the file around it says.

    Source: ISO/IEC 15444-1, A.5.1 (SIZ) and I.4 (boxes).
    """
    start = 0
    if data[:4] != _CODE_STREAM:
        start, _ = _box(data, (0, len(data)), b"jp2c") or (len(data), 0)
    if data[start : start + 4] != _CODE_STREAM:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    (components,) = struct.unpack_from(">H", data, start + 40)
    if components > MAX_COMPONENTS:
        raise FrameError(f"jp2 picture of {components} components is none that a camera makes")
    return Header("jp2", max(0, right - left), max(0, bottom - top))


def _read_tiff(data: Data) -> Header | None:
    """Read the first picture of a TIFF. Source: TIFF 6.0, section 2."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, directory)
    found = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0, _ORIENTATION_TAG: 1}
    for number in range(min(entries, MAX_BLOCKS)):
        at = directory + 2 + 12 * number
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in found:
            (found[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), data, at + 8)
    orientation = found[_ORIENTATION_TAG]
    return Header("tiff", found[_TIFF_WIDTH], found[_TIFF_HEIGHT], orientation if 1 <= orientation <= 8 else 1)


def _box(data: Data, within: tuple[int, int], wanted: bytes) -> tuple[int, int] | None:
    """Return start and end of what is in the first box of a name, None when there is none."""
    return next(((start, stop) for name, start, stop in _boxes(data, *within) if name == wanted), None)


def _boxes(data: Data, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Walk the boxes of a file or of a box: name, start and end of what is in it (ISO/IEC 14496-12, 4.2)."""
    for _ in range(MAX_BLOCKS):
        if start + 8 > stop:
            return
        length, name = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        end = start + length if length else stop
        if end < body:
            return
        yield name, body, min(end, stop)
        start = end


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
