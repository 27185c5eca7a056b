"""What a block of bytes is, by its first bytes.

Pure. Names and declared types are never believed: cameras send pictures as `application/octet-stream` and
pages of HTML as `image/jpeg`. Nothing is decoded here; hostile bytes meet a codec in the decoder only.
"""

from __future__ import annotations

PICTURES = frozenset(("jpeg", "png", "webp", "bmp", "gif"))
CLIPS = frozenset(("mp4", "avi", "mkv"))
HEAD_BYTES = 64  # enough for every kind

# The sizes a BMP's second header may have: "BM" alone begins many a text.
_BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
# QuickTime files older than the ftyp box start with one of these.
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"skip", b"free")
_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")  # pictures in the clothes of a film


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
