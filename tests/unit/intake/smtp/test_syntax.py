"""Command lines as cameras write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.intake.smtp.syntax import is_http, parse_command, parse_recipients, parse_sender


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"EHLO cam", ("EHLO", "cam")),
        (b"  noop  ", ("NOOP", "")),
        (b"HELO [192.168.1.20] my cam ", ("HELO", "[192.168.1.20] my cam")),
        ("EHLO 摄像机".encode(), ("EHLO", "摄像机")),
        (b"MAIL FROM:<a@b>", ("MAIL", "FROM:<a@b>")),
        (b"mailfrom:<a@b> SIZE=1", ("MAIL", "from:<a@b> SIZE=1")),
        (b"RCPTTO:<a@b>", ("RCPT", "TO:<a@b>")),
        (b"FOO:bar baz", ("FOO", "baz")),
        (b"", ("", "")),
    ],
)
def test_command_is_parted_into_verb_and_argument(line: bytes, expected: tuple[str, str]) -> None:
    """Any case, any blanks, and none behind MAIL and RCPT."""
    assert parse_command(line) == expected


@given(st.binary(max_size=200))
def test_command_of_any_bytes_is_read(line: bytes) -> None:
    """No bytes make the reading fail, and a verb has no blank inside."""
    verb, _ = parse_command(line)

    assert " " not in verb


@pytest.mark.parametrize(
    ("line", "is_right"),
    [
        (b"GET / HTTP/1.1", True), (b"POST /mail HTTP/1.0", True), (b"GET /", False), (b"PATCH /x HTTP/1.1", True),
        (b"PRI * HTTP/2.0", True), (b"DELETE /mail HTTP/1.1", True), (b"EHLO HTTP", False), (b"HELP", False),
    ],
)  # fmt: skip
def test_browsers_request_is_told_from_a_command(line: bytes, is_right: bool) -> None:
    """Whatever its method is: no command of a mail holds the version."""
    assert is_http(line) is is_right


@pytest.mark.parametrize(
    ("argument", "address", "size_bytes"),
    [
        ("FROM:<cam@home> SIZE=1234 BODY=8BITMIME", "cam@home", 1234),
        ("FROM: cam@home SIZE=1234", "cam@home", 1234),
        ("from: <APPNAME>", "APPNAME", 0),
        ('FROM:"My Cam" <cam@home>', "cam@home", 0),
        ("FROM:<@relay:cam@home>", "cam@home", 0),
        ("FROM:<my cam@home>", "my cam@home", 0),
        ("FROM:<cam@home", "cam@home", 0),
        ("FROM:<>", "", 0),
        ("", "", 0),
    ],
)
def test_sender_is_found_in_any_form(argument: str, address: str, size_bytes: int) -> None:
    """Brackets, blanks, display names and routes are no obstacle."""
    sender = parse_sender(argument)

    assert (sender.address, sender.size_bytes) == (address, size_bytes)


def test_parameters_without_meaning_are_named() -> None:
    """They are ignored, and the log can say so."""
    assert parse_sender("FROM:<a@b> AUTH=<> X=1").unknown == ("X=1",)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("TO:<a@b>", ("a@b",)),
        ("TO:<a@b>,<c@d>", ("a@b", "c@d")),
        ("TO:<a@b,c@d>", ("a@b", "c@d")),
        ("TO: a@b; c@d", ("a@b", "c@d")),
        ("TO:<>", ()),
        ("tony@x", ("tony@x",)),
        ("TO tony@x", ("tony@x",)),
        ("TO : tony@x", ("tony@x",)),
        ("TO<tony@x>", ("tony@x",)),
        ("TO:<<a@b>>", ("a@b",)),
    ],
)
def test_recipients_are_all_found(argument: str, expected: tuple[str, ...]) -> None:
    """One command may name several."""
    assert parse_recipients(argument) == expected


@given(st.text(max_size=200))
def test_arguments_of_any_text_are_read(text: str) -> None:
    """No text makes the reading fail, and no address holds a line break."""
    addresses = (parse_sender(text).address, *parse_recipients(text))

    assert not any("\n" in address or "\r" in address for address in addresses)
