"""Pictures that are meant to do harm, or do it by accident."""

from __future__ import annotations

import io
import random
import struct
import zlib

from PIL import Image

from testing import pictures

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb_png(number: int, width_px: int = 64_000, height_px: int = 64_000) -> bytes:
    """Return a PNG of a few kB that says it has 4 thousand million pixels."""
    head = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    text = b"number\0%d" % number
    return (
        PNG_HEAD
        + png_chunk(b"IHDR", head)
        + png_chunk(b"tEXt", text)
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


def bomb_jpeg(number: int, width_px: int = 64_000, height_px: int = 64_000) -> bytes:
    """Return a JPEG whose header says it has 4 thousand million pixels."""
    return resized_jpeg(pictures.unique_jpeg(number), width_px, height_px)


def scan_bomb(number: int, scans: int = 1500) -> bytes:
    """Return a progressive JPEG of 62 million pixels that says its last scan again and again."""
    out = io.BytesIO()
    Image.open(io.BytesIO(pictures.unique_jpeg(number))).save(out, "JPEG", progressive=True)
    jpeg = resized_jpeg(out.getvalue(), 7900, 7900, b"\xff\xc2")
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * scans + jpeg[-2:]


def resized_jpeg(jpeg: bytes, width_px: int, height_px: int, frame_header: bytes = b"\xff\xc0") -> bytes:
    """Return a JPEG whose header says another size than its data has."""
    place = jpeg.index(frame_header) + 5
    return jpeg[:place] + struct.pack(">HH", height_px, width_px) + jpeg[place + 4 :]


def broken_jpeg(number: int) -> bytes:
    """Return a JPEG that was cut off, or of which some bits have flipped."""
    chance = random.Random(number)
    whole = pictures.numbered(pictures.cat_jpeg(), number)
    if chance.random() < 0.5:
        return whole[: chance.randint(100, len(whole) - 1)]
    return flipped(whole, chance, chance.randint(1, 40))


def flipped(content: bytes, chance: random.Random, bits: int, *, first: int = 40) -> bytes:
    """Return a file of which some bits behind its first bytes have flipped."""
    changed = bytearray(content)
    for _ in range(bits):
        changed[chance.randrange(first, len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


JPEG_2000 = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\x00\x00\x00\x14ftypjp2 \x00\x00\x00\x00jp2 " + bytes(200)
J2K_STREAM = b"\xff\x4f\xff\x51" + bytes(200)
EXR = b"\x76\x2f\x31\x01\x02\x00\x00\x00" + b"channels\0chlist\0" + bytes(200)
TIFF = b"II*\x00\x08\x00\x00\x00" + bytes(200)
BMP = b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + bytes(200)
HDR = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 10 +X 10\n" + bytes(200)
PNM = b"P6\n10 10\n255\n" + bytes(300)
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
