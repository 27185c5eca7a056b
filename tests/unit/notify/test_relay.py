"""The mail of a message."""

from __future__ import annotations

from camalert.config.targets import parse
from camalert.notify.message import Message
from camalert.notify.relay import mail_of


def test_camera_cannot_add_a_header_to_the_mail() -> None:
    """Its name comes from a stranger's mail."""
    address = parse("smtp://mail.example.org/?to=me@example.org&from=cam@example.org")
    message = Message("5f0e", "visit", "x", "Somebody at x\r\nBcc: other@example.org", "text", 0.0, "urgent")

    mail = mail_of(message, address)

    assert mail["Bcc"] is None
    assert mail["Subject"] == "Somebody at x Bcc: other@example.org"
    assert mail["Importance"] == "high"
    assert b"Bcc:" not in mail.as_bytes().partition(b"\n\n")[0].replace(b"Subject: Somebody at x Bcc:", b"")
