"""What is in a ZIP archive that a camera attaches, found by the directory at its end.

Anybody may have made it. So the number of files, the bytes that all of them have unpacked and how much each may grow
are bounded; a file in it may lie anywhere, but only within it; archives within it are not opened by this module.

Source: APPNOTE.TXT of PKWARE, 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from camalert.intake.mail.region import Region

MAX_MEMBERS = 200
MAX_RATIO = 30  # of unpacked to packed; pictures and clips are packed already, a bitmap shrinks to a tenth
SMALL_BYTES = 65_536  # whatever its ratio
NAME_CHARACTERS = 120

_LOCAL = struct.Struct("<4s5HIIIHH")
_ENTRY = struct.Struct("<4s6H3I5HII")
_END = struct.Struct("<4s4HIIH")
_COMMENT_BYTES = 65_535
_ENCRYPTED, _STORED, _DEFLATED = 1, 0, 8


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive, unpacked; its name without folders is for display only."""

    name: str
    content: Region


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of an archive that is not unpacked, and why; without a name it is the archive's rest or all of it."""

    reason: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    flags: int
    method: int
    packed_bytes: int
    unpacked_bytes: int
    start: int  # of its local header


def members(archive: Region, limit_bytes: int) -> Iterator[Member | Refused]:
    """Unpack the files of an archive in the order of its directory, folders left out.

    Args:
        archive: All of it.
        limit_bytes: The most that all files may have together, unpacked.
    """
    for entry in _entries(archive):
        if isinstance(entry, Refused):
            yield entry
            continue
        found = _unpacked(archive, entry, limit_bytes)
        if isinstance(found, Member):
            limit_bytes -= len(found.content)
        yield found


def _entries(archive: Region) -> Iterator[_Entry | Refused]:
    end = archive.source.rfind(b"PK\x05\x06", max(archive.start, archive.end - _COMMENT_BYTES - _END.size), archive.end)
    if end < 0 or end + _END.size > archive.end:
        yield Refused("a ZIP archive without its end: it was cut off")
        return
    _, _, _, _, count, directory_bytes, offset, _ = _END.unpack_from(archive.source, end)
    at = end - directory_bytes
    shift = at - offset  # of an archive with something before it
    for number in range(count):
        if at < archive.start or at + _ENTRY.size > end:
            yield Refused("a ZIP archive with a damaged directory")
            return
        if number == MAX_MEMBERS:
            yield Refused(f"more than {MAX_MEMBERS} files in a ZIP archive")
            return
        (magic, _, _, flags, method, _, _, _, packed_bytes, unpacked_bytes, name_bytes, extra_bytes, comment_bytes,
         _, _, _, start) = _ENTRY.unpack_from(archive.source, at)  # fmt: skip
        if magic != b"PK\x01\x02":
            yield Refused("a ZIP archive with a damaged directory")
            return
        name = bytes(archive.source[at + _ENTRY.size : at + _ENTRY.size + name_bytes]).decode("utf-8", "replace")
        at += _ENTRY.size + name_bytes + extra_bytes + comment_bytes
        if not name.endswith("/"):
            short = name.replace("\\", "/").rpartition("/")[2][:NAME_CHARACTERS]
            yield _Entry(short, flags, method, packed_bytes, unpacked_bytes, start + shift)


def _unpacked(archive: Region, entry: _Entry, limit_bytes: int) -> Member | Refused:
    if entry.flags & _ENCRYPTED:
        return Refused("encrypted in a ZIP archive: let the camera send it without a password", entry.name)
    if entry.method not in {_STORED, _DEFLATED}:
        return Refused("packed in a ZIP archive in a way that is not known here", entry.name)
    if entry.unpacked_bytes > max(SMALL_BYTES, MAX_RATIO * entry.packed_bytes):
        return Refused(f"packed in a ZIP archive to less than a {MAX_RATIO}th, as no picture is", entry.name)
    if entry.unpacked_bytes > limit_bytes:
        return Refused("too large to be unpacked from a ZIP archive", entry.name)
    content = _packed(archive, entry)
    if content is not None and entry.method == _DEFLATED:
        content = _inflated(content, entry.unpacked_bytes)
    if content is None or len(content) != entry.unpacked_bytes:
        return Refused("damaged in a ZIP archive", entry.name)
    return Member(entry.name, content)


def _packed(archive: Region, entry: _Entry) -> Region | None:
    """Return where a file's data lie, None when they are not within the archive."""
    if entry.start < archive.start or entry.start + _LOCAL.size > archive.end:
        return None
    magic, *_, name_bytes, extra_bytes = _LOCAL.unpack_from(archive.source, entry.start)
    start = entry.start + _LOCAL.size + name_bytes + extra_bytes
    if magic != b"PK\x03\x04" or start + entry.packed_bytes > archive.end:
        return None
    return archive.between(start, start + entry.packed_bytes)


def _inflated(packed: Region, size_bytes: int) -> Region | None:
    """Inflate a file to at most the size that its directory says and one byte more."""
    try:
        return Region.whole(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed.copy(), size_bytes + 1))
    except zlib.error:
        return None
