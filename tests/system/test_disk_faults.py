"""Any single call to the disk fails, then the power: every mail that had its 250 is there, in both journal modes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from testing import disk, diskmatrix

CELLS = 24  # half a minute on a quiet machine; `tests/diskfaults.py` does all
LAST = 60  # calls of a kind: the start, three mails, the first checkpoint


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the compiled library that records calls and lets one fail."""
    found = disk.build(tmp_path_factory.mktemp("library"))
    if found is None:
        pytest.skip("there is no C compiler")
    return found


def test_acknowledged_mails_survive_any_single_failed_call_and_a_power_cut(library: Path, tmp_path: Path) -> None:
    """Write, sync, truncate, unlink or open; with EIO, a full disk, a short write; the writer killed then or not."""
    chosen = random.Random(7).sample(list(diskmatrix.cells(1, LAST)), CELLS)

    problems, cuts = diskmatrix.run(chosen, library, tmp_path)

    assert problems == []
    assert cuts > 1000
