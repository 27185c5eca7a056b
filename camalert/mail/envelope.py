"""What SMTP says of a mail beside its bytes.

Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from camalert.mail.region import Buffer

DIGEST_BYTES = 16  # enough that two different mails never meet within a repeat window


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sent a mail, from where, to whom."""

    peer: str = ""
    helo: str = ""
    login: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()


def digest(envelope: Envelope, mail: Buffer) -> str:
    """Return the digest that a camera's second try has in common with its first: sender, recipients and bytes."""
    found = hashlib.sha256(mail)  # processors have instructions for it: twice as fast as BLAKE2 where they do
    found.update("\0".join((envelope.sender, *envelope.recipients)).encode("utf-8", "surrogateescape"))
    return found.digest()[:DIGEST_BYTES].hex()
