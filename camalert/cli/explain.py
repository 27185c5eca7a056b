"""`camalert explain`: how a mail is read, and what decided it."""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import say, say_json
from camalert.errors import CamalertError, Exit

if TYPE_CHECKING:
    from camalert.config.schema import Config
    from camalert.identity import Envelope
    from camalert.intake.mail.reader import Reading

DESCRIPTION = """\
Show what camalert sees in a camera's mail: its parts and pictures, and which
camera, event, time and kind of mail it is read as, each with the label,
sentence, table row or [[camera]] block that decided it."""

EXAMPLES = """\
examples:
  camalert explain alarm.eml
  camalert explain alarm.eml --json | jq .camera
  camalert explain alarm.eml --address 192.168.1.20 --recipient garage@a.lan

Sender and recipient are taken from the mail's From and To where they are not
given. The time is judged as if the mail had come at its Date, else now.

exit codes:
  0   the mail was read
  1   the file could not be read, or it is no mail"""

MAX_MAIL_BYTES = 67_108_864  # more than the service accepts


@dataclass(frozen=True, slots=True)
class Decision:
    """What one thing was read as, and why."""

    what: str
    taken: str
    why: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part or a picture of the mail, or what was left out of it."""

    what: str
    name: str
    bytes: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is seen in a mail."""

    subject: str
    camera: str
    event: str
    time: str
    kind: str
    decisions: tuple[Decision, ...]
    parts: tuple[Piece, ...]
    pictures: tuple[Piece, ...]
    left_out: tuple[Piece, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mail", metavar="MAIL.eml", type=Path, help="the mail, as it came")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--address", metavar="IP", default="", help="the address of the camera that sent it")
    parser.add_argument("--sender", metavar="ADDRESS", default="", help="the sender that it gave")
    parser.add_argument("--recipient", metavar="ADDRESS", default="", help="the recipient that it gave")
    parser.add_argument("--login", metavar="NAME", default="", help="the name that it logged in with")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    try:
        with arguments.mail.open("rb") as opened:
            mail = opened.read(MAX_MAIL_BYTES + 1)
    except OSError as error:
        raise CamalertError(f"{arguments.mail} cannot be read: {error.strerror}") from error
    if len(mail) > MAX_MAIL_BYTES:
        raise CamalertError(f"{arguments.mail} is larger than {MAX_MAIL_BYTES >> 20} MiB, which no camera's mail is")
    given = {name: getattr(arguments, name) for name in ("address", "sender", "recipient", "login")}
    now_utc = dt.datetime.now(dt.UTC).timestamp()
    explained = explain(mail, configuration(arguments).config, now_utc, **given)
    if arguments.json:
        say_json(asdict(explained), indent=2)
    else:
        say(*lines(explained))
    return Exit.OK


def explain(  # noqa: PLR0913 - all by name
    mail: bytes, config: Config, now_utc: float, *, address: str = "", sender: str = "", recipient: str = "",
    login: str = "",
) -> Explained:  # fmt: skip
    """Read a mail as the service does.

    Args:
        mail: All bytes of it.
        config: Whose [[camera]] blocks count.
        now_utc: The present, in seconds since 1970.
        address: Where it came from, "" when nobody knows, as the rest.
        sender: The envelope's, else the From header's.
        recipient: The envelope's, else the To header's.
        login: The name that its client logged in with.
    Raises: CamalertError for what is no mail.
    """
    from camalert.identity import Envelope
    from camalert.intake.mail import pictures, reader
    from camalert.intake.mail.parts import walk
    from camalert.intake.mail.region import Region
    from camalert.intake.mail.rules import Rules
    from camalert.intake.mail.text import decoded_header
    from camalert.intake.mail.times import camera_time

    headers, _, _ = walk(Region.whole(mail))
    said = {name: decoded_header(headers, name, "") for name in ("from", "to", "date")}
    to = recipient or _address(said["to"])
    envelope = Envelope(address, "", login, sender or _address(said["from"]), (to,) if to else ())
    dated = camera_time((), (), said["date"], now_utc, float("inf")).believed_utc
    received_utc = now_utc if dated is None else dated
    reading = reader.read(mail, envelope, Rules(config.camera), received_utc, config.intake.max_clock_skew_seconds)
    if reading.record.unreadable:
        raise CamalertError(f"this is no mail: {reading.record.unreadable}")
    written, left_out = pictures.write(
        reading.found, memoryview(bytearray(reading.bound_bytes)), config.intake.max_pictures
    )
    camera, why_camera = _camera(reading, envelope, config)
    record = reading.record
    moment = "" if record.taken_utc is None else _local(record.taken_utc)
    decisions = [Decision("camera", camera, why_camera)]
    decisions += [Decision(item.what, item.taken, item.rule) for item in reading.reasons if item.what != "camera"]
    if record.camera_time:
        why = "the camera's time" if moment else "the receipt: the camera's time is too far from it to be believed"
        decisions.append(Decision("row's time", moment or _local(received_utc), why))
    return Explained(
        record.subject, camera, record.event, moment, record.kind, tuple(decisions),
        tuple(
            Piece(leaf.media_type, leaf.name, len(leaf.body), "outside of any part" if leaf.is_stray else leaf.encoding)
            for leaf in reading.leaves
        ),
        tuple(Piece(item.kind, item.name, item.length, "a clip" if item.is_clip else "") for item in written),
        tuple(
            Piece(item.media_type, item.name, item.size_bytes, item.reason) for item in (*reading.left_out, *left_out)
        ),
    )  # fmt: skip


def lines(explained: Explained) -> list[str]:
    """Return what the command prints."""
    found = [f'subject  "{explained.subject}"']
    for item in explained.decisions:
        found += [f"{item.what:<10} {item.taken or '-'}", f"           by {item.why}"]
    for title, pieces in (
        ("parts", explained.parts),
        ("pictures", explained.pictures),
        ("left out", explained.left_out),
    ):
        found += ["", title if pieces else f"{title}: none"]
        found += [
            f"  {' '.join(filter(None, (piece.what, piece.name)))}, {piece.bytes} bytes"
            + (f" ({piece.remark})" if piece.remark else "")
            for piece in pieces
        ]
    return found


def _camera(reading: Reading, envelope: Envelope, config: Config) -> tuple[str, str]:
    from camalert.identity import Names, place_of

    named = reading.record.camera
    why = next((item.rule for item in reading.reasons if item.what == "camera"), "")
    camera = Names(block.name for block in config.camera).identify(named, envelope, reading.record.channel)
    if named:
        return camera, why
    if not camera:
        return "", "nothing in the mail: the address of its client is its camera"
    place = place_of(camera, envelope)
    return camera, f"{place}, and its channel by {why}" if reading.record.channel else place


def _address(header: str) -> str:
    """Return the first address of a From or To header, without the name before it."""
    _, bracket, named = header.partition("<")
    return (named.partition(">") if bracket else header.partition(","))[0].strip()


def _local(utc: float) -> str:
    return dt.datetime.fromtimestamp(utc).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - the owner's own clock
