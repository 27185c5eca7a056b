"""The manner in which brands of cameras write their alarm mails, for `camalert send --as`.

Pure: a table. Templates may have `{camera}`, `{now}` (with a format) and `{number}` (of the picture).

Source: mails and manuals of these brands as described in public; the reader of the service (`camalert.mail.styles`) is
tested against each of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Brand:
    """How one brand writes; what is not said is as in a plain mail."""

    name: str
    summary: str
    subject: str
    text: tuple[str, ...]  # lines
    headers: tuple[str, ...] = ()  # further ones, as they are
    content_type_name: str = "Content-Type"  # some write the header's name in their own way
    multipart: str = "mixed"
    boundary: str = "----camera-alarm-{number}"
    charset: str = "utf-8"
    is_base64: bool = False  # subject and text, else 8bit
    picture_type: str = ""  # empty: what the picture is
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
        "Hikvision and its relatives (LTS, Annke)",
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
        "Dahua and its relatives (Amcrest and others); the pictures have no picture's type",
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
        "Foscam and many cheap cameras; the whole text is one line",
        "Alarm",
        ("Your IPCamera:{camera} has detected motion at {now:%Y-%m-%d %H:%M:%S}",),
    ),
)
NAMES = tuple(brand.name for brand in BRANDS)
PLAIN = BRANDS[0]


def find(name: str) -> Brand:
    """Return the brand of that name; it must be one of `NAMES`."""
    return next(brand for brand in BRANDS if brand.name == name)
