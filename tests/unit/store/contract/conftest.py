"""Every test here is about each store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testing.stores import Node, Place, PostgresqlPlace, SqlitePlace


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a place without any tables yet."""
    if request.param == "postgresql":
        return PostgresqlPlace(request.getfixturevalue("postgresql_server"))
    return SqlitePlace(tmp_path)


@pytest.fixture
def make_node(place: Place) -> Iterator[Callable[..., Node]]:
    """Make nodes of one database; their stores are closed when the test is over."""
    made: list[Node] = []

    def make(**settings: Any) -> Node:
        store = place.store(**settings)
        store.open()
        made.append(Node(store))
        return made[-1]

    yield make
    for node in made:
        node.store.close()


@pytest.fixture
def node(make_node: Callable[..., Node]) -> Node:
    """Return one node."""
    return make_node()
