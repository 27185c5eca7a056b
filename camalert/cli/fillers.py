"""Pictures and clips with nothing in them, in the place of real ones: same kind, same size in pixels, same length.

A filler is grey and a real file of its kind where its length allows; a number in it tells it from the other fillers of
its mail, because the same picture twice means something to the reader and two different ones mean something else.
An archive becomes one that cannot be opened: what was in it, and under which names, is nobody's to see.
"""

from __future__ import annotations

import contextlib
import struct
import zlib

from camalert.decoding.headers import Header, read_header
from camalert.decoding.kinds import HEAD_BYTES, kind_of, named
from camalert.errors import FrameError

MAX_FILLED_BYTES = 33_554_432  # of uncompressed pixels that are written out; larger pictures get a header alone
MAGIC_BYTES = {"jpeg": 4, "png": 8, "gif": 6, "webp": 12, "bmp": 18, "mp4": 12, "avi": 12, "mkv": 4}
_NEITHER_TEXT_NOR_PICTURE = b"\x80\x00"
_TABLE = bytes(64).replace(b"\0", b"\x10")  # quantisation: any value will do where every coefficient is 0
# A Huffman table with one code of one bit, for the value 0: no difference, and the end of the block.
_CODES = bytes((1, *bytes(15), 0))


def filler(kind: str, data: bytes, number: int) -> bytes:
    """Return a filler for a picture or clip.

    Args:
        kind: What `data` is, as `camalert.decoding.kinds.kind_of` names it; "" for a file of another kind.
        data: The file whose place it takes: its length and its size in pixels are kept.
        number: Of this filler in its mail.
    """
    made = b""
    with contextlib.suppress(FrameError):
        header = read_header(data)
        make = {"jpeg": _jpeg, "png": _png, "gif": _gif, "webp": _webp, "bmp": _bmp}.get(header.kind)
        made = make(data, header, number) if make else b""
    if not made or len(made) > len(data):
        made = _clip(kind, data)
    rest = len(data) - len(made)
    return made[: len(data)] + (_NEITHER_TEXT_NOR_PICTURE * (rest // 2 + 1))[: max(0, rest)]


def _clip(kind: str, data: bytes) -> bytes:
    """Keep what names the kind, and say where a container allows it that the rest is free space."""
    head = data[: MAGIC_BYTES.get(kind) or _telling_bytes(kind, data)]
    if kind == "mp4" and data[4:8] == b"ftyp":
        length = int.from_bytes(data[:4], "big")
        head = data[:length] if 12 <= length <= 64 else head
        return head + struct.pack(">I4s", max(8, len(data) - len(head)), b"free")
    if kind == "avi":
        return head + struct.pack("<4sI", b"JUNK", max(0, len(data) - len(head) - 8))
    return head


def _telling_bytes(kind: str, data: bytes) -> int:
    """Return how many of a file's first bytes it takes to tell its kind."""
    other = named(data[:HEAD_BYTES])  # of what is neither picture nor clip, and is said to be what it is
    return next(
        (
            count
            for count in (4, 8, 12, 16, 32, 64, 128)
            if (kind_of(data[:count]), named(data[:count])) == (kind, other)
        ),
        HEAD_BYTES,
    )


def _jpeg(data: bytes, header: Header, number: int) -> bytes:
    """Make a grey baseline JPEG: all coefficients are 0, two bits a block. Source: ITU-T T.81, B and F.1.2."""
    blocks = -(-header.width_px // 8) * -(-header.height_px // 8)
    scan_bytes = blocks // 4 + 1
    if scan_bytes > len(data):
        return data[: MAGIC_BYTES["jpeg"]]
    start = b""
    if header.orientation != 1:
        tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, header.orientation, 0, 0)
        start = _segment(0xE1, b"Exif\0\0" + tiff)
    elif data[3] != 0xFE:  # encoders that begin with a comment are what some programs stumble over
        start = _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    frame = struct.pack(">BHHB3B", 8, header.height_px, header.width_px, 1, 1, 0x11, 0)
    tables = (
        _segment(0xDB, b"\0" + _TABLE) + _segment(0xC0, frame) + _segment(0xC4, b"\x00" + _CODES + b"\x10" + _CODES)
    )
    scan = _segment(0xDA, b"\1\1\0\0\x3f\0") + bytes(scan_bytes - 1) + bytes((0xFF >> 2 * (blocks % 4),))
    end = b"\xff\xd9" if b"\xff\xd9" in data[-64:] else b""  # a picture that was cut off stays cut off
    space = len(data) - 2 - len(start) - len(tables) - len(scan) - len(end)
    if space < 0:
        return data[: MAGIC_BYTES["jpeg"]] if len(data) < 200 else (b"\xff\xd8" + start + tables + scan)[: len(data)]
    return b"\xff\xd8" + start + _comments(space, number) + tables + scan + end


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _comments(space: int, number: int) -> bytes:
    """Fill a number of bytes with comments; fewer than four can only be fill bytes before the next marker."""
    made = bytearray()
    text = b"%d" % number
    while space - len(made) >= 4:
        length = min(65_533, space - len(made) - 4)
        if 0 < space - len(made) - 4 - length < 4:
            length -= 4
        made += _segment(0xFE, text[:length].ljust(length, b" "))
    return bytes(made) + b"\xff" * (space - len(made))


def _png(data: bytes, header: Header, number: int) -> bytes:
    row_bytes = 1 + (header.width_px + 7) // 8
    if row_bytes * header.height_px > MAX_FILLED_BYTES:
        return data[:24]  # up to the size
    pixels = zlib.compress(bytes(row_bytes * header.height_px), 9)
    size = struct.pack(">IIBBBBB", header.width_px, header.height_px, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", pixels), (b"IEND", b"")]
    space = len(data) - 8 - sum(12 + len(body) for _, body in chunks)
    if space >= 12:
        chunks.insert(1, (b"fiLl", (b"%d" % number).ljust(space - 12, b" ")[: space - 12]))
    elif space < 0:
        return data[:24]
    made = [
        struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def _gif(data: bytes, header: Header, number: int) -> bytes:
    """Make one grey pixel on a canvas of the size. Source: GIF89a."""
    screen = data[:6] + struct.pack("<HHBBB", header.width_px, header.height_px, 0x80, 0, 0) + b"\x80" * 6
    comment = b"!\xfe" + _sub_block(b"%d" % number) + b"\0"
    pixel = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0;"
    made = screen + comment + pixel
    return made if len(made) <= len(data) else data[:10]


def _sub_block(body: bytes) -> bytes:
    return bytes((len(body),)) + body


def _webp(data: bytes, header: Header, number: int) -> bytes:
    """Make a lossless WebP of one colour: each of its five prefix codes has one symbol, so no pixel takes a bit.

    Source: the specification of WebP's lossless bitstream, 3.1 and 6.2.
    """
    if header.width_px > 16_384 or header.height_px > 16_384:
        return data[:30]
    bits, at = 0, 0
    for value, count in (
        (header.width_px - 1, 14), (header.height_px - 1, 14), (0, 4), (0, 3),
        *(item for symbol in (128, 128, 128, 255) for item in ((0b101, 3), (symbol, 8))),
        (0b001, 3), (0, 1),
    ):  # fmt: skip
        bits |= value << at
        at += count
    stream = b"\x2f" + bits.to_bytes(at // 8 + 1, "little")
    stream += b"\0" * (len(stream) & 1)
    made = b"WEBP" + struct.pack("<4sI", b"VP8L", len(stream)) + stream
    space = len(data) - 8 - len(made)
    if space < 0:
        return data[:30]
    if space >= 8:
        made += struct.pack("<4sI", b"fiLl", space - 8) + (b"%d" % number).ljust(space - 8, b" ")[: space - 8]
    return b"RIFF" + struct.pack("<I", len(made)) + made


def _bmp(data: bytes, header: Header, number: int) -> bytes:
    """Keep the two headers, which say nothing but the form, and fill the rest with grey and the number."""
    del header
    head = data[: 14 + min(124, int.from_bytes(data[14:18], "little"))]
    return (head + b"\x80" * (len(data) - len(head) - 8) + b"%8d" % number)[: len(data)]
