"""A region of a mail: the reader works on offsets, not on copies, so that a large mail exists once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WHITE = re.compile(rb"[\r\n\t ]*")
PIECE_BYTES = 65_536  # fits the processor's cache beside its decoded form

Buffer = bytes | bytearray


def no_hurry() -> None:
    """Set no time limit; a caller with one passes a function that raises when the time is over."""


@dataclass(frozen=True, slots=True)
class Region:
    """The bytes `source[start:end]`."""

    source: Buffer
    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)

    @classmethod
    def whole(cls, source: Buffer) -> Region:
        """Return the region of all of a buffer."""
        return cls(source, 0, len(source))

    def find(self, wanted: bytes, start: int | None = None) -> int:
        """Return where `wanted` begins within the region, as an offset of the source; -1 when it is not there."""
        return self.source.find(wanted, self.start if start is None else start, self.end)

    def line_end(self, start: int) -> int:
        """Return the offset behind the line that begins at `start`, its newline included."""
        newline = self.source.find(b"\n", start, self.end)
        return self.end if newline < 0 else newline + 1

    def head(self, count: int) -> bytes:
        """Copy the first `count` bytes."""
        return bytes(self.source[self.start : min(self.end, self.start + count)])

    def tail(self, count: int) -> bytes:
        """Copy the last `count` bytes."""
        return bytes(self.source[max(self.start, self.end - count) : self.end])

    def copy(self) -> bytes:
        """Copy all of it."""
        return bytes(self.source[self.start : self.end])

    def pieces(self, size_bytes: int = PIECE_BYTES) -> Iterator[Buffer]:
        """Copy it piece by piece."""
        for at in range(self.start, self.end, size_bytes):
            yield self.source[at : min(self.end, at + size_bytes)]

    def between(self, start: int, end: int) -> Region:
        """Return the part from one offset of the source to another, clipped to this region."""
        start = max(self.start, start)
        return Region(self.source, start, max(start, min(self.end, end)))

    def stripped(self) -> Region:
        """Leave out white space at the start."""
        found = _WHITE.match(self.source, self.start, self.end)
        return self if found is None else Region(self.source, found.end(), self.end)
