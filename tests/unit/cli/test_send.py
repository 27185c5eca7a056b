"""`camalert send`: address, dialogue and password."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.cli.alarmmail import AlarmMail
from camalert.cli.send import Delivery, Server, address
from camalert.errors import CamalertError

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


MAIL = AlarmMail("a@b.invalid", "c@d.invalid", b"Subject: x\r\n\r\ny\r\n")


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

    with pytest.raises(CamalertError, match="connection refused; is the service running"):
        Delivery(Server("127.0.0.1", port), lambda _line: None)


def test_send_missing_file_ends_before_anything_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt file is one line and an exit code."""
    (tmp_path / "config.toml").touch()

    code = main(["send", str(tmp_path / "nope.jpg"), "--config", str(tmp_path / "config.toml")])

    assert code == 1
    assert "nope.jpg: No such file" in capsys.readouterr().err


def test_send_password_comes_from_the_environment_or_a_prompt_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password on the command line would be seen by everybody on the machine: there is no such option."""
    (tmp_path / "picture.jpg").write_bytes(JPEG)
    (tmp_path / "config.toml").touch()
    words = ["send", str(tmp_path / "picture.jpg"), "--config", str(tmp_path / "config.toml"), "--user", "garage"]
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert main(words) == 1
    assert "no terminal to ask for the password of garage: set SMTP_PASSWORD" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*words, "--password", "secret"])
