"""What is fuzzed: every reader of bytes that a stranger may choose, and what must hold whatever they are.

A target is a function of bytes. It returns when all is well and raises when a promise is broken: any exception but the
one that the reader is documented to raise counts as broken, and so does a result that contradicts another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testing import mails

from camalert.config import sources
from camalert.config.schema import Camera, Match
from camalert.decoding import headers as pictures
from camalert.decoding import kinds
from camalert.errors import ConfigError, FrameError, ProtocolError
from camalert.identity import Envelope
from camalert.intake.mail import archives, reader
from camalert.intake.mail import pictures as mail_pictures
from camalert.intake.mail.region import Region
from camalert.intake.mail.rules import Rules
from camalert.intake.smtp import syntax
from camalert.intake.smtp.framing import Framer, LineTooLong
from camalert.intake.smtp.readers.process import ReadingRecord
from camalert.ipc import messages, records

MAX_MAIL_BYTES = 200
RECEIVED_UTC = 1_780_000_000.0


@dataclass(frozen=True, slots=True)
class Target:
    """One reader: what is called, where it begins, and the words of its language."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def framing(data: bytes) -> None:
    """Bytes cut in pieces give the lines and mails that they give in one piece."""
    if len(data) < 2:
        return
    cut_bytes, stream = 1 + data[0] % 32, data[1:]

    whole = _spoken([stream])
    pieces = _spoken([stream[at : at + cut_bytes] for at in range(0, len(stream), cut_bytes)])

    assert whole == pieces, f"{stream!r} in pieces of {cut_bytes} bytes"


def _spoken(pieces: list[bytes]) -> list[tuple[str, bytes, int]]:
    """Play a client that says DATA with every line that begins with D; return what the framer made of it."""
    framer = Framer(64)
    said: list[tuple[str, bytes, int]] = []
    for piece in pieces:
        framer.feed(piece)
        while True:
            if framer.is_mail_complete:
                dropped_bytes = framer.dropped_bytes
                said.append(("mail", bytes(framer.take_mail()), min(dropped_bytes, 1)))
            if framer.is_in_mail:
                break
            try:
                line = framer.line()
            except LineTooLong:
                said.append(("too long", b"", 0))
                continue
            if line is None:
                break
            said.append(("line", line, 0))
            if line.startswith(b"D"):
                framer.begin_mail(MAX_MAIL_BYTES)
    return said


def _dialogues() -> list[bytes]:
    return [
        b"\x07EHLO a\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
        b"\x01DATA\r\n.\r\nDATA\r\n\r\n.\n.\r\n.\r\n",
        b"\x1fDATA\r\n" + b"x" * (MAX_MAIL_BYTES - 2) + b"\r\n.\r\nNOOP\r\n",
        b"\x03" + b"y" * 100 + b"\r\nNOOP\r\n",
    ]


def mail(data: bytes) -> None:
    """A mail is read, and its pictures never take more bytes than were promised."""
    reading = reader.read(data, Envelope("192.0.2.7"), _rules(), RECEIVED_UTC, 86_400)
    room = memoryview(bytearray(reading.bound_bytes))
    written, _ = mail_pictures.write(reading.found, room, 20)

    assert sum(picture.length for picture in written) <= reading.bound_bytes
    with contextlib.suppress(ProtocolError):  # too many pictures for the block: refused in words
        block = dataclasses.replace(reading.record, pictures=written).encode()
        assert records.MailRecord.decode(block).camera == reading.record.camera


@functools.cache
def _rules() -> Rules:
    return Rules([Camera(name="gate", match=Match(subject="gate (?P<event>\\w+)"))])


def _mails() -> list[bytes]:
    jpeg = (
        b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\x60\0\x80\x03\x01\x22\0\xff\xd9"
    )
    return [
        mails.alarm([jpeg], is_unique=False),
        b"Subject: =?gb2312?B?0afQow==?=\r\n\r\nipcamera:Garage has detected motion at 2026-06-14 15:17:28\r\n",
        b"Subject: x\r\n\r\nbegin 644 a.jpg\r\n#_]C_\r\n`\r\nend\r\n",
        b'Subject: x\r\nContent-Type: text/html; charset="utf-8"\r\n\r\n<img src="data:image/png;base64,iVBORw0KGgo=">',
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nCamera: Yard\r\n--a--\r\n",
    ]


def picture_header(data: bytes) -> None:
    """A picture's header is read or refused in words, and so is the mending of a torn JPEG."""
    with contextlib.suppress(FrameError):
        header = pictures.read_header(data)
        assert header.width_px > 0
        assert header.height_px > 0
        assert 1 <= header.orientation <= 8
        if header.kind == "jpeg":
            pictures.check_scans(data, header)
            mended = pictures.complete_jpeg(data)
            assert len(mended) <= len(data) + 2
            assert mended == data or mended.endswith(b"\xff\xd9")


def _headers() -> list[bytes]:
    return [
        b"\xff\xd8\xff\xe1\x00\x08Exif\0\0\xff\xc0\0\x11\x08\0\x60\0\x80\x03\xff\xda\0\x02abc\xff\xd9",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x60\0\0\0\x80\x08\x02\0\0\0",
        b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\0\0\x5f\0\0",
        b"BM" + bytes(12) + b"\x28\0\0\0\x60\0\0\0\x80\0\0\0",
        b"GIF89a\x60\0\x80\0",
        b"\0\0\0\x18ftypavif\0\0\0\0avifmif1\0\0\0\x3bmeta\0\0\0\0\0\0\0\x2diprp\0\0\0\x25ipco"
        b"\0\0\0\x14ispe\0\0\0\0\0\0\0\x80\0\0\0\x60\0\0\0\x09irot\1",
        b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\0jp2c" + _JPEG_2000,
        _JPEG_2000,
        b"MM\0*\0\0\0\x08\0\x02\x01\0\0\3\0\0\0\1\0\x80\0\0\x01\1\0\3\0\0\0\1\0\x60\0\0",
    ]


_JPEG_2000 = b"\xff\x4f\xff\x51\0\x29\0\0\0\0\0\x80\0\0\0\x60" + bytes(8) + b"\0\0\0\x80\0\0\0\x60" + bytes(8) + b"\0\1"


def kind(data: bytes) -> None:
    """A file's first bytes name its kind or what it is; one of the two, and always the same for the same bytes."""
    head = data[: kinds.HEAD_BYTES]
    found = kinds.kind_of(head)
    assert found in {"", *kinds.KINDS}
    assert found == kinds.kind_of(head + data[kinds.HEAD_BYTES :])
    assert not (found and kinds.is_zip(head))
    kinds.named(head)


def _beginnings() -> list[bytes]:
    return [
        b"\0\0\0\x01\x09\x10\0\0\0\x01\x67\x64\0\x15", b"\0\0\x01\xfc\x02" + bytes(11) + b"\0\0\0\x01\x40\x01",
        b"HXVS\x80\x01", b"IMKH\x01\x01\0\0\x02", (b"\x47\x40\x11\x10" + bytes(184)) * 3, b"DHAV\xfd\0",
        b"FLV\x01\x05\0",
        b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", b"PK\x03\x04\x14\0", b"\0\0\0\x20ftypmif1\0\0\0\0avifmif1",
    ]  # fmt: skip


def archive(data: bytes) -> None:
    """A ZIP archive gives no more than its bound, and a reason for what it does not give."""
    left_bytes = 100_000
    for member in archives.members(Region.whole(data), left_bytes):
        if isinstance(member, archives.Member):
            left_bytes -= len(member.content)
        else:
            assert member.reason
    assert left_bytes >= 0


def _archives() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as file:
            file.writestr("day/a.jpg", b"\xff\xd8\xff\xe0" + bytes(200))
            file.writestr("b.txt", b"text")
        found.append(out.getvalue())
    return found


def configuration(data: bytes) -> None:
    """A configuration file is taken, or refused by ConfigError with one line for each mistake."""
    folder = _scratch()
    toml, _, dotenv = data.partition(b"\0")
    (folder / "config.toml").write_bytes(toml)
    (folder / ".env").write_bytes(dotenv)
    with contextlib.suppress(ConfigError):
        sources.load(sources.Source(folder / "config.toml"), {})


@functools.cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="camalert-fuzz-"))


def _configurations() -> list[bytes]:
    shipped = (Path(__file__).parents[2] / "config.toml").read_bytes()
    return [
        shipped[:4000],
        b'[[smtp.listen]]\nport = 2525\nallow = ["192.0.2.0/24"]\n[[camera]]\nname = "gate"\n\0PORT=25\nDEST_DIR=x',
        b'[database]\npath = "x"\n[detector]\nthreshold = 0.5\n',
    ]


def wire_format(data: bytes) -> None:
    """A datagram is messages or a ProtocolError; what was decoded is encoded to the same bytes."""
    with contextlib.suppress(ProtocolError):
        decoded = messages.decode(data)
        again = b"".join(messages.encode(message) for message in decoded)
        assert messages.decode(again) == decoded


def _datagrams() -> list[bytes]:
    return [bytes([number]) + bytes(30) for number in range(len(messages.KINDS))]


def slot_records(data: bytes) -> None:
    """A block of JSON is a record that can be written again or a ProtocolError, whoever wrote it."""
    for kind in _RECORDS:
        for block in (data, json.dumps(_table(kind, data)).encode()):
            with contextlib.suppress(ProtocolError):
                found = kind.decode(block)
                again = found.encode(len(block) * 2 + 4096) if kind is records.MailRecord else found.encode()
                assert kind.decode(again) == found or len(block) > messages.NOTE_BYTES // 2  # a long note is cut
    for block in (data, data + b"\n" + records.MailRecord(received_utc=RECEIVED_UTC).encode()):
        with contextlib.suppress(ProtocolError):
            ReadingRecord.decode(block)


_RECORDS: tuple[Any, ...] = tuple(
    kind for kind in vars(records).values() if isinstance(kind, type) and records.Record in kind.__bases__
)


def _table(kind: Any, data: bytes) -> dict[str, object]:
    """Make a table that looks like a record: fields by number, each with a value that the bytes choose."""
    fields = dataclasses.fields(kind)
    needed = {item.name: "x" if item.type == "str" else 1 for item in fields if item.default is dataclasses.MISSING}
    pairs = zip(data[::2], data[1::2], strict=False)
    return needed | {fields[name % len(fields)].name: VALUES[value % len(VALUES)] for name, value in pairs}


VALUES: tuple[object, ...] = (
    None, True, -1, 0, 1, 2**31, 2**70, 0.5, -0.0, 1e300, float("nan"), float("inf"), "", "x", "\ud800", "1" * 5000,
    [], [[]], [[1, 2]], [[1, 2, 3]], [None], ["a"], [{}], [{"x": 1}], {}, {"a": []}, {"offset": 0, "length": 1},
    [{"offset": 0, "length": 1, "kind": "jpeg"}], [{"offset": -1, "length": 2**70, "kind": 5}],
    [{"x": 1, "y": 1, "width": 1, "height": 1, "score": 0.5}],
    [{"x": "1", "y": None, "width": 1, "height": 1, "score": 2}],
)  # fmt: skip


def _blocks() -> list[bytes]:
    return [
        records.MailRecord(received_utc=RECEIVED_UTC, camera="gate").encode(),
        b'{"height_px": 1e400, "people": [[]]}',
        b'[["a text"], []]',
    ]


def command(data: bytes) -> None:
    """A command line is parted into a verb and an argument, and addresses stay within their length."""
    verb, argument = syntax.parse_command(data[:4096])
    assert verb == verb.upper()
    assert len(syntax.parse_sender(argument).address) <= syntax.MAX_ADDRESS_CHARACTERS
    assert all(len(address) <= syntax.MAX_ADDRESS_CHARACTERS for address in syntax.parse_recipients(argument))


def _commands() -> list[bytes]:
    return [b"MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME", b"RCPT TO:<<a@b>,<c@d>>", b"rcpt to a", b"EHLO [192.0.2.1]"]


def clip(data: bytes) -> None:
    """A clip gives pictures or a FrameError."""
    from camalert.decoding.clips import Limits, take_pictures  # noqa: PLC0415 - loads OpenCV, which the others do not need

    with contextlib.suppress(FrameError):
        taken = take_pictures(data, Limits(3, 1 << 20, 1 << 18, 1 << 20, 2.0))
        assert 1 <= len(taken.pictures) <= 3


def _clips() -> list[bytes]:
    from testing import clips  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        return [
            clips.make_clip(Path(folder) / "clip.avi", frames=4),
            clips.make_clip(Path(folder) / "clip.mp4", frames=4, codec="mp4v"),
            clips.make_clip(Path(folder) / "clip.mkv", frames=4),
            clips.make_clip(Path(folder) / "clip.ts", frames=4, codec="mp4v"),
            clips.make_clip(Path(folder) / "clip.mpg", frames=4, codec="MPG2"),
            clips.make_clip(Path(folder) / "clip.flv", frames=4, codec="FLV1"),
            clips.make_clip(Path(folder) / "clip.wmv", frames=4, codec="WMV2"),
            clips.raw_h264(2)[:60_000],
        ]


TARGETS = {
    "framing": Target(framing, _dialogues, (b"\r\n.\r\n", b"\r\n..", b"DATA\r\n", b"\n.\n")),
    "mail": Target(
        mail, _mails, (b"Content-Type: ", b"boundary=", b"base64", b"\r\n--", b"=?utf-8?B?", b"charset=", b"begin 644 ")
    ),
    "picture_header": Target(
        picture_header, _headers, (b"\xff\xd8\xff", b"\xff\xc0", b"\xff\xda", b"Exif\0\0", b"IHDR")
    ),
    "kind": Target(kind, _beginnings, (b"\0\0\x01", b"\x67\x64", b"\x40\x01", b"ftyp", b"avif", b"DHAV", b"IMKH")),
    "archive": Target(archive, _archives, (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x08\0")),
    "configuration": Target(configuration, _configurations, (b"[[camera]]\n", b"[smtp]\n", b" = ", b"true", b'"""')),
    "wire": Target(wire_format, _datagrams),
    "records": Target(slot_records, _blocks, (b'"people"', b'"pictures"', b"null", b"1e999", b"[" * 2000)),
    "command": Target(command, _commands, (b"<", b">", b"SIZE=", b"MAIL FROM:", b"RCPT TO:", b"@")),
    "clip": Target(clip, _clips, (b"ftyp", b"moov", b"RIFF", b"AVI LIST", b"\x1a\x45\xdf\xa3")),
}
CORPUS = Path(__file__).parent / "corpus"


def kept(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield what a target is known for: its seeds, and every input that once broke it."""
    for number, seed in enumerate(TARGETS[name].seeds()):
        yield f"seed {number}", seed
    for path in sorted((CORPUS / name).glob("*")):
        yield path.name, path.read_bytes()
