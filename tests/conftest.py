"""Fixtures of all groups of tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from testing import postgresql
from testing.service import ServiceUnderTest

# How long one example takes says more of the machine than of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


# Those first that wait for long, so that the short ones fill what is left of the cores at the end.
GROUPS = ("system", "systemd", "browser", "process", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups of tests in the order of what a file of them takes."""
    root = Path(__file__).parent
    place = {name: number for number, name in enumerate(GROUPS)}
    items.sort(key=lambda item: place.get(item.path.relative_to(root).parts[0], len(GROUPS)))


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Take back the umask that a command sets for its process, which is the tests' own here."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """Return a PostgreSQL server of the tests' own; where there is none to be had, what needs it is skipped."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -e '.[postgresql]'")
    if postgresql.programs() is None:
        pytest.skip("there is no PostgreSQL server here: apt-get install postgresql")
    server = postgresql.Server()
    yield server
    server.close()


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
