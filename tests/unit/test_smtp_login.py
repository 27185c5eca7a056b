"""The exchange of a login, and which logins are right."""

from __future__ import annotations

import asyncio
import base64
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import Auth, User
from camalert.smtp import login, passwords
from camalert.smtp.login import Credentials
from camalert.smtp.logins import Logins

SECRET = b"\0cam\0secret"


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def _exchange(mechanism: str, initial: str, *answers: bytes) -> tuple[Credentials, list[str]]:
    """Log in with these answers; returns the credentials and what was asked."""
    asked: list[str] = []

    async def ask(challenge: str) -> bytes:
        asked.append(challenge)
        return answers[len(asked) - 1]

    return asyncio.run(login.exchange(mechanism, initial, ask)), asked


@pytest.mark.parametrize(
    ("mechanism", "initial", "answers", "asked"),
    [
        ("LOGIN", "", (b"cam", b"secret"), ["Username:", "Password:"]),
        ("LOGIN", b64(b"cam"), (b"secret",), ["Password:"]),
        ("PLAIN", "", (SECRET,), ["PLAIN"]),
        ("PLAIN", b64(SECRET), (), []),
        ("PLAIN", b64(b"admin\0cam\0secret"), (), []),
        ("PLAIN", b64(b"cam\0secret"), (), []),
    ],
)
def test_exchange_asks_for_what_is_missing(
    mechanism: str, initial: str, answers: tuple[bytes, ...], asked: list[str]
) -> None:
    """Name and password are the same, with and without an initial response."""
    assert _exchange(mechanism, initial, *answers) == (Credentials("cam", b"secret"), asked)


def test_exchange_of_cram_md5_takes_any_answer_for_nobody() -> None:
    """There is nothing to check it with."""
    assert _exchange("CRAM-MD5", "", b"cam 0123456789abcdef") == (Credentials("", b""), ["<camalert>"])


def test_secret_without_a_password_is_a_name() -> None:
    """A client that sends no zero bytes logs in with an empty password."""
    assert _exchange("PLAIN", b64(b"cam"))[0] == Credentials("cam", b"")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("LOGIN", ("LOGIN", "")), ("plain AGNhbQ==", ("PLAIN", "AGNhbQ==")), ("PLAIN =", ("PLAIN", "")),
        ("LOGIN a b", ("LOGIN", "a")), ("", ("", "")),
    ],
)  # fmt: skip
def test_argument_holds_mechanism_and_initial_response(argument: str, expected: tuple[str, str]) -> None:
    """Any case; "=" is an empty response, as none is."""
    assert login.parse(argument) == expected


def test_cram_md5_is_understood_only_where_any_login_is_right() -> None:
    """It cannot be checked against hashed passwords."""
    assert "CRAM-MD5" in login.mechanisms("any")
    assert "CRAM-MD5" not in login.mechanisms("users")


def test_answer_of_an_asterisk_cancels_the_login() -> None:
    """RFC 4954, section 4."""
    with pytest.raises(login.Cancelled):
        login.answer(b" * ")


@pytest.mark.parametrize(("line", "expected"), [(b"Y2Ft", b"cam"), (b"Y2Ft\r", b"cam"), (b"Y2E", b"ca"), (b"A", b"")])
def test_answer_is_decoded_as_far_as_it_is_base64(line: bytes, expected: bytes) -> None:
    """Missing padding is added; what is no base64 is empty."""
    assert login.answer(line) == expected


@given(st.binary(max_size=100))
def test_answer_of_any_bytes_is_read(line: bytes) -> None:
    """No bytes make the reading fail."""
    if line.strip() != b"*":
        login.answer(line)


def _logins(accept: str = "users") -> Logins:
    users = tuple(User(name=name, password=passwords.hashed(word)) for name, word in (("cam", "a"), ("cam", "b")))
    return Logins(Auth(accept=accept, user=users))


@pytest.mark.parametrize(
    ("name", "password", "is_right"),
    [("cam", b"a", True), ("cam", b"b", False), ("other", b"a", False), ("", b"", False)],
)
def test_only_a_user_with_the_right_password_may_log_in(name: str, password: bytes, is_right: bool) -> None:
    """Of two users of a name the first one counts."""
    assert asyncio.run(_logins().is_right(Credentials(name, password))) is is_right


def test_any_login_is_right_where_none_is_asked_for() -> None:
    """No password is looked at."""
    assert asyncio.run(_logins("any").is_right(Credentials("", b"")))


def test_right_login_costs_nothing_again_and_a_wrong_one_always_does() -> None:
    """A camera logs in for each mail; guessing stays dear."""
    logins = _logins()

    with mock.patch("camalert.smtp.passwords.is_password", wraps=passwords.is_password) as is_password:
        found = [
            asyncio.run(logins.is_right(Credentials("cam", password))) for password in (b"a", b"a", b"x", b"x", b"a")
        ]

    assert found == [True, True, False, False, True]
    assert is_password.call_count == 3
