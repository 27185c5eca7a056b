"""The status as a value, as a file and as a sentence."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from camalert.errors import StatusError
from camalert.status.model import CameraStatus, ChildStatus, Problem, Status, read, write
from camalert.status.text import summary

DAY_S = 86_400.0
RUNNING = Status(
    version="1.0",
    pid=7,
    written_utc=10 * DAY_S,
    started_utc=9 * DAY_S,
    state="running",
    since_utc=9 * DAY_S,
    alerts_today=42,
    detections_today=3,
    children=(ChildStatus("writer", "ready", 8), ChildStatus("detector-1", "ready", 9)),
)


def test_status_decode_returns_what_encode_made() -> None:
    """Reader and writer agree."""
    status = replace(RUNNING, cameras=(CameraStatus("gärten", 5.0),), problems=(Problem(1.0, "e", "w"),))

    assert Status.decode(status.encode()) == status


def test_status_decode_newer_version_ignores_what_it_does_not_know() -> None:
    """A tool and a service of different versions still understand each other."""
    text = RUNNING.encode().replace(b'"pid": 7,', b'"pid": 7, "colour": "red",')

    assert Status.decode(text) == RUNNING


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"children": 1}'])
def test_status_decode_anything_else_is_an_error_in_words(text: bytes) -> None:
    """A torn or foreign file is reported, not crashed on."""
    with pytest.raises(StatusError, match="no status of camalert"):
        Status.decode(text)


def test_read_without_file_says_what_to_check(tmp_path: Path) -> None:
    """Asking a service that does not run gets words."""
    with pytest.raises(StatusError, match="camalert does not run, or with another run_dir"):
        read(tmp_path)


def test_write_under_readers_is_never_half(tmp_path: Path) -> None:
    """A reader at any moment finds a whole status, and no drafts are left."""
    tmp_path.chmod(0o755)
    write(tmp_path, RUNNING)
    stop = threading.Event()
    torn: list[StatusError] = []

    def keep_reading() -> None:
        while not stop.is_set():
            try:
                read(tmp_path)
            except StatusError as error:
                torn.append(error)

    reader = threading.Thread(target=keep_reading)
    reader.start()
    for number in range(200):
        write(tmp_path, replace(RUNNING, pending=number, reason="x" * (number * 50)))
    stop.set()
    reader.join()

    assert not torn
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (RUNNING, "Running: 42 alarms received today, 3 with people, 0 pending"),
        (
            replace(RUNNING, alerts_today=1, children=(ChildStatus("detector-1", "starting"),)),
            "Running: 1 alarm received today, 3 with people, 0 pending; still starting: detector-1",
        ),
        (
            replace(RUNNING, children=(ChildStatus("detector-1", "backoff", reason="killed by SIGSEGV"),)),
            "Degraded: detector-1 restarting (killed by SIGSEGV); 42 alarms received today, 3 with people, 0 pending",
        ),
        (
            replace(RUNNING, state="starting", children=(ChildStatus("writer", "starting"),)),
            "Starting, waiting for writer",
        ),
        (replace(RUNNING, state="draining"), "Stopping: accepting no more mails, finishing what has begun"),
        (replace(RUNNING, state="stopped", reason="writer: disk"), "Stopped: writer: disk"),
        (
            replace(RUNNING, cameras=(CameraStatus("garage", 6 * DAY_S, is_silent=True),)),
            "Running: 42 alarms received today, 3 with people, 0 pending; silent: garage (up to 4 days)",
        ),
    ],
)
def test_summary_says_how_it_is(status: Status, expected: str) -> None:
    """`systemctl status` shows a sentence that a person understands."""
    assert summary(status) == expected
