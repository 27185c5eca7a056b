"""When a copy of the database is made at night, and which ones give way."""

from __future__ import annotations

import datetime

import pytest

from camalert.review.copies import FIRST_S, Copy, is_due, too_many


def at(text: str) -> datetime.datetime:
    """Return a local time."""
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "newest", "expected"),
    [
        ("2026-11-29 03:00", "2026-11-28 03:04", True),
        ("2026-11-29 02:59", "2026-11-28 03:04", False),
        ("2026-11-29 09:00", "2026-11-29 03:01", False),
        ("2026-11-29 09:00", "2026-11-28 22:00", True),  # it was off at night
        ("2026-11-29 01:00", "2026-11-27 12:00", True),
        ("2026-11-29 09:00", "2030-01-01 00:00", True),  # a clock that was wrong
    ],
)
def test_copy_is_due_once_after_each_night(now: str, newest: str, expected: bool) -> None:
    """Also when the machine is off at night: then after its start."""
    assert is_due(at(now), at(newest), FIRST_S, 1) is expected


def test_first_copy_waits_and_none_is_made_when_none_is_kept() -> None:
    """A service that is only tried out leaves no copy behind."""
    now = at("2026-11-29 09:00")

    assert not is_due(now, None, FIRST_S - 1, 1)
    assert is_due(now, None, FIRST_S, 1)
    assert not is_due(now, at("2026-11-01 00:00"), FIRST_S, 0)


def test_oldest_copies_give_way() -> None:
    """Of database and settings each; the newest stays in any case."""
    files = [Copy(f"{kind}-2026-11-{day}-030000.{end}", at(f"2026-11-{day}"), 1)
             for day in (29, 28, 27) for kind, end in (("alerts", "sqlite3"), ("settings", "toml"))]  # fmt: skip

    assert too_many(files, 2) == ["alerts-2026-11-27-030000.sqlite3", "settings-2026-11-27-030000.toml"]
    assert len(too_many(files, 0)) == 4
    assert too_many(files, 9) == []
