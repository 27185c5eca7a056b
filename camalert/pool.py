"""The pool: one shared memory segment with all slots.

The supervisor alone creates, names and unlinks it; children attach once at their start. Nothing here touches a pixel,
and no view outlives its `with` block, because closing a segment under a view would end in a fault.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Iterator
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from typing import Protocol

from camalert.errors import PoolError, ProtocolError
from camalert.slots import LENGTH_BYTES, Layout, Span

SHM_DIR = Path("/dev/shm")  # noqa: S108 - where Linux keeps POSIX shared memory, shm_overview(7)
MIB = 1 << 20
# The tracker that multiprocessing starts beside a segment is the first process of a run. setrlimit(2), fork(2)
NO_PROCESS = ": no further process is allowed; raise TasksMax in the unit, or `ulimit -u` where camalert is started"


class Segment(Protocol):
    """Shared memory that is mapped into this process."""

    @property
    def name(self) -> str:
        """Return its name in `SHM_DIR`."""

    @property
    def buf(self) -> memoryview | None:
        """Return its bytes, None when it is detached."""

    def close(self) -> None:
        """Detach it."""

    def unlink(self) -> None:
        """Remove its name."""


class Pool:
    """A segment laid out by a `Layout`."""

    def __init__(self, segment: Segment, layout: Layout) -> None:
        self._segment = segment
        self.layout = layout
        self.slots = layout.slots()

    @property
    def name(self) -> str:
        """Return the segment's name, under which children attach."""
        return self._segment.name

    @classmethod
    def create(cls, name: str, layout: Layout) -> Pool:
        """Create the segment and allocate all of its memory at once.

        Raises: PoolError when it exists already or the memory is not there. Without the allocation a full /dev/shm
            would be a bus error at the first write, in any process.

        Source: posix_fallocate(3); python/cpython#114390.
        """
        size_bytes = layout.size_bytes
        try:
            segment = shared_memory.SharedMemory(name, create=True, size=size_bytes)
        except FileExistsError as error:
            raise PoolError(f"shared memory {name} exists already; is another camalert running?") from error
        except OSError as error:
            with contextlib.suppress(OSError):  # without a process or a descriptor for the tracker it is there already
                (SHM_DIR / name).unlink()
            advice = NO_PROCESS if error.errno == errno.EAGAIN else ""
            raise PoolError(f"shared memory {name} cannot be created: {error.strerror}{advice}") from error
        try:
            file = os.open(SHM_DIR / name, os.O_RDWR)
            try:
                os.posix_fallocate(file, 0, size_bytes)
            finally:
                os.close(file)
        except OSError as error:
            segment.close()
            segment.unlink()
            raise PoolError(
                f"the pool needs {size_bytes / MIB:.0f} MiB of shared memory, {SHM_DIR} has "
                f"{free_bytes() / MIB:.0f} MiB free ({error.strerror}): enlarge it "
                f"(mount -o remount,size=... {SHM_DIR}) or make [pool] smaller"
            ) from error
        return cls(segment, layout)

    @classmethod
    def attach(cls, name: str, layout: Layout) -> Pool:
        """Attach to the supervisor's segment, in a child.

        Raises: PoolError when it is not there or not of the layout's size.
        """
        try:
            segment = _Attached(name)
        except OSError as error:
            raise PoolError(f"shared memory {name} cannot be attached: {error.strerror}") from error
        if (size_bytes := segment.size_bytes) < layout.size_bytes:
            segment.close()
            raise PoolError(f"shared memory {name} has {size_bytes} bytes, expected {layout.size_bytes}")
        return cls(segment, layout)

    def close(self) -> None:
        """Detach; no view may be open."""
        self._segment.close()

    def unlink(self) -> None:
        """Remove the segment's name, if nobody else has; only its creator calls this."""
        try:
            self._segment.unlink()
        except FileNotFoundError:
            resource_tracker.unregister(f"/{self.name}", "shared_memory")

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


class _Attached:
    """A child's mapping of the supervisor's segment.

    `SharedMemory` would tell multiprocessing's resource tracker of it; if that tracker is gone, it would start another
    one, which removes the segment's name when the child ends. The name may also be removed by others: by hand, or by
    systemd-logind when a user logs out (RemoveIPC). The supervisor holds the memory all the same.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        file = os.open(_find(name), os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(file, 0)
        except ValueError as error:  # it has no bytes yet
            raise OSError(0, str(error)) from error
        finally:
            os.close(file)
        self.size_bytes = len(self._map)
        self.buf: memoryview | None = memoryview(self._map)

    def close(self) -> None:
        if self.buf is not None:
            self.buf.release()
            self.buf = None
            self._map.close()

    def unlink(self) -> None:
        (SHM_DIR / self.name).unlink()


def _find(name: str) -> Path:
    """Return the path of a segment: by its name, or through its creator's descriptor when the name is gone.

    Source: proc(5), /proc/pid/fd; the link of a removed file ends in " (deleted)".
    """
    path = SHM_DIR / name
    if not path.exists():
        for descriptor in Path(f"/proc/{os.getppid()}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                if os.readlink(descriptor) == f"{path} (deleted)":
                    return descriptor
    return path


def free_bytes() -> int:
    """Return how much shared memory the system has left."""
    found = os.statvfs(SHM_DIR)
    return found.f_bavail * found.f_frsize


def sweep(prefix: str) -> list[str]:
    """Remove the segments that a killed run of this instance left; the caller holds the instance's lock.

    Returns: The names removed.
    """
    names = [path.name for path in SHM_DIR.glob(f"{prefix}-*")]
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            (SHM_DIR / name).unlink()
    return names
