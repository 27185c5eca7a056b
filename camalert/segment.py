"""Segments: named shared memory, and how a process gets at it.

Mechanism: the supervisor creates one and removes its name; children attach. Creation goes by multiprocessing, whose
resource tracker removes the name when the supervisor is killed.

Source: shm_overview(7); CPython's multiprocessing.shared_memory.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from typing import Protocol

from camalert.errors import PoolError

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


def create(name: str, size_bytes: int) -> Segment:
    """Create a segment and allocate all of its memory at once; the caller holds the instance's lock.

    Raises: PoolError when it exists already or the memory is not there. Without the allocation a full /dev/shm would be
        a bus error at the first write, in any process.

    Source: posix_fallocate(3); python/cpython#114390.
    """
    try:
        segment = shared_memory.SharedMemory(name, create=True, size=size_bytes)
    except FileExistsError as error:
        raise PoolError(f"shared memory {name} exists already; is another camalert running?") from error
    except OSError as error:
        # Without a process or a descriptor for the tracker it is there already. If not, then nothing is there: under
        # the instance's lock nobody else makes a segment of this name, and what an earlier run left was swept.
        with contextlib.suppress(OSError):
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
        remove(name)
        raise PoolError(
            f"the pool needs {size_bytes / MIB:.0f} MiB of shared memory, {SHM_DIR} has "
            f"{free_bytes() / MIB:.0f} MiB free ({error.strerror}): enlarge it "
            f"(mount -o remount,size=... {SHM_DIR}) or make [pool] smaller"
        ) from error
    return segment


def remove(name: str) -> None:
    """Remove the name of a segment, if nobody else has; only its creator calls this."""
    with contextlib.suppress(FileNotFoundError):
        (SHM_DIR / name).unlink()
    resource_tracker.unregister(f"/{name}", "shared_memory")


class Attached:
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
        """Detach it; no view may be open."""
        if self.buf is not None:
            self.buf.release()
            self.buf = None
            self._map.close()


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
