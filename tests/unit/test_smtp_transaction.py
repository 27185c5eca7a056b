"""The envelope that MAIL and RCPT make."""

from __future__ import annotations

from camalert.mail.envelope import Envelope
from camalert.smtp.transaction import MAX_RECIPIENTS, Transaction


def test_sender_and_recipients_make_an_envelope_and_the_next_one_begins_empty() -> None:
    """Several RCPT add up; nothing of a mail is left for the next one."""
    transaction = Transaction()
    transaction.begin("cam@home")
    transaction.add(("a@home",))
    transaction.add(("b@home", "c@home"))

    envelope = transaction.finish("192.168.1.9", "cam", "user")

    assert envelope == Envelope("192.168.1.9", "cam", "user", "cam@home", ("a@home", "b@home", "c@home"))
    assert not transaction.is_begun
    assert not transaction.is_complete


def test_empty_sender_begins_a_mail() -> None:
    """MAIL FROM:<> is how a bounce begins."""
    transaction = Transaction()

    transaction.begin("")

    assert transaction.is_begun
    assert not transaction.is_complete
    transaction.add(("a@home",))
    assert transaction.is_complete


def test_reset_forgets_the_mail_that_was_begun() -> None:
    """Its recipients too."""
    transaction = Transaction()
    transaction.begin("cam@home")
    transaction.add(("a@home",))

    transaction.reset()

    assert not transaction.is_begun
    transaction.begin("cam@home")
    assert not transaction.is_complete


def test_recipients_are_limited_over_all_commands() -> None:
    """One command may name several, all of them count."""
    transaction = Transaction()
    transaction.begin("cam@home")
    transaction.add(("a@home",) * (MAX_RECIPIENTS - 1))

    assert transaction.has_room(("b@home",))
    assert not transaction.has_room(("b@home", "c@home"))
