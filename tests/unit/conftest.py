"""Fixtures of the unit tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# pytest --hypothesis-profile=hundredfold tests/unit/test_x.py: 100 times the examples, now and then.
settings.register_profile(
    "hundredfold", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Show what a test left open as that test's fault.

    Warnings are errors, but an object in a cycle warns whenever the collector comes by, which may be many tests later,
    in a test that has nothing to do with it. A connection to SQLite warns from Python 3.13 on.
    """
    gc.freeze()  # what was there before is not looked at: with all libraries loaded, that takes 0.2 s
    yield
    gc.collect()
