"""An alarm mail as a camera sends it, for trying the service.

Pure: time and randomness are arguments. Every mail is unique, because the service answers a mail with the same bytes
without storing it again. The mail is put together by hand: a mail library would write it more properly than cameras do.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import format_datetime

from camalert.cli.brands import PLAIN, Brand

_TYPES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG", "image/png"),
    (b"RIFF", "image/webp"),
    (b"BM", "image/bmp"),
    (b"GIF8", "image/gif"),
)
BASE64_LINE_BYTES = 57  # becomes 76 characters, RFC 2045 section 6.8


@dataclass(frozen=True, slots=True)
class AlarmMail:
    """A mail and its envelope."""

    sender: str
    recipient: str
    content: bytes


def compose(
    pictures: Sequence[bytes], camera: str, now: datetime.datetime, token: str, brand: Brand = PLAIN
) -> AlarmMail:
    """Compose an alarm mail.

    Args:
        pictures: The files to attach, as they are.
        camera: The camera's name, for subject, text and sender.
        now: The time of the alarm, with its time zone.
        token: A text that no other mail has.
        brand: In whose manner.
    """
    camera = " ".join(camera.split())  # a line break would make a header of what follows
    sender = f"{re.sub(r'[^a-z0-9]+', '-', camera.lower()).strip('-') or 'camera'}@camera.invalid"
    recipient = "alarm@camalert.invalid"
    boundary = brand.boundary.format(number=token)
    lines = [
        f"From: <{sender}>",
        f"To: <{recipient}>",
        f"Subject: {_header_text(_fill(brand.subject, camera, now), is_base64=brand.is_base64)}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{token}@camera.invalid>",
        *brand.headers,
        "MIME-Version: 1.0",
        f'{brand.content_type_name}: multipart/{brand.multipart}; boundary="{boundary}"',
        "",
        f"--{boundary}",
        *_text_part(brand, camera, now),
    ]
    for number, picture in enumerate(pictures, start=1):
        lines += [f"--{boundary}", *_picture_part(brand, picture, _fill(brand.picture_name, camera, now, number))]
    lines += [f"--{boundary}--", ""]
    return AlarmMail(sender, recipient, "\r\n".join(lines).encode(_codec(brand), "replace"))


def _fill(template: str, camera: str, now: datetime.datetime, number: int = 1) -> str:
    return template.format(camera=camera, now=now, number=number)


def _header_text(text: str, *, is_base64: bool) -> str:
    """Write a header's text as an encoded word where it must be or the brand does so anyway. Source: RFC 2047."""
    if text.isascii() and not is_base64:
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


def _text_part(brand: Brand, camera: str, now: datetime.datetime) -> Iterator[str]:
    text = "\r\n".join(_fill(line, camera, now) for line in brand.text) + "\r\n"
    yield f"{brand.content_type_name}: text/plain; charset={brand.charset}"
    yield f"Content-Transfer-Encoding: {'base64' if brand.is_base64 else '8bit'}"
    yield ""
    if brand.is_base64:
        yield from _base64_lines(text.encode(_codec(brand), "replace"))
    else:
        yield text


def _picture_part(brand: Brand, picture: bytes, name: str) -> Iterator[str]:
    found = next((kind for magic, kind in _TYPES if picture.startswith(magic)), "application/octet-stream")
    yield f'{brand.content_type_name}: {brand.picture_type or found}; name="{name}"'
    yield "Content-Transfer-Encoding: base64"
    yield f'Content-Disposition: attachment; filename="{name}"'
    yield ""
    yield from _base64_lines(picture)


def _base64_lines(content: bytes) -> Iterator[str]:
    for start in range(0, len(content), BASE64_LINE_BYTES):
        yield base64.b64encode(content[start : start + BASE64_LINE_BYTES]).decode()


def _codec(brand: Brand) -> str:
    return "gb18030" if brand.charset == "gb2312" else brand.charset  # cameras mean the larger set
