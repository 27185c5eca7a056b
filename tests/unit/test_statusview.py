"""The status as people and monitoring read it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from camalert.status import CameraStatus, ChildStatus, Status, Trouble
from camalert.statusview import Health, LastAlarm, camera_lines, health, lines

NOW_UTC = 1_000_000.0
RUNNING = Status(
    version="1.0",
    name="camalert",
    pid=7,
    written_utc=NOW_UTC - 1,
    started_utc=NOW_UTC - 7200,
    state="running",
    since_utc=NOW_UTC - 7200,
    children=(ChildStatus("writer", "ready", 8, since_utc=NOW_UTC - 7200),),
)


@pytest.mark.parametrize(
    ("status", "is_alive", "expected", "said"),
    [
        (RUNNING, True, Health.GOOD, "Running"),
        (replace(RUNNING, state="starting"), True, Health.DEGRADED, "Starting"),
        (replace(RUNNING, children=(ChildStatus("d", "failed"),)), True, Health.DEGRADED, "d failed"),
        (replace(RUNNING, cameras=(CameraStatus("c", 1.0, is_silent=True),)), True, Health.DEGRADED, "silent: c"),
        (replace(RUNNING, state="stopped", reason="writer: disk"), False, Health.DOWN, "Stopped: writer: disk"),
        (RUNNING, False, Health.DOWN, "ended without saying why"),
        (replace(RUNNING, written_utc=NOW_UTC - 300), True, Health.DOWN, "no sign of life for 5 minutes"),
    ],
)
def test_health_is_what_monitoring_needs(status: Status, is_alive: bool, expected: Health, said: str) -> None:
    """Each way of not being well has its exit code and its words."""
    found, words = health(status, NOW_UTC, is_alive=is_alive)

    assert found is expected
    assert said in words


def test_lines_show_everything_once() -> None:
    """Processes, cameras, alarms and troubles are all there, with what is known of them."""
    status = replace(
        RUNNING,
        engine="openvino",
        cameras=(
            CameraStatus("garage", last_picture_utc=NOW_UTC - 600, last_failure_utc=NOW_UTC - 60, last_failure="TLS"),
            CameraStatus("gate", is_silent=True),
        ),
        troubles=(Trouble(NOW_UTC - 5, "database_busy", "locked by another program"),),
    )

    text = "\n".join(lines(status, NOW_UTC, "Running", [LastAlarm(9, "12:00", "garage", "Motion", "person")]))

    for expected in (
        "camalert 1.0: Running",
        "2 hours, pid 7",
        "writer  ready  pid 8  for 2 hours",
        "garage          last picture 10 minutes ago  failed 60 seconds ago: TLS",
        "gate    SILENT  no picture yet",
        "9  12:00  garage  person  Motion",
        "5 seconds ago  database_busy  locked by another program",
    ):
        assert expected in text


def test_camera_lines_say_of_each_camera_what_was_last() -> None:
    """Sign of life, mail, picture and failure stand in columns of their own; what never was is called so."""
    never_mailed = CameraStatus("shed", NOW_UTC - 60, last_failure_utc=NOW_UTC - 60, last_failure="switch SSL off")
    status = replace(
        RUNNING, cameras=(CameraStatus("garage", NOW_UTC - 300, NOW_UTC - 300, NOW_UTC - 7200), never_mailed)
    )

    heads, garage, shed = camera_lines(status, NOW_UTC)

    assert heads.split("  ")[1] == "camera"
    assert [word.strip() for word in garage.split("  ") if word.strip()] == [
        "garage", "5 minutes ago", "5 minutes ago", "2 hours ago", "none",
    ]  # fmt: skip
    assert [word.strip() for word in shed.split("  ") if word.strip()] == [
        "shed", "60 seconds ago", "never", "never", "60 seconds ago: switch SSL off",
    ]  # fmt: skip


def test_camera_lines_without_camera_say_where_to_read_on() -> None:
    """An empty list is a sentence, not nothing."""
    assert "docs/cameras.md" in camera_lines(RUNNING, NOW_UTC)[0]
