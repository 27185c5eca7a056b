"""One alarm mail, read: what it says, and where its pictures lie.

Pure: bytes and an envelope in, values out. The mail's bytes stay where they are until the pictures are written out.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.mail import pictures, transfer
from camalert.mail.envelope import Envelope, digest
from camalert.mail.kinds import kind_named
from camalert.mail.parts import walk
from camalert.mail.pictures import Found
from camalert.mail.region import Buffer, Region
from camalert.mail.rules import Rules
from camalert.mail.styles import facts_of
from camalert.mail.text import body_text, charset_of, decoded_header, table_subject
from camalert.mail.times import camera_time
from camalert.words import MailWords

HEADER_CHARACTERS = 16_384  # of the header block that is kept beside the alert
FIELD_CHARACTERS = 200
MAX_RECIPIENTS = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says (`words`, still without pictures), and the places of its pictures."""

    words: MailWords
    found: tuple[Found, ...]

    @property
    def bound_bytes(self) -> int:
        """Return a size that the pictures written out never exceed."""
        return sum(picture.bound_bytes for picture in self.found)


def read(mail: Buffer, envelope: Envelope, rules: Rules, received_utc: float, max_skew_s: float) -> Reading:
    """Read a mail.

    Args:
        mail: All bytes of it, dots undone.
        envelope: Who sent it to whom.
        rules: The owner's rules for telling cameras.
        received_utc: Seconds since 1970.
        max_skew_s: How far off a camera's clock may be to be believed, in seconds.
    Returns: The reading; its words say `unreadable` for bytes that are no mail at all.
    """
    whole = Region.whole(mail)
    headers, leaves = walk(whole)
    charset = charset_of(leaves)
    subject = decoded_header(headers, "subject", charset)
    text = body_text(leaves)
    found = tuple(pictures.find(leaves))
    names = [picture.name for picture in found if picture.name]
    facts = rules.apply(facts_of(subject, text, names), envelope, subject, text)
    date = decoded_header(headers, "date", "")
    written, taken_utc = camera_time((facts.time, subject, text), names, date, received_utc, max_skew_s)
    words = MailWords(
        received_utc=received_utc,
        subject=table_subject(subject, text),
        taken_utc=taken_utc,
        camera_time=written[:FIELD_CHARACTERS],
        camera=facts.camera[:FIELD_CHARACTERS],
        event=facts.event,
        kind="alarm" if found else kind_named(subject, text),
        peer=envelope.peer,
        helo=envelope.helo[:FIELD_CHARACTERS],
        login=envelope.login[:FIELD_CHARACTERS],
        sender=envelope.sender[:FIELD_CHARACTERS],
        recipients=tuple(recipient[:FIELD_CHARACTERS] for recipient in envelope.recipients[:MAX_RECIPIENTS]),
        digest=digest(envelope, mail),
        headers=_header_block(whole),
        unreadable="" if headers.fields or found or not whole.stripped() else "it has no header line and no picture",
    )
    return Reading(words, found)


def unreadable(mail: Buffer, envelope: Envelope, received_utc: float, reason: str) -> Reading:
    """Make the reading of a mail that cannot be read: its one "picture" is the mail itself, to be kept raw."""
    words = MailWords(
        received_utc=received_utc,
        peer=envelope.peer,
        sender=envelope.sender[:FIELD_CHARACTERS],
        digest=digest(envelope, mail),
        unreadable=reason,
    )
    raw = Found(Region.whole(mail), transfer.IDENTITY, "raw", "", ((), "attached"))
    return Reading(words, (raw,))


def _header_block(mail: Region) -> str:
    start = mail.stripped()
    block = start.head(HEADER_CHARACTERS)
    ends = [end for end in (block.find(b"\r\n\r\n"), block.find(b"\n\n")) if end >= 0]
    return block[: min(ends, default=len(block))].decode("utf-8", "replace").replace("\0", "")
