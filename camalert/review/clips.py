"""The bytes of a clip, in pieces: a player asks for ranges, and nobody needs 25 MB at once.

Reads through a connection of its own, read-only, with SQLite's incremental access to one value.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from camalert.store.connection import open_reader

PIECE_BYTES = 262_144
_RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})")


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte asked for, None for what is not one satisfiable range.

    Source: RFC 9110 section 14.1.2.
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or size == 0 or (not found[1] and not found[2]):
        return None
    if not found[1]:
        count = min(int(found[2]), size)
        return (size - count, size - 1) if count else None
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return (first, last) if first <= last else None


def pieces(database: Path, clip_id: int, first: int, last: int) -> Iterator[bytes]:
    """Yield the bytes `first` to `last` of a clip; it ends early when the clip is deleted meanwhile."""
    connection = open_reader(database)
    try:
        for start in range(first, last + 1, PIECE_BYTES):
            # Opened anew for each piece: a blob held open is a read transaction, and a slow client must not hold one.
            with connection.blobopen("camalert_clip", "clip", clip_id, readonly=True) as blob:
                blob.seek(start)
                piece = blob.read(min(PIECE_BYTES, last + 1 - start))
            yield piece
    except sqlite3.Error:
        return
    finally:
        connection.close()
