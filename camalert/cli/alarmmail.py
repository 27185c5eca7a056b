"""Alarm mails as cameras send them, in the manner of several brands, for `camalert send`.

Every mail is unique, because the service answers a mail with the same bytes without storing it again. Mails are put
together by hand: a mail library would write them more properly than cameras do.

Source of the brands: mails and manuals as described in public; the service's reader (`intake.mail.facts`) is tested
against each of them.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import format_datetime

from camalert.decoding.kinds import HEAD_BYTES, PICTURES, kind_of

BASE64_LINE_BYTES = 57  # becomes 76 characters, RFC 2045 section 6.8


@dataclass(frozen=True, slots=True)
class Brand:
    """How one brand writes. Templates may have `{camera}`, `{now}` (with a format) and `{number}` (of the picture)."""

    name: str
    summary: str
    subject: str
    text: tuple[str, ...]  # lines
    headers: tuple[str, ...] = ()  # in addition
    content_type_name: str = "Content-Type"  # as this brand spells it
    boundary: str = "----camera-alarm-{number}"
    charset: str = "utf-8"
    is_base64: bool = False  # subject and text, else 8bit
    picture_type: str = ""  # empty: the picture's own
    picture_name: str = "{now:%Y%m%d%H%M%S}_{number}.jpg"


BRANDS = (
    Brand(
        "plain",
        "a plain mail with attached pictures",
        "{camera}: motion detected",
        ("Motion detected", "Camera: {camera}", "Time: {now:%Y-%m-%d %H:%M:%S}"),
    ),
    Brand(
        "hikvision",
        "Hikvision (LTS, Annke and others)",
        "{camera}: on Camera1: Intrusion Detection",
        (
            "This is an automatically generated e-mail from your IPC.",
            "",
            "EVENT TYPE:     Intrusion Detection",
            "EVENT TIME:     {now:%Y-%m-%d,%H:%M:%S}",
            "IPC NAME:       {camera}",
            "CHANNEL NAME:   {camera}",
            "CHANNEL NUMBER: 1",
        ),
        headers=("X-Mailer: HIKMailer, Version 4.0",),
        boundary="#BOUNDARY#",
        charset="gb2312",
    ),
    Brand(
        "dahua",
        "Dahua, Amcrest; pictures as application/octet-stream",
        "IPC Message",
        (
            "Alarm Event: Motion Detection",
            "Alarm Input Channel: 1",
            "Alarm Start Time(D/M/Y H:M:S): {now:%d/%m/%Y %H:%M:%S}",
            "Alarm Device Name: {camera}",
            "Alarm Name: ",
            "IP Address: 192.168.1.108",
        ),
        content_type_name="Content-type",
        boundary="======DAHUA_TECH======",
        is_base64=True,
        picture_type="application/octet-stream",
        picture_name="{now:%Y%m%d%H%M%S}000ch{number:02d}.jpg",
    ),
    Brand(
        "reolink",
        "Reolink",
        "Person Detected from {camera} at {now:%Y/%m/%d %H:%M:%S}",
        (
            "Alarm Camera Name: {camera}",
            "Alarm Event: Person Detected",
            "Alarm Input Channel No.: 1",
            "Alarm Device Name: {camera}",
        ),
        is_base64=True,
    ),
    Brand(
        "swann",
        "Swann recorders",
        "Alert from your NVR",
        (
            "Device Name: NVR",
            "Event Type: Human and Vehicle",
            "Channel Name [IP-CH1]: {camera}",
            "AlarmType: Human",
            "Time: {now:%Y-%m-%d %H:%M:%S}",
        ),
    ),
    Brand(
        "foscam",
        "Foscam and many cheap cameras; the text is one line",
        "Alarm",
        ("Your IPCamera:{camera} has detected motion at {now:%Y-%m-%d %H:%M:%S}",),
    ),
    Brand(
        "dahua-es",
        "Dahua recorders set to Spanish",
        "NVR",
        (
            "Evento de alarma: Detec. Moción",
            "Canal de entrada de Alarma: 2",
            "Nombre de canal de entrada de alarma: {camera}",
            "Hora de inicio de alarma (D/M/A H:M:S): {now:%d/%m/%Y %H:%M:%S}",
            "Nombre: NVR_CENTRO",
            "Dirección IP: 192.168.1.108",
        ),
        is_base64=True,
    ),
    Brand(
        "intelbras",
        "Intelbras (Dahua) recorders, in Portuguese",
        "Alarme DVR",
        (
            "Evento de alarme: Detecção de movimento",
            "Alarme no Canal No.: 2",
            "Nome: {camera}",
            "Horário do inicio do alarme(D/M/A H:M:S): {now:%d/%m/%Y %H:%M:%S}",
            "Nome do dispositivo de alarme: DVR",
            "End. IP DVR: 192.168.1.108",
        ),
        is_base64=True,
    ),
    Brand(
        "tvt",
        "TVT recorders, with which many brands are made",
        "Alarm Message From Device DVR4.",
        (
            "Device ID: 0, Device Name: DVR4",
            "Channel ID: 2, Channel Name:{camera}",
            "Alarm Type:Motion Detection, Alarm Time:{now:%Y/%m/%d %H:%M:%S}",
        ),
    ),
    Brand(
        "hikvision-nvr",
        "Hikvision recorders: the channel's name and number",
        "Embedded Net DVR: Motion Detected On Channel D2",
        (
            "This is an automatically generated e-mail from your NVR.",
            "",
            "EVENT TYPE:     Motion Detected",
            "EVENT TIME:     {now:%Y-%m-%d,%H:%M:%S}",
            "NVR NAME:       Embedded Net DVR",
            "CHANNEL NAME:   {camera}",
            "CHANNEL NUMBER: D2",
        ),
        headers=("X-Mailer: HIKMailer, Version 4.0",),
        boundary="#BOUNDARY#",
    ),
    Brand(
        "uniview",
        "Uniview recorders, by the fields of their manual",
        "Alarm",
        (
            "Alarm Type: Motion Detection",
            "Alarm Time: {now:%Y-%m-%d %H:%M:%S}",
            "Camera ID: D2",
            "Camera Name: {camera}",
        ),
    ),
    Brand(
        "panasonic",
        "Panasonic cameras for the home: all is in the subject",
        "{camera}:{now:%Y%m%d%H%M%S}500",
        ("Motion detected",),
    ),
    Brand(
        "zoneminder",
        "ZoneMinder's default mail",
        "ZoneMinder: Alarm - {camera}-{now:%H%M%S} (21 - 9 7)",
        (
            "Hello,",
            "",
            "An alarm has been detected on your installation of the ZoneMinder.",
            "",
            "The details are as follows :-",
            "",
            "  Monitor  : {camera}",
            "  Event Id : {now:%H%M%S}",
            "  Length   : 12.40",
            "  Frames   : 62 (21)",
            "  Scores   : t180 m9 a7",
        ),
    ),
    Brand(
        "homeassistant",
        "Home Assistant's sentence for a person",
        "Home Assistant",
        ("A Person was detected on the {camera} camera.", "", "{now:%Y-%m-%d %H:%M:%S}"),
    ),
    Brand(
        "esp32",
        "ESP32-CAM and other projects of one's own",
        "Motion detected on {camera}",
        ("Taken at {now:%Y-%m-%d %H:%M:%S}",),
        picture_name="photo.jpg",
    ),
    Brand(
        "motioneye",
        "motionEye",
        'motionEye: motion detected by "{camera}"',
        (
            'Motion has been detected by camera "{camera}" at {now:%Y-%m-%d %H:%M:%S} (UTC).',
            "",
            "motionEye.",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class AlarmMail:
    """A mail and its envelope."""

    sender: str
    recipient: str
    content: bytes


def compose(
    pictures: Sequence[bytes], camera: str, now: datetime.datetime, token: str, brand: Brand = BRANDS[0]
) -> AlarmMail:
    """Compose an alarm mail.

    Args:
        pictures: The files to attach, as they are.
        camera: Its name, for subject, text and sender.
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
        f'{brand.content_type_name}: multipart/mixed; boundary="{boundary}"',
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
    """Write a header as an encoded word, where it must be one or the brand always does so. Source: RFC 2047."""
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
    kind = kind_of(picture[:HEAD_BYTES])
    content_type = brand.picture_type or (f"image/{kind}" if kind in PICTURES else "application/octet-stream")
    yield f'{brand.content_type_name}: {content_type}; name="{name}"'
    yield "Content-Transfer-Encoding: base64"
    yield f'Content-Disposition: attachment; filename="{name}"'
    yield ""
    yield from _base64_lines(picture)


def _base64_lines(content: bytes) -> Iterator[str]:
    for start in range(0, len(content), BASE64_LINE_BYTES):
        yield base64.b64encode(content[start : start + BASE64_LINE_BYTES]).decode()


def _codec(brand: Brand) -> str:
    return "gb18030" if brand.charset == "gb2312" else brand.charset  # cameras mean the larger set
