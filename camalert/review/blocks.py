"""How the site and the process that makes small pictures speak: a length, then so many bytes.

Pure. Both sides import it, and only one of them imports an image library.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

LENGTH = struct.Struct(">I")
THUMBNAIL_BYTES = 131_072


def read_block(stream: BinaryIO) -> bytes | None:
    """Read one length and what follows it; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    block = stream.read(length)
    return block if len(block) == length else None
