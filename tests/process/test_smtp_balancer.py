"""A listener behind a load balancer: mails belong to the camera, limits are the camera's, and nobody else gets in."""

from __future__ import annotations

import json
import shutil
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing import mails, pictures
from testing.ports import free_port
from testing.smtprig import SmtpRig
from testing.waiting import until

from camalert.config.schema import Config, Listen, Smtp
from camalert.intake.smtp.balancer import SIGNATURE
from camalert.system.certificate import make_certificate

CAMERA = "192.168.77.5"
PLAIN, IMPLICIT, ELSEWHERE = range(3)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpRig]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make_certificate(certificate, key, ("camalert",))
    listen = (
        Listen(host="127.0.0.1", port=0, balancer=("127.0.0.1",)),
        Listen(host="127.0.0.1", port=0, tls="implicit", balancer=("127.0.0.1",)),
        Listen(host="127.0.0.1", port=0, balancer=("10.9.9.9",)),
    )
    smtp = Smtp(listen=listen, certificate=str(certificate), private_key=str(key), allow=("192.168.77.0/24",))
    with SmtpRig(Config(smtp=smtp)) as running:
        yield running


def header(address: str, command: int = 0x21) -> bytes:
    packed = socket.inet_aton(address) * 2 + b"\x12\x34\0\x19"
    return SIGNATURE + bytes((command, 0x11)) + len(packed).to_bytes(2) + packed


class ThroughBalancer(smtplib.SMTP):
    """A client whose connection begins with a header."""

    def __init__(self, port: int, sent_first: bytes) -> None:
        self._sent_first = sent_first
        super().__init__("127.0.0.1", port, local_hostname="camera", timeout=30)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.create_connection((host, port), timeout)
        sock.sendall(self._sent_first)
        return sock


def failures(rig: SmtpRig) -> list[str]:
    return [json.dumps(json.loads(note)) if note.startswith(b"{") else note.decode() for note in list(rig.notes)]


def wait_failure(rig: SmtpRig, words: str) -> None:
    until(lambda: any(words in note for note in failures(rig)), lambda: f"{words!r} in {failures(rig)}", 20)


def test_mail_through_a_balancer_is_the_cameras_own(rig: SmtpRig) -> None:
    """Log, limits and the camera's identity have the address that the balancer names."""
    before = len(rig.mails)
    with ThroughBalancer(rig.port(PLAIN), header(CAMERA)) as client:
        client.sendmail("camera@home.example", ["owner@home.example"], mails.alarm([pictures.cat_jpeg(160)]))
    assert rig.wait_mails(before + 1)[-1].words.peer == CAMERA


def test_tls_may_follow_the_header_at_once(rig: SmtpRig) -> None:
    """Header and ClientHello come in one packet; neither takes bytes of the other."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with socket.create_connection(("127.0.0.1", rig.port(IMPLICIT)), timeout=20) as sock:
        first = header(CAMERA)
        greeting = b""
        while not greeting:
            try:
                greeting = tls.read(1000)
            except ssl.SSLWantReadError:
                sock.sendall(first + outgoing.read())
                first = b""
                incoming.write(sock.recv(65_536))
    assert greeting.startswith(b"220 ")


def test_client_that_the_balancer_names_is_refused_by_its_own_address(rig: SmtpRig) -> None:
    """`allow` is about cameras, not about the balancer."""
    with pytest.raises(smtplib.SMTPConnectError, match="554"):
        ThroughBalancer(rig.port(PLAIN), header("203.0.113.7"))
    wait_failure(rig, "203.0.113.7 may not send")


def test_balancers_own_check_is_greeted_and_noted_nowhere(rig: SmtpRig) -> None:
    """It comes every other second."""
    with ThroughBalancer(rig.port(PLAIN), header("127.0.0.1", command=0x20)) as client:
        assert client.helo("balancer")[0] == 250
    with socket.create_connection(("127.0.0.1", rig.port(PLAIN)), timeout=20) as sock:
        sock.sendall(SIGNATURE + b"\x20\0\0\0")
        assert sock.recv(1000).startswith(b"220 ")
    with ThroughBalancer(rig.port(PLAIN), header(CAMERA)) as client:
        client.sendmail("camera@home.example", ["owner@home.example"], mails.alarm([pictures.cat_jpeg(160)]))
    assert not [note for note in failures(rig) if "127.0.0.1 left" in note or "127.0.0.1 may not send" in note]


def test_camera_that_connects_itself_is_told_to_use_the_balancer(rig: SmtpRig) -> None:
    """A header from anybody could name any address."""
    for first in (b"", header(CAMERA)):
        with pytest.raises(smtplib.SMTPConnectError, match="554"):
            ThroughBalancer(rig.port(ELSEWHERE), first)
    wait_failure(rig, "takes connections from its balancer only")


@pytest.mark.parametrize(
    ("sent", "words"),
    [(b"EHLO camera\r\n", "sent no PROXY header"), (b"PROXY TCP4 1.2.3.4 5.6.7.8 9 25\r\n", "sent version 1")],
)
def test_balancer_without_the_header_is_named_with_what_to_change(rig: SmtpRig, sent: bytes, words: str) -> None:
    """The session ends without a word to whoever is there, and the owner reads why."""
    with socket.create_connection(("127.0.0.1", rig.port(PLAIN)), timeout=20) as sock:
        sock.sendall(sent)
        assert sock.recv(1000) == b""
    wait_failure(rig, words)


def test_haproxy_passes_cameras_on_to_the_machine_that_is_there(tmp_path: Path) -> None:
    """The shipped example, with the ports of this test: of two machines one is switched off."""
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    if haproxy is None:
        pytest.skip("haproxy is not installed")
    port = free_port()
    listen = (Listen(host="127.0.0.1", port=0, balancer=("127.0.0.1",)),)
    with SmtpRig(Config(smtp=Smtp(listen=listen))) as rig:
        settings = (Path(__file__).parents[2] / "deploy" / "haproxy.cfg").read_text()
        for old, new in (
            ("bind :1025", f"bind 127.0.0.1:{port}"),
            ("192.168.1.11:1025", f"127.0.0.1:{free_port()}"),
            ("192.168.1.12:1025", f"127.0.0.1:{rig.port()}"),
        ):
            assert old in settings
            settings = settings.replace(old, new)
        (tmp_path / "haproxy.cfg").write_text(settings)
        process = subprocess.Popen([haproxy, "-db", "-f", str(tmp_path / "haproxy.cfg")])
        try:

            def is_delivered() -> bool:
                try:
                    client = smtplib.SMTP("127.0.0.1", port, "camera", timeout=20, source_address=("127.0.0.3", 0))
                except OSError:  # not yet; smtplib's own refusals are among them
                    return False
                with client:
                    mail = mails.alarm([pictures.cat_jpeg(160)])
                    return not client.sendmail("camera@home.example", ["owner@home.example"], mail)

            until(is_delivered, "a mail through HAProxy", 30)
            assert rig.wait_mails(1)[0].words.peer == "127.0.0.3"
            assert not rig.notes  # HAProxy's checks, two a second, are nobody's failures
        finally:
            process.terminate()
            process.wait(20)
