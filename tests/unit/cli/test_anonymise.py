"""`camalert anonymise`: nothing private stays in the copy, and the copy is read as the original is."""

from __future__ import annotations

import base64
import datetime as dt
import io
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from testing import clips, mails
from testing import pictures as samples
from unit.intake.mail import test_reader

from camalert.__main__ import main
from camalert.cli import alarmmail
from camalert.cli.anonymiser import Anonymised, anonymise
from camalert.cli.fillers import filler
from camalert.decoding.headers import read_header
from camalert.decoding.kinds import kind_of
from camalert.errors import Exit
from camalert.identity import Envelope
from camalert.intake.mail import encodings, pictures, reader
from camalert.intake.mail.languages import tables
from camalert.intake.mail.languages.rows import EVENTS
from camalert.intake.mail.parts import walk
from camalert.intake.mail.region import Region
from camalert.intake.mail.rules import Rules

NOW = dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)
SHARED = Path(os.environ.get("CAMALERT_SHARED", Path(__file__).parents[4] / "shared")) / "mail" / "dev"
JPEG = samples.unique_jpeg(7)
BRANDS = {
    brand.name: alarmmail.compose([JPEG, samples.cat_jpeg()], "Hof Müller", NOW, "5f3a9c0017", brand).content
    for brand in alarmmail.BRANDS
}
BUILT = {**test_reader.ONE_PICTURE, **BRANDS, "sent": mails.alarm([JPEG, JPEG], "Motion at the shed")}
EVENT_NAMES = frozenset(EVENTS)


def read(mail: bytes) -> tuple[reader.Reading, list[bytes], list[str]]:
    reading = reader.read(bytearray(mail), Envelope(), Rules(()), NOW.timestamp(), 86_400)
    out = bytearray(reading.bound_bytes)
    written, not_written = pictures.write(reading.found, memoryview(out), 64)
    found = [bytes(out[item.offset : item.offset + item.length]) for item in written]
    return reading, found, [item.reason for item in (*reading.left_out, *not_written)]


def structure(mail: bytes) -> list[object]:
    _, leaves, _ = walk(Region.whole(mail))
    return [(leaf.media_type, leaf.encoding, leaf.is_stray, leaf.branch, len(leaf.headers.fields)) for leaf in leaves]


def decoded_leaves(mail: bytes) -> list[bytes]:
    _, leaves, _ = walk(Region.whole(mail))
    return [b"".join(encodings.decoded(leaf.body, leaf.encoding))[:4] for leaf in leaves]


def check_is_read_alike(mail: bytes) -> Anonymised:
    done = anonymise(mail)
    (before, real, left_out), (after, fillers, left_out_too) = read(mail), read(done.mail)

    one, other = before.record, after.record
    assert (other.kind, other.taken_utc, bool(other.camera), other.unreadable) == (
        one.kind, one.taken_utc, bool(one.camera), one.unreadable,
    )  # fmt: skip
    assert other.event == one.event or one.event not in EVENT_NAMES
    assert structure(done.mail) == structure(mail)
    if b"PK\x03\x04" in b"".join(decoded_leaves(mail)):  # an archive's copy is one that cannot be opened
        return done
    assert left_out_too == left_out
    assert [(kind_of(item[:64]), len(item)) for item in fillers] == [(kind_of(item[:64]), len(item)) for item in real]
    assert not set(fillers) & set(real)
    return done


@pytest.mark.parametrize("case", BUILT)
def test_copy_is_read_as_the_original_is(case: str) -> None:
    """Whatever a camera does to a mail: same kind, event, time, structure, and pictures of the same kind and length."""
    check_is_read_alike(BUILT[case])


@pytest.mark.skipif(not SHARED.exists(), reason="the shared mails are not here")
def test_copies_of_real_mails_are_read_as_the_originals_are() -> None:
    """Those of cameras, and what tortures parsers."""
    for file in SHARED.rglob("*.eml"):
        check_is_read_alike(file.read_bytes())


def test_same_picture_stays_the_same_and_another_another() -> None:
    """The reader takes what is inline and attached for one picture, and what is attached twice for two."""
    other = samples.unique_jpeg(8)
    part = test_reader.ATTACHED
    mail = test_reader.mixed(part, part.replace(test_reader.b64(test_reader.JPEG), test_reader.b64(other)), part)

    first, second, third = read(anonymise(mail).mail)[1]

    assert first == third != second


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(641, 361), (800, 600)])
def test_filler_is_a_grey_picture_of_the_same_size(kind: str, size: tuple[int, int]) -> None:
    """A decoder takes it; nothing of the original is in it."""
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("L" if kind == "GIF" else "RGB").save(out, kind)
    data = out.getvalue()

    made = filler(kind.lower(), data, 1)

    assert read_header(made) == read_header(data)
    assert len(made) == len(data)
    image = Image.open(io.BytesIO(made))
    image.load()
    assert image.size == size
    assert len(set(image.resize((64, 64)).convert("L").crop((0, 8, 64, 64)).tobytes())) == 1
    assert made != filler(kind.lower(), data, 2)
    assert not any(data[at : at + 32] in made for at in range(200, len(data) - 32, max(1, len(data) // 500)))


def test_filler_keeps_how_the_camera_was_held_and_that_a_picture_was_cut_off() -> None:
    """Both change what becomes of a picture."""
    held = samples.cat_jpeg()
    held = held[:2] + b"\xff\xe1" + (34).to_bytes(2, "big") + b"Exif\0\0" + samples.exif(6) + held[2:]

    assert read_header(filler("jpeg", held, 1)).orientation == 6
    assert filler("jpeg", held, 1).rstrip(b"\x80\0").endswith(b"\xff\xd9")
    assert b"\xff\xd9" not in filler("jpeg", held[:-200], 1)[-64:]


def test_clip_keeps_its_kind_and_length_and_nothing_else() -> None:
    """An MP4 of the same length with free space in it."""
    clip = b"\0\0\0\x18ftypisom\0\0\2\0isomavc1" + clips.__doc__.encode() * 50

    made = filler("mp4", clip, 1)

    assert (kind_of(made[:64]), len(made)) == ("mp4", len(clip))
    assert not any(clip[at : at + 16] in made for at in range(24, len(clip) - 16))


PRIVATE = """\
From: "Familie Brandstetter" <hof.einfahrt@brandstetter-linz.example>\r
To: anna.brandstetter@mailprovider.example, alarm@cctv.lan\r
Message-ID: <A1B2C3D4E5F6.77@nvr-keller.lan>\r
Received: from nvr-keller ([192.168.178.44]) by fritz.box (10.20.30.40)\r
Subject: =?UTF-8?B?%s?=\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="=_boundary_7"\r
\r
--=_boundary_7\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
EVENT TYPE: Intrusion Detection\r
EVENT TIME: 2023-11-14,22:13:20\r
IPC NAME: Einfahrt Süd\r
IPC S/N: DS-2CD2042WD20160803AAWR623451234\r
MAC: 8c:e7:48:aa:bb:cc  IP Address: 192.168.178.44  IPv6: fe80::8ee7:48ff:feaa:bbcc\r
Password: motion123\r
Tel. +43 732 555 123 45, 0732/555-12-345\r
http://admin:Geheimnis9@192.168.178.44/view?token=XyZ\r
Einfahrt sÜD, Brandstetter, 47110815\r
--=_boundary_7\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
<p>Einfahrt S=FCd</p>\r
--=_boundary_7\r
Content-Type: image/jpeg; name="Einfahrt_20231114221320.jpg"\r
Content-Disposition: attachment; filename*=utf-8''Einfahrt%%20S%%C3%%BCd.jpg\r
Content-Transfer-Encoding: base64\r
\r
%s\r
--=_boundary_7--\r
"""


def private_mail() -> bytes:
    subject = base64.b64encode("Einfahrt Süd: Intrusion Detection".encode()).decode()
    return (PRIVATE % (subject, test_reader.b64(JPEG).decode())).encode()


def decoded(mail: bytes) -> str:
    _, leaves, _ = walk(Region.whole(mail))
    texts = [b"".join(encodings.decoded(leaf.body, leaf.encoding)) for leaf in leaves if leaf.is_text]
    reading = read(mail)[0]
    shown = (reading.record.subject, reading.record.headers, *(item.name for item in reading.found))
    return "\n".join((*(text.decode("utf-8", "replace") for text in texts), *shown)).casefold()


def test_names_addresses_numbers_and_passwords_are_replaced() -> None:
    """In headers, encoded words, texts of any encoding and file names."""
    done = check_is_read_alike(private_mail())

    text = decoded(done.mail) + done.mail.decode("latin-1").casefold()
    for private in (
        "brandstetter", "familie", "hof", "einfahrt", "linz", "anna", "süd", "s=fcd", "keller", "fritz", "192.168",
        "10.20.30", "a1b2c3", "aawr", "2042", "0803", "623451234", "8c:e7", "fe80", "motion123", "geheimnis", "xyz",
        "47110815", "mailprovider", "732", "555",
    ):  # fmt: skip
        assert private not in text, private


def test_same_name_has_the_same_replacement_everywhere() -> None:
    """So it can be seen in the copy that the subject, the text and the file are of one camera; capitals stay."""
    done = anonymise(private_mail())
    reading = read(done.mail)[0]

    name = reading.record.camera
    assert re.fullmatch(r"[A-Z][a-z]{7} [A-Z]\w[a-z]", name)
    assert not name.isascii()
    assert reading.record.subject.startswith(name)
    assert f"{name.split()[0]} {name.split()[1].swapcase()}" in done.mail.decode()
    assert done.mail.decode().count("192.0.2.1") == 3
    assert [item.name for item in reading.found] == [f"{name}.jpg"]


def test_what_says_nothing_private_stays_byte_for_byte() -> None:
    """Labels, events, times, boundaries, header names, folding."""
    original, copy = private_mail().decode().splitlines(), anonymise(private_mail()).mail.decode().splitlines()

    assert len(copy) == len(original)
    for line in (
        "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="=_boundary_7"', "--=_boundary_7",
        "Content-Type: text/plain; charset=utf-8", "EVENT TYPE: Intrusion Detection",
        "EVENT TIME: 2023-11-14,22:13:20", "Content-Transfer-Encoding: quoted-printable", "--=_boundary_7--",
    ):  # fmt: skip
        assert copy.index(line) == original.index(line)


def test_owner_can_keep_a_word() -> None:
    """A label in another language is what a report is about."""
    mail = b"Subject: x\r\n\r\nEreignis: Bewegung im Keller\r\n"

    text = anonymise(mail, ["Ereignis", "bewegung"]).mail.decode()

    assert text.startswith("Subject: x\r\n\r\nEreignis: Bewegung ")
    assert "Keller" not in text


NAMES = st.text(st.characters(categories=("Lu", "Ll", "Lo"), max_codepoint=0xFFFF), min_size=3, max_size=12).filter(
    lambda name: len(name.casefold()) == len(name)
)


def is_known(word: str) -> bool:
    """Tell whether an event is recognised by a part of a word: that part stays."""
    return any(True for phrases in (tables().events, tables().kinds) for _ in phrases.find(word))


@settings(max_examples=int(os.environ.get("CAMALERT_FUZZ", "100")), deadline=None)
@given(name=NAMES, place=st.sampled_from(["subject", "text", "base64", "quoted", "html", "address", "file"]))
def test_no_unknown_word_stays(name: str, place: str) -> None:
    """Of any script, wherever it stands (bounded fuzzing)."""
    raw = f"Q{name}Q".encode()
    head = b"From: x\r\n"
    coded = base64.b64encode(raw)
    mail = {
        "subject": head + b"Subject: =?utf-8?B?" + coded + b"?=\r\n\r\nx\r\n",
        "text": head + b"\r\nIPC NAME: " + raw + b"\r\n",
        "base64": head + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"NAME: " + raw) + b"\r\n",
        "quoted": head
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\nNAME: "
        + b"".join(b"=%02X" % byte for byte in raw),
        "html": head + b"Content-Type: text/html; charset=utf-8\r\n\r\n<b>" + raw + b"</b>",
        "address": b"From: <" + raw + b"@" + raw + b".lan>\r\n\r\nx\r\n",
        "file": head + b'Content-Type: text/plain; name="' + raw + b'.txt"\r\n\r\nx\r\n',
    }[place]

    done = anonymise(mail)

    assert raw not in done.mail
    assert coded not in done.mail
    assert raw.decode().casefold() not in decoded(done.mail)
    assert any(name.casefold() in word.casefold() for word in done.replaced) or is_known(raw.decode())


@settings(max_examples=int(os.environ.get("CAMALERT_FUZZ", "200")), deadline=None)
@given(test_reader.HOSTILE)
def test_no_bytes_make_it_fail(mail: bytes) -> None:
    """Whatever a file holds, a copy comes out, and its own copy as well (bounded fuzzing)."""
    anonymise(anonymise(mail).mail)


@pytest.mark.parametrize(
    "repeated",
    [
        "word{} ", "x{}@y.z, ", "10.{}.1.1:", "=?utf-8?q?k{}?= ", "\r\n\r\n=?a?b?x{}", "\r\n--b\r\n\r\nx{}",
        "%41{}*=''%41",
        "\r\n--b\r\nContent-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\n\r\nU3ViamVjdDogeA0KDQo{}",
        "\r\nbegin 644 x{}\r\nM_]C_X  02D9)1@ !\r\n", "data:image/jpeg;base64,/9j/4AAQ{} ", "password: {} pass:",
    ],
)  # fmt: skip
def test_hostile_mail_takes_time_in_proportion_to_its_size(repeated: str) -> None:
    """Four times as many names, words or parts take about four times as long, not sixteen."""

    def took_s(count: int) -> float:
        text = "".join(repeated.format(number % 250) for number in range(count)).encode()
        began = time.thread_time()
        anonymise(b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n" + text)
        return time.thread_time() - began

    took_s(10)
    once_s = min(took_s(400) for _ in range(3))
    assert took_s(1600) < 9 * once_s + 0.05


def test_command_writes_the_copy_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was replaced, what stayed, whether it is read alike, and what is left to do."""
    file = tmp_path / "alarm.eml"
    file.write_bytes(private_mail())

    assert main(["anonymise", str(file)]) == Exit.OK

    shown = capsys.readouterr().out
    assert (tmp_path / "alarm.anonymised.eml").read_bytes() == anonymise(private_mail()).mail
    assert "Brandstetter -> " in shown
    assert "192.168.178.44 -> 192.0.2.1" in shown
    assert "The copy is read as the original is: kind alarm, event intrusion, 1 jpeg, a camera's name." in shown
    assert "Look through it before you send it to anybody." in shown


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read: No such file"), (b"", "is empty"), (b" \r\n", "is empty"), (b"\0" * 67_108_865, "64 MiB")],
)
def test_command_says_what_is_wrong_with_a_file(
    content: bytes | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sentence, without a trace."""
    file = tmp_path / "alarm.eml"
    if content is not None:
        file.write_bytes(content)

    assert main(["anonymise", str(file)]) == Exit.CRASH
    assert complaint in capsys.readouterr().err


def test_command_overwrites_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Least of all the original."""
    file = tmp_path / "alarm.eml"
    file.write_bytes(private_mail())

    assert main(["anonymise", str(file), "--out", str(file)]) == Exit.CRASH
    assert "exists" in capsys.readouterr().err
    assert file.read_bytes() == private_mail()
