"""The mail reader: what cameras send comes out byte for byte, once, and nothing makes it fail."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import email.message
import email.policy
import itertools
import os
import quopri
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testing import pictures as samples

from camalert.config.schema import Camera, Match
from camalert.decoding.kinds import kind_of
from camalert.errors import ReadingTooLong
from camalert.identity import Envelope
from camalert.intake.mail import pictures, reader
from camalert.intake.mail.parts import walk
from camalert.intake.mail.reader import digest
from camalert.intake.mail.region import Region
from camalert.intake.mail.rules import Rules
from camalert.intake.mail.text import legible

NOW = 1_700_000_000.0
JPEG = samples.unique_jpeg(7)
OTHER = samples.unique_jpeg(8)
PNG = (
    binascii.unhexlify("89504e470d0a1a0a0000000d49484452")
    + (640).to_bytes(4, "big")
    + (480).to_bytes(4, "big")
    + b"x" * 300
)


def read(mail: bytes, envelope: Envelope | None = None, rules: Rules | None = None) -> reader.Reading:
    return reader.read(bytearray(mail), envelope or Envelope(), rules or Rules(()), NOW, 86_400)


def found(mail: bytes, max_pictures: int = 64) -> list[bytes]:
    reading = read(mail)
    out = bytearray(reading.bound_bytes)
    written, _ = pictures.write(reading.found, memoryview(out), max_pictures)
    return [bytes(out[item.offset : item.offset + item.length]) for item in written]


def part(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + body


def mixed(*parts: bytes, subtype: str = "mixed", is_closed: bool = True, declared: str = "b") -> bytes:
    head = f'Subject: motion\r\nMIME-Version: 1.0\r\nContent-Type: multipart/{subtype}; boundary="{declared}"\r\n\r\n'
    return (
        head.encode() + b"".join(b"--b\r\n" + item + b"\r\n" for item in parts) + (b"--b--\r\n" if is_closed else b"")
    )


def b64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def quoted(data: bytes) -> bytes:
    """Encode every byte, in lines that end softly."""
    return b"".join(b"=%02X" % byte + (b"=\r\n" if number % 24 == 23 else b"") for number, byte in enumerate(data))


def uu(data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 snap.jpg\r\n" + b"".join(lines).replace(b"\n", b"\r\n") + b"`\r\nend\r\n"


def encoded(body: bytes, media_type: str) -> bytes:
    return part(b64(body), f"Content-Type: {media_type}", "Content-Transfer-Encoding: base64")


BASE64 = "Content-Transfer-Encoding: base64"
IN_CHUNKS = b"\r\n".join(base64.b64encode(JPEG[at : at + 50]) for at in range(0, len(JPEG), 50))
ATTACHED = part(b64(JPEG), "Content-Type: image/jpeg", "Content-Transfer-Encoding: base64")
HTML = '<html><body><p>Alarm</p><img src="{}"></body></html>'
FORWARDED = b"Content-Type: message/rfc822\r\n\r\n" + mixed(ATTACHED).replace(b"--b", b"--c").replace(b'"b"', b'"c"')

# Everything of these holds exactly one picture, JPEG, wherever and however.
ONE_PICTURE = {
    "attached": mixed(ATTACHED),
    "octet-stream": mixed(ATTACHED.replace(b"image/jpeg", b"application/octet-stream")),
    "called text": mixed(ATTACHED.replace(b"image/jpeg", b"text/plain")),
    "no type at all": mixed(part(b64(JPEG), "Content-Transfer-Encoding: base64")),
    "no encoding declared": mixed(part(b64(JPEG), "Content-Type: image/jpeg")),
    "wrong encoding declared": mixed(part(b64(JPEG), "Content-Type: image/jpeg", "Content-Transfer-Encoding: 7bit")),
    "declared base64 but raw": mixed(part(JPEG, "Content-Type: image/jpeg", "Content-Transfer-Encoding: base64")),
    "binary": mixed(part(JPEG, "Content-Type: image/jpeg", "Content-Transfer-Encoding: binary")),
    "quoted-printable": mixed(
        part(quoted(JPEG), "Content-Type: image/jpeg", "Content-Transfer-Encoding: quoted-printable")
    ),
    "uuencode declared": mixed(part(uu(JPEG), "Content-Type: image/jpeg", "Content-Transfer-Encoding: x-uuencode")),
    "uuencode in the body": b"Subject: x\r\n\r\nMotion!\r\n\r\n" + uu(JPEG),
    "single part": b"Subject: x\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(JPEG),
    "related by cid": mixed(
        part(HTML.format("cid:1").encode(), "Content-Type: text/html"), ATTACHED + b"", subtype="related"
    ),
    "data uri": part(
        HTML.format("data:image/jpeg;base64," + base64.b64encode(JPEG).decode()).encode(), "Content-Type: text/html"
    ),
    "data uri in quoted-printable": part(
        quopri.encodestring(HTML.format("data:image/jpeg;base64," + base64.b64encode(JPEG).decode()).encode()),
        "Content-Type: text/html", "Content-Transfer-Encoding: quoted-printable",
    ),
    "forwarded": mixed(FORWARDED),
    "forwarded in base64": mixed(
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b64(FORWARDED.partition(b"\r\n\r\n")[2])
    ),
    "inline and attached": mixed(
        ATTACHED.replace(b"image/jpeg", b"image/jpeg\r\nContent-ID: <1>\r\nContent-Disposition: inline"),
        ATTACHED.replace(b"image/jpeg", b"image/jpeg\r\nContent-Disposition: attachment"),
    ),
    "in both alternatives": mixed(ATTACHED, ATTACHED, subtype="alternative"),
    "no closing boundary": mixed(ATTACHED, is_closed=False),
    "other boundary than declared": mixed(ATTACHED, declared="something else"),
    "boundary without dashes": mixed(ATTACHED, declared="--b"),
    "boundary not declared": mixed(ATTACHED).replace(b'; boundary="b"', b""),
    "boundary without semicolon": mixed(ATTACHED).replace(b"; boundary", b" boundary"),
    "no blank line before the data": mixed(ATTACHED.replace(b"\r\n\r\n", b"\r\n", 1)),
    "no blank line before the first part": mixed(ATTACHED).replace(b"\r\n\r\n", b"\r\n", 1),
    "blank lines before the data": mixed(ATTACHED.replace(b"\r\n\r\n", b"\r\n\r\n\r\n\r\n", 1)),
    "bare line feeds": mixed(ATTACHED).replace(b"\r\n", b"\n"),
    "one line of base64": mixed(ATTACHED.replace(b64(JPEG), base64.b64encode(JPEG))),
    "base64 without padding": mixed(ATTACHED.replace(b64(JPEG), b64(JPEG).replace(b"=", b""))),
    "base64 with dirt": mixed(ATTACHED.replace(b64(JPEG), b64(JPEG).replace(b"\r\n", b" !\x00\r\n\t"))),
    "base64 padded in chunks": mixed(
        ATTACHED.replace(b64(JPEG), IN_CHUNKS)
    ),
    "base64 for urls": mixed(ATTACHED.replace(b64(JPEG), base64.urlsafe_b64encode(JPEG))),
    "base64 inside quoted-printable": mixed(ATTACHED.replace(b64(JPEG), b64(JPEG).replace(b"=", b"=3D"))),
    "text below the base64": mixed(
        ATTACHED.replace(b64(JPEG), b64(JPEG) + b"\r\n-- \r\nSent from my camera\r\nwww.camera.example\r\n")
    ),
    "bare base64 in a text": b"Subject: x\r\n\r\nMotion!\r\n\r\n" + b64(JPEG) + b"\r\nBye.\r\n",
    "next part without a boundary": mixed(ATTACHED + b"\r\nContent-Type: text/plain\r\n\r\nbye"),
    "nested": mixed(mixed(ATTACHED).replace(b"--b", b"--c").replace(b'"b"', b'"c"')),
    "strange disposition": mixed(b"Content-disposition: attachement; filename*=utf-8''a%20b.jpg\r\n" + ATTACHED),
    "logo beside it": mixed(ATTACHED, encoded(PNG[:16] + bytes((0, 0, 0, 32)) * 2 + b"x", "image/png")),
    "empty picture beside it": mixed(ATTACHED, encoded(b"", "image/jpeg")),
    "page called a picture beside it": mixed(ATTACHED, encoded(b"<html>no</html>", "image/jpeg")),
    "winmail beside it": mixed(ATTACHED, encoded(b"\x78\x9f\x3e\x22" + bytes(200), "application/ms-tnef")),
    "document beside it": mixed(ATTACHED, encoded(b"%PDF-1.7\n" + bytes(range(256)) * 20, "application/pdf")),
    "mbox line": b"From cam Tue Feb  3 04:05:05 2015\r\n" + mixed(ATTACHED),
    "leading blank lines": b"\r\n\r\n" + mixed(ATTACHED),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_PICTURE)
def test_one_picture_is_found_byte_for_byte(case: str) -> None:
    """Wherever the picture is and however it is encoded, it comes out once and unchanged."""
    assert found(ONE_PICTURE[case]) == [JPEG]


def test_pictures_keep_their_order_and_twice_attached_is_twice() -> None:
    """Two attachments are two rows, equal bytes or not."""
    other = ATTACHED.replace(b64(JPEG), b64(OTHER))

    assert found(mixed(ATTACHED, other, ATTACHED)) == [JPEG, OTHER, JPEG]


def test_no_more_pictures_than_the_limit_are_taken() -> None:
    """The first ones are kept."""
    assert len(found(mixed(*[ATTACHED] * 5), max_pictures=3)) == 3


def test_picture_without_room_is_reported_and_the_others_are_kept() -> None:
    """The lent buffer is never exceeded, and one picture that is too large takes no other with it."""
    large = part(b64(b"\xff\xd8\xff\xe0" + bytes(200_000)), "Content-Type: image/jpeg", BASE64)
    reading = read(mixed(ATTACHED, large, ATTACHED))

    written, left_out = pictures.write(reading.found, memoryview(bytearray(3 * len(JPEG))), 64)

    assert [item.length for item in written] == [len(JPEG)] * 2
    assert [(item.matters, item.reason[:9]) for item in left_out] == [(True, "too large")]


HEIC = b"\0\0\0\x18ftypheic" + bytes(5000)
IN_BASE64 = b64(b64(JPEG))
URI = b"data:image/jpeg;base64," + base64.b64encode(JPEG)


@pytest.mark.parametrize(
    "body",
    [
        encoded(b64(JPEG), "image/jpeg"), encoded(URI, "image/jpeg"), encoded(URI, "application/octet-stream"),
        encoded(b"here it is:\r\n" + b64(JPEG), "application/octet-stream"),
        part(b"here it is:\r\n" + b64(JPEG), "Content-Type: application/octet-stream"),
    ],
    ids=["base64 twice", "uri in a picture", "uri in a file", "text before base64 twice", "text before base64"],
)  # fmt: skip
def test_picture_inside_of_what_is_called_a_file_is_found(body: bytes) -> None:
    """What a part holds is looked into whatever it is called, when it reads like text."""
    assert found(mixed(body)) == [JPEG]


@pytest.mark.parametrize(
    ("body", "media_type", "name"),
    [
        (encoded(HEIC, 'image/heic; name="a.heic"'), "image/heic", "a.heic"),
        (encoded(b"\x0a\x01" * 250, "image/x-raw"), "image/x-raw", ""),
        (encoded(b"\x47\x40\x11\x10\0" * 99, "video/mp2t"), "video/mp2t", ""),
        (encoded(b".RMF\0\0" * 99, 'application/octet-stream; name="x.rm"'), "application/octet-stream", "x.rm"),
        (encoded(b"PK\x03\x04" * 99, "application/zip"), "application/zip", ""),
        (encoded(b"Rar!\x1a\x07\0" * 99, "application/x-rar"), "application/x-rar", ""),
        (encoded(HEIC, 'text/plain; name="a.heic"'), "text/plain", "a.heic"),
        (encoded(base64.encodebytes(base64.encodebytes(JPEG)), "image/jpeg"), "image/jpeg", ""),
        (encoded(base64.b64encode(HEIC), 'application/x-x; name="a.jpg"'), "application/x-x", "a.jpg"),
        (encoded(HEIC, "text/plain"), "text/plain", ""),
        (part(b'<img src="data:image/heic;base64,' + base64.b64encode(HEIC) + b'">', "Content-Type: text/html"),
         "image/heic", ""),
        (part(uu(HEIC).replace(b"snap.jpg", b"snap.heic"), "Content-Type: text/plain"), "", "snap.heic"),
    ],
)  # fmt: skip
def test_what_is_no_picture_known_here_is_reported(body: bytes, media_type: str, name: str) -> None:
    """Nothing that a camera may mean as a picture or file is left out without a word: its type, its name, its size."""
    for mail in (mixed(body), mixed(ATTACHED, body)):
        left_out = read(mail).left_out

        assert [(item.media_type, item.name, item.matters) for item in left_out] == [(media_type, name, True)]
        assert left_out[0].size_bytes > 300
        assert (name or media_type) in left_out[0].message


@pytest.mark.parametrize(
    "body",
    [
        encoded(b"<html>404</html>", "image/jpeg"), encoded(b"", "image/jpeg"), encoded(b"404 Not Found", "image/jpeg"),
        encoded(b"\x78\x9f\x3e\x22" + bytes(200), "application/ms-tnef"),
        encoded(b"\x78\x9f\x3e\x22" + bytes(200), 'application/octet-stream; name="winmail.dat"'),
        encoded(b"motion at five", "application/octet-stream"), encoded("Küche".encode(), "text/plain"),
        encoded("Küche".encode("utf-16"), "text/plain; charset=utf-16"), encoded("仓库".encode("gbk"), "text/plain"),
        part(b"<svg/>", "Content-Type: image/svg+xml"), part(b"Motion!", "Content-Type: text/plain"),
        part(URI.replace(b"image/jpeg", b"image/svg+xml").replace(base64.b64encode(JPEG), b"PHN2Zy8+PHN2Zy8+")),
    ],
)  # fmt: skip
def test_texts_and_mail_programs_own_data_do_not_matter(body: bytes) -> None:
    """A page called a picture, an empty part, winmail.dat: nothing is lost with them."""
    assert not any(item.matters for item in read(mixed(ATTACHED, body)).left_out)


def test_what_exceeds_the_readers_limits_is_reported() -> None:
    """Too many pictures, parts and levels, and encoded texts too large to be looked into, are not silently dropped."""
    deep = mixed(ATTACHED)
    for level in range(20):
        deep = b"Content-Type: message/rfc822\r\n\r\n" + deep.replace(b"--b", b"--b%d" % level)
    many = mixed(*[part(b"x")] * 2100)
    huge = encoded(b"x" * 5_000_000, "text/html")
    _, left_out = pictures.write(read(mixed(*[ATTACHED] * 3)).found, memoryview(bytearray(10 * len(JPEG))), 2)

    assert [item.reason for item in read(deep).left_out] == ["nested deeper than 12 parts"]
    assert [item.reason for item in read(many).left_out] == ["more than 2000 parts"]
    assert [item.reason for item in read(mixed(huge)).left_out] == ["too large to be looked into"]
    assert [(item.reason, item.matters) for item in left_out] == [("more than 2 pictures", True)]


def test_reading_ends_when_its_time_is_up() -> None:
    """The caller is asked at each part and each picture, so that it can bound the time of a reading."""
    asked = 0

    def check_time() -> None:
        nonlocal asked
        asked += 1
        if asked > 50:
            raise ReadingTooLong("enough")

    mail = mixed(*[ATTACHED] * 100)
    with pytest.raises(ReadingTooLong):
        reader.read(bytearray(mail), Envelope(), Rules(()), NOW, 86_400, check_time)
    asked = 0
    with pytest.raises(ReadingTooLong):
        pictures.write(read(mail).found, memoryview(bytearray(200 * len(JPEG))), 1000, check_time)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xfe\x00\x10Lavc", "jpeg"), (PNG, "png"), (b"GIF89a", "gif"), (b"RIFF1234WEBPVP8 ", "webp"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "bmp"), (b"BMW is a car and no picture", ""), (b"RIFF1234AVI LIST", "avi"),
        (b"\0\0\0\x18ftypisom", "mp4"), (b"\0\0\0\x08wide", "mp4"), (b"\0\0\0\x18ftypheic", ""),
        (b"\x1aE\xdf\xa3\x01", "mkv"), (b"#EXTM3U\nhttp://x", ""), (b"500 free MB left", ""),
        (b"The ftyp box", ""), (b"", ""), (b"<html>", ""),
    ],
)  # fmt: skip
def test_magic_bytes_name_the_kind(head: bytes, kind: str) -> None:
    """Only what a decoder may see is a picture or a clip; a playlist never is."""
    assert kind_of(head) == kind


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (b"Subject: plain", "plain"),
        (b"Subject: =?UTF-8?B?SVBDIE1lc3NhZ2U=?=", "IPC Message"),
        (b"Subject: =?utf-8?q?Bewegung_K=C3=BCche?=", "Bewegung Küche"),
        (b"Subject: =?gb2312?B?" + base64.b64encode("报警".encode("gbk")) + b"?=", "报警"),
        (b"Subject: =?UTF-8?B?5oql6K2m?= =?UTF-8?B?5LuT5bqT?=", "报警仓库"),
        (b"Subject: =?UTF-8?B?5oql6K?=\r\n =?UTF-8?B?2m?=", None),
        (b"Subject: =?UTF-8?B?SVBDIE1lc3NhZ2U?=", "IPC Message"),
        (b"Subject: =?UTF-8?B?SVBDIE1lc3NhZ2U=", "IPC Message"),
        (b"Subject: =?x-unknown?Q?caf=E9?=", "café"),
        ("Subject: Bewegung in der Küche".encode(), "Bewegung in der Küche"),
        ("Subject: Bewegung in der Küche".encode("latin-1"), "Bewegung in der Küche"),
        ("Subject: 报警 仓库".encode("gbk"), "报警 仓库"),
        (b"Subject: a\r\n folded\r\n\tone", "a folded one"),
        (b"Subject:", "Unknown"),
        (b"X-Other: 1", "Unknown"),
        (b"Subject: Your IPCamera:C1(Garage) motion", "C1(Garage) motion"),
        (b"subject : odd", "odd"),
        (b"Subject: " + b"x" * 300, "x" * 200),
        (b"Subject: nul\x00byte", "nulbyte"),
    ],
)
def test_subject_is_decoded_for_the_table(subject: bytes, expected: str | None) -> None:
    """Encoded words, raw bytes and broken ones become text; the raw form never reaches the table."""
    found_subject = read(subject + b"\r\n\r\ntext\r\n").record.subject

    assert "=?" not in found_subject
    if expected is not None:
        assert found_subject == expected


def test_subject_in_the_text_wins_as_in_the_original() -> None:
    """`Your IPCamera:` anywhere in the text is the subject, up to the line's end."""
    mail = b"Subject: alarm\r\n\r\nHello\r\nYour IPCamera:Front door detected motion\r\nBye\r\n"

    assert read(mail).record.subject == "Front door detected motion"


HIK = b"\tEVENT TYPE:   Intrusion Detection\r\n\tEVENT TIME:   2023-11-14,22:00:00\r\n\tIPC NAME:     Front\r\n"
TEXTS = [
    (b"x", HIK, "Front", "intrusion", "2023-11-14,22:00:00"),
    (b"x", b"DVR NAME: Barn\r\nCAMERA NAME(NUM): CAM 2(A2)\r\nEVENT TYPE: Motion\r\n", "Barn A2", "motion", ""),
    (b"x", b"Alarm Event: Motion Detection\r\nAlarm Input Channel: 2\r\nAlarm Device Name: IPC01\r\n"
           b"Alarm Start Time(D/M/Y H:M:S): 14/11/2023 22:05:06\r\n", "IPC01 2", "motion", "14/11/2023 22:05:06"),
    (b"x", b"Alarm Camera Name: Door\r\nAlarm Event: Person Detected\r\n", "Door", "person", ""),
    (b"x", b"Alarm Camera Name: Door, Alarm Event: Pet Detected, Alarm Input Channel No.: 1\r\n", "Door", "animal", ""),
    (b"Motion Detected from Yard at 2023/11/14 22:01:02", b"", "Yard", "motion", "2023/11/14 22:01:02"),
    (b"x", b"Device Name: NVR\r\nEvent Type: Human and Vehicle\r\nChannel Name [IP-CH1]: Front Yard\r\n"
           b"AlarmType: Human\r\nTime: 2023-11-14 22:10:00\r\n", "Front Yard", "person", "2023-11-14 22:10:00"),
    (b"x", b"Device ID: 0, Device Name: DVR4\r\nChannel ID: 4, Channel Name:GATE\r\n"
           b"Alarm Type:Sensor Alarm, Alarm Time:2023/11/14 22:11:12\r\n", "GATE", "alarm input",
     "2023/11/14 22:11:12"),
    (b"Yard: on Camera1: Line Crossing Detection", b"", "Yard", "line crossing", ""),
    (b"Embedded Net DVR: Motion Detected On Channel A2", b"", "Embedded Net DVR A2", "motion", ""),
    (b"Hall:20231114220001123", b"", "Hall", "", "20231114220001123"),
    (b"Motion Alert from ESP-CAM", b"Saved as: 20231114_220202", "ESP-CAM", "motion", "20231114_220202"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "camera", "event", "time"), TEXTS, ids=lambda value: str(value)[:30])
def test_styles_of_brands_are_understood(subject: bytes, text: bytes, camera: str, event: str, time: str) -> None:
    """Camera, event and time come out of the words of each documented brand."""
    record = read(b"Subject: " + subject + b"\r\n\r\n" + text).record

    assert (record.camera, record.event, record.camera_time) == (camera, event, time)
    assert (record.taken_utc is not None) == bool(time)


@pytest.mark.parametrize(
    ("subject", "camera"),
    [
        ("Motion detected at 2026-06-14 15:17:28", ""), ("Motion detected at 15:17:28", ""), ("Motion at 3:17 PM", ""),
        ("Motion detected on 14/06/2026", ""), ("Motion detected on Sunday, 14 June", ""), ("Alarm on Monday", ""),
        ("Motion detected on June 14th, 2026 at 3:17pm", ""), ("Motion detected at 20260614151728", ""),
        ("Motion detected by your camera", ""), ("Motion detected on the camera", ""), ("Alarm from IP Camera", ""),
        ("Motion detected at 3 PM", ""), ("Motion detected at 15:17:28 GMT+2", ""), ("Alarm at 15 Uhr", ""),
        ("Motion detected at 2026\u5e746\u670814\u65e5 15:17:28", ""), ("Motion detected at Gate 2 at 3 pm", "Gate 2"),
        ("Motion detected at Garage at 15:17:28", "Garage"), ("Motion detected on Gate 2 15:17:28", "Gate 2"),
        ("Motion detected on Gate 2, 14 June 2026", "Gate 2"), ("Motion detected by Camera 1", ""),
        ("Motion detected at Sunday Lane", "Sunday Lane"),
        ("Motion detected at 10 Downing Street", "10 Downing Street"),
        ("Person detected at The Old Barn", "The Old Barn"), ("Motion detected from 192.168.1.20", "192.168.1.20"),
    ],
)  # fmt: skip
def test_date_time_or_phrase_is_never_the_name_of_a_camera(subject: str, camera: str) -> None:
    """Else each mail were of a new camera, with a threshold and a silence of its own."""
    assert (
        read(f"Content-Type: text/plain; charset=utf-8\r\nSubject: {subject}\r\n\r\nx\r\n".encode()).record.camera
        == camera
    )
    assert read(f"Subject: x\r\n\r\nCamera Name: {camera or '15:17:28'}\r\n".encode()).record.camera == camera


@pytest.mark.parametrize(
    ("line", "camera", "event"),
    [
        ("Your IPCamera:Garage has detected motion at 2023-11-14 22:13:20", "Garage", "motion"),
        ("Your IPCamera:Front door detected motion", "Front door", "motion"),
        ("Your IPCamera:C1(Garage) motion alarm 20231114221320", "C1(Garage)", "motion"),
        ("Your IPCamera:Garage, sound detected", "Garage", "sound"),
        ("Your IPCamera:Garage detected", "Garage", ""),
    ],
)
def test_foscams_sentence_names_camera_and_event(line: str, camera: str, event: str) -> None:
    """What was detected is the event, not that something was."""
    record = read(f"Subject: x\r\n\r\n{line}\r\n".encode()).record

    assert (record.camera, record.event) == (camera, event)


def test_long_lines_and_blanks_are_cut_before_the_words_are_read() -> None:
    """What a camera says stands near the beginning of a line; ordinary blanks and gaps stay as they are."""
    ordinary = "Zone:   a\r\n\r\nat   5\n\n\n" + "x" * 500 + "\n"

    assert legible(ordinary) == ordinary
    assert legible("a" + " " * 30 + "b") == "a" + " " * 20 + "b"
    assert legible("a\n" + "x" * 900 + "\n" + "y" * 501) == "a\n" + "x" * 500 + "\n" + "y" * 500
    assert legible("a" + "\n\r" * 50 + "b").count("\n") <= 4


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b"filename*=utf-8''%3D%3F%D0%B6.jpg", "=?ж.jpg"),  # looks like an encoded word, and is none
        (b'filename="=?utf-8?B?0LYuanBn?="', "ж.jpg"),  # RFC 2047 forbids it here, and many write it
    ],
)
def test_name_of_a_picture_keeps_its_letters(field: bytes, name: str) -> None:
    """In whatever script, and however it is encoded."""
    mail = encoded(JPEG, "image/jpeg").replace(b"\r\n", b"\r\nContent-Disposition: attachment; " + field + b"\r\n", 1)

    _, leaves, _ = walk(Region.whole(mail))

    assert [leaf.name for leaf in leaves] == [name]


def test_mail_with_a_huge_character_reference_is_read() -> None:
    """Python refuses numbers of thousands of digits; the mail's picture is found all the same."""
    page = part(b"<p>Motion &#" + b"1" * 5000 + b";!</p>", "Content-Type: text/html")
    continued = part(b"x", "Content-Disposition: attachment; filename*" + "9" * 5000 + "*=a")

    assert found(mixed(page, continued, ATTACHED)) == [JPEG]


@pytest.mark.parametrize(
    "written",
    [
        "2023-11-14 22:13:20Z",
        "14 Nov 2023 22:13:20 +0000",
        "2023-11-15T00:13:20+02:00",
        "Tue, 14 Nov 2023 17:13:20 -0500",
    ],
)
def test_time_with_a_zone_is_exact(written: str) -> None:
    """The zone that the camera writes counts."""
    assert read(f"Subject: x\r\nDate: {written}\r\n\r\nx".encode()).record.taken_utc == NOW


def test_time_is_believed_only_near_the_receipt() -> None:
    """A clock that was never set is kept as written and not used; day and month are read as fits the receipt."""
    never_set = read(b"Subject: x\r\n\r\nTime: 2000-01-01 00:00:10\r\n").record
    local = dt.datetime.fromtimestamp(NOW).strftime("%d/%m/%Y %H:%M:%S")  # noqa: DTZ006 - a camera's own clock
    american = dt.datetime.fromtimestamp(NOW).strftime("%m/%d/%Y %I:%M:%S %p")  # noqa: DTZ006

    assert (never_set.camera_time, never_set.taken_utc) == ("2000-01-01 00:00:10", None)
    assert read(f"Subject: x\r\n\r\nTime: {local}\r\n".encode()).record.taken_utc == NOW
    assert read(f"Subject: x\r\n\r\nTime: {american}\r\n".encode()).record.taken_utc == NOW


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("Test message from IPCAM", "", "test"),
        ("x", "If you receive this e-mail you have successfully set up", "test"),
        ("Health mail", "", "health"),
        ("x", "Keep Alive", "health"),
        ("IPC: Motion Detection Stop", "", "end"),
        ("x", "Alarm Event: Motion Detection End", "end"),
        ("Motion detected", "at the gate", "alarm"),
    ],
)
def test_kind_of_mails_without_a_picture(subject: str, text: str, kind: str) -> None:
    """Tests, signs of life and ends of alarms are told from alarms."""
    assert read(f"Subject: {subject}\r\n\r\n{text}\r\n".encode()).record.kind == kind


def test_picture_makes_an_alarm_of_any_mail() -> None:
    """A wrong guess never costs a picture."""
    assert read(mixed(ATTACHED).replace(b"motion", b"test mail")).record.kind == "alarm"


def test_owner_rules_come_first_and_take_words_out_of_the_mail() -> None:
    """A `[[camera]]` block with `match` names the camera; named groups do as well."""
    by_recipient = Camera(name="Garage", match=Match(recipient="garage@"))
    by_words = Camera(match=Match(subject=r"Zone (?P<camera>\w+)", body="(?P<event>tripwire)"))
    rules = Rules((by_recipient, by_words, Camera(name="no rule")))
    envelope = Envelope(recipients=("owner@home", "garage@home"))

    assert read(b"Subject: x\r\n\r\nIPC NAME: Front\r\n", envelope, rules).record.camera == "Garage"
    record = read(b"Subject: Zone North\r\n\r\nTRIPWIRE at 5\r\n", None, rules).record
    assert (record.camera, record.event) == ("North", "line crossing")
    assert read(b"Subject: x\r\n\r\nIPC NAME: Front\r\n", None, rules).record.camera == "Front"


def test_digest_is_equal_for_the_same_mail_and_envelope_alone() -> None:
    """The repeat rule recognises a second try and nothing else."""
    envelope = Envelope(sender="a", recipients=("b",))

    assert digest(envelope, b"mail") == digest(Envelope(helo="x", sender="a", recipients=("b",)), b"mail")
    assert digest(envelope, b"mail") != digest(Envelope(peer="elsewhere", sender="a", recipients=("b",)), b"mail")
    assert digest(envelope, b"mail") != digest(envelope, b"mails")
    assert digest(envelope, b"mail") != digest(Envelope(sender="a", recipients=("c",)), b"mail")


def test_bytes_that_are_no_mail_are_kept_raw() -> None:
    """They are marked unreadable with the reason; an empty mail is not."""
    assert read(b"\x00\x01\x02 nothing\r\n").record.unreadable
    assert not read(b"").record.unreadable


def test_file_name_is_for_display_only() -> None:
    """No path survives."""
    reading = read(mixed(b'Content-Disposition: attachment; filename="../../etc/pass\\wd.jpg"\r\n' + ATTACHED))

    assert "/" not in reading.found[0].name
    assert "\\" not in reading.found[0].name


# --- properties -------------------------------------------------------------------------------------------------------


@given(
    bodies=st.lists(st.binary(min_size=40, max_size=400), max_size=4),
    encoding=st.sampled_from(["base64", "quoted-printable"]),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=60),
)
def test_what_a_proper_mail_program_writes_is_read_back(bodies: list[bytes], encoding: str, text: str) -> None:
    """Mails of the standard library come out as they went in, whatever the pictures' bytes are."""
    files = [b"\xff\xd8\xff\xe0" + bytes([number]) + body for number, body in enumerate(bodies)]
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = "motion"
    mail.set_content(text)
    for file in files:
        mail.add_attachment(file, maintype="image", subtype="jpeg", cte=encoding, filename="a.jpg")

    assert found(mail.as_bytes()) == files


@given(
    bodies=st.lists(
        st.lists(
            st.one_of(
                st.sampled_from(
                    [
                        b"begin 644 a.jpg\r\n",
                        b"M_]C_X  02D9)1@\n",
                        b"_\n",
                        b"M\r\n",
                        b"\nend\n",
                        b"data:image/jpeg;base64,",
                        b"data:image/jpeg;base64,\n",
                        b"\n/9j/4AAQSkZJ",
                        b"/9j/4AAQ",
                        b"%2F9j%2F4AAQ",
                        b"ab=",
                        b"abc=",
                        b"=",
                        b"\n",
                        b"=3D",
                        b"=FF=D8=FF",
                        b"\xff\xd8\xff\xe0",
                        b"'",
                        b" ",
                        b"AAAA" * 20,
                    ]
                ),
                st.binary(max_size=9),
            ),
            max_size=30,
        ).map(b"".join),
        min_size=1,
        max_size=3,
    ),
    encoding=st.sampled_from(["7bit", "base64", "quoted-printable", "x-uuencode"]),
    media_type=st.sampled_from(["image/jpeg", "text/html", "application/octet-stream"]),
)
@settings(max_examples=400, deadline=None)
def test_pictures_never_exceed_their_bound(bodies: list[bytes], encoding: str, media_type: str) -> None:
    """A slot of the size that is asked for holds all of them, whatever the parts' bytes and encodings are."""
    head = f"Content-Type: {media_type}", f"Content-Transfer-Encoding: {encoding}"
    reading = read(mixed(*[part(body, *head) for body in bodies]))

    _, left_out = pictures.write(reading.found, memoryview(bytearray(reading.bound_bytes)), 1000)

    assert not [item.reason for item in left_out if item.matters]
    spans = sorted((item.region.start, item.region.end) for item in reading.found if len(bodies) == 1)
    assert (
        all(one[1] <= other[0] for one, other in itertools.pairwise(spans)) or encoding != "7bit" or b"%" in bodies[0]
    )


@pytest.mark.parametrize("data", [b"\n" + b64(JPEG), b64(JPEG), b"\r\n  " + b64(JPEG)])
def test_picture_of_a_data_uri_on_lines_of_its_own_is_found_once(data: bytes) -> None:
    """Its base64 looks like a block without a frame as well."""
    page = part(b'<img src="data:image/jpeg;base64,' + data + b'">', "Content-Type: text/html")

    assert found(mixed(page)) == [JPEG]
    assert len(read(mixed(page)).found) == 1


FRAGMENTS = st.sampled_from(
    [
        b"\r\n", b"\n", b"--b\r\n", b"--b--\r\n", b"\r\n\r\n", b"Content-Type: ", b"multipart/mixed; boundary=b",
        b"text/html", b"message/rfc822", b"image/jpeg", b"Content-Transfer-Encoding: base64\r\n", b"quoted-printable",
        b"x-uuencode",
        b"Subject: ", b"=?utf-8?B?", b"?=", b"begin 644 a\r\n", b"data:image/jpeg;base64,", b"/9j/4AAQSkZJRg",
        b"=\xff", b"=3D",
        b"Your IPCamera:", b"EVENT TIME: 31/02/2023 25:61:61", b"name*0*=gb2312''%B1", b"\xb1\xa8", b"\x00",
        b"<style ", b"<br>",
        b"RIFF\x00\x00\x00\x00WEBPVP8X", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a",
    ]
)  # fmt: skip
HOSTILE = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=60).map(b"".join)


@settings(max_examples=int(os.environ.get("CAMALERT_FUZZ", "400")), deadline=None)
@given(HOSTILE)
def test_no_bytes_make_the_reader_fail(mail: bytes) -> None:
    """Whatever comes is read: to words that fit the slot and to pictures that fit their bound (bounded fuzzing)."""
    reading = read(mail)
    out = bytearray(reading.bound_bytes)

    pictures.write(reading.found, memoryview(out), 64)

    reading.record.encode()
    assert len(reading.record.subject) <= 200
    assert reading.record.subject


@settings(max_examples=200, deadline=None)
@given(
    case=st.sampled_from(sorted(ONE_PICTURE)),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=3)), max_size=4),
)
def test_no_damage_to_a_mail_makes_the_reader_fail(case: str, flips: list[tuple[int, bytes]]) -> None:
    """Mails damaged in a few places are read somehow."""
    mail = ONE_PICTURE[case]
    for place, bytes_put in flips:
        at = place % (len(mail) + 1)
        mail = mail[:at] + bytes_put + mail[at + 1 :]

    found(mail)


SHARED = Path(os.environ.get("CAMALERT_SHARED", Path(__file__).parents[5] / "shared")) / "mail" / "dev" / "mime_torture"


@pytest.mark.skipif(not SHARED.exists(), reason="the shared corpus of torturing mails is not here")
def test_torturing_mails_are_read() -> None:
    """Parser fixtures of many projects: no failure, and the pictures that were certain are found."""
    for line in (SHARED / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]:
        name, *_, expected, strict, _notes = re.split(r",(?! )", line, maxsplit=8)
        pieces = found(re.sub(rb"\r?\n", b"\r\n", (SHARED / name).read_bytes()))
        if strict == "1" and expected.isdecimal():
            assert len(pieces) == int(expected), name
