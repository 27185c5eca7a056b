"""Every address of the review site, every parameter that it reads, with hostile values."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django", reason="the review extra is not installed")

ROOT = Path(__file__).parents[2]


def test_no_value_breaks_a_page(tmp_path: Path) -> None:
    """Whatever is asked is answered, refused in words, or led elsewhere: never a defect of ours."""
    ran = subprocess.run(
        [sys.executable, "-m", "testing.reviewwalk", str(tmp_path)],
        cwd=ROOT / "tests", capture_output=True, text=True, check=False, timeout=1500,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout.splitlines()[-1])

    assert found["wrong"] == []
    # The walk itself: it reached the views, and found out what they read.
    assert {"/", "/alarms/more/", "/api/v1/people/", "/login/", "/admin/alerts/alert/"} <= set(found["walked"])
    assert {"limit", "before", "camera", "day"} <= set(found["read"]["/api/v1/alarms/"])
    assert {"username", "next"} <= set(found["read"]["/login/"])
    assert {"action", "id", "query"} <= set(found["read"]["/alarms/selected/"])
