"""The course of a session without a socket: what its commands do, how it ends, and what its owner reads of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from testing.clientdouble import ClientDouble, say
from testing.logged import captured

from camalert.config.schema import Config, Intake, Smtp
from camalert.identity import Envelope
from camalert.intake.smtp import replies
from camalert.intake.smtp.connection import DROPPED_MAILS
from camalert.intake.smtp.delivery import MailBuffer
from camalert.intake.smtp.reception import ListenerRules, Reception
from camalert.intake.smtp.session import MAX_WRONG_COMMANDS, MAX_WRONG_LOGINS, Record, Session

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

    async def deliver(self, mail: MailBuffer, envelope: Envelope, acknowledged: set[str]) -> str:
        if self._is_broken:
            raise ZeroDivisionError
        self.envelopes.append(envelope)
        mail.free()
        return replies.OK


class _Logins:
    """Finds logins right or wrong as the test says."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)

    async def is_right(self, *_: object) -> bool:
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
    tls: str = "none",
) -> tuple[list[str], list[str]]:
    """Serve a client that says all of this and leaves, or `stays`; returns the replies and what is noted of it."""

    async def play() -> tuple[list[str], list[str]]:
        notes = _Notes()
        max_mail_bytes = (config or Config()).intake.max_mail_bytes
        reception = Reception(
            config or Config(), cast(Any, delivery or _Delivery()), cast(Any, notes), None, (), max_mail_bytes
        )
        if logins is not None:
            reception.logins = cast(Any, logins)
        session = Session(reception, ListenerRules(25, tls), asyncio.get_running_loop())
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
        assert session._timer is None
        return client.sent.decode().splitlines(), notes.failures

    return asyncio.run(play())


def test_session_with_a_mail_is_no_problem() -> None:
    """Greeting, replies, and nothing to note."""
    delivery = _Delivery()

    heard, noted = _serve(b"HELO cam\r\n" + MAIL + b"QUIT\r\n", delivery)

    assert [line[:3] for line in heard] == ["220", "250", "250", "250", "354", "250", "221"]
    assert noted == []
    assert delivery.envelopes == [Envelope(PEER, "cam", "", "cam@home", ("me@home",))]


def test_defect_of_ours_ends_one_session_with_a_reply_and_a_traceback() -> None:
    """The client is told to try again; the process goes on."""
    with captured() as logs:
        heard, _ = _serve(MAIL, _Delivery(is_broken=True))

    assert heard[-1] == replies.INTERNAL_ERROR
    assert [(log["event"], log["peer"]) for log in logs if log["level"] == "error"] == [("session_crashed", PEER)]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"EHLO cam\r\n", "left after EHLO without sending a mail"),
        (MAIL[:-5], "broke off within a mail after"),
        (MAIL[:-4] + b"\n.\n", "with a dot behind a bare line feed: that is not the end of a mail"),
        (b"GET / HTTP/1.1\r\n", "spoke HTTP, as a browser does, to the mail port 25"),
        (b"\x16\x03\x01\x02\x00", "started TLS on the plain port 25"),
        (b"FOO\r\n" * 20, "too many unknown commands"),
    ],
)
def test_end_of_a_session_without_a_mail_is_put_into_words(said: bytes, words: str) -> None:
    """One note each."""
    _, noted = _serve(said)

    assert len(noted) == 1
    assert words in noted[0]


def test_client_that_has_just_come_delivers_one_mail_to_a_service_that_drains() -> None:
    """Its camera may not try again; a second mail has to wait for the next service."""
    delivery = _Delivery()
    heard, _ = _serve(b"EHLO cam\r\n" + MAIL + MAIL, delivery, is_draining=True)

    assert heard[-2:] == [replies.OK, replies.STOPPING]
    assert len(delivery.envelopes) == 1


def test_client_that_is_sent_away_by_the_drain_is_not_blamed() -> None:
    """It left without a mail because we did."""
    _, noted = _serve(b"EHLO cam\r\n", is_draining=True)

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


def test_right_login_after_a_wrong_one_is_no_problem() -> None:
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


def test_recipients_that_say_nothing_are_wrong_commands() -> None:
    """They are not read forever."""
    heard, noted = _serve(
        b"HELO cam\r\nMAIL FROM:<a@b>\r\n" + b"RCPT TO:" + b"<" * 4000 + b"\r\n" + b"RCPT TO:\r\n" * 30
    )

    assert heard[-1] == replies.TOO_MANY_ERRORS
    assert heard.count(replies.ADDRESS_MISSING) < 20
    assert 'at last "RCPT"' in noted[0]


def test_recipients_beyond_the_limit_are_refused_and_the_mail_is_taken() -> None:
    """They are not even read."""
    delivery = _Delivery()
    envelope = b"MAIL FROM:<a@b>\r\n" + b"".join(b"RCPT TO:<n%d@home>\r\n" % number for number in range(150))

    heard, _ = _serve(b"HELO cam\r\n" + envelope + b"DATA\r\nSubject: x\r\n.\r\nQUIT\r\n", delivery)

    assert heard.count(replies.too_many_recipients(100)) == 50
    assert len(delivery.envelopes[0].recipients) == 100


def test_nothing_is_said_in_the_clear_where_tls_is_expected() -> None:
    """A stranger's camera on the TLS port would take the words for a broken handshake."""
    heard, noted = _serve(MAIL, peer="8.8.8.8", tls="implicit")

    assert heard == []
    assert '"8.8.8.8"' in noted[0]


def test_mail_that_was_begun_is_forgotten_by_the_next_one_and_by_reset() -> None:
    """Several RCPT add up; nothing of a mail is left for the next one, and an empty sender is one."""
    delivery = _Delivery()
    data = b"DATA\r\nSubject: x\r\n.\r\n"
    first = b"MAIL FROM:<cam@home>\r\nRCPT TO:<a@home>\r\nRCPT TO:<b@home,c@home>\r\n" + data
    bounce = b"MAIL FROM:<>\r\nRCPT TO:<a@home>\r\nRSET\r\nMAIL FROM:<>\r\nDATA\r\nRCPT TO:<d@home>\r\n" + data

    heard, _ = _serve(b"HELO cam\r\n" + first + b"RCPT TO:<a@home>\r\nDATA\r\n" + bounce + b"QUIT\r\n", delivery)

    assert [(found.sender, found.recipients) for found in delivery.envelopes] == [
        ("cam@home", ("a@home", "b@home", "c@home")), ("", ("d@home",)),
    ]  # fmt: skip
    assert [line for line in heard if line.startswith("503")] == [
        replies.MAIL_FIRST, replies.MAIL_AND_RCPT_FIRST, replies.MAIL_AND_RCPT_FIRST,
    ]  # fmt: skip


def test_recipients_are_limited_over_all_commands() -> None:
    """One command may name several, all of them count."""
    delivery = _Delivery()
    many = b"RCPT TO:<a@home>\r\n" * 99 + b"RCPT TO:<b@home,c@home>\r\nRCPT TO:<d@home>\r\n"

    heard, _ = _serve(b"HELO cam\r\nMAIL FROM:<a@b>\r\n" + many + b"DATA\r\nx\r\n.\r\nQUIT\r\n", delivery)

    assert heard.count(replies.too_many_recipients(100)) == 1
    assert [found.recipients for found in delivery.envelopes] == [("a@home",) * 99 + ("d@home",)]


def test_end_from_outside_keeps_the_first_cause() -> None:
    """A mail is torn because its client was sent away."""

    async def play() -> Record:
        reception = Reception(Config(), cast(Any, _Delivery()), cast(Any, _Notes()), None, (), 1000)
        session = Session(reception, ListenerRules(25, "none"), asyncio.get_running_loop())
        session.connection_made(ClientDouble(PEER))
        session.end("421 first", "crowded")
        session.end("421 second", "no memory")
        await session._task
        return session.record

    record = asyncio.run(play())

    assert (record.problem, record.is_sent_away) == ("crowded", True)


# --- the record -------------------------------------------------------------------------------------------------------


def _summary(record: Record) -> str:
    return record.summary(PEER, offers_login=True, offers_tls=True)


def test_session_that_sent_its_mail_has_no_problem() -> None:
    """What was wrong before the mail did no harm."""
    record = Record(last_command="DATA")
    record.set_problem("too many mails")

    record.mail_taken()

    assert _summary(record) == ""


def test_session_that_left_without_a_mail_is_explained() -> None:
    """The last command is a hint."""
    assert "left after EHLO without sending a mail" in _summary(Record(last_command="EHLO"))


def test_session_that_never_spoke_or_said_goodbye_is_fine() -> None:
    """A probe of the port, and a camera's test of the connection."""
    assert [_summary(Record(last_command=command)) for command in ("", "QUIT")] == ["", ""]


def test_session_that_we_ended_is_not_explained_by_its_last_command() -> None:
    """A camera that is sent away for another client, or by a stop, has nothing set wrongly."""
    assert _summary(Record(last_command="EHLO", is_sent_away=True)) == ""


def test_first_cause_counts_when_another_only_follows_from_it() -> None:
    """A mail is torn because the camera was sent away."""
    record = Record()
    record.set_problem_if_none("no room")

    record.set_problem_if_none("torn")

    assert _summary(record) == "no room"


def test_later_cause_of_its_own_takes_the_place_of_an_earlier_one() -> None:
    """A camera that logged in too late and sent too much reads of the second."""
    record = Record()
    record.set_problem("login missing")

    record.set_problem("too large")

    assert _summary(record) == "too large"


@pytest.mark.parametrize(
    ("verb", "is_shown"),
    [("HELO", True), ("STARTTLS", True), ("AUTHORIZE", False), ("", False), ("C2VJCMV0", False), ("PÄSS", False)],
)
def test_patience_with_wrong_commands_ends(verb: str, is_shown: bool) -> None:
    """The last one is named, unless it is no word: then it may be a password."""
    record = Record()

    ends = [record.wrong_command(PEER, verb) for _ in range(MAX_WRONG_COMMANDS)]

    assert ends == [False] * (MAX_WRONG_COMMANDS - 1) + [True]
    assert "too many unknown commands" in _summary(record)
    assert (f'at last "{verb}"' in _summary(record)) == is_shown
    assert is_shown or not verb or verb not in _summary(record)


def test_patience_with_wrong_logins_ends_and_a_right_one_makes_them_good() -> None:
    """Three guesses a session."""
    record = Record(last_command="QUIT")

    ends = [record.wrong_login("wrong") for _ in range(MAX_WRONG_LOGINS)]

    assert ends == [False] * (MAX_WRONG_LOGINS - 1) + [True]
    assert _summary(record) == "wrong"
    record.logged_in()
    assert _summary(record) == ""


def test_silence_is_problem_only_between_the_first_word_and_the_first_mail() -> None:
    """A camera that keeps its connection open after its mail does nothing wrong."""
    before, within, after = Record(), Record(last_command="EHLO"), Record(last_command="DATA", mails=1)

    for record in (before, within, after):
        record.fell_silent(PEER, 60.0)

    assert [bool(record.problem) for record in (before, within, after)] == [False, True, False]
