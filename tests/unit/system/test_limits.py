"""Open files, cores and memory: within the limits of a container or unit, and what is said when they are too low."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from camalert.errors import CamalertError
from camalert.system import limits

NEEDED = limits.BASE_FILES + 4 * limits.CHILD_FILES + 1
INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (1024, 4096)),  # enough
        ((64, 4096), (NEEDED + 100, 4096)),  # raised to what is wanted
        ((64, INFINITE), (NEEDED + 100, INFINITE)),
        ((64, NEEDED + 10), (NEEDED + 10, NEEDED + 10)),  # fewer clients at once
        ((INFINITE, INFINITE), (INFINITE, INFINITE)),
    ],
)
def test_claim_raises_a_limit_that_is_too_low(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """The soft limit follows what the run needs, as far as the hard one allows; the hard one stays."""
    granted = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _: granted[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: granted.append(wanted))

    limits.claim_files(children=4, sockets=1, connections=100)

    assert granted[-1] == after


def test_claim_without_room_for_the_children_says_what_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words hold what is needed, what is allowed, and where to change it."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (NEEDED - 1, NEEDED - 1))

    with pytest.raises(CamalertError, match=rf"needs {NEEDED} open files.* allows {NEEDED - 1}: raise LimitNOFILE"):
        limits.claim_files(children=4, sockets=1, connections=100)


CORES = len(os.sched_getaffinity(0))
MEMORY_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def build(root: Path, files: dict[str, str]) -> Path:
    """Write the kernel's files under a root of our own."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


V2 = {"proc/self/cgroup": "0::/system.slice/camalert.service\n"}
V1 = {"proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, CORES),
        (V2, CORES),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/cpu.max": "max 100000\n"}, CORES),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/cpu.max": "100000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/cpu.max": "20000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/system.slice/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "90000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "90000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/cpu.max": "6400000 100000\n"}, CORES),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
               "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, CORES),
        (V1 | {"sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "100000\n",
               "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 1),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "30000\n",
               "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/cpu.max": "nonsense"}, CORES),
    ],
)  # fmt: skip
def test_cores_are_those_that_the_process_may_use(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    """`docker --cpus 2` on a large machine starts no 63 detectors; CPUQuota of the unit counts as well."""
    assert limits.cores(build(tmp_path, files)) == cores


@pytest.mark.parametrize(
    ("files", "memory_bytes"),
    [
        ({}, MEMORY_BYTES),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/memory.max": "max\n"}, MEMORY_BYTES),
        (V2 | {"sys/fs/cgroup/system.slice/camalert.service/memory.max": "100000000\n"}, 100_000_000),
        (V2 | {"sys/fs/cgroup/system.slice/memory.max": "90000000\n",
               "sys/fs/cgroup/system.slice/camalert.service/memory.max": "100000000\n"}, 90_000_000),
        (V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": "80000000\n"}, 80_000_000),
        (V1 | {"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": f"{(1 << 63) - 4096}\n"}, MEMORY_BYTES),
    ],
)  # fmt: skip
def test_memory_is_what_the_process_may_use(tmp_path: Path, files: dict[str, str], memory_bytes: int) -> None:
    """The pool is measured against the container's memory, not the machine's."""
    assert limits.memory_bytes(build(tmp_path, files)) == memory_bytes


def test_this_machine_has_cores_and_memory() -> None:
    """Whatever runs the tests."""
    assert 1 <= limits.cores() <= CORES
    assert 0 < limits.memory_bytes() <= MEMORY_BYTES


def test_oom_score_is_passed_on_and_taken_back() -> None:
    """A process that is started in the block has the higher score, and this one its own again."""
    own = int(Path("/proc/self/oom_score_adj").read_text())
    score = limits.OomScore()

    with score.at_least(max(own, 600)):
        started = subprocess.run(["cat", "/proc/self/oom_score_adj"], capture_output=True, text=True, check=True)
    with score.at_least(0):
        assert int(Path("/proc/self/oom_score_adj").read_text()) == own

    assert int(started.stdout) == max(own, 600)
    assert int(Path("/proc/self/oom_score_adj").read_text()) == own
