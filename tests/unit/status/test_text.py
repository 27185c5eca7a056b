"""The status as people and monitoring read it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from camalert.status.model import CameraStatus, ChildStatus, Problem, Status
from camalert.status.text import Health, Kept, KeptBytes, Stored, camera_lines, health, kept_lines, lines

NOW_UTC = 1_000_000.0
RUNNING = Status(
    version="1.0",
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
        (RUNNING, True, Health.GOOD, "Running for 2 hours"),
        (replace(RUNNING, state="starting"), True, Health.DEGRADED, "Starting"),
        (
            replace(RUNNING, children=(ChildStatus("d", "failed"),)),
            True,
            Health.DEGRADED,
            "Degraded: d failed; running for 2 hours",
        ),
        (replace(RUNNING, cameras=(CameraStatus("c", 1.0, is_silent=True),)), True, Health.DEGRADED, "silent: c"),
        (replace(RUNNING, state="stopped", reason="writer: disk"), False, Health.DOWN, "Stopped: writer: disk"),
        (RUNNING, False, Health.DOWN, "Exited unexpectedly"),
        (replace(RUNNING, written_utc=NOW_UTC - 300), True, Health.DOWN, "has not updated its status for 5 minutes"),
    ],
)
def test_health_is_what_monitoring_needs(status: Status, is_alive: bool, expected: Health, said: str) -> None:
    """Each way of not being well has its exit code and its words."""
    found, words = health(status, NOW_UTC, is_alive=is_alive)

    assert found is expected
    assert said in words


def test_lines_show_everything_once() -> None:
    """Processes, cameras, alarms and problems are all there, with what is known of them."""
    status = replace(
        RUNNING,
        engine="openvino",
        cameras=(
            CameraStatus("garage", last_picture_utc=NOW_UTC - 600, last_failure_utc=NOW_UTC - 60, last_failure="TLS"),
            CameraStatus("gate", is_silent=True),
        ),
        problems=(Problem(NOW_UTC - 5, "database_busy", "locked by another program"),),
    )

    text = "\n".join(lines(status, NOW_UTC, "Running", Stored([(9, "12:00", "garage", "person", "Motion", "")])))

    for expected in (
        "camalert 1.0: Running",
        "supervisor  running  pid 7  for 2 hours",
        "writer      ready    pid 8  for 2 hours",
        "garage          last picture 10 minutes ago  failed 60 seconds ago: TLS",
        "gate    SILENT  no picture yet",
        "9  12:00  garage  person  Motion",
        "5 seconds ago  database_busy  locked by another program",
    ):
        assert expected in text


def test_camera_lines_say_of_each_camera_what_was_last() -> None:
    """Last seen, mail, picture and failure stand in columns of their own; what never was is called so."""
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


def test_camera_that_mails_from_another_address_is_shown() -> None:
    """The owner sees in both lists that somebody else uses the name."""
    camera = CameraStatus(
        "garage", NOW_UTC - 300, NOW_UTC - 300, NOW_UTC - 7200, address="10.0.0.5", other_address="10.0.0.66",
        other_since_utc=NOW_UTC - 7200,
    )  # fmt: skip
    status = replace(RUNNING, cameras=(camera,))

    assert "10.0.0.5, ALSO FROM 10.0.0.66 for 2 hours" in camera_lines(status, NOW_UTC)[1]
    assert any("ALSO FROM 10.0.0.66" in line for line in lines(status, NOW_UTC, "words"))


def test_status_says_how_far_back_alarms_go_and_how_long_the_room_lasts() -> None:
    """By the number of rows, and by the size of the disk where that is less; without a rate nothing is foretold."""
    alarms = Kept("alarms", 1000, 1000, "2026-06-14 14:02:00", 160.0)
    people = Kept("pictures with people", 7, 1000, "", 0.0)

    found = kept_lines([alarms, people], KeptBytes(100 << 20, 1 << 40))
    assert found == [
        "alarms: 1000 of at most 1000, the oldest from 2026-06-14 14:02:00; at 160 a day enough for 6 days",
        "pictures with people: 7 of at most 1000",
        "100 MiB of at most 1048576 MiB",
    ]
    assert kept_lines([alarms], KeptBytes(100 << 20, 64 << 20))[-1] == (
        "100 MiB of at most 64 MiB; at this rate enough for 4 days: the size limit removes old alarms first"
    )
    assert "6 days" in "\n".join(lines(RUNNING, NOW_UTC, "Running", Stored(kept=found)))


def test_what_there_is_one_of_is_not_called_many() -> None:
    """Whatever is counted agrees with its number."""
    garage = CameraStatus(
        "garage",
        NOW_UTC - 1,
        NOW_UTC - 86_400,
        NOW_UTC - 1,
        is_silent=True,
        clock_off_s=90_000,
        last_failure_utc=NOW_UTC,
    )
    status = replace(
        RUNNING, alerts_today=1, detections_today=1, visits_today=1, pending=1, mails=1, pictures=1, examined=1,
        persons=1, failed=1, pictures_per_minute=1.0, examined_per_minute=1.0, slots_used=1, slots_total=1,
        cameras=(garage, replace(garage, last_seen_utc=NOW_UTC - 86_400)),
        children=(ChildStatus("writer", "ready", 8, since_utc=NOW_UTC - 1, restarts=1),),
    )  # fmt: skip
    _, message = health(status, NOW_UTC, is_alive=True)
    kept = kept_lines([Kept("alarms", 1, 1, "", 1.0)], KeptBytes(1 << 20, 1 << 20))

    text = "\n".join(lines(status, NOW_UTC, message, Stored(kept=kept)) + camera_lines(status, NOW_UTC))

    assert "1 picture stored" in text
    assert re.findall(r"\b1 \w+s\b", text.replace("1 pending", "")) == []
