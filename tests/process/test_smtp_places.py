"""Crowds that hold all places and send nothing, over real sockets: a camera gets in all the same."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from testing import mails, pictures
from testing.smtprig import SmtpRig
from testing.waiting import until

from camalert.config.schema import Config, Intake, Listen, Smtp

PLACES = 6
SMTP = Smtp(
    listen=(Listen(host="127.0.0.1", port=0),), max_connections=PLACES, max_connections_per_address=PLACES,
    command_seconds=120.0, mail_seconds=120.0,
)  # fmt: skip
ENVELOPE = [b"EHLO idler\r\n", b"MAIL FROM:<idler@home>\r\n", b"RCPT TO:<me@home>\r\n", b"DATA\r\n"]
FORMS = {
    "silent": [], "after EHLO": ENVELOPE[:1], "NOOP": ENVELOPE[:1], "MAIL": ENVELOPE[:2], "RCPT": ENVELOPE[:3],
    "DATA": ENVELOPE, "DATA that trickles": [*ENVELOPE, b"Subject: a trickle\r\n"],
}  # fmt: skip
REPEATED = {"NOOP": b"NOOP\r\n", "MAIL": b"RSET\r\nMAIL FROM:<idler@home>\r\n", "DATA that trickles": b"a\r\n"}


@pytest.fixture
def rig() -> Iterator[SmtpRig]:
    with SmtpRig(Config(smtp=SMTP, intake=Intake(wait_seconds=5.0))) as running:
        yield running


def _idler(port: int, form: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.recv(1000)
    for line in FORMS[form]:
        sock.sendall(line)
        if not line.startswith(b"Subject"):
            sock.recv(1000)
    return sock


@contextlib.contextmanager
def _crowd(port: int, form: str) -> Iterator[Callable[[], None]]:
    """Hold all places, and go on doing nothing in this form; who was sent away comes again with the call."""
    idlers = [_idler(port, form) for _ in range(PLACES)]
    ends = threading.Event()

    def go_on() -> None:
        while not ends.wait(0.05):
            for sock in idlers:
                with contextlib.suppress(OSError):
                    sock.sendall(REPEATED[form])

    talker = threading.Thread(target=go_on)
    if form in REPEATED:
        talker.start()
    try:
        yield lambda: idlers.append(_idler(port, form))
    finally:
        ends.set()
        if form in REPEATED:
            talker.join()
        for sock in idlers:
            sock.close()


@pytest.mark.parametrize("form", FORMS)
def test_camera_gets_in_before_a_crowd_that_does_nothing(rig: SmtpRig, form: str) -> None:
    """One after another and all at once, behind clients of the same address that come back when they are sent away."""
    with _crowd(rig.port(), form) as come_again:
        for number in range(3):
            assert mails.deliver(rig.port(), mails.alarm([pictures.unique_jpeg(number)])) == (250, "2.0.0 OK")
            come_again()
        answers: list[int] = []
        cameras = [
            threading.Thread(
                target=lambda n=n: answers.append(mails.deliver(rig.port(), mails.alarm([pictures.unique_jpeg(n)]))[0])
            )
            for n in range(10, 13)
        ]
        for camera in cameras:
            camera.start()
        for camera in cameras:
            camera.join()

    assert answers == [250, 250, 250]
    rig.wait_mails(6)


def test_mail_under_way_stays_while_a_crowd_wants_in(rig: SmtpRig) -> None:
    """A camera that sends at a real rate is not the one that gives way."""
    camera = mails.up_to_data(rig.port(), timeout_s=30)
    alarm = mails.alarm([pictures.unique_jpeg(1) + bytes(600_000)])
    crowd = []
    for at in range(0, len(alarm), 100_000):
        camera.sock.sendall(alarm[at : at + 100_000])  # type: ignore[union-attr]
        crowd += [socket.create_connection(("127.0.0.1", rig.port()), timeout=20) for _ in range(PLACES)]
        time.sleep(0.05)

    try:
        assert camera.docmd(".")[0] == 250
    finally:
        camera.close()
        for sock in crowd:
            sock.close()


def test_who_is_sent_away_reads_why_although_it_was_still_sending(rig: SmtpRig) -> None:
    """Bytes that nobody reads any more do not take the last reply away."""
    with socket.create_connection(("127.0.0.1", rig.port()), timeout=20) as sock:
        sock.sendall(b"NONSENSE\r\n" * 60_000)
        time.sleep(0.2)
        heard = b""
        while piece := sock.recv(65_536):
            heard += piece

    assert heard.endswith(b"421 4.7.0 too many errors\r\n")


@pytest.mark.parametrize("end", [b".\n", b".\r\n"])
def test_mail_in_bare_line_feeds_is_taken_and_explained(rig: SmtpRig, end: bytes) -> None:
    """Old firmware ends its lines so; its mail is complete when it waits behind the dot."""
    alarm = mails.alarm([pictures.unique_jpeg(1)]).replace(b"\r\n", b"\n")
    with socket.create_connection(("127.0.0.1", rig.port()), timeout=20) as sock:
        sock.recv(1000)
        for line in ENVELOPE:
            sock.sendall(line.replace(b"\r\n", b"\n"))
            sock.recv(1000)
        sock.sendall(alarm.rstrip(b"\n") + b"\n" + end)
        assert sock.recv(1000).startswith(b"250")
        sock.sendall(b"QUIT\n")
        assert sock.recv(1000).startswith(b"221")

    assert rig.wait_mails(1)[0].pictures == (pictures.unique_jpeg(1),)


def test_mail_in_bare_line_feeds_is_complete_when_its_client_has_closed(rig: SmtpRig) -> None:
    """One that does not wait for the answer loses nothing."""
    alarm = mails.alarm([pictures.unique_jpeg(1)]).replace(b"\r\n", b"\n")
    with socket.create_connection(("127.0.0.1", rig.port()), timeout=20) as sock:
        sock.sendall(b"".join(ENVELOPE).replace(b"\r\n", b"\n") + alarm.rstrip(b"\n") + b"\n.\n")
        sock.shutdown(socket.SHUT_WR)

        rig.wait_mails(1)


def test_reset_of_a_crowd_leaves_nothing_behind(rig: SmtpRig) -> None:
    """Clients that are gone without a word when they are to give way cost neither a place nor a traceback."""
    for _ in range(10):
        with _crowd(rig.port(), "after EHLO"):
            pass
    assert mails.deliver(rig.port(), mails.alarm([pictures.unique_jpeg(1)]))[0] == 250
    until(lambda: rig.mails, "the mail", 10)
    assert not [note for note in rig.notes if json.loads(note)["event"] == "session_crashed"]
