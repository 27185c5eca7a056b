"""The course of a session without a socket: how it ends, and what its owner reads of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from testing.clientdouble import ClientDouble, say

from camalert.config import Config, Intake, Smtp
from camalert.mail.envelope import Envelope
from camalert.smtp import replies
from camalert.smtp.connection import DROPPED_MAILS
from camalert.smtp.delivery import Parcel
from camalert.smtp.reception import Listener, Reception
from camalert.smtp.session import Session

PEER = "192.168.1.9"
MAIL = b"MAIL FROM:<cam@home>\r\nRCPT TO:<me@home>\r\nDATA\r\nSubject: x\r\n.\r\n"


class _Notes:
    def __init__(self) -> None:
        self.failures: list[str] = []

    def failure(self, event: str, peer: str, words: str) -> None:
        self.failures.append(words)


class _Delivery:
    """Takes every mail, or fails in a way that nobody thought of."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.envelopes: list[Envelope] = []
        self._is_broken = is_broken

    async def deliver(self, parcel: Parcel, envelope: Envelope, acknowledged: set[str]) -> str:
        if self._is_broken:
            raise ZeroDivisionError
        self.envelopes.append(envelope)
        parcel.free()
        return replies.OK


class _Logins:
    """Finds logins right or wrong as the test says."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)

    async def is_right(self, _: object) -> bool:
        return self._answers.pop(0)


def _serve(
    said: bytes,
    delivery: _Delivery | None = None,
    *,
    is_draining: bool = False,
    peer: str = PEER,
    config: Config | None = None,
    logins: _Logins | None = None,
    stays: bool = False,
) -> tuple[list[str], list[str]]:
    """Serve a client that says all of this and leaves, or `stays`; returns the replies and what is noted of it."""

    async def play() -> tuple[list[str], list[str]]:
        notes = _Notes()
        reception = Reception(config or Config(), cast(Any, delivery or _Delivery()), cast(Any, notes), None, ())
        if logins is not None:
            reception.logins = cast(Any, logins)
        session = Session(reception, Listener(25), asyncio.get_running_loop())
        client = ClientDouble(peer)
        session.connection_made(client)
        say(session, said)
        reception.is_draining = is_draining
        if not stays:
            session.eof_received()
        async with asyncio.timeout(20):
            while not client.has_closed:
                await asyncio.sleep(0)
        assert not session.mail_bytes  # a session that is over holds nothing of its client, until it is collected
        assert session._deadline._timer is None
        return client.sent.decode().splitlines(), notes.failures

    return asyncio.run(play())


def test_session_with_a_mail_is_no_trouble() -> None:
    """Greeting, replies, and nothing to note."""
    delivery = _Delivery()

    heard, noted = _serve(b"HELO cam\r\n" + MAIL + b"QUIT\r\n", delivery)

    assert [line[:3] for line in heard] == ["220", "250", "250", "250", "354", "250", "221"]
    assert noted == []
    assert delivery.envelopes == [Envelope(PEER, "cam", "", "cam@home", ("me@home",))]


def test_defect_of_ours_ends_one_session_with_a_reply_and_a_traceback() -> None:
    """The client is told to try again; the process goes on."""
    with capture_logs() as logs:
        heard, _ = _serve(MAIL, _Delivery(is_broken=True))

    assert heard[-1] == replies.INTERNAL_ERROR
    assert [(log["event"], log["peer"]) for log in logs if log["log_level"] == "error"] == [("session_crashed", PEER)]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"EHLO cam\r\n", "left after EHLO without sending a mail"),
        (MAIL[:-5], "broke off within a mail after"),
        (b"GET / HTTP/1.1\r\n", "spoke HTTP, as a browser does, to the mail port 25"),
        (b"\x16\x03\x01\x02\x00", "started TLS on the plain port 25"),
        (b"FOO\r\n" * 20, "too many commands that mean nothing"),
    ],
)
def test_end_of_a_session_without_a_mail_is_put_into_words(said: bytes, words: str) -> None:
    """One note each."""
    _, noted = _serve(said)

    assert len(noted) == 1
    assert words in noted[0]


def test_client_that_is_sent_away_by_the_drain_is_not_blamed() -> None:
    """It left without a mail because we did."""
    heard, noted = _serve(b"EHLO cam\r\n", is_draining=True)

    assert heard[-1] == replies.STOPPING
    assert noted == []


def test_stranger_is_refused_without_a_greeting_and_told_how_to_be_let_in() -> None:
    """Its mail is not read."""
    delivery = _Delivery()

    heard, noted = _serve(MAIL, delivery, peer="8.8.8.8")

    assert heard == [replies.NOT_ACCEPTED]
    assert len(noted) == 1
    assert '"8.8.8.8"' in noted[0]
    assert delivery.envelopes == []


def test_mail_without_an_end_ends_the_session() -> None:
    """What follows it is not taken for commands, and its sender not for a client that may go on."""
    config = Config(intake=Intake(max_mail_bytes=65_536))
    endless = b"x" * 65_536 * (DROPPED_MAILS + 2)

    heard, noted = _serve(MAIL[:-5] + endless, config=config, stays=True)

    assert heard[-1] == replies.too_large(65_536)
    assert len(noted) == 1


def test_slow_mail_counts_more_than_what_went_wrong_before() -> None:
    """The owner reads what keeps the camera from delivering, not its wrong login."""
    config = Config(smtp=Smtp(mail_seconds=0.01))
    login = b"AUTH LOGIN YQ== Yg==\r\nYg==\r\n"

    heard, noted = _serve(b"EHLO cam\r\n" + login + MAIL[:-5], config=config, logins=_Logins(False), stays=True)

    assert replies.WRONG_LOGIN in heard
    assert heard[-1] == replies.SLOW_MAIL
    assert len(noted) == 1
    assert "logged in" not in noted[0]


def test_right_login_after_a_wrong_one_is_no_trouble() -> None:
    """Some cameras try an old password first."""
    login = b"AUTH LOGIN YQ==\r\nYg==\r\n"

    heard, noted = _serve(b"EHLO cam\r\n" + login + login + b"QUIT\r\n", logins=_Logins(False, True))

    assert [replies.WRONG_LOGIN in heard, replies.LOGGED_IN in heard] == [True, True]
    assert noted == []


def test_login_without_a_name_is_one_all_the_same() -> None:
    """Where any login is right, one with an empty name is a login, too."""
    delivery = _Delivery()

    _serve(b"EHLO cam\r\nAUTH CRAM-MD5\r\n\r\n" + MAIL + b"QUIT\r\n", delivery)

    assert [envelope.login for envelope in delivery.envelopes] == ["?"]
