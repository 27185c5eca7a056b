"""The pool: one shared memory segment with all slots.

The supervisor alone creates, names and unlinks it; children attach once at their start. Nothing here touches a pixel,
and no view outlives its `with` block, because closing a segment under a view would end in a fault.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from camalert import segment
from camalert.errors import PoolError, ProtocolError
from camalert.slots import LENGTH_BYTES, Layout, Span


class Pool:
    """A segment laid out by a `Layout`."""

    def __init__(self, mapped: segment.Segment, layout: Layout) -> None:
        self._segment = mapped
        self.layout = layout
        self.slots = layout.slots()

    @property
    def name(self) -> str:
        """Return the segment's name, under which children attach."""
        return self._segment.name

    @classmethod
    def create(cls, name: str, layout: Layout) -> Pool:
        """Create the segment, in the supervisor, which holds the instance's lock.

        Raises: PoolError when it exists already or the memory is not there.
        """
        return cls(segment.create(name, layout.size_bytes), layout)

    @classmethod
    def attach(cls, name: str, layout: Layout) -> Pool:
        """Attach to the supervisor's segment, in a child.

        Raises: PoolError when it is not there or not of the layout's size.
        """
        try:
            attached = segment.Attached(name)
        except OSError as error:
            raise PoolError(f"shared memory {name} cannot be attached: {error.strerror}") from error
        if (size_bytes := attached.size_bytes) < layout.size_bytes:
            attached.close()
            raise PoolError(f"shared memory {name} has {size_bytes} bytes, expected {layout.size_bytes}")
        return cls(attached, layout)

    def close(self) -> None:
        """Detach; no view may be open."""
        self._segment.close()

    def unlink(self) -> None:
        """Remove the segment's name, if nobody else has; only its creator calls this."""
        segment.remove(self.name)

    @contextlib.contextmanager
    def view(self, span: Span) -> Iterator[memoryview]:
        """Lend a writable view of a section for the length of a `with` block."""
        buffer = self._segment.buf
        if buffer is None:
            raise PoolError(f"shared memory {self.name} is detached already")
        with buffer[span.offset : span.end] as view:
            yield view

    def encoded(self, slot: int) -> contextlib.AbstractContextManager[memoryview]:
        """Lend the section of encoded pictures of a slot."""
        return self.view(self.slots[slot].encoded)

    def frame(self, slot: int) -> contextlib.AbstractContextManager[memoryview]:
        """Lend the section of the decoded frame of a slot."""
        return self.view(self.slots[slot].frame)

    def write_words(self, slot: int, block: bytes) -> None:
        """Put a block of words into a slot.

        Raises: ProtocolError when it is larger than the section.
        """
        span = self.slots[slot].words
        if LENGTH_BYTES + len(block) > span.length:
            raise ProtocolError(f"words of {len(block)} bytes exceed the slot's {span.length - LENGTH_BYTES}")
        with self.view(span) as view:
            view[:LENGTH_BYTES] = len(block).to_bytes(LENGTH_BYTES, "little")
            view[LENGTH_BYTES : LENGTH_BYTES + len(block)] = block

    def read_words(self, slot: int) -> bytes:
        """Copy a slot's block of words.

        Raises: ProtocolError when its length is impossible.
        """
        span = self.slots[slot].words
        with self.view(span) as view:
            length = int.from_bytes(view[:LENGTH_BYTES], "little")
            if LENGTH_BYTES + length > span.length:
                raise ProtocolError(f"slot {slot}: words of {length} bytes cannot be")
            return bytes(view[LENGTH_BYTES : LENGTH_BYTES + length])
