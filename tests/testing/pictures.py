"""Pictures for tests: real ones with and without a person, and ones made to order.

Source: scikit-image's sample pictures; astronaut (NASA, public domain) and chelsea the cat (CC0).
"""

from __future__ import annotations

import functools
import io
import struct

import skimage.data
from PIL import Image


@functools.cache
def person_jpeg(width_px: int = 640) -> bytes:
    """Return a JPEG that shows one person."""
    return _jpeg(skimage.data.astronaut(), width_px)


@functools.cache
def cat_jpeg(width_px: int = 640) -> bytes:
    """Return a JPEG that shows a cat and nobody."""
    return _jpeg(skimage.data.chelsea(), width_px)


def unique_jpeg(number: int, width_px: int = 320) -> bytes:
    """Return a small JPEG that differs from that of every other number."""
    image = Image.new("RGB", (width_px, width_px * 3 // 4), ((number * 37) % 256, (number >> 8) % 256, number % 256))
    return _encode(image, comment=b"number %d" % number)


def numbered(jpeg: bytes, number: int) -> bytes:
    """Return the same picture as another file: a comment behind its first marker holds the number."""
    return commented(jpeg, b"number %d" % number)


def commented(jpeg: bytes, comment: bytes) -> bytes:
    """Return the same picture with a comment behind its first marker."""
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _jpeg(pixels: object, width_px: int) -> bytes:
    image = Image.fromarray(pixels)
    return _encode(image.resize((width_px, image.height * width_px // image.width)))


def _encode(image: Image.Image, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90, comment=comment)
    return out.getvalue()


def exif(orientation: int, order: str = "<") -> bytes:
    """Return a TIFF block that holds nothing but `orientation`, 1 to 8; `order` is `<` or `>`."""
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


def with_exif(jpeg: bytes, tiff: bytes) -> bytes:
    """Return `jpeg` with an Exif segment of `tiff` behind its first marker."""
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
