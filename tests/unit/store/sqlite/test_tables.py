"""Moments as the tables' text."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from camalert.store.rows.tables import day_of, timestamp_of


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the machine into a time zone with summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("utc_s", "local"),
    [
        (1_774_745_999.0, "2026-03-29 01:59:59"),
        (1_774_746_000.0, "2026-03-29 03:00:00"),
        (1_792_886_400.0, "2026-10-25 02:00:00"),
        (1_792_890_000.0, "2026-10-25 02:00:00"),
        (0.0, "1970-01-01 01:00:00"),
    ],
)
def test_text_follows_summer_time(berlin: None, utc_s: float, local: str) -> None:
    """The hour that is missing is skipped, the one that comes twice is written twice."""
    assert timestamp_of(utc_s, "local") == local


@pytest.mark.parametrize("utc_s", [-1e18, 1e18, float("inf"), float("nan"), -62_135_596_801.0])
def test_text_of_a_moment_that_no_calendar_holds_is_1970(utc_s: float) -> None:
    """A clock that went mad ends nothing."""
    assert day_of(utc_s, "utc") == "1970-01-01"
