"""What opens TLS, and how failed handshakes are explained."""

from __future__ import annotations

import ssl

from camalert.intake.smtp import diagnosis, tls


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
