"""What a session's record says in the end."""

from __future__ import annotations

from camalert.smtp.record import MAX_WRONG_COMMANDS, MAX_WRONG_LOGINS, Record

PEER = "192.168.1.9"


def _summary(record: Record) -> str:
    return record.summary(PEER, offers_login=True, offers_tls=True)


def test_session_that_sent_its_mail_has_no_trouble() -> None:
    """What was wrong before the mail did no harm."""
    record = Record(last_command="DATA")
    record.blame("too many mails")

    record.mail_taken()

    assert _summary(record) == ""


def test_session_that_left_without_a_mail_is_explained() -> None:
    """The last command is a hint."""
    assert "left after EHLO without sending a mail" in _summary(Record(last_command="EHLO"))


def test_session_that_never_spoke_or_said_goodbye_is_fine() -> None:
    """A probe of the port, and a camera's test of the connection."""
    assert [_summary(Record(last_command=command)) for command in ("", "QUIT")] == ["", ""]


def test_first_cause_counts_when_another_only_follows_from_it() -> None:
    """A mail is torn because the camera was sent away."""
    record = Record()
    record.blame_if_well("no room")

    record.blame_if_well("torn")

    assert _summary(record) == "no room"


def test_later_cause_of_its_own_takes_the_place_of_an_earlier_one() -> None:
    """A camera that logged in too late and sent too much reads of the second."""
    record = Record()
    record.blame("login missing")

    record.blame("too large")

    assert _summary(record) == "too large"


def test_patience_with_wrong_commands_ends() -> None:
    """The last one is named."""
    record = Record()

    ends = [record.wrong_command(PEER, f"500 number {number}") for number in range(MAX_WRONG_COMMANDS)]

    assert ends == [False] * (MAX_WRONG_COMMANDS - 1) + [True]
    assert f"500 number {MAX_WRONG_COMMANDS - 1}" in _summary(record)


def test_patience_with_wrong_logins_ends_and_a_right_one_makes_them_good() -> None:
    """Three guesses a session."""
    record = Record(last_command="QUIT")

    ends = [record.wrong_login("wrong") for _ in range(MAX_WRONG_LOGINS)]

    assert ends == [False] * (MAX_WRONG_LOGINS - 1) + [True]
    assert _summary(record) == "wrong"
    record.logged_in()
    assert _summary(record) == ""


def test_silence_is_trouble_only_between_the_first_word_and_the_first_mail() -> None:
    """A camera that keeps its connection open after its mail does nothing wrong."""
    before, within, after = Record(), Record(last_command="EHLO"), Record(last_command="DATA", mails=1)

    for record in (before, within, after):
        record.fell_silent(PEER, 60.0)

    assert [bool(record.trouble) for record in (before, within, after)] == [False, True, False]
