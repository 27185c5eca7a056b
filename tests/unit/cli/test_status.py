"""`camalert status` against a run directory."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.config.schema import Database as Settings
from camalert.ipc.records import SwitchRecord
from camalert.status import model as status
from camalert.store.sqlite import switching
from camalert.store.sqlite.database import Database


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """Make a configuration whose run directory is empty."""
    file = tmp_path / "config.toml"
    file.write_text('[service]\nrun_dir = "run"\n[database]\npath = "alerts.sqlite3"\n')
    (tmp_path / "run").mkdir()
    return file


def test_status_without_service_says_so(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody there is exit code 3 and a line that says what to look at."""
    code = main(["status", "--config", str(configured)])

    assert code == 3
    assert "camalert does not run, or with another run_dir" in capsys.readouterr().err


def test_status_of_running_service_is_readable_and_json(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A running service is exit code 0, in words and as JSON, with or without a database."""
    now_utc = time.time()
    shown = status.Status("1.0", os.getpid(), now_utc, now_utc, "running", now_utc)
    status.write(configured.parent / "run", shown)

    code = main(["status", "--config", str(configured)])
    text = capsys.readouterr().out
    json_code = main(["status", "--json", "--config", str(configured)])
    facts = json.loads(capsys.readouterr().out)

    assert (code, json_code) == (0, 0)
    assert "Running for 0 seconds" in text
    assert "latest alarms: there is no database" in text
    assert (facts["health"], facts["pid"]) == ("good", os.getpid())


def test_status_says_what_the_database_keeps(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many of how many rows, and how large the database may become on its disk."""
    now_utc = time.time()
    shown = status.Status("1.0", os.getpid(), now_utc, now_utc, "running", now_utc)
    status.write(configured.parent / "run", shown)
    database = Database(Settings(path=str(configured.parent / "alerts.sqlite3")))
    database.open()
    database.close()

    code = main(["status", "--config", str(configured)])
    text = capsys.readouterr().out

    assert code == 0
    assert "alarms: 0 of at most 1000" in text
    assert re.search(r"0 MiB of at most \d+ MiB", text)


def test_status_says_how_each_target_fares_and_what_is_switched(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Last success, last error, what waits; disarmed and snoozed, with who did it. Never where a target is."""
    now_utc = time.time()
    status.write(configured.parent / "run", status.Status("1.0", os.getpid(), now_utc, now_utc, "running", now_utc))
    blocks = "".join(f'[[notify]]\nname = "{name}"\nurl = "ntfy://ntfy.example/word"\n' for name in ("phone", "door"))
    configured.write_text(configured.read_text() + blocks)
    path = configured.parent / "alerts.sqlite3"
    database = Database(Settings(path=str(path)))
    database.open()
    row = (
        "INSERT INTO camalert_outbox (key, target, event, camera, known_as, visit, alert, at_utc, created_utc, due_utc,"
        " tries, state, reason, priority, score, message, sent_utc)"
        " VALUES (?, 'phone', 'visit', '', '', 1, 1, 0, 0, NULL, 1, ?, ?, 'normal', 0, '', ?)"
    )
    database.write(lambda found: found.execute(row, ("a", "sent", "", 1_795_000_000.0)))
    database.write(lambda found: found.execute(row, ("b", "waiting", "connection refused", None)))
    database.close()
    switching.change(path, SwitchRecord("snooze", camera="Garage", until_utc=now_utc + 3600, by="anna"), now_utc)
    switching.change(path, SwitchRecord("presence", value="home"), now_utc)

    assert main(["status", "--config", str(configured)]) == 0

    text = capsys.readouterr().out
    assert re.search(r"phone +last sent 2026-11-1\d \d\d:\d\d +1 waiting +connection refused", text)
    assert re.search(r"door +nothing sent yet", text)
    assert re.search(r"all cameras +armed", text)
    assert re.search(r"garage +snoozed until [0-9-]+ [0-9:]+ by anna", text)
    assert re.search(r"at home +somebody", text)
    assert "word" not in text
    switching.change(path, SwitchRecord("snooze"), now_utc)
    switching.change(path, SwitchRecord("armed", value="off"), now_utc)
    switching.change(path, SwitchRecord("armed", camera="Door", value="on"), now_utc)
    switching.change(path, SwitchRecord("armed", camera="Garage", value="off"), now_utc)
    main(["status", "--config", str(configured)])
    text = capsys.readouterr().out
    assert re.search(r"all cameras +disarmed\n +door +armed\n +at home", text), "what differs from the rest is listed"


def test_status_of_cameras_lists_them_alone(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --cameras there is a line for each camera and nothing else."""
    now_utc = time.time()
    cameras = (status.CameraStatus("garage", now_utc, last_failure_utc=now_utc, last_failure="switch SSL off"),)
    shown = status.Status("1.0", os.getpid(), now_utc, now_utc, "running", now_utc, cameras=cameras)
    status.write(configured.parent / "run", shown)

    code = main(["status", "--cameras", "--config", str(configured)])
    text = capsys.readouterr().out

    assert code == 0
    assert "garage" in text
    assert "switch SSL off" in text
    assert "latest alarms" not in text
