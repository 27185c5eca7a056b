"""The mail reader against Python's `email`: what the standard library reads from a well-formed mail, ours reads too."""

from __future__ import annotations

import base64
import email
import email.header
import email.policy
import quopri
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testing import pictures as samples

from camalert.identity import Envelope
from camalert.intake.mail import pictures, reader
from camalert.intake.mail.parts import walk
from camalert.intake.mail.region import Region
from camalert.intake.mail.rules import Rules
from camalert.intake.mail.text import body_text

NOW = 1_700_000_000.0
PICTURES = [samples.unique_jpeg(number, 96) for number in range(4)]
# Letters, blanks, punctuation and what encodings and boundaries are made of; no control, and no white space of Unicode.
WORDS = st.text(st.sampled_from("abcXYZ 019.,:;-_=?/()<>@&%+\"'äöüß€中文学校日本한국жя"), min_size=1, max_size=40).map(
    lambda text: " ".join(text.split()) or "x"
)
NAMES = WORDS.map(lambda text: text.replace("/", "_").replace("\\", "_").strip() or "x").map(
    lambda text: text[:30] + ".jpg"
)
CHARSETS = st.sampled_from(
    ["utf-8", "iso-8859-1", "windows-1252", "gb2312", "gb18030", "shift_jis", "euc-kr", "koi8-r", "utf-16"]
)
NAME_CHARSETS = st.sampled_from(["utf-8", "gb18030"])
TRANSFERS = st.sampled_from(["base64", "quoted-printable", "8bit", "binary"])


def _text(words: str, charset: str, transfer: str, subtype: str) -> Message:
    """Make a text part; one that the character set cannot write is in UTF-8."""
    try:
        raw = words.encode(charset)
    except UnicodeError:
        charset, raw = "utf-8", words.encode()
    if charset == "utf-16" and transfer in {"8bit", "binary"}:
        transfer = "base64"
    return _leaf(MIMEBase("text", subtype, charset=charset), raw, transfer, is_text=True)


def _leaf(part: Message, raw: bytes, transfer: str, *, is_text: bool = False) -> Message:
    if not is_text and transfer == "8bit":
        transfer = "base64"
    part["Content-Transfer-Encoding"] = transfer
    if transfer == "base64":
        encoded = base64.encodebytes(raw)
    elif transfer == "quoted-printable":
        encoded = quopri.encodestring(raw, quotetabs=not is_text)
        if not is_text:  # line ends of data are data
            encoded = b"".join(
                b"=%02X" % byte + (b"=\n" if number % 24 == 23 else b"") for number, byte in enumerate(raw)
            )
    else:
        encoded = raw
    part.set_payload(encoded.decode("ascii", "surrogateescape"))
    return part


@st.composite
def _pictures(draw: st.DrawFn) -> Message:
    raw = draw(st.sampled_from(PICTURES)) + draw(st.binary(max_size=50))
    main, subtype = draw(st.sampled_from([("image", "jpeg"), ("application", "octet-stream"), ("image", "pjpeg")]))
    transfer = draw(st.sampled_from(["base64", "quoted-printable"]))
    part = _leaf(MIMEBase(main, subtype), raw, transfer)
    name = draw(st.one_of(st.none(), NAMES))
    disposition = draw(st.sampled_from(["attachment", "inline", None]))
    if disposition:
        part.add_header("Content-Disposition", disposition)
    if name:
        where, key = ("Content-Disposition", "filename") if disposition else ("Content-Type", "name")
        if draw(st.booleans()):
            name = email.header.Header(name, draw(NAME_CHARSETS)).encode(
                maxlinelen=200
            )  # not allowed here, and frequent
        part.set_param(key, name, header=where, charset=None if name.isascii() else draw(NAME_CHARSETS))
    return part


TEXTS = st.builds(_text, WORDS, CHARSETS, TRANSFERS, st.just("plain"))


def _container(subtype: str, parts: list[Message]) -> Message:
    made = MIMEMultipart(subtype)
    for part in parts:
        made.attach(part)
    return made


def _forwarded(part: Message) -> Message:
    part["Subject"] = "inner"
    return MIMEMessage(part)


STRUCTURES = st.recursive(
    st.one_of(TEXTS, _pictures()),
    lambda children: st.one_of(
        st.builds(
            _container, st.sampled_from(["mixed", "related", "alternative"]), st.lists(children, min_size=1, max_size=4)
        ),
        st.builds(_forwarded, children),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    structure=STRUCTURES,
    subject=WORDS,
    charset=st.sampled_from(["utf-8", "gb18030", "iso-8859-1"]),
    newline=st.sampled_from(["\r\n", "\n"]),
)
def test_well_formed_mail_is_read_as_the_standard_library_reads_it(
    structure: Message, subject: str, charset: str, newline: str
) -> None:
    """Subject, texts, and pictures byte for byte with their names, in whatever nesting, encoding and character set."""
    try:
        words = email.header.Header(subject, charset if not subject.isascii() else "us-ascii")
    except UnicodeError:
        words = email.header.Header(subject, "utf-8")
    del structure["Subject"]
    structure["Subject"] = words
    mail = structure.as_bytes(policy=email.policy.compat32.clone(linesep=newline))

    theirs = email.message_from_bytes(mail, policy=email.policy.default)
    reading = reader.read(bytearray(mail), Envelope(), Rules(()), NOW, 60)
    out = memoryview(bytearray(reading.bound_bytes))
    written, left_out = pictures.write(reading.found, out, 1000)

    assert reading.record.subject == " ".join(str(theirs["subject"]).split())
    leaves = [part for part in theirs.walk() if not part.is_multipart()]
    images = [
        (part.get_payload(decode=True), part.get_filename() or "")
        for part in leaves
        if part.get_content_maintype() != "text"
    ]
    ours = [(bytes(out[item.offset : item.offset + item.length]), item.name) for item in written]
    same = [item for item in left_out if item.reason == "the same picture, inline and attached"]
    assert len(left_out) == len(same)
    assert {raw for raw, _ in ours} == {raw for raw, _ in images}
    if not same:
        assert [raw for raw, _ in ours] == [raw for raw, _ in images]
        assert [" ".join(name.split()) for _, name in ours] == [" ".join(name.split()) for _, name in images]
    assert not [item for item in reading.left_out if item.matters]
    text = body_text(walk(Region.whole(mail))[1])
    for part in leaves:
        if part.get_content_maintype() == "text":
            assert " ".join(part.get_content().split()) in " ".join(text.split())
