"""`camalert status` against a run directory."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from camalert import status
from camalert.__main__ import main


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
    shown = status.Status("1.0", "camalert", os.getpid(), now_utc, now_utc, "running", now_utc)
    status.write(configured.parent / "run", shown)

    code = main(["status", "--config", str(configured)])
    text = capsys.readouterr().out
    json_code = main(["status", "--json", "--config", str(configured)])
    facts = json.loads(capsys.readouterr().out)

    assert (code, json_code) == (0, 0)
    assert "Running: 0 alarms today" in text
    assert "latest alarms: there is no database" in text
    assert (facts["health"], facts["pid"]) == ("good", os.getpid())


def test_status_of_cameras_lists_them_alone(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --cameras there is a line for each camera and nothing else."""
    now_utc = time.time()
    cameras = (status.CameraStatus("garage", now_utc, last_failure_utc=now_utc, last_failure="switch SSL off"),)
    shown = status.Status("1.0", "camalert", os.getpid(), now_utc, now_utc, "running", now_utc, cameras=cameras)
    status.write(configured.parent / "run", shown)

    code = main(["status", "--cameras", "--config", str(configured)])
    text = capsys.readouterr().out

    assert code == 0
    assert "garage" in text
    assert "switch SSL off" in text
    assert "latest alarms" not in text
