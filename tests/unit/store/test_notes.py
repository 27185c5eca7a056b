"""What the writer tells without being asked, and what the database remembers of its cameras."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from camalert.config.schema import Database as Settings
from camalert.ipc.messages import NOTE_BYTES, Counted, Message, Noted
from camalert.ipc.records import NoteRecord
from camalert.store.notes import COUNT_EVERY_S, MOST_CAMERAS, Notes, last_seen, shared_words, words_shared
from camalert.store.sqlite.database import Database

COLUMNS = "(name, first_seen_utc, last_seen_utc, last_kind, last_peer, mails, alerts, detections)"
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
    database.write(
        lambda found: found.execute(f"INSERT INTO camalert_camera {COLUMNS} VALUES (?, 1, 2, '', '', 1, 1, 0)", (name,))
    )


def cameras(told: list[Message]) -> list[str]:
    found = [json.loads(note.text) for note in told if isinstance(note, Noted)]
    return [note["camera"] for note in found if note["event"] == "camera_known"]


def test_cameras_are_told_once_of_each_database(settings: Settings, database: Database, tmp_path: Path) -> None:
    """The status hears of them when the writer begins, and again when another file lies in the database's place."""
    add_camera(database, "gate")
    with contextlib.closing(Database(Settings(path=str(tmp_path / "other.sqlite3")))) as other:
        other.open()
        add_camera(other, "garage")
    told: list[Message] = []
    notes = Notes(settings, database, told.append)

    notes.post_cameras()
    notes.post_cameras()
    assert cameras(told) == ["gate"]

    os.replace(tmp_path / "other.sqlite3", settings.path)
    database.read(lambda found: found.execute("SELECT 1").fetchone())  # which opens the new one
    notes.post_cameras()
    notes.post_cameras()
    assert cameras(told) == ["gate", "garage"]


def test_figures_are_told_when_they_change_at_most_once_a_second(settings: Settings, database: Database) -> None:
    """A quiet house costs the supervisor nothing, a burst one message a second."""
    told: list[Message] = []
    notes = Notes(settings, database, told.append)

    notes.post_figures(10.0, NOON_UTC)
    database.write(lambda found: found.execute("INSERT INTO camalert_pending VALUES (1, 0, 1)"))
    notes.post_figures(10.0 + COUNT_EVERY_S / 2, NOON_UTC)
    assert told == [Counted(0, 0, 0, 0)]

    notes.post_figures(10.0 + COUNT_EVERY_S, NOON_UTC)
    notes.post_figures(10.0 + 2 * COUNT_EVERY_S, NOON_UTC)
    assert told == [Counted(0, 0, 0, 0), Counted(1, 0, 0, 0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a database that heard two cameras, one with a picture, and one without a name."""
    file = tmp_path / "alerts.sqlite3"
    with contextlib.closing(Database(Settings(path=str(file)))) as database:
        database.open()
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        for name, first, last, peer, mails in (
            ("Old", 0.5, 1.0, "a", 7),
            ("new", 1.5, 2.0, "b", 1),
            ("", 1, 3, "c", 1),
        ):
            connection.execute(
                f"INSERT INTO camalert_camera {COLUMNS} VALUES (?, ?, ?, '', ?, ?, 1, 0)",
                (name, first, last, peer, mails),
            )
        for number, received_utc in ((1, 0.7), (2, 0.9)):
            connection.execute(
                "INSERT INTO alerts_alert (id, subject, timestamp, snapshot) VALUES (?, 's', ?, x'')",
                (number, str(number)),
            )
            connection.execute(
                "UPDATE camalert_alert SET camera = 'Old', received_utc = ? WHERE alert_id = ?", (received_utc, number)
            )
    return file


def test_last_seen_lists_named_cameras_latest_first(path: Path) -> None:
    """The status learns from it who was there before a reboot, from where, and with which last picture."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = last_seen(connection)

    assert [note.camera for note in found] == ["new", "Old"]
    assert found[1] == NoteRecord(
        "camera_known", camera="Old", peer="a", mails=7, first_utc=0.5, seen_utc=1.0, picture_utc=0.9
    )
    assert found[0].picture_utc is None


def test_invented_names_make_no_silent_camera_unknown(path: Path) -> None:
    """One that was cut off, and whose place hundreds of names took over, is still missed after a reboot."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE camalert_camera SET mails = 20 WHERE name = 'Old'")
        connection.executemany(
            f"INSERT INTO camalert_camera {COLUMNS} VALUES (?, 2.5, 3.0, '', 'burglar', 19, 1, 0)",
            [(f"invented {number}",) for number in range(MOST_CAMERAS)],
        )
        found = last_seen(connection)

    assert len(found) == MOST_CAMERAS
    assert found[0].camera == "Old"


def test_shared_words_are_read_from_the_latest_mails(tmp_path: Path) -> None:
    """Which word names nobody is learned from the mails that are kept: named ones, and those told apart by address."""
    file = tmp_path / "alerts.sqlite3"
    with contextlib.closing(Database(Settings(path=str(file)))) as database:
        database.open()
    mails = [
        ("10.0.0.1", "me@x", "anna@x", "Garage"), ("10.0.0.2", "me@x", "anna@x", "Yard"),
        ("10.0.0.1", "shed@x", "shed@x", "shed"),
        *((f"10.0.0.{4 + turn % 2}", "bob@x", "bob@x", "bob") for turn in range(3)),
    ]  # fmt: skip
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        for number, (peer, sender, recipient, camera) in enumerate(mails):
            connection.execute(
                "INSERT INTO camalert_mail (mail_id, digest, received_utc, first_id, count, peer, helo, login, sender,"
                " recipients, subject, camera, event, camera_time, kind, unreadable, headers)"
                " VALUES (?, '', 0, 0, 0, ?, '', '', ?, ?, '', ?, '', '', 'alarm', '', '')",
                (str(number), peer, sender, json.dumps([recipient]), camera),
            )
        assert sorted(shared_words(connection)) == ["anna", "bob"]


def test_words_shared_fit_into_one_note() -> None:
    """However many words there are, the note of them has its size."""
    names = [f"camera-{number}" for number in range(256)]
    few, many = words_shared(["anna"], names), words_shared((f"word-{number}" for number in range(1000)), names)

    assert max(len(few.text), len(many.text)) <= NOTE_BYTES
    assert json.loads(many.text)["words"][-1] == "word-999"
    assert json.loads(few.text)["words"] == ["anna"]
    assert json.loads(few.text)["names"][0] == "camera-0"
