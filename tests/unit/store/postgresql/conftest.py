"""A database of a throw-away server, and writers over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testing.postgresql import Server
from testing.storerig import Rig
from testing.stores import PostgresqlPlace


@pytest.fixture
def place(postgresql_server: Server) -> PostgresqlPlace:
    """Return a database without any tables yet."""
    return PostgresqlPlace(postgresql_server)


@pytest.fixture
def make_rig(place: PostgresqlPlace, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Make writers over the database."""
    made: list[Rig] = []

    def make(**settings: object) -> Rig:
        made.append(Rig(tmp_path, url=place.settings.url, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()
