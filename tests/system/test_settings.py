"""What an owner sets on the site: it is in force a moment later, and a mistake changes nothing."""

from __future__ import annotations

import http.client
import smtplib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from testing.ports import free_port
from testing.reviewrig import Visitor
from testing.service import ServiceUnderTest
from testing.waiting import until

pytest.importorskip("django", reason="the site is an extra")

API = "/api/v1/settings/"


class Settled:
    """A running service with an owner at its site."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.data = folder / "review"
        self.service = ServiceUnderTest(
            folder, review__enabled="true", review__host="127.0.0.1", review__port=self.port, review__data_dir=self.data
        )
        self.owner = Visitor(self.port)

    def start(self) -> None:
        """Start the service, and make the first account."""
        self.service.start()
        self.service.wait_for("review_site_ready")
        assert self.owner.set_up(self.data).status == 302

    def change(self, kind: str, name: str, block: dict[str, Any] | None) -> dict[str, Any]:
        """Change something, and wait for what becomes of it."""
        answer = self.owner.send(f"{API}change/", {"kind": kind, "name": name, "block": block})
        assert answer.status == 202, answer.text
        return self.outcome(answer.json()["id"])

    def outcome(self, change: int) -> dict[str, Any]:
        """Wait until a change is in force or refused; the site is away for a moment."""

        def settled() -> dict[str, Any] | None:
            try:
                found = self.owner.get(f"{API}changes/{change}/").json()
            except (OSError, http.client.HTTPException):
                return None
            return found if found["state"] != "asked" else None

        return until(settled, lambda: f"a change that is settled\n{self.service.tail()}", 90.0)


@pytest.fixture
def settled(tmp_path: Path) -> Any:
    """Return a service that is not started yet."""
    found = Settled(tmp_path / "service")
    yield found
    found.service.close()


def test_change_is_in_force_and_taken_back(settled: Settled) -> None:
    """The site writes its file, the service takes it, and one request puts it back as it was."""
    settled.start()
    pid = settled.service.pid

    made = settled.change("camera", "Garage", {"threshold": 0.8, "effort": "fast"})

    assert (made["state"], made["user"]) == ("in force", "anna")
    assert 'name = "Garage"' in (settled.data / "settings.toml").read_text()
    assert (settled.data / "settings.toml").stat().st_mode & 0o777 == 0o600
    assert settled.service.pid == pid
    assert "80&nbsp;%" in settled.owner.get("/cameras/").text or "80 %" in settled.owner.get("/cameras/").text
    settled.service.wait_whole()

    answer = settled.owner.send(f"{API}changes/{made['id']}/undo/", {})
    assert settled.outcome(answer.json()["id"])["state"] == "in force"
    assert "Garage" not in (settled.data / "settings.toml").read_text()


def test_what_cannot_be_taken_is_said_and_changes_nothing(settled: Settled) -> None:
    """A port that something else has is found by the trial; a value out of range by the site itself."""
    settled.start()
    settled.change("camera", "Garage", {"threshold": 0.8})
    before = (settled.data / "settings.toml").read_text()
    settled.service.wait_whole()

    wrong = settled.owner.send(f"{API}change/", {"kind": "camera", "name": "Garage", "block": {"threshold": 7}})
    double = settled.owner.send(f"{API}change/", {"kind": "listen", "name": str(settled.port), "block": {}})
    with socket.create_server(("", free_port())) as other:
        port = other.getsockname()[1]
        busy = settled.change("listen", str(port), {"tls": "none"})

    assert (wrong.status, "threshold" in wrong.json()["error"]) == (400, True)
    assert busy["state"] == "refused"
    assert str(port) in busy["why"]
    assert (double.status, "already taken" in double.json()["error"]) == (400, True)
    assert (settled.data / "settings.toml").read_text() == before


def test_spoilt_settings_stop_nothing(settled: Settled) -> None:
    """One clear line; the file stays; config.toml alone counts."""
    settled.data.mkdir(parents=True)
    (settled.data / "settings.toml").write_text("[[camera\n")

    settled.start()

    (line,) = settled.service.find("settings_not_used")
    assert "is not valid TOML" in line["message"]
    assert (settled.data / "settings.toml").read_text() == "[[camera\n"
    assert settled.service.is_whole() or settled.service.wait_whole() is None


def test_certificate_that_is_missing_stops_nothing(settled: Settled) -> None:
    """A port of the site's with TLS needs a certificate that was removed: the other ports are there."""
    settled.data.mkdir(parents=True)
    missing = settled.data / "tls" / "certificate.pem"
    (settled.data / "settings.toml").write_text(
        f'[smtp]\ncertificate = "{missing}"\n[[smtp.listen]]\nport = {free_port()}\ntls = "implicit"\n'
    )

    settled.start()

    (line,) = settled.service.find("settings_not_used")
    assert "cannot be read" in line["message"]
    assert settled.service.send([b"\xff\xd8\xff\xd9"])[0] in (250, 451)


def test_port_with_tls_is_opened_by_one_request(settled: Settled) -> None:
    """The site's own certificate is used; a camera that insists on encryption delivers at once."""
    settled.start()
    port = free_port()

    answer = settled.owner.send(f"{API}encryption/", {"port": port})

    assert answer.status == 202, answer.text
    assert settled.outcome(answer.json()["id"])["state"] == "in force"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=30, context=context) as camera:
        assert camera.ehlo()[0] == 250
    assert (settled.data / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600
