"""The course of a session without a socket: how it ends, and what its owner reads of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from testing.clientdouble import ClientDouble, say

from camalert.config import Config
from camalert.mail.envelope import Envelope
from camalert.smtp import replies
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


def _serve(
    said: bytes, delivery: _Delivery | None = None, *, is_draining: bool = False, peer: str = PEER
) -> tuple[list[str], list[str]]:
    """Serve a client that says all of this and leaves; returns the replies and what is noted of it."""

    async def play() -> tuple[list[str], list[str]]:
        notes = _Notes()
        reception = Reception(Config(), cast(Any, delivery or _Delivery()), cast(Any, notes), None, ())
        session = Session(reception, Listener(25), asyncio.get_running_loop())
        client = ClientDouble(peer)
        session.connection_made(client)
        say(session, said)
        reception.is_draining = is_draining
        session.eof_received()
        async with asyncio.timeout(20):
            while not client.has_closed:
                await asyncio.sleep(0)
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
