"""`make run` and the original's `.env`, with the real service."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from testing import mails, pictures
from testing.service import ROOT, ServiceUnderTest
from testing.waiting import until

MakeService = Callable[..., ServiceUnderTest]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration on a free port."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[[smtp.listen]]\nhost = "127.0.0.1"\nport = 0\n[detector]\nengine = "opencv"\neffort = "fast"\nprocesses = 1\n'
        "[review]\nenabled = false\n"
    )
    return file


def test_make_run_on_a_terminal_shows_the_first_screen_and_ends_with_ctrl_c(config: Path) -> None:
    """A person sees where to point the camera, and Ctrl-C is a clean end."""
    asked = subprocess.run(["make", "-C", ROOT, "--question", ".venv/.installed"], capture_output=True, check=False)
    if asked.returncode:
        pytest.skip("make run would install into .venv first; `make test` has done so")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["make", "-C", ROOT, "--no-print-directory", "run", f"CONFIG={config}"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)
    screen = b""

    def shown(words: bytes) -> bool:
        nonlocal screen
        try:
            screen += os.read(ours, 65_536)
        except (BlockingIOError, OSError):
            assert process.poll() is None, screen.decode()
        return words in screen

    try:
        until(lambda: shown(b"service_ready"), "the service being ready")
        text = screen.decode()
        assert "camera's mail  SMTP server " in text
        assert f"database       {config.parent}/var/alerts.sqlite3" in text
        assert "opencv, effort fast, 1 process" in text
        assert "Ctrl-C stops it" in text

        os.killpg(process.pid, signal.SIGINT)  # what the terminal does on Ctrl-C

        until(lambda: shown(b"service_stopped"), "the service being stopped")
        # make itself ends by the signal, after its child, and says nothing.
        assert process.wait(60) in (0, -signal.SIGINT)
        assert b"exit=0" in screen.rpartition(b"service_stopped")[2]
        assert b"***" not in screen
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        os.close(ours)
    assert (config.parent / "var" / "alerts.sqlite3").exists()


def test_originals_dotenv_is_understood_by_the_running_service(make_service: MakeService) -> None:
    """Database and log lines are as the original's variables say."""
    service = make_service()
    (service.folder / "config.toml").write_text(
        f'[service]\nrun_dir = "{service.run_dir}"\n[[smtp.listen]]\nport = 0\n', encoding="utf-8"
    )
    (service.folder / ".env").write_text(
        f"URL = '127.0.0.1'\nDATABASE = '{service.database}'\nLOG_ACTIVE = 'True'\nDEST_DIR = 'msgfiles'\n"
    )
    service.start()

    assert service.send([pictures.cat_jpeg()])[0] == 250

    assert service.count("alerts_alert") == 1
    words = [str(event["message"]) for event in service.find("configuration_override")]
    for name in ("URL", "DATABASE", "LOG_ACTIVE", "DEST_DIR"):
        assert any(f": {name} sets " in line for line in words), words


def test_send_shows_both_rows_of_a_person(service: ServiceUnderTest) -> None:
    """The way that the README shows to try it: the server's words, and the rows that came of it."""
    picture = service.folder / "person.jpg"
    picture.write_bytes(pictures.person_jpeg())

    done = subprocess.run(
        [sys.executable, "-m", "camalert", "send", picture, "--to", f"127.0.0.1:{service.port}",
         "--config", service.folder / "config.toml", "--wait", "60"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "< 250 2" in done.stdout
    assert "stored as alarm 1 " in done.stdout
    assert "stored with people marked as detection 1" in done.stdout
    assert "  1 person, surest " in done.stdout


def test_run_with_a_port_in_use_ends_in_one_line(make_service: MakeService, service: ServiceUnderTest) -> None:
    """The line names the port and what to do; the exit code is the one that systemd does not retry blindly."""
    other = make_service("other", smtp__listen__0__port=service.port)

    other.start(is_ready=False)

    assert other.process is not None
    assert other.process.wait(60) == 71
    [event] = other.find("service_not_started")
    assert f"cannot listen on port {service.port}" in event["message"]
    assert "change [[smtp.listen]] port" in event["message"]


def test_what_is_made_by_hand_is_its_users_alone_and_the_cameras_outlive_a_restart(make_service: MakeService) -> None:
    """Nobody else on the machine sees pictures or status; after a restart each camera has its last picture still."""
    service = make_service(review__enabled="true", review__port=0)
    before = os.umask(0o022)
    try:
        service.start()
    finally:
        os.umask(before)
    assert service.send([pictures.cat_jpeg()])[0] == 250
    until(lambda: service.status()["cameras"], "the camera in the status")

    made = [path for folder in (service.database.parent, service.run_dir) for path in (folder, *folder.rglob("*"))]
    assert len(made) > 5
    assert [str(path) for path in made if path.stat().st_mode & 0o077] == []

    assert service.stop() == 0
    (service.run_dir / "status.json").unlink()  # as a reboot would
    service.start()
    (camera,) = until(lambda: service.status()["cameras"], "the camera in the status")
    assert camera["name"] == "gate"
    assert camera["last_picture_utc"] == pytest.approx(camera["last_mail_utc"], abs=60)
    assert camera["address"] == "127.0.0.1"


def test_closed_terminal_ends_the_service_in_order(config: Path) -> None:
    """The shell tells the whole group; the mail that is begun is finished, and every process ends by itself."""
    ours, theirs = pty.openpty()
    log = config.parent / "log.jsonl"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "supervisor.py"), "--config", str(config)],
            stdin=theirs, stdout=lines, stderr=lines, start_new_session=True,
        )  # fmt: skip
    os.close(theirs)

    def events() -> list[dict[str, object]]:
        return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]

    def find(name: str) -> list[dict[str, object]]:
        return [event for event in events() if event["event"] == name]

    try:
        until(lambda: find("smtp_listening"), "the service listening")
        port = int(str(find("smtp_listening")[0]["ports"]).strip("[]"))
        client = mails.up_to_data(port, timeout_s=60)
        assert client.sock is not None
        mail = mails.alarm([pictures.person_jpeg()])
        client.sock.sendall(mail[:1000])

        os.killpg(process.pid, signal.SIGHUP)  # what a shell does when its terminal is closed
        until(lambda: find("smtp_draining"), "the drain")
        client.sock.sendall(mail[1000:].rstrip(b"\r\n") + b"\r\n.\r\n")

        assert client.getreply()[0] == 250
        client.close()
        assert process.wait(60) == 0
        assert {event["exit"] for event in find("child_exited")} == {"exit 0 (ok)"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        os.close(ours)
