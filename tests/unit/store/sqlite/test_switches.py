"""Switches: armed, snoozed, at home."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from camalert.errors import StoreRefused
from camalert.ipc.records import SwitchRecord
from camalert.store.rows import switches
from camalert.store.sqlite import schema
from camalert.visits.policy import Switches

NOW = 1_782_900_000.0


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    found = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(found, schema.Limits(100, 100), NOW)
    yield found
    found.close()


def test_nothing_is_switched_at_first(db: sqlite3.Connection) -> None:
    """All cameras are armed, and nobody is at home."""
    assert switches.read(db, NOW) == Switches()


def test_what_is_said_of_all_forgets_what_was_said_of_one(db: sqlite3.Connection) -> None:
    """Whoever disarms all means all."""
    switches.put(db, SwitchRecord("armed", "Garage", "on", None, "anna"), NOW)
    switches.put(db, SwitchRecord("armed", "", "off", None, "anna"), NOW)
    assert not switches.read(db, NOW).is_armed("garage")

    switches.put(db, SwitchRecord("armed", " GARAGE ", "on", None, "anna"), NOW)
    assert switches.read(db, NOW).is_armed("garage")
    assert not switches.read(db, NOW).is_armed("door")


def test_snooze_ends_by_itself_or_when_it_is_ended(db: sqlite3.Connection) -> None:
    """And it is known who began it."""
    switches.put(db, SwitchRecord("snooze", "garage", "", NOW + 60, "anna"), NOW)
    switches.put(db, SwitchRecord("snooze", "door", "", NOW + 60, "ben"), NOW)
    switches.put(db, SwitchRecord("snooze", "door", "", None, "ben"), NOW)

    assert switches.read(db, NOW).snoozed == {"garage": (NOW + 60, "anna")}
    assert switches.read(db, NOW + 60).snoozed == {}


def test_presence_is_one_for_all(db: sqlite3.Connection) -> None:
    """Home is not a camera's."""
    switches.put(db, SwitchRecord("presence", "garage", "home", None, ""), NOW)

    assert switches.read(db, NOW).presence == "home"


def test_switches_are_bounded_and_values_are_checked(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command from a broker names what it likes."""
    monkeypatch.setattr(switches, "MOST", 3)
    for number in range(3):
        switches.put(db, SwitchRecord("armed", f"camera {number}", "off", None, ""), NOW)
    switches.put(db, SwitchRecord("armed", "camera 2", "on", None, ""), NOW)

    with pytest.raises(StoreRefused, match="3 switches"):
        switches.put(db, SwitchRecord("armed", "camera 3", "off", None, ""), NOW)
    for kind, value in (("armed", "maybe"), ("presence", "on"), ("doors", "open")):
        with pytest.raises(StoreRefused, match=kind):
            switches.put(db, SwitchRecord(kind, "", value, None, ""), NOW)
