"""What the writer tells without being asked."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from camalert.config import Database as Settings
from camalert.messages import Counted, Message, Noted
from camalert.store.database import Database
from camalert.store.news import COUNT_EVERY_S, News

NOON_UTC = 1_782_900_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(path=str(tmp_path / "alerts.sqlite3"))


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with contextlib.closing(Database(settings)) as opened:
        opened.open()
        yield opened


def add_camera(database: Database, name: str) -> None:
    columns = "(name, first_seen_utc, last_seen_utc, last_kind, last_peer, mails, alerts, detections)"
    database.write(
        lambda found: found.execute(f"INSERT INTO camalert_camera {columns} VALUES (?, 1, 2, '', '', 1, 1, 0)", (name,))
    )


def cameras(told: list[Message]) -> list[str]:
    return [json.loads(note.text)["camera"] for note in told if isinstance(note, Noted)]


def test_cameras_are_told_once_of_each_database(settings: Settings, database: Database, tmp_path: Path) -> None:
    """The status hears of them when the writer begins, and again when another file lies in the database's place."""
    add_camera(database, "gate")
    with contextlib.closing(Database(Settings(path=str(tmp_path / "other.sqlite3")))) as other:
        other.open()
        add_camera(other, "garage")
    told: list[Message] = []
    news = News(settings, database, told.append)

    news.tell_cameras()
    news.tell_cameras()
    assert cameras(told) == ["gate"]

    os.replace(tmp_path / "other.sqlite3", settings.path)
    database.read(lambda found: found.execute("SELECT 1").fetchone())  # which opens the new one
    news.tell_cameras()
    news.tell_cameras()
    assert cameras(told) == ["gate", "garage"]


def test_figures_are_told_when_they_change_at_most_once_a_second(settings: Settings, database: Database) -> None:
    """A quiet house costs the supervisor nothing, a burst one message a second."""
    told: list[Message] = []
    news = News(settings, database, told.append)

    news.tell_figures(10.0, NOON_UTC)
    database.write(lambda found: found.execute("INSERT INTO camalert_pending VALUES (1, 0, 1)"))
    news.tell_figures(10.0 + COUNT_EVERY_S / 2, NOON_UTC)
    assert told == [Counted(0, 0, 0)]

    news.tell_figures(10.0 + COUNT_EVERY_S, NOON_UTC)
    news.tell_figures(10.0 + 2 * COUNT_EVERY_S, NOON_UTC)
    assert told == [Counted(0, 0, 0), Counted(1, 0, 0)]
