"""The exchange of a login: what is asked, and what name and password the answers hold.

Pure: asking is an argument. Nothing that a client answers is ever logged, but for the name.

Source: RFC 4954 (AUTH), RFC 4616 (PLAIN); LOGIN has a draft only, draft-murchison-sasl-login.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from camalert.mail.charsets import text_of

MAX_NAME_CHARACTERS = 80

# What firmware compares the challenges with.
USERNAME = "Username:"
PASSWORD = "Password:"  # noqa: S105 - a question
# A challenge with text, although the standard has an empty one: firmware hangs on a reply without text.
PLAIN = "PLAIN"
CRAM_MD5 = "<camalert>"

Ask = Callable[[str], Awaitable[bytes]]


class Cancelled(Exception):
    """The client does not want to log in after all."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client logs in with."""

    name: str
    password: bytes


def mechanisms(accept: str) -> tuple[str, ...]:
    """Return the mechanisms that are understood.

    Args:
        accept: As configured. CRAM-MD5 needs passwords in the clear to check them, so it is for "any" alone, and not
            offered.
    """
    return ("LOGIN", "PLAIN", "CRAM-MD5") if accept == "any" else ("LOGIN", "PLAIN")


def parse(argument: str) -> tuple[str, str]:
    """Read the argument of AUTH: the mechanism in capitals, and the initial response, "" without one."""
    words = [*argument.split(), "", ""]
    return words[0].upper(), "" if words[1] == "=" else words[1]


async def exchange(mechanism: str, initial: str, ask: Ask) -> Credentials:
    """Ask for name and password, but for what the initial response holds.

    Args:
        mechanism: One of `mechanisms`.
        initial: The initial response in base64, "" without one.
        ask: Sends a challenge and returns the decoded answer.
    Returns: Name and password; whatever cannot be read is empty.
    Raises: What `ask` raises; `Cancelled` among it.
    """
    match mechanism:
        case "PLAIN":
            secret = _decoded(initial.encode()) if initial else await ask(PLAIN)
            parts = secret.split(b"\0")
            name, password = (parts[-2], parts[-1]) if len(parts) >= 2 else (secret, b"")
        case "LOGIN":
            name = _decoded(initial.encode()) if initial else await ask(USERNAME)
            password = await ask(PASSWORD)
        case _:  # CRAM-MD5: any answer is right
            await ask(CRAM_MD5)
            name = password = b""
    return Credentials(text_of(name).strip()[:MAX_NAME_CHARACTERS], password)


def answer(line: bytes) -> bytes:
    """Read a client's answer to a challenge.

    Raises: Cancelled when it is "*". Source: RFC 4954, section 4.
    """
    if line.strip() == b"*":
        raise Cancelled
    return _decoded(line)


def _decoded(text: bytes) -> bytes:
    """Decode base64 as far as it is; a login that cannot be decoded is a wrong one, or any one."""
    with contextlib.suppress(binascii.Error):
        return base64.b64decode(text.strip() + b"=" * (-len(text.strip()) % 4))
    return b""
