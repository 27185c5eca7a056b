"""The exchange of a login, which logins are right, and hashed passwords."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Auth, User
from camalert.errors import ConfigError
from camalert.intake.smtp import auth
from camalert.intake.smtp.auth import (
    FORGOTTEN_S,
    FREE_TRIES,
    MOST_ADDRESSES,
    Credentials,
    Guesses,
    Logins,
    TooManyGuesses,
)
from camalert.intake.smtp.passwords import hash_password, is_password

SECRET = b"\0cam\0secret"


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def _exchange(mechanism: str, initial: str, *answers: bytes) -> tuple[Credentials, list[str]]:
    """Log in with these answers; returns the credentials and what was asked."""
    asked: list[str] = []

    async def ask(challenge: str) -> bytes:
        asked.append(challenge)
        return answers[len(asked) - 1]

    return asyncio.run(auth.exchange(mechanism, initial, ask)), asked


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
    assert auth.parse(argument) == expected


def test_cram_md5_is_understood_only_where_any_login_is_right() -> None:
    """It cannot be checked against hashed passwords."""
    assert "CRAM-MD5" in auth.mechanisms("any")
    assert "CRAM-MD5" not in auth.mechanisms("users")


def test_answer_of_an_asterisk_cancels_the_login() -> None:
    """RFC 4954, section 4."""
    with pytest.raises(auth.Cancelled):
        auth.answer(b" * ")


@pytest.mark.parametrize(("line", "expected"), [(b"Y2Ft", b"cam"), (b"Y2Ft\r", b"cam"), (b"Y2E", b"ca"), (b"A", b"")])
def test_answer_is_decoded_as_far_as_it_is_base64(line: bytes, expected: bytes) -> None:
    """Missing padding is added; what is no base64 is empty."""
    assert auth.answer(line) == expected


@given(st.binary(max_size=100))
def test_answer_of_any_bytes_is_read(line: bytes) -> None:
    """No bytes make the reading fail."""
    if line.strip() != b"*":
        auth.answer(line)


def _logins(accept: str = "users") -> Logins:
    users = tuple(User(name=name, password=hash_password(word)) for name, word in (("cam", "a"), ("cam", "b")))
    return Logins(Auth(accept=accept, user=users))


@pytest.mark.parametrize(
    ("name", "password", "is_right"),
    [("cam", b"a", True), ("cam", b"b", False), ("other", b"a", False), ("", b"", False)],
)
def test_only_a_user_with_the_right_password_may_log_in(name: str, password: bytes, is_right: bool) -> None:
    """Of two users of a name the first one counts."""
    assert asyncio.run(_logins().is_right(Credentials(name, password), "192.168.1.9")) is is_right


def test_any_login_is_right_where_none_is_asked_for() -> None:
    """No password is looked at."""
    assert asyncio.run(_logins("any").is_right(Credentials("", b""), "192.168.1.9"))


def test_right_login_costs_nothing_again_and_a_wrong_one_always_does() -> None:
    """A camera logs in for each mail; guessing stays dear."""
    logins = _logins()

    with mock.patch.object(auth, "is_password", wraps=is_password) as checks:
        found = [
            asyncio.run(logins.is_right(Credentials("cam", password), "192.168.1.9"))
            for password in (b"a", b"a", b"x", b"x", b"a")
        ]

    assert found == [True, True, False, False, True]
    assert checks.call_count == 3


def test_guessing_takes_longer_and_longer() -> None:
    """Ten are free, a thousand take more than half a day, and no answer is held up for more than a minute."""
    guesses = Guesses()
    assert [guesses.begin("192.168.1.9", 0.0) for _ in range(FREE_TRIES)] == [0.0] * FREE_TRIES
    assert [guesses.begin("192.168.1.9", 0.0) for _ in range(3)] == [1.0, 3.0, 7.0]
    assert guesses.begin("192.168.1.8", 0.0) == 0.0

    now, tries = 10.0, 0
    while now < 43_200:
        try:
            now += guesses.begin("192.168.1.9", now)
            tries += 1
        except TooManyGuesses:
            now += 1.0
    assert tries < 1000


def test_right_logins_are_no_guesses_and_quiet_addresses_begin_anew() -> None:
    """A recorder whose channels log in all the time is not held up."""
    guesses = Guesses()
    for _ in range(100):
        assert guesses.begin("192.168.1.9", 0.0) == 0.0
        guesses.was_right("192.168.1.9")
    for _ in range(20):
        with contextlib.suppress(TooManyGuesses):
            guesses.begin("192.168.1.7", 0.0)

    assert guesses.begin("192.168.1.7", FORGOTTEN_S + 200) == 0.0


def test_guessers_that_are_remembered_are_bounded() -> None:
    """Addresses can be invented; those of one network in IPv6 are endless."""
    guesses = Guesses()
    for number in range(3 * MOST_ADDRESSES):
        guesses.begin(f"fd00::{number:x}", 0.0)

    assert len(guesses._guessers) == MOST_ADDRESSES


def test_name_that_nobody_has_takes_as_long_as_one_with_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same work is done for both; a right login is remembered, and then held up by nobody's guesses."""
    checked: list[str] = []
    monkeypatch.setattr(auth, "is_password", lambda password, stored: (checked.append(stored), password == b"right")[1])
    logins = Logins(Auth(accept="users", user=(User("cam", "stored"),)))

    async def play() -> list[bool]:
        found = [
            await logins.is_right(Credentials(name, password), "192.168.1.9")
            for name, password in (("cam", b"right"), ("cam", b"wrong"), ("nobody", b"wrong"), ("nobody", b"right"))
        ]
        for _ in range(200):
            with contextlib.suppress(TooManyGuesses):
                logins._guesses.begin("192.168.1.9", 0.0)
        return [*found, await logins.is_right(Credentials("cam", b"right"), "192.168.1.9")]

    assert asyncio.run(play()) == [True, False, False, False, True]
    assert checked == ["stored"] * 4


def test_password_is_known_again_and_no_other_is() -> None:
    """A hash says nothing of the password and two hashes of it differ."""
    stored = hash_password("garage 1")

    assert is_password(b"garage 1", stored)
    assert not is_password(b"garage 2", stored)
    assert "garage" not in stored
    assert hash_password("garage 1") != stored


@pytest.mark.parametrize("stored", ["", "secret", "scrypt:1:2:3:4", "scrypt:4096:8:1:!!:!!", "md5:4096:8:1:aa:bb"])
def test_password_in_the_clear_is_a_mistake_of_the_configuration(stored: str) -> None:
    """The owner reads which command makes the right line."""
    with pytest.raises(ConfigError, match="hash-password"):
        is_password(b"secret", stored)
