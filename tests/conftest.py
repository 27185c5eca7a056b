"""Fixtures of all groups of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testing.service import ServiceUnderTest


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., ServiceUnderTest]]:
    """Make services that are ended, and checked for what they left, when the test is over."""
    made: list[ServiceUnderTest] = []

    def make(name: str = "service", **settings: object) -> ServiceUnderTest:
        made.append(ServiceUnderTest(tmp_path / name, **settings))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(make_service: Callable[..., ServiceUnderTest]) -> ServiceUnderTest:
    """Return a running service with the OpenCV engine and one detector."""
    return make_service().start()
