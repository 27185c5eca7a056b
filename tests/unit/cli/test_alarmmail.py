"""Alarm mails in the manner of each brand."""

from __future__ import annotations

import datetime
import email
import email.policy

import pytest
from testing import pictures

from camalert.cli.alarmmail import BRANDS, Brand, compose
from camalert.identity import Envelope
from camalert.intake.mail.pictures import write
from camalert.intake.mail.reader import read
from camalert.intake.mail.rules import Rules

NOW = datetime.datetime(2026, 5, 4, 3, 2, 1, tzinfo=datetime.UTC)

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40

PNG = b"\x89PNG\r\n\x1a\n" + b"\r\n.\r\n" * 20


def test_compose_pictures_arrive_byte_for_byte() -> None:
    """The attachments are the files, whatever bytes they are made of."""
    mail = compose([JPEG, PNG, b"no picture"], "Garage", NOW, "token")

    parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
    parts = list(parsed.iter_attachments())
    assert [part.get_content() for part in parts] == [JPEG, PNG, b"no picture"]
    assert [part.get_content_type() for part in parts] == ["image/jpeg", "image/png", "application/octet-stream"]
    assert parsed["Subject"] == "Garage: motion detected"


def test_compose_lines_end_as_smtp_wants_them() -> None:
    """No bare line feed is in the mail."""
    content = compose([JPEG], "Hof Süd", NOW, "token").content

    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) < 1000


def test_compose_camera_name_cannot_add_a_header() -> None:
    """A line break in a name stays in its line."""
    content = compose([], "x\r\nBcc: y", NOW, "token").content

    assert b"\r\nBcc" not in content


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.name)
def test_compose_every_brand_is_understood_by_the_service(brand: Brand) -> None:
    """The service reads camera, event, time and pictures out of each brand's mail."""
    sent = [pictures.person_jpeg(), pictures.cat_jpeg()]
    mail = compose(sent, "Garage", NOW, "token", brand)

    reading = read(mail.content, Envelope(sender=mail.sender), Rules(()), NOW.timestamp() + 5, 86_400)

    out = memoryview(bytearray(reading.bound_bytes))
    written, _ = write(reading.found, out, 64)
    assert [bytes(out[part.offset : part.offset + part.length]) for part in written] == sent
    assert reading.record.camera == "Garage"
    assert reading.record.event != "" or brand.name == "zoneminder", "whose default mail calls it an alarm"
    assert reading.record.camera_time != ""


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.name)
def test_compose_every_brand_takes_every_name(brand: Brand) -> None:
    """A camera may be called anything; the mail stays one, and its lines end as SMTP wants them."""
    content = compose([JPEG], "Hof 门 {x}", NOW, "token", brand).content

    assert content.count(b"\n") == content.count(b"\r\n")
    assert list(email.message_from_bytes(content).walk())[-1].get_payload(decode=True) == JPEG


def test_compose_token_makes_every_mail_different() -> None:
    """The service's rule about repeats never swallows a mail of ours."""
    assert compose([JPEG], "x", NOW, "1").content != compose([JPEG], "x", NOW, "2").content


def test_compose_camera_name_makes_a_plain_address() -> None:
    """Blanks, umlauts and quotes in a camera's name do not end up in the envelope."""
    assert compose([], 'Hof "Süd" 1', NOW, "t").sender == "hof-s-d-1@camera.invalid"
    assert compose([], "门", NOW, "t").sender == "camera@camera.invalid"
