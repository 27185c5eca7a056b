"""Alarm mails for tests, and a client that sends them as a camera would."""

from __future__ import annotations

import email.message
import email.policy
import smtplib
import uuid


def alarm(pictures: list[bytes], subject: str = "Motion at gate", *, is_unique: bool = True) -> bytes:
    """Return an alarm mail with JPEG attachments; each call makes another mail unless told otherwise."""
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["From"] = "camera@home.example"
    mail["To"] = "owner@home.example"
    mail["Subject"] = subject
    if is_unique:
        mail["Message-ID"] = f"<{uuid.uuid4()}@home.example>"
    mail.set_content("Motion was detected.\r\n")
    for number, picture in enumerate(pictures):
        mail.add_attachment(picture, maintype="image", subtype="jpeg", filename=f"snapshot-{number}.jpg")
    return mail.as_bytes()


def up_to_data(port: int, *, timeout_s: float) -> smtplib.SMTP:
    """Say all that comes before a mail; what is sent next is the mail."""
    client = smtplib.SMTP("127.0.0.1", port, local_hostname="camera", timeout=timeout_s)
    client.ehlo()
    client.mail("camera@home.example")
    client.rcpt("owner@home.example")
    assert client.docmd("DATA")[0] == 354
    return client


def deliver(port: int, mail: bytes, *, timeout_s: float = 60, sender: str = "camera@home.example") -> tuple[int, str]:
    """Send one mail in a session of its own; return the server's last code and words."""
    try:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="camera", timeout=timeout_s) as client:
            client.ehlo_or_helo_if_needed()
            client.mail(sender)
            client.rcpt("owner@home.example")
            code, words = client.data(mail)
            return code, words.decode("utf-8", "replace")
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        return error.smtp_code, text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    except (OSError, smtplib.SMTPException) as error:
        return 0, str(error)
