"""A new configuration for a running service, with a mail on its way."""

from __future__ import annotations

import os
import signal

import pytest
from testing import mails, pictures
from testing.service import ServiceUnderTest


class HalfMail:
    """A mail whose first half has been sent."""

    def __init__(self, service: ServiceUnderTest) -> None:
        self._mail = mails.alarm([pictures.person_jpeg()])
        self._client = mails.up_to_data(service.port, timeout_s=60)
        self._say(self._mail[: len(self._mail) // 2])

    def finish(self) -> int:
        """Send the second half; return the reply's code."""
        self._say(self._mail[len(self._mail) // 2 :].rstrip(b"\r\n") + b"\r\n.\r\n")
        code, _ = self._client.getreply()
        self._client.close()
        return code

    def _say(self, content: bytes) -> None:
        assert self._client.sock is not None
        self._client.sock.sendall(content)


def _reconfigure(service: ServiceUnderTest, line: str) -> None:
    """Add a line to the configuration's last section, [database], and say so."""
    with (service.folder / "config.toml").open("a", encoding="utf-8") as config:
        config.write(line + "\n")
    os.kill(service.pid, signal.SIGHUP)


def test_new_configuration_of_the_writer_loses_no_mail(service: ServiceUnderTest) -> None:
    """The camera in the midst of its mail gets its 250 from the writer's successor."""
    mail = HalfMail(service)
    before = service.children()["writer"]

    _reconfigure(service, "keep_alerts = 77")
    service.wait_for("reloaded", replaces=["writer"])
    service.wait_for("child_ready", child="writer", count=2)

    assert mail.finish() == 250
    assert service.count("alerts_alert") == 1
    assert service.children()["writer"] != before
    assert service.stop() == 0


def test_end_asked_for_while_the_writer_is_replaced_loses_no_mail(service: ServiceUnderTest) -> None:
    """The drain waits for the mail, and the mail for a writer: there is one again."""
    mail = HalfMail(service)
    writer = service.kill("writer", signal.SIGSTOP)  # it would be gone and back before the second signal comes

    _reconfigure(service, "keep_alerts = 77")
    service.wait_for("reloaded")
    os.kill(service.pid, signal.SIGTERM)
    service.wait_for("service_draining")
    os.kill(writer, signal.SIGCONT)

    assert mail.finish() == 250
    assert service.stop() == 0
    assert service.count("alerts_alert") == 1


@pytest.mark.parametrize("line", ["keep_alerts = 0.5", "keep_alrets = 10"])
def test_wrong_configuration_changes_nothing(service: ServiceUnderTest, line: str) -> None:
    """It is refused with file, key and reason, and the service goes on as it was."""
    before = service.children()

    _reconfigure(service, line)

    (refusal,) = service.wait_for("reload_refused")
    assert "config.toml" in refusal["error"]
    assert line.split(maxsplit=1)[0] in refusal["error"]
    assert service.children() == before
    assert service.send([pictures.person_jpeg()])[0] == 250
