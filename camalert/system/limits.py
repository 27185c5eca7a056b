"""What the system grants this process: cores, memory and open files, within the limits of its container or unit.

Source: cgroups(7); cpu.max and memory.max in the kernel's Documentation/admin-guide/cgroup-v2.rst, cpu.cfs_quota_us in
scheduler/sched-bwc.rst, memory.limit_in_bytes in admin-guide/cgroup-v1/memory.rst; getrlimit(2).
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from camalert.errors import CamalertError

ROOT = Path("/")
# A process has 10 to 20 files open (measured); the rest is for what is open for a moment: during a start, and
# connections that are over and wait for their client to notice.
BASE_FILES = 72
CHILD_FILES = 3  # what the supervisor keeps open of each: its channel, and both pipes of multiprocessing


def cores(root: Path = ROOT) -> int:
    """Return how many cores' worth of time this process may use, rounded up: affinity and every quota above it."""
    shares = [float(len(os.sched_getaffinity(0)))]
    for folder in _groups(root, "cpu"):
        quota, period = _numbers(folder / "cpu.max") or (
            *_numbers(folder / "cpu.cfs_quota_us"),
            *_numbers(folder / "cpu.cfs_period_us"),
        ) or (0, 0)  # fmt: skip
        if quota > 0 and period > 0:
            shares.append(quota / period)
    return max(1, math.ceil(min(shares)))


def memory_bytes(root: Path = ROOT) -> int:
    """Return how much memory this process may use: the machine's, and every limit above it."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [limit for limit in _numbers(folder / name) if limit > 0]
    return min(limits)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Return the folders of this process's control groups that may hold limits of a controller, and those above."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        for base in (mounts / controllers, mounts / controller) if controllers else (mounts, mounts / "unified"):
            # In a container the path may be that of the host, which is not there: then the mount itself is the group.
            relative = Path(path.lstrip("/"))
            for folder in (relative, *relative.parents):
                if ".." not in folder.parts:
                    yield base / folder


def _numbers(file: Path) -> tuple[int, ...]:
    """Return the whole numbers of a file's one line; none when it is not there or says "max"."""
    try:
        return tuple(int(word) for word in file.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return ()


def open_standard_streams() -> None:
    """Put /dev/null in the place of a standard stream that this program was started without (`2>&-`).

    Otherwise log lines end up in whatever file takes its number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number, which is this one
    # Python has none of its own then; the type checker believes that there always is one.
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


class OomScore:
    """What the kernel takes this process for when memory runs out; a process that is started inherits it.

    The file is kept open: later this process may not write in /proc. Source: proc(5), /proc/pid/oom_score_adj; only
    lowering the score below what it was at first takes privileges.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        with contextlib.suppress(OSError):  # a container may forbid it; the kernel then chooses by size alone
            self._file = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)

    @contextlib.contextmanager
    def at_least(self, score: int) -> Iterator[None]:
        """Have this score (0 to 1000), or a higher own one, for the length of a `with` block."""
        if self._file is None:
            yield
            return
        own = int(os.pread(self._file, 16, 0))
        self._write(max(own, score))
        try:
            yield
        finally:
            self._write(own)

    def _write(self, score: int) -> None:
        with contextlib.suppress(OSError):
            os.pwrite(self._file or -1, str(score).encode(), 0)


def claim_files(children: int, sockets: int, connections: int) -> None:
    """Raise this process's limit of open files to what a run needs, if it is lower; children inherit it.

    Args:
        children: How many processes are started.
        sockets: How many ports are listened on.
        connections: How many clients may be served at once; fewer do, when the system allows no more.
    Raises: CamalertError when not even the children can be served.
    """
    needed = BASE_FILES + CHILD_FILES * children + sockets
    wanted = needed + connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if limit < needed:
        raise CamalertError(
            f"a run with {children} processes needs {needed} open files, and the system allows {limit}: raise "
            "LimitNOFILE in the unit, or `ulimit -n` where camalert is started"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
