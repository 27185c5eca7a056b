"""The limits of the smtp process: connections, memory of mails, who may send, passwords; and TLS."""

from __future__ import annotations

import ipaddress
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.errors import ConfigError
from camalert.smtp import diagnosis, passwords, tls
from camalert.smtp.addresses import is_allowed
from camalert.smtp.connections import Connections
from camalert.smtp.transit import STALL_S, Transit


def test_newcomer_sends_away_the_idle_connection_that_never_spoke() -> None:
    """One that holds a place without a word goes before one that talked, and that before one with a mail."""
    book: Connections[str] = Connections(total=3, per_address=10)
    for number, name in enumerate(("talker", "silent", "sender", "newcomer")):
        book.enter(name, "192.168.1.1", float(number))
    book.heard("talker", 10.0, is_busy=False)
    book.heard("sender", 5.0, is_busy=True)

    first = book.excess("192.168.1.1")
    book.leave("silent")

    assert first == "silent"
    assert book.excess("192.168.1.1") is None


def test_newcomer_goes_itself_when_everybody_is_busy() -> None:
    """A mail under way is never cut off for a newcomer."""
    book: Connections[str] = Connections(total=10, per_address=1)
    book.enter("sender", "192.168.1.1", 0.0)
    book.heard("sender", 0.0, is_busy=True)
    book.enter("newcomer", "192.168.1.1", 1.0)

    assert book.excess("192.168.1.1") == "newcomer"


def test_limit_of_one_address_does_not_concern_another() -> None:
    """A flood from one address sends only its own connections away."""
    book: Connections[str] = Connections(total=10, per_address=1)
    book.enter("a", "192.168.1.1", 0.0)
    book.enter("b", "192.168.1.2", 1.0)

    assert book.excess("192.168.1.2") is None


def test_spent_budget_pauses_all_but_the_oldest_mail() -> None:
    """The oldest always goes on, so the largest mail always fits; the others wait for it."""
    book: Transit[str] = Transit(budget_bytes=100, largest_bytes=80)
    for name in ("old", "middle", "young"):
        book.enter(name, 0.0)

    book.hold("middle", 15)
    book.hold("young", 10)
    book.hold("old", 80)

    assert [book.may_go_on(name) for name in ("old", "middle", "young")] == [True, False, False]
    book.leave("old")
    assert book.may_go_on("middle")
    assert book.total_bytes == 25


def test_oldest_mail_that_hardly_moves_loses_its_precedence() -> None:
    """A slow client does not hold up the others for ever."""
    book: Transit[str] = Transit(budget_bytes=100, largest_bytes=80)
    book.enter("slow", 0.0)
    book.enter("quick", 0.0)
    book.hold("slow", 30)
    book.hold("quick", 30)

    book.review(STALL_S + 1)

    assert book.may_go_on("quick")
    assert not book.may_go_on("slow")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 50)), max_size=60))
def test_transit_total_is_what_its_mails_hold(steps: list[tuple[int, int, int]]) -> None:
    """No order of events lets the total drift; somebody may always go on."""
    book: Transit[int] = Transit(100, 60)
    held: dict[int, int] = {}
    for mail, action, size in steps:
        if action == 0 and mail not in held:
            book.enter(mail, 0.0)
            held[mail] = 0
        elif action == 1 and mail in held:
            book.hold(mail, size)
            held[mail] = size
        elif action == 2:
            book.leave(mail)
            held.pop(mail, None)
        else:
            book.review(float(size))
        assert book.total_bytes == sum(held.values())
        assert not held or any(book.may_go_on(mail) for mail in held)


OWN = (ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8:1::/64"))


@pytest.mark.parametrize(
    ("peer", "is_right"),
    [
        ("192.168.1.20", True), ("10.1.2.3", True), ("172.31.0.1", True), ("172.32.0.1", False), ("127.0.0.1", True),
        ("169.254.3.4", True), ("::1", True), ("fe80::1%eth0", True), ("fd00::5", True), ("::ffff:192.168.1.20", True),
        ("::ffff:8.8.8.8", False), ("8.8.8.8", False), ("100.64.0.1", False), ("203.0.113.7", True),
        ("2001:db8:1::7", True), ("2001:db8:2::7", False), ("", False), ("not an address", False),
    ],
)  # fmt: skip
def test_private_means_the_local_network_and_the_machines_own(peer: str, is_right: bool) -> None:
    """Private, link-local, loopback, mapped addresses, and the networks this machine is part of; nothing else."""
    assert is_allowed(peer, ("private",), OWN) is is_right


def test_network_in_allow_is_allowed_beside_or_instead_of_private() -> None:
    """Only what is listed may send."""
    assert is_allowed("8.8.8.8", ("private", "8.8.8.0/24"), ())
    assert not is_allowed("192.168.1.20", ("8.8.8.0/24",), ())


def test_password_is_known_again_and_no_other_is() -> None:
    """A hash says nothing of the password and two hashes of it differ."""
    stored = passwords.hashed("garage 1")

    assert passwords.is_password(b"garage 1", stored)
    assert not passwords.is_password(b"garage 2", stored)
    assert "garage" not in stored
    assert passwords.hashed("garage 1") != stored


@pytest.mark.parametrize("stored", ["", "secret", "scrypt:1:2:3:4", "scrypt:4096:8:1:!!:!!", "md5:4096:8:1:aa:bb"])
def test_password_in_the_clear_is_a_mistake_of_the_configuration(stored: str) -> None:
    """The owner reads which command makes the right line."""
    with pytest.raises(ConfigError, match="hash-password"):
        passwords.is_password(b"secret", stored)


def test_client_hello_is_told_from_text() -> None:
    """Three bytes are enough."""
    assert tls.is_client_hello(b"\x16\x03\x01\x02\x00")
    assert not tls.is_client_hello(b"EHLO")


def test_failed_handshakes_are_explained_each_in_its_way() -> None:
    """Plain talk, an old camera and a distrusting one get different advice."""
    plain, old, distrust = (ssl.SSLError(1, reason) for reason in ("a", "b", "c"))
    plain.reason, old.reason = "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL"
    distrust.reason = "TLSV1_ALERT_UNKNOWN_CA"

    words = [
        diagnosis.handshake_failed("192.168.1.9", 465, error, "1.2", is_starttls=False)
        for error in (plain, old, distrust)
    ]

    assert "switch SSL on" in words[0]
    assert "min_tls" in words[1]
    assert "certificate" in words[2]
    assert "said nothing" in diagnosis.handshake_failed("192.168.1.9", 465, TimeoutError(), "1.2", is_starttls=False)
    assert "ConnectionResetError" in diagnosis.handshake_failed(
        "192.168.1.9", 465, ConnectionResetError(), "1.2", is_starttls=False
    )
    assert "after STARTTLS" in diagnosis.handshake_failed("192.168.1.9", 587, plain, "1.2", is_starttls=True)
