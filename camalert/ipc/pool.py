"""The pool: one named segment of shared memory with all slots.

The supervisor alone creates, names and unlinks it; children attach once at their start. No view outlives its `with`
block, because closing a segment under a view would end in a fault.

Source: shm_overview(7); CPython's multiprocessing.shared_memory.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

from camalert.errors import PoolError, ProtocolError
from camalert.ipc.layout import LENGTH_BYTES, REFUSAL_BYTES, Layout, Span
from camalert.ipc.records import RECORD_BYTES
from camalert.system import signals

SHM_DIR = Path("/dev/shm")  # noqa: S108 - where Linux keeps POSIX shared memory, shm_overview(7)
MIB = 1 << 20
REASON_CHARS = 400  # of a refusal
# The tracker that multiprocessing starts beside a segment is the first process of a run. setrlimit(2), fork(2)
NO_PROCESS = ": no further process is allowed; raise TasksMax in the unit, or `ulimit -u` where camalert is started"


class Pool:
    """A segment that is mapped into this process, laid out by a `Layout`."""

    def __init__(self, name: str, mapped: mmap.mmap, layout: Layout) -> None:
        self.name = name
        self.layout = layout
        self.slots = layout.slots()
        self._map = mapped

    @classmethod
    def create(cls, name: str, layout: Layout) -> Pool:
        """Create the segment and allocate all of its memory at once; the caller holds the instance's lock.

        multiprocessing's resource tracker removes the name when this process is killed.

        Raises: PoolError when it exists already or the memory is not there. Without the allocation a full /dev/shm
            would be a bus error at the first write, in any process.
        Source: posix_fallocate(3); python/cpython#114390.
        """
        try:
            with signals.held(signal.SIGHUP):  # the tracker itself ignores SIGINT and SIGTERM
                shared_memory.SharedMemory(name, create=True, size=layout.size_bytes).close()
        except FileExistsError as error:
            raise PoolError(f"shared memory {name} exists already; is another camalert running?") from error
        except OSError as error:
            # Without a process or a descriptor for the tracker it is there already. If not, then nothing is there:
            # under the instance's lock nobody else makes a segment of this name, and earlier runs' were removed.
            with contextlib.suppress(OSError):
                (SHM_DIR / name).unlink()
            advice = NO_PROCESS if error.errno == errno.EAGAIN else ""
            raise PoolError(f"shared memory {name} cannot be created: {error.strerror}{advice}") from error
        try:
            return cls(name, _map(SHM_DIR / name, layout.size_bytes), layout)
        except OSError as error:
            _remove(name)
            raise PoolError(
                f"the pool needs {layout.size_bytes / MIB:.0f} MiB of shared memory, {SHM_DIR} has "
                f"{free_bytes() / MIB:.0f} MiB free ({error.strerror}): enlarge it "
                f"(mount -o remount,size=... {SHM_DIR}) or make [pool] smaller"
            ) from error

    @classmethod
    def attach(cls, name: str, layout: Layout) -> Pool:
        """Attach to the supervisor's segment, in a child.

        `SharedMemory` would tell multiprocessing's resource tracker of it; if that tracker is gone, it would start
        another one, which removes the segment's name when the child exits.

        Raises: PoolError when it is not there or not of the layout's size.
        """
        try:
            mapped = _map(_find(name))
        except (OSError, ValueError) as error:  # ValueError: it has no bytes yet
            reason = error.strerror if isinstance(error, OSError) else error
            raise PoolError(f"shared memory {name} cannot be attached: {reason}") from error
        if (size_bytes := len(mapped)) < layout.size_bytes:
            mapped.close()
            raise PoolError(f"shared memory {name} has {size_bytes} bytes, expected {layout.size_bytes}")
        return cls(name, mapped, layout)

    def close(self) -> None:
        """Detach; no view may be open."""
        self._map.close()

    def unlink(self) -> None:
        """Remove the segment's name, if nobody else has; only its creator calls this."""
        _remove(self.name)

    @contextlib.contextmanager
    def view(self, span: Span) -> Iterator[memoryview]:
        """Lend a writable view of a section for the length of a `with` block."""
        if self._map.closed:
            raise PoolError(f"shared memory {self.name} is detached already")
        with memoryview(self._map) as whole, whole[span.offset : span.end] as view:
            yield view

    def encoded(self, slot: int) -> contextlib.AbstractContextManager[memoryview]:
        """Lend the section of encoded pictures of a slot."""
        return self.view(self.slots[slot].encoded)

    def frame(self, slot: int) -> contextlib.AbstractContextManager[memoryview]:
        """Lend the section of the decoded frame of a slot."""
        return self.view(self.slots[slot].frame)

    def write_record(self, slot: int, block: bytes) -> None:
        """Put an encoded record into a slot.

        Raises: ProtocolError when it is too large.
        """
        self._write(self.slots[slot].record, block, RECORD_BYTES)

    def read_record(self, slot: int) -> bytes:
        """Copy a slot's encoded record.

        Raises: ProtocolError when its length is impossible.
        """
        return self._read(self.slots[slot].record, RECORD_BYTES)

    def write_refusal(self, slot: int, reason: str) -> None:
        """Say beside the record of a mail why it was not kept; what is too long is cut."""
        block = reason[:REASON_CHARS].encode("utf-8", "replace")
        self._write(self.slots[slot].refusal, block, REFUSAL_BYTES - LENGTH_BYTES)

    def read_refusal(self, slot: int) -> str:
        """Return what `write_refusal` left, "" when there is nothing of the kind."""
        try:
            block = self._read(self.slots[slot].refusal, REFUSAL_BYTES - LENGTH_BYTES)
        except ProtocolError:
            return ""
        return block.decode("utf-8", "replace")[:REASON_CHARS]

    def _write(self, span: Span, block: bytes, limit_bytes: int) -> None:
        if len(block) > limit_bytes:
            raise ProtocolError(f"a record of {len(block)} bytes exceeds the slot's {limit_bytes}")
        with self.view(span) as view:
            view[:LENGTH_BYTES] = len(block).to_bytes(LENGTH_BYTES, "little")
            view[LENGTH_BYTES : LENGTH_BYTES + len(block)] = block

    def _read(self, span: Span, limit_bytes: int) -> bytes:
        with self.view(span) as view:
            length = int.from_bytes(view[:LENGTH_BYTES], "little")
            if length > limit_bytes:
                raise ProtocolError(f"a record of {length} bytes exceeds the slot's {limit_bytes}")
            return bytes(view[LENGTH_BYTES : LENGTH_BYTES + length])


def _map(path: Path, allocate_bytes: int = 0) -> mmap.mmap:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if allocate_bytes:
            os.posix_fallocate(file, 0, allocate_bytes)
        return mmap.mmap(file, 0)
    finally:
        os.close(file)


def _find(name: str) -> Path:
    """Return the path of a segment: by its name, or through its creator's descriptor when the name is gone.

    The name may be removed by hand, or by systemd-logind when a user logs out (RemoveIPC); the supervisor's mapping
    holds the memory. Source: proc(5), /proc/pid/fd; the link of a removed file ends in " (deleted)".
    """
    path = SHM_DIR / name
    if not path.exists():
        for descriptor in Path(f"/proc/{os.getppid()}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                if os.readlink(descriptor) == f"{path} (deleted)":
                    return descriptor
    return path


def _remove(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        (SHM_DIR / name).unlink()
    resource_tracker.unregister(f"/{name}", "shared_memory")


def free_bytes() -> int:
    """Return how much shared memory the system has left."""
    found = os.statvfs(SHM_DIR)
    return found.f_bavail * found.f_frsize


def remove_stale(prefix: str) -> list[str]:
    """Remove the segments that a killed run of this instance left; the caller holds the instance's lock.

    Returns: The names removed.
    """
    names = [path.name for path in SHM_DIR.glob(f"{prefix}-*")]
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            (SHM_DIR / name).unlink()
    return names


def stop_tracker() -> None:
    """End multiprocessing's resource tracker, if there is one and nothing is left for it to watch.

    The next program of this process starts its own; the old one would stay a zombie of it.
    """
    with contextlib.suppress(AttributeError, ChildProcessError):  # it is private: without it there is one zombie more
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
