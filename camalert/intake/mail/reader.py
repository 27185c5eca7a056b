"""One alarm mail, read: what it says, and where its pictures are.

The mail's bytes stay where they are until the pictures are written out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from camalert.identity import OWN_HEADER, Envelope
from camalert.intake.mail import encodings, pictures
from camalert.intake.mail.facts import ALARM, OWN, Reason, facts_of, kind_of_mail
from camalert.intake.mail.parts import Leaf, LeftOut, walk
from camalert.intake.mail.pictures import Found
from camalert.intake.mail.region import Buffer, Region, no_hurry
from camalert.intake.mail.rules import Rules
from camalert.intake.mail.text import body_text, charset_of, decoded_header, legible, table_subject
from camalert.intake.mail.times import camera_time
from camalert.ipc.records import MailRecord

DIGEST_BYTES = 16  # enough that two different mails never meet within a repeat window
HEADER_CHARACTERS = 16_384  # of the header block that is kept beside the alert
FIELD_CHARACTERS = 200
MAX_RECIPIENTS = 20
# Of what is kept beside a mail, for its owner to see why it was read so.
MAX_REASONS = 6
TAKEN_CHARACTERS = 120
RULE_CHARACTERS = 200
RULES_CHARACTERS = 8192  # of a mail's text that the owner's patterns see, which may go back and forth in it


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says (`record`, still without pictures), where its pictures are, and what was not taken as one.

    `reasons` says which rule or row of a table decided what the record has, `leaves` which parts the mail has.
    """

    record: MailRecord
    found: tuple[Found, ...]
    left_out: tuple[LeftOut, ...] = ()
    reasons: tuple[Reason, ...] = ()
    leaves: tuple[Leaf, ...] = ()

    @property
    def bound_bytes(self) -> int:
        """Return a size that the pictures written out never exceed."""
        return sum(picture.bound_bytes for picture in self.found)


def read(  # noqa: PLR0913, PLR0917 - all of it is known where a mail is received
    mail: Buffer,
    envelope: Envelope,
    rules: Rules,
    received_utc: float,
    max_skew_s: float,
    check_time: Callable[[], None] = no_hurry,
) -> Reading:
    """Read a mail.

    Args:
        mail: All bytes of it, dots undone.
        envelope: Who sent it to whom.
        rules: The owner's patterns that identify cameras.
        received_utc: Seconds since 1970.
        max_skew_s: How far off a camera's clock may be to be believed, in seconds.
        check_time: Called before each part and each picture; it raises `ReadingTooLong` to end the reading.
    Returns: The reading; its record says `unreadable` for bytes that are no mail at all.
    Raises: what `check_time` raises.
    """
    whole = Region.whole(mail)
    headers, leaves, not_walked = walk(whole, check_time)
    charset = charset_of(leaves)
    subject = decoded_header(headers, "subject", charset)
    text = body_text(leaves)
    is_own = bool(headers.raw(OWN_HEADER.lower()))
    found, left_out = ([], []) if is_own else pictures.find(leaves, check_time)
    names = [picture.name for picture in found if picture.name]
    facts = rules.apply(facts_of(subject, text, names), envelope, legible(subject), text[:RULES_CHARACTERS])
    date = decoded_header(headers, "date", "")
    moment = camera_time((facts.time, subject, text), names, date, received_utc, max_skew_s)
    kind, why = (ALARM, "its picture") if found else kind_of_mail(subject, text, facts.event)
    if is_own:
        kind, why = OWN, f"its header {OWN_HEADER}"
    record = MailRecord(
        received_utc=received_utc,
        subject=table_subject(subject, text),
        taken_utc=moment.believed_utc,
        camera_time=moment.written[:FIELD_CHARACTERS],
        camera=facts.camera[:FIELD_CHARACTERS],
        channel=facts.channel[:FIELD_CHARACTERS],
        event=facts.event,
        clock_off_s=moment.off_s,
        kind=kind,
        peer=envelope.peer,
        helo=envelope.helo[:FIELD_CHARACTERS],
        login=envelope.login[:FIELD_CHARACTERS],
        sender=envelope.sender[:FIELD_CHARACTERS],
        recipients=tuple(recipient[:FIELD_CHARACTERS] for recipient in envelope.recipients[:MAX_RECIPIENTS]),
        digest=digest(envelope, mail),
        headers=_header_block(whole),
        unreadable="" if headers.fields or found or not whole.stripped() else "it has no header line and no picture",
    )
    reasons = [reason for reason in facts.reasons if reason.what != "time"]
    if moment.written:
        said = next((item for item in facts.reasons if item.what == "time" and moment.written in item.taken), None)
        reasons.append(said or Reason("time", moment.written, moment.rule))
    reasons.append(Reason("kind", kind, why))
    shown = tuple((item.what, item.taken[:TAKEN_CHARACTERS], item.rule[:RULE_CHARACTERS]) for item in reasons)
    record = replace(record, reasons=shown[:MAX_REASONS])
    return Reading(record, tuple(found), (*not_walked, *left_out), tuple(reasons), tuple(leaves))


def unreadable(mail: Buffer, envelope: Envelope, received_utc: float, reason: str) -> Reading:
    """Make the reading of a mail that cannot be read: its one "picture" is the mail itself, to be kept raw."""
    record = MailRecord(
        received_utc=received_utc,
        peer=envelope.peer,
        sender=envelope.sender[:FIELD_CHARACTERS],
        digest=digest(envelope, mail),
        unreadable=reason,
    )
    raw = Found(Region.whole(mail), encodings.IDENTITY, "raw", "", ((), "attached"))
    return Reading(record, (raw,))


def digest(envelope: Envelope, mail: Buffer) -> str:
    """Return what a camera's second try has in common with its first: address, sender, recipients and bytes, hashed.

    Two cameras of one make may send the same bytes at the same time, each from an address of its own.
    """
    found = hashlib.sha256(mail)  # processors have instructions for it: twice as fast as BLAKE2 where they do
    found.update("\0".join((envelope.peer, envelope.sender, *envelope.recipients)).encode("utf-8", "surrogateescape"))
    return found.digest()[:DIGEST_BYTES].hex()


def _header_block(mail: Region) -> str:
    start = mail.stripped()
    block = start.head(HEADER_CHARACTERS)
    ends = [end for end in (block.find(b"\r\n\r\n"), block.find(b"\n\n")) if end >= 0]
    return block[: min(ends, default=len(block))].decode("utf-8", "replace").replace("\0", "")
