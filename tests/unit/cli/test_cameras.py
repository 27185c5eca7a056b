"""`camalert cameras`: what it lists and says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.config.schema import Config
from camalert.config.schema import Database as Settings
from camalert.ipc.records import MailRecord, PictureRecord
from camalert.status import model as status
from camalert.store.rows.alerts import Intake
from camalert.store.sqlite.database import Database


@pytest.fixture
def configured(tmp_path: Path) -> str:
    """Make a configuration and a database in which three cameras have mailed."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[service]\nrun_dir = "run"\n[database]\npath = "alerts.sqlite3"\n[[camera]]\nname = "gate"\n'
        '[[notify]]\nname = "phone"\nurl = "ntfy://ntfy.example/word"\ncameras = ["garage"]\n'
    )
    (tmp_path / "run").mkdir()
    database = Database(Settings(path=str(tmp_path / "alerts.sqlite3")))
    database.open()
    for number, camera in enumerate(("Garage", "10.0.0.5", "gate")):
        record = MailRecord(1_782_900_000.0 + number, camera=camera, pictures=(PictureRecord(0, 3, "jpeg"),))
        mail_id = number.to_bytes(16, "big")
        database.write(
            lambda connection, mail_id=mail_id, record=record: Intake(Config()).store(
                connection, mail_id, record, memoryview(b"abc")
            )
        )
    database.close()
    return str(file)


def call(configured: str, *words: str) -> int:
    return main(["cameras", *words, "--config", configured])


def test_cameras_are_listed_with_the_names_they_had(configured: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The list is what a bare `camalert cameras` prints."""
    assert call(configured, "rename", "10.0.0.5", "Back yard") == 0
    assert call(configured, "merge", "garage", "into", "back  YARD") == 0
    capsys.readouterr()
    assert call(configured) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Back yard: 2 mails", "gate: 1 mail"]
    assert lines[0].endswith("calls itself 10.0.0.5, garage")


def test_cameras_rename_says_what_follows_and_what_does_not(
    configured: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many pictures, and the target whose pattern does not fit any more."""
    assert call(configured, "rename", "garage", "Shed") == 0
    said = capsys.readouterr().out
    assert "garage is called Shed from now on, in 1 stored picture too" in said
    assert "`cameras` of the target phone names garage: write Shed there, and reload" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rename", "garrage", "x"), "there is no camera garrage; did you mean Garage?"),
        (("rename", "garage"), "write `camalert cameras rename OLD NEW`, with quotes around a name that has blanks"),
        (("rename", "back", "yard", "x"), "with quotes around"),
        (("rename", "gate", "x"), "first change it there to x and reload"),
        (("merge", "garage", "x"), "there is no camera x"),
        (("merge", "garage", "GARAGE"), "are the same camera already"),
        (("forget", "Gate"), "has a [[camera]] block in the configuration: first remove it and reload"),
        (("forget", "garrage"), "did you mean Garage?"),
    ],
)
def test_cameras_says_why_not(
    configured: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """One sentence, and exit code 1."""
    assert call(configured, *words) == 1
    assert said in capsys.readouterr().err


def test_cameras_forgets_also_what_only_the_status_knows(configured: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A client that never delivered a mail is no row of the database."""
    cameras = (status.CameraStatus("10.0.0.77", 1.0, 0.0),)
    folder = Path(configured).parent / "run"
    status.write(folder, status.Status("1.0", os.getpid(), 1.0, 1.0, "running", 1.0, cameras=cameras))
    assert call(configured, "forget", "10.0.0.77") == 0
    assert call(configured, "forget", "garage") == 0
    assert "garage is forgotten until its next mail" in capsys.readouterr().out
    assert call(configured, "forget", "garage") == 1


def test_cameras_of_an_empty_house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No database yet is said, and none is made."""
    (tmp_path / "config.toml").write_text('[database]\npath = "alerts.sqlite3"\n')
    assert call(str(tmp_path / "config.toml")) == 1
    assert "alerts.sqlite3" in capsys.readouterr().err
    assert not (tmp_path / "alerts.sqlite3").exists()
