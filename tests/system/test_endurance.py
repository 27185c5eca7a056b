"""The short forms of the tests that run as long as one likes: `tests/crash.py`, `tests/soak.py`, `tests/telling.py`."""

from __future__ import annotations

from pathlib import Path

import crash
import pytest
import soak
import telling
from testing.service import ServiceUnderTest


@pytest.mark.parametrize("seconds", [60, pytest.param(1800, marks=pytest.mark.full)])
def test_random_mails_under_random_blows_lose_nothing(tmp_path: Path, seconds: float) -> None:
    """Every acknowledged alarm is there once, byte for byte, examined or failed with a reason."""
    run = crash.Run(tmp_path / "service", seed=1)

    assert run.run(seconds) == []
    assert run.record.acknowledged > 0
    assert run.blows


@pytest.mark.parametrize("mails", [300, pytest.param(20_000, marks=pytest.mark.full)])
def test_many_mails_make_no_process_grow(tmp_path: Path, mails: int) -> None:
    """Memory, descriptors, shared memory and WAL are flat once the service is warm."""
    service = ServiceUnderTest(
        tmp_path / "service", database__keep_alerts=10_000_000, database__keep_detections=10_000_000
    )
    try:
        samples, problems = soak.soak(service, mails, seed=1)
    finally:
        service.close()

    assert problems == []
    assert len(samples) >= 3


@pytest.mark.parametrize("seconds", [30, pytest.param(1800, marks=pytest.mark.full)])
def test_each_visit_is_told_once_whoever_is_killed(tmp_path: Path, seconds: float) -> None:
    """None is lost, and what is repeated was on its way to a receiver when a process was killed."""
    run = telling.Run(tmp_path / "service", seed=1)

    assert run.run(seconds) == []
    assert run.sent > 0
    assert run.kills
