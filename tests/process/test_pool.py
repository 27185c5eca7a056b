"""The pool between real processes: what happens when its name or its tracker goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from camalert.errors import PoolError
from camalert.ipc.layout import Layout
from camalert.ipc.pool import SHM_DIR, Pool

LAYOUT = Layout(
    intake_slots=1,
    intake_slot_bytes=4096,
    frame_slots=1,
    picture_bytes=4096,
    frame_bytes=4096,
    largest_bytes=8192,
)
CHILD = f"""
import sys
from multiprocessing import resource_tracker
from camalert.ipc.pool import Pool
from camalert.ipc.layout import Layout
pool = Pool.attach(sys.argv[1], {LAYOUT!r})
pool.write_record(0, pool.read_record(0).upper())
assert resource_tracker._resource_tracker._pid is None
"""


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Return a pool that this process created."""
    made = Pool.create(f"camalert-test-pool-{os.getpid()}", LAYOUT)
    yield made
    made.close()
    made.unlink()


def attach(name: str) -> subprocess.CompletedProcess[str]:
    """Attach in a child, which answers in the first slot."""
    return subprocess.run([sys.executable, "-c", CHILD, name], check=False, capture_output=True, text=True, timeout=60)


def test_child_attaches_without_a_tracker_of_its_own(pool: Pool) -> None:
    """The tracker of a child would remove the segment's name at the child's end."""
    pool.write_record(0, b"record")

    assert attach(pool.name).stderr == ""
    assert pool.read_record(0) == b"RECORD"
    assert (SHM_DIR / pool.name).exists()


def test_child_attaches_although_the_name_was_removed(pool: Pool) -> None:
    """What `rm` or a logout removes is only the name: children that start later find the memory all the same."""
    pool.write_record(0, b"record")
    (SHM_DIR / pool.name).unlink()

    assert attach(pool.name).stderr == ""
    assert pool.read_record(0) == b"RECORD"


def test_attach_to_nothing_is_an_error_in_words() -> None:
    """A segment that nobody made or holds."""
    with pytest.raises(PoolError, match="cannot be attached"):
        Pool.attach("camalert-test-nothing", LAYOUT)


def test_attach_to_an_empty_segment_is_an_error_in_words() -> None:
    """A name whose memory is not there yet."""
    name = f"camalert-test-empty-{os.getpid()}"
    (SHM_DIR / name).touch()
    try:
        with pytest.raises(PoolError, match="cannot be attached"):
            Pool.attach(name, LAYOUT)
    finally:
        (SHM_DIR / name).unlink()


@pytest.mark.parametrize("spare", range(5))
def test_create_without_descriptors_leaves_no_segment(spare: int) -> None:
    """Wherever the descriptors run out: an error in words, and nothing in /dev/shm."""
    name = f"camalert-test-full-{os.getpid()}"
    code = f"""
import os, resource
from camalert.errors import PoolError
from camalert.ipc.pool import Pool
from camalert.ipc.layout import Layout
limit = max(map(int, os.listdir("/proc/self/fd"))) + {spare}
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
try:
    pool = Pool.create({name!r}, {LAYOUT!r})
except PoolError:
    os._exit(1)
pool.close()
pool.unlink()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)

    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert not (SHM_DIR / name).exists()
