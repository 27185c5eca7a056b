"""The whole way of an alarm through the real service: mail in, rows out."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from testing import mails, pictures
from testing.service import ROOT, ServiceUnderTest
from testing.waiting import until

MakeService = Callable[..., ServiceUnderTest]


def test_mail_with_a_person_makes_a_row_in_each_table(service: ServiceUnderTest) -> None:
    """The snapshot is kept byte for byte; the detection shows it with the person marked."""
    jpeg = pictures.person_jpeg()

    assert service.send([jpeg], "Person at gate")[0] == 250

    assert service.query("SELECT id, subject, snapshot FROM alerts_alert") == [(1, "Person at gate", jpeg)]
    service.wait_examined()
    [(subject, marked)] = service.query("SELECT subject, snapshot FROM alerts_detect")
    assert subject == "Person at gate"
    annotated = cv2.imdecode(np.frombuffer(marked, np.uint8), cv2.IMREAD_COLOR)
    original = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert annotated.shape == original.shape
    assert (np.abs(annotated.astype(int) - original) > 90).any(), "nothing is drawn"
    [event] = service.wait_for("person_found")
    assert event["alert_id"] == 1


def test_mail_without_a_person_makes_only_the_first_row(service: ServiceUnderTest) -> None:
    """A cat is an alarm, not a detection, and the log says why."""
    assert service.send([pictures.cat_jpeg()])[0] == 250

    service.wait_examined()
    assert service.count("alerts_alert") == 1
    assert service.count("alerts_detect") == 0
    [event] = service.wait_for("no_person_found")
    assert event["message"]


def test_250_follows_the_commit(service: ServiceUnderTest) -> None:
    """When a camera reads 250, another program already sees the row."""
    for number in range(5):
        assert service.send([pictures.unique_jpeg(number)])[0] == 250
        assert service.count("alerts_alert") == number + 1


def test_picture_that_is_none_is_kept_and_marked_failed(service: ServiceUnderTest) -> None:
    """A broken snapshot is stored as it came, with the reason why nobody looked at it."""
    broken = pictures.person_jpeg()[:200]

    assert service.send([broken])[0] == 250

    service.wait_examined()
    assert service.query("SELECT snapshot FROM alerts_alert") == [(broken,)]
    assert service.count("alerts_detect") == 0


def test_sigterm_drains_and_leaves_nothing(make_service: MakeService) -> None:
    """The end is clean, and what was pending is examined by the next run."""
    service = make_service().start()
    for number in range(10):
        service.send([pictures.unique_jpeg(number)])

    assert service.stop() == 0
    service.assert_nothing_left()
    assert service.count("alerts_alert") == 10

    service.start()
    service.wait_examined()
    assert service.query("SELECT count(*) FROM camalert_alert WHERE outcome IS NOT NULL") == [(10,)]


def test_camera_that_comes_while_the_service_ends_is_refused_at_once(make_service: MakeService) -> None:
    """Nobody will answer it, so it does not wait until the last mail is finished; that one is."""
    service = make_service().start()
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as sock, sock.makefile("rb") as answers:
        answers.readline()
        for command in (b"HELO cam", b"MAIL FROM:<a@b.example>", b"RCPT TO:<a@b.example>", b"DATA"):
            sock.sendall(command + b"\r\n")
            answers.readline()
        os.kill(service.pid, signal.SIGTERM)
        service.wait_for("service_draining")
        service.wait_for("smtp_draining")
        until(lambda: _is_refused(service.port), "a refusal")
        sock.sendall(b"Subject: the last\r\n\r\nhello\r\n.\r\n")
        assert answers.readline().startswith(b"250")
    assert service.process is not None
    assert service.process.wait(60) == 0


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_ctrl_c_ends_it_cleanly(make_service: MakeService) -> None:
    """Ctrl-C on a terminal goes to every process of the group; only the supervisor acts on it."""
    service = make_service().start()

    os.killpg(service.pid, signal.SIGINT)

    assert service.process is not None
    assert service.process.wait(30) == 0
    assert not service.find("child_crashed")


def test_supervisor_killed_leaves_no_child_and_the_next_start_sweeps(make_service: MakeService) -> None:
    """Children die with the supervisor; a segment that stayed is removed by the next run."""
    service = make_service().start()
    service.send([pictures.cat_jpeg()])

    service.stop(signal.SIGKILL)
    until(lambda: not service.leftover_processes(), "children outlive the supervisor", 20)

    service.start()
    service.wait_examined()
    assert service.count("alerts_alert") == 1
    assert service.stop() == 0


@pytest.mark.parametrize("name", ["smtp", "writer", "decoder-1", "detector-1"])
def test_killed_child_is_back_and_nothing_is_lost(service: ServiceUnderTest, name: str) -> None:
    """After SIGKILL of any child the service works again within its back-off."""
    service.wait_for("child_ready", child=name)
    assert service.send([pictures.person_jpeg()])[0] == 250

    service.kill(name)
    service.wait_for("child_exited", child=name)
    service.wait_for("child_ready", child=name, count=2)

    assert service.send([pictures.cat_jpeg()])[0] == 250
    service.wait_examined()
    assert service.count("alerts_alert") == 2
    assert service.count("alerts_detect") == 1


def test_hung_writer_costs_no_alarm(make_service: MakeService) -> None:
    """The camera that waits gets its 250 from the successor, and there is one row."""
    service = make_service(intake__wait_seconds=120).start()
    service.kill("writer", signal.SIGSTOP)

    code, _ = service.send([pictures.person_jpeg()])

    assert code == 250
    assert service.count("alerts_alert") == 1
    assert service.find("child_hung", child="writer")


def test_second_service_with_the_same_run_directory_is_refused(service: ServiceUnderTest) -> None:
    """Two supervisors never share a database and a pool by accident."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "supervisor.py"), "--config", str(service.folder / "config.toml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert found.returncode != 0
    assert "another camalert" in found.stderr
    assert "Traceback" not in found.stderr


def test_port_in_use_is_one_clear_line(make_service: MakeService, service: ServiceUnderTest) -> None:
    """The owner reads which port, and how to find who has it."""
    other = make_service("other")
    config = other.folder / "config.toml"
    config.write_text(config.read_text().replace("port = 0", f"port = {service.port}"))

    other.start(is_ready=False)

    assert other.process is not None
    assert other.process.wait(30) != 0
    [event] = other.find("service_not_started")
    assert str(service.port) in event["message"]


def test_repeated_mail_is_answered_and_stored_once(service: ServiceUnderTest) -> None:
    """A camera that lost our 250 sends the same bytes again."""
    mail = mails.alarm([pictures.cat_jpeg()], is_unique=False)

    assert mails.deliver(service.port, mail)[0] == 250
    assert mails.deliver(service.port, mail)[0] == 250

    assert service.count("alerts_alert") == 1


def test_database_created_has_what_django_would_have_made(service: ServiceUnderTest) -> None:
    """cams finds its tables and its migrations done."""
    names = {name for (name,) in service.query("SELECT name FROM django_migrations WHERE app = 'alerts'")}

    assert names == {"0001_initial", "0002_rename_alert_alerts", "0003_rename_alerts_alert", "0004_detect"}
    connection = sqlite3.connect(service.database)
    triggers = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    connection.close()
    assert {"delete_alarms", "delete_detect"} <= triggers
