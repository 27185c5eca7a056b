"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testing.storerig import MakeRig, Rig


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    """Make writers over a database in the test's own folder; all are closed when the test is over."""
    made: list[Rig] = []

    def make(**settings: object) -> Rig:
        made.append(Rig(tmp_path, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """Return one with the usual settings."""
    return make_rig()
