"""What a file is by its first bytes: a picture or clip that is examined, or something that only has a name.

The kind never comes from a name or a declared type: cameras send pictures as `application/octet-stream`, pages of HTML
as `image/jpeg` and MPEG program streams as `.mp4`. A kind that is not known here reaches no decoder at all.

Source: the formats' own specifications, and what is said at each where none is public.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PICTURES = frozenset(("jpeg", "png", "webp", "bmp", "gif", "avif", "jp2", "tiff"))
# What files of these kinds are called; the kind itself is told by the bytes.
PICTURE_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".avif", ".jp2", ".j2k", ".tif", ".tiff",
)  # fmt: skip
HEAD_BYTES = 512  # enough for every kind: a transport stream shows itself by three packets of 188 or 192 bytes

_BYTES_OF_TEXT = bytes(range(32, 127)) + b"\t\n\f\r"
# The sizes a BMP's second header may have: "BM" alone begins many a text.
_BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
# QuickTime files older than the ftyp box start with one of these.
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"skip", b"free")
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_STILL_BRANDS = (b"mif1", b"msf1", b"mif2", b"miaf")  # a picture in the container of a film, coded as others say
_START = b"\0\0\x01"
MOST_UNITS = 8  # looked at for the parameters
_H264_PROFILES = frozenset((44, 66, 77, 83, 86, 88, 100, 110, 118, 122, 128, 138, 144, 244))
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


class Kind(NamedTuple):
    """A kind of file, as it is called in a sentence: `an MP4 clip`."""

    words: str
    suffix: str
    content_type: str


KINDS = {
    "jpeg": Kind("a JPEG picture", "jpg", "image/jpeg"),
    "png": Kind("a PNG picture", "png", "image/png"),
    "webp": Kind("a WebP picture", "webp", "image/webp"),
    "bmp": Kind("a BMP picture", "bmp", "image/bmp"),
    "gif": Kind("a GIF picture", "gif", "image/gif"),
    "avif": Kind("an AVIF picture", "avif", "image/avif"),
    "jp2": Kind("a JPEG 2000 picture", "jp2", "image/jp2"),
    "tiff": Kind("a TIFF picture", "tif", "image/tiff"),
    "mp4": Kind("an MP4 clip", "mp4", "video/mp4"),
    "avi": Kind("an AVI clip", "avi", "video/x-msvideo"),
    "mkv": Kind("a Matroska clip", "mkv", "video/x-matroska"),
    "h264": Kind("a clip of raw H.264", "264", "video/h264"),
    "h265": Kind("a clip of raw H.265", "265", "video/h265"),
    "ps": Kind("an MPEG program stream", "mpg", "video/mpeg"),
    "ts": Kind("an MPEG transport stream", "ts", "video/mp2t"),
    "asf": Kind("an ASF clip", "asf", "video/x-ms-asf"),
    "flv": Kind("an FLV clip", "flv", "video/x-flv"),
    "dav": Kind("a Dahua clip", "dav", "application/octet-stream"),
}

# What is named and not examined, by how it begins; with what to do about it, where there is something.
_USE_JPEG = "set the camera to JPEG"
_USE_MP4 = "set the camera to MP4"
_NAMED: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x0a", f"a JPEG XL picture: {_USE_JPEG}"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", f"a JPEG XL picture: {_USE_JPEG}"),
    (b"\x76\x2f\x31\x01", f"an OpenEXR picture: {_USE_JPEG}"),
    (b"8BPS", f"a Photoshop picture: {_USE_JPEG}"),
    (b"\0\0\x01\xb3", f"a clip of raw MPEG-1 or MPEG-2: {_USE_MP4}"),
    (b".RMF", f"a RealMedia clip: {_USE_MP4}"),
    (b"OggS", f"an Ogg file: {_USE_MP4}"),
    (b"4XMV", f"a 4X clip: {_USE_MP4}"),
    (b"DKIF", f"an IVF clip: {_USE_MP4}"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"Rar!\x1a\x07", "a RAR archive, which is not opened: let the camera send its pictures as they are"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive, which is not opened: let the camera send its pictures as they are"),
    (b"\x1f\x8b", "a gzip archive, which is not opened: let the camera send its pictures as they are"),
    (b"%PDF-", "a PDF document"),
    (b"ID3", "a sound file (MP3)"),
    (b"#!AMR", "a sound file (AMR)"),
    (b"fLaC", "a sound file (FLAC)"),
)


def kind_of(head: bytes) -> str:
    """Name the kind of a picture or clip by its first `HEAD_BYTES`; "" when it is neither."""
    head = head[:HEAD_BYTES]
    return next((kind for tell in _TELLS if (kind := tell(head))), "")


def named(head: bytes) -> str:
    """Say what a file of no `kind_of` is, and what to do about it; "" when that is not known either."""
    if head[4:8] == b"ftyp" and head[8:12] in (*_HEIC_BRANDS, *_STILL_BRANDS):
        return f"a HEIC picture, which is not examined: {_USE_JPEG}"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "a sound file (WAV)"
    return next((words for magic, words in _NAMED if head.startswith(magic)), "")


def is_zip(head: bytes) -> bool:
    """Tell a ZIP archive with something in it."""
    return head.startswith(b"PK\x03\x04")


def _of_picture(head: bytes) -> str:
    """Tell the kinds of pictures apart; the fourth byte of a JPEG may be any marker, and is FE of some cameras."""
    for magic, kind in (
        (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"), (b"\xff\x4f\xff\x51", "jp2"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
    ):  # fmt: skip
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM") and len(head) >= 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if head[4:8] == b"ftyp" and _brands(head) & set(_AVIF_BRANDS):
        return "avif"
    return ""


def _of_film(head: bytes) -> str:
    """Tell MP4 and QuickTime, Matroska and AVI: containers with a magic of their own."""
    if head.startswith(b"RIFF"):
        return "avi" if head[8:12] == b"AVI " else ""
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "mkv"
    box = head[4:8]
    if head[:4].isascii() and min(head[:4], default=0) >= 0x20:  # no length of a box: "500 free places" is a text
        return ""
    if box == b"ftyp":
        return "" if head[8:12] in (*_AVIF_BRANDS, *_HEIC_BRANDS, *_STILL_BRANDS) else "mp4"
    if box in _QUICKTIME_BOXES and int.from_bytes(head[:4], "big") < 1 << 30:
        return "mp4"
    return ""


def _of_recorder(head: bytes) -> str:
    """Tell what recorders and old cameras write; a program stream of Hikvision has a header of 40 bytes before it.

    Source: libavformat/dhav.c (DHAV, and 1 KiB behind DAHUA); mkvtoolnix#2146 (HXVS); opencv#14987 (IMKH).
    """
    for magic, kind in (
        (_ASF_HEADER, "asf"), (b"FLV\x01", "flv"), (b"DHAV", "dav"), (b"DAHUA", "dav"), (b"IMKH\x01", "ps"),
        (b"\0\0\x01\xba", "ps"), (b"HXVS", "h264"), (b"HXVT", "h265"),
    ):  # fmt: skip
        if head.startswith(magic) and not _is_text(head):
            return kind
    return ""


def _of_stream(head: bytes) -> str:
    """Tell raw video by its parameter sets, which come first or behind a delimiter, a message or a recorder's header.

    Source: ITU-T H.264 7.4.1 and H.265 7.4.2, Annex B of both; 00 00 01 FC and FD begin Xiongmai's own 16 bytes.
    """
    if not head.startswith((_START, b"\0" + _START)):
        return ""
    at = head.find(_START) + len(_START)
    if head[at : at + 1] not in (b"\xfc", b"\xfd") and not _unit(head, at):
        return ""
    for _ in range(MOST_UNITS):
        if (unit := _unit(head, at)) in ("h264", "h265"):
            return unit
        found = head.find(_START, at)
        if found < 0:
            break
        at = found + len(_START)
    return ""


def _unit(head: bytes, at: int) -> str:
    """Return the codec whose parameters a unit holds, "other" for what may precede them, "" for what may not."""
    first, second = (*head[at : at + 2], 0, 0)[:2]
    if first in (0x40, 0x42) and second == 1:  # video and sequence parameters of layer 0
        return "h265"
    if first & 0x9F == 0x07 and second in _H264_PROFILES:
        return "h264"
    is_other = first in (0x06, 0x09) or (first in (0x46, 0x4E) and second == 1)  # message, delimiter of either codec
    return "other" if is_other else ""


def _of_transport(head: bytes) -> str:
    """Tell a transport stream by its packets: of 188 bytes, or of 192 with a time of four before each.

    Source: ISO/IEC 13818-1, 2.4.3.2: the sync byte, no error, nothing scrambled, an adaptation field or data.
    """
    for first, length in ((0, 188), (4, 192)):
        packets = [head[first + length * number :][:4] for number in range(3)]
        if all(_is_packet(packet) for packet in packets) and not _is_text(head):
            return "ts"
    return ""


def _is_packet(start: bytes) -> bool:
    return (
        len(start) == 4 and start[0] == 0x47 and not start[1] & 0x80 and not start[3] & 0xC0 and bool(start[3] & 0x30)
    )


def _is_text(head: bytes) -> bool:
    return not head.translate(None, _BYTES_OF_TEXT)


def _brands(head: bytes) -> set[bytes]:
    """Return the brands of a file in the container of a film, the main one included (ISO/IEC 14496-12, 4.3)."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))}


_TELLS: tuple[Callable[[bytes], str], ...] = (_of_picture, _of_film, _of_recorder, _of_stream, _of_transport)
