"""`camalert send`: the mail, the dialogue and the rows."""

from __future__ import annotations

import contextlib
import datetime
import email
import email.policy
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testing import pictures

from camalert import config
from camalert.__main__ import main
from camalert.cli.alarmmail import AlarmMail, compose
from camalert.cli.brands import BRANDS, Brand
from camalert.cli.delivery import Delivery, Server
from camalert.cli.send import address
from camalert.cli.verdicts import Watch
from camalert.errors import CamalertError
from camalert.mail.envelope import Envelope
from camalert.mail.pictures import write
from camalert.mail.reader import read
from camalert.mail.rules import Rules
from camalert.store.database import Database

NOW = datetime.datetime(2026, 5, 4, 3, 2, 1, tzinfo=datetime.UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
PNG = b"\x89PNG\r\n\x1a\n" + b"\r\n.\r\n" * 20
MAIL = AlarmMail("a@b.invalid", "c@d.invalid", b"Subject: x\r\n\r\ny\r\n")


def test_compose_pictures_arrive_byte_for_byte() -> None:
    """The attachments are the files, whatever bytes they are made of."""
    mail = compose([JPEG, PNG, b"no picture"], "Garage", NOW, "token")

    parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
    parts = list(parsed.iter_attachments())
    assert [part.get_content() for part in parts] == [JPEG, PNG, b"no picture"]
    assert [part.get_content_type() for part in parts] == ["image/jpeg", "image/png", "application/octet-stream"]
    assert parsed["Subject"] == "Garage: motion detected"


def test_compose_lines_end_as_smtp_wants_them() -> None:
    """No bare line feed is in the mail."""
    content = compose([JPEG], "Hof Süd", NOW, "token").content

    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) < 1000


def test_compose_camera_name_cannot_add_a_header() -> None:
    """A line break in a name stays in its line."""
    content = compose([], "x\r\nBcc: y", NOW, "token").content

    assert b"\r\nBcc" not in content


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.name)
def test_compose_every_brand_is_understood_by_the_service(brand: Brand) -> None:
    """The service reads camera, event, time and pictures out of each brand's mail."""
    sent = [pictures.person_jpeg(), pictures.cat_jpeg()]
    mail = compose(sent, "Garage", NOW, "token", brand)

    reading = read(mail.content, Envelope(sender=mail.sender), Rules(()), NOW.timestamp() + 5, 86_400)

    out = memoryview(bytearray(reading.bound_bytes))
    written = write(reading.found, out, 64)
    assert [bytes(out[part.offset : part.offset + part.length]) for part in written.pictures] == sent
    assert reading.words.camera == "Garage"
    assert reading.words.event != ""
    assert reading.words.camera_time != ""


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.name)
def test_compose_every_brand_takes_every_name(brand: Brand) -> None:
    """A camera may be called anything; the mail stays one, and its lines end as SMTP wants them."""
    content = compose([JPEG], "Hof 门 {x}", NOW, "token", brand).content

    assert content.count(b"\n") == content.count(b"\r\n")
    assert list(email.message_from_bytes(content).walk())[-1].get_payload(decode=True) == JPEG


def test_compose_token_makes_every_mail_different() -> None:
    """The service's rule about repeats never swallows a mail of ours."""
    assert compose([JPEG], "x", NOW, "1").content != compose([JPEG], "x", NOW, "2").content


def test_compose_camera_name_makes_a_plain_address() -> None:
    """Blanks, umlauts and quotes in a camera's name do not end up in the envelope."""
    assert compose([], 'Hof "Süd" 1', NOW, "t").sender == "hof-s-d-1@camera.invalid"
    assert compose([], "门", NOW, "t").sender == "camera@camera.invalid"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.168.1.5:2525", ("192.168.1.5", 2525)),
        ("nas.local", ("nas.local", 1025)),
        ("[::1]:2525", ("::1", 2525)),
        ("[::1]", ("::1", 1025)),
        ("fe80::1", ("fe80::1", 1025)),
    ],
)
def test_address_is_read_in_every_usual_form(text: str, found: tuple[str, int]) -> None:
    """Host and port, host alone, IPv6 with and without brackets."""
    assert address(text, 1025) == found


@pytest.mark.parametrize("text", ["", ":25", "host:", "host:0", "host:70000", "host:smtp"])
def test_address_that_is_none_is_refused_in_words(text: str) -> None:
    """A slip in --to is answered with an example."""
    with pytest.raises(CamalertError, match=r"192\.168\.1\.5:1025"):
        address(text, 1025)


@contextlib.contextmanager
def _server(answer: Callable[[str], str]) -> Iterator[Server]:
    """Run a one-session SMTP server that answers each command line with `answer(line)`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(b"220 test ready\r\n")
                stream.flush()
                in_data = False
                for raw in stream:
                    if in_data and raw != b".\r\n":
                        continue
                    line = raw.decode().strip()
                    stream.write(f"{answer(line)}\r\n".encode())
                    stream.flush()
                    in_data = line.lower() == "data"

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Server("127.0.0.1", listener.getsockname()[1])
        finally:
            thread.join(10)


def _polite(line: str) -> str:
    return "354 go on" if line.lower() == "data" else "250 fine"


def test_delivery_shows_the_servers_words() -> None:
    """Every command and every reply is shown, the mail itself is not."""
    shown: list[str] = []

    with _server(_polite) as server, contextlib.closing(Delivery(server, shown.append)) as delivery:
        delivery.deliver(MAIL)

    assert "< 220 test ready" in shown
    assert "< 354 go on" in shown
    assert shown.count("< 250 fine") >= 4
    assert not any("Subject" in line for line in shown)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "."])
def test_delivery_refusal_carries_the_servers_words(stage: str) -> None:
    """A refusal at any stage ends in the words that the server gave."""

    def answer(line: str) -> str:
        return "554 not from there" if line.lower().startswith(stage) else _polite(line)

    with (
        _server(answer) as server,
        contextlib.closing(Delivery(server, lambda _line: None)) as delivery,
        pytest.raises(CamalertError, match="did not accept the mail: 554 not from there"),
    ):
        delivery.deliver(MAIL)


def test_delivery_password_is_never_shown() -> None:
    """What is shown can be pasted into a report."""
    shown: list[str] = []

    def answer(line: str) -> str:
        if line.lower().startswith("ehlo"):
            return "250-test\r\n250 AUTH PLAIN"
        return "235 welcome" if line.upper().startswith("AUTH") else _polite(line)

    with _server(answer) as server:
        asked = Server(server.host, server.port, user="garage", password="secret")
        Delivery(asked, shown.append).close()

    assert "> AUTH …" in shown
    assert not any("Z2FyYWdl" in line or "secret" in line for line in shown)


def test_delivery_nobody_listens_is_said_in_words() -> None:
    """A service that does not run is the usual reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(CamalertError, match="nobody listens there; does the service run"):
        Delivery(Server("127.0.0.1", port), lambda _line: None)


def test_send_missing_file_ends_before_anything_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt file is one line and an exit code."""
    (tmp_path / "config.toml").touch()

    code = main(["send", str(tmp_path / "nope.jpg"), "--config", str(tmp_path / "config.toml")])

    assert code == 1
    assert "nope.jpg cannot be read: No such file" in capsys.readouterr().err


def test_watch_finds_only_new_rows_with_these_pictures(tmp_path: Path) -> None:
    """Rows of before and rows of others are not shown as ours."""
    with contextlib.closing(Database(config.Database(path=str(tmp_path / "a.sqlite3")))) as database:
        database.open()

        def add(subject: str, snapshot: bytes) -> int:
            return database.write(
                lambda connection: (
                    connection.execute(
                        "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES (?, '2026-05-04 03:02:01', ?)",
                        (subject, snapshot),
                    ).lastrowid
                )
            )

        add("before", JPEG)
        with contextlib.closing(Watch(tmp_path / "a.sqlite3")) as watch:
            add("somebody else's", PNG)
            ours = add("ours", JPEG)

            found = watch.rows([JPEG])

    assert [(verdict.alert_id, verdict.subject, verdict.outcome) for verdict in found] == [(ours, "ours", "")]
    assert found[0].in_words().endswith("not examined yet")
