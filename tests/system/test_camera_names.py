"""A camera is renamed, merged and forgotten while the service runs."""

from __future__ import annotations

import subprocess
import sys

from testing import pictures
from testing.service import ROOT, ServiceUnderTest
from testing.waiting import until


def _cameras(service: ServiceUnderTest, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "camalert", "cameras", *words, "--config", str(service.folder / "config.toml")],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _shown(service: ServiceUnderTest) -> set[str]:
    return {camera["name"] for camera in service.status().get("cameras", [])}


def test_renamed_camera_is_the_new_one_everywhere_and_after_a_restart(service: ServiceUnderTest) -> None:
    """Rows at once; log, status and a new child of the intake soon; and the same after a restart."""
    assert service.send([pictures.person_jpeg()], "Motion detected on camera Drive")[0] == 250
    service.wait_examined()

    assert "1 stored picture" in _cameras(service, "rename", "drive", "Garage")
    assert service.query("SELECT camera FROM camalert_visit") == [("Garage",)]
    assert service.send([pictures.unique_jpeg(1)], "Motion detected on camera Drive")[0] == 250
    assert service.query("SELECT DISTINCT camera FROM camalert_alert") == [("Garage",)]
    service.wait_for("camera_renamed", camera="Garage")
    until(lambda: _shown(service) == {"Garage"}, "the status to show the new name")

    service.kill("smtp")
    service.wait_whole()
    assert service.send([pictures.unique_jpeg(2)], "Motion detected on camera Drive")[0] == 250
    service.wait_for("mail_stored", camera="Garage")

    assert service.send([pictures.unique_jpeg(3)], "Motion detected on camera Lane")[0] == 250
    _cameras(service, "merge", "lane", "into", "garage")
    until(lambda: _shown(service) == {"Garage"}, "the status to show the new name")

    service.wait_examined()
    assert service.stop() == 0
    service.start()
    assert service.send([pictures.unique_jpeg(4)], "Motion detected on camera Lane")[0] == 250
    assert service.query("SELECT DISTINCT camera FROM camalert_alert") == [("Garage",)]
    until(lambda: _shown(service) == {"Garage"}, "the status to show the new name")
    assert "Garage: 5 mails" in _cameras(service)

    _cameras(service, "forget", "Garage")
    service.wait_for("camera_forgotten")
    until(lambda: not _shown(service), "the camera to be forgotten")
    assert service.count("camalert_alert") == 5
