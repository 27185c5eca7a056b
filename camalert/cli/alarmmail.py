"""An alarm mail as a plain camera sends it, for trying the service.

Pure: time and randomness are arguments. Every mail is unique, because the service answers a mail with the same bytes
without storing it again.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime

_TYPES = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"BM", "bmp"), (b"GIF8", "gif"))


@dataclass(frozen=True, slots=True)
class AlarmMail:
    """A mail and its envelope."""

    sender: str
    recipient: str
    content: bytes


def compose(pictures: Sequence[bytes], camera: str, now: datetime.datetime, token: str) -> AlarmMail:
    """Compose an alarm mail.

    Args:
        pictures: The files to attach, as they are.
        camera: The camera's name, for subject and sender.
        now: The time of the alarm, with its time zone.
        token: A text that no other mail has.
    """
    sender = f"{re.sub(r'[^a-z0-9]+', '-', camera.lower()).strip('-') or 'camera'}@camera.invalid"
    recipient = "alarm@camalert.invalid"
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = f"{camera}: motion detected"
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{token}@camera.invalid>"
    mail.set_content(f"Motion detected\r\nCamera: {camera}\r\nTime: {now:%Y-%m-%d %H:%M:%S}\r\nNumber: {token}\r\n")
    for number, picture in enumerate(pictures, start=1):
        kind = next((kind for magic, kind in _TYPES if picture.startswith(magic)), "")
        mail.add_attachment(
            picture,
            maintype="image" if kind else "application",
            subtype=kind or "octet-stream",
            filename=f"{now:%Y%m%d%H%M%S}_{number}.{kind.replace('jpeg', 'jpg') or 'bin'}",
        )
    return AlarmMail(sender, recipient, mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")))
