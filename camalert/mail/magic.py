"""What a block of bytes is, by its first bytes; how large the picture is that it holds, by its header.

Pure. Names and declared types are never believed: cameras send pictures as `application/octet-stream` and
pages of HTML as `image/jpeg`. Nothing is decoded here; hostile bytes meet a codec in the decoder only.
"""

from __future__ import annotations

import struct

PICTURES = frozenset(("jpeg", "png", "webp", "bmp", "gif"))
CLIPS = frozenset(("mp4", "avi", "mkv"))
HEAD_BYTES = 64  # enough for every kind
MAX_MARKERS = 500  # a JPEG has a dozen before its frame header; a hostile one may have thousands

# The sizes a BMP's second header may have: "BM" alone begins many a text.
_BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
# QuickTime files older than the ftyp box start with one of these.
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"skip", b"free")
_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")  # pictures in the clothes of a film

_STANDALONE_MARKERS = frozenset((0x01, *range(0xD0, 0xD9)))
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

Bytes = bytes | bytearray | memoryview


def kind_of(head: bytes) -> str:
    """Name the kind of a picture or clip by its first `HEAD_BYTES`; "" when it is neither.

    Source: the formats' own specifications; the fourth byte of a JPEG may be any marker (FIELD: FF D8 FF FE).
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "webp", b"AVI ": "avi"}.get(head[8:12], "")
    if head.startswith(b"BM") and len(head) >= 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "mkv"
    box = head[4:8]
    if box == b"ftyp":
        return "" if head[8:12] in _STILL_BRANDS else "mp4"
    if box in _QUICKTIME_BOXES and int.from_bytes(head[:4], "big") < 1 << 30:
        return "mp4"
    return ""


def size_px(data: Bytes, kind: str) -> tuple[int, int] | None:
    """Read height and width in px from a picture's header; None when the header does not say."""
    try:
        match kind:
            case "jpeg":
                return _jpeg_size(data)
            case "png":
                width, height = struct.unpack_from(">II", data, 16)
            case "gif":
                width, height = struct.unpack_from("<HH", data, 6)
            case "bmp":
                width, height = _bmp_size(data)
            case "webp":
                width, height = _webp_size(data)
            case _:
                return None
    except (struct.error, IndexError):
        return None
    return abs(height), width


def _jpeg_size(data: Bytes) -> tuple[int, int] | None:
    """Walk the markers to the frame header. Source: ITU-T T.81 B.2.2."""
    at = 2
    for _ in range(MAX_MARKERS):
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
        if marker in (0xD9, 0xDA):  # end, or pixels without a frame header
            return None
        at += 2
        if marker not in _STANDALONE_MARKERS:
            at += int.from_bytes(bytes(data[at : at + 2]), "big")
    return None


def _bmp_size(data: Bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    layout = "<HH" if header_bytes == 12 else "<ii"
    width, height = struct.unpack_from(layout, data, 18)
    return width, height


def _webp_size(data: Bytes) -> tuple[int, int]:
    """Read the size of a WebP. Source: RFC 9649, sections 2.5 to 2.7."""
    chunk = bytes(data[12:16])
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF
