"""Logins of cameras: the AUTH exchange, who may log in, and throttling of guesses.

Nothing that a client answers is ever logged, but for the name.

Source: RFC 4954 (AUTH), RFC 4616 (PLAIN); LOGIN has a draft only, draft-murchison-sasl-login.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from camalert.config.schema import Auth
from camalert.intake.mail.charsets import text_of
from camalert.intake.smtp.passwords import is_password

MAX_NAME_CHARACTERS = 80

# What firmware compares the challenges with.
USERNAME = "Username:"
PASSWORD = "Password:"  # noqa: S105 - a question
# A challenge with text, although the standard has an empty one: firmware hangs on a reply without text.
PLAIN = "PLAIN"
CRAM_MD5 = "<camalert>"

FREE_TRIES = 10  # of one address, before each takes longer than the one before
LONGEST_WAIT_S = 60.0  # no camera waits longer for an answer
FORGOTTEN_S = 900.0  # an address that was quiet for so long begins anew
MOST_ADDRESSES = 1024  # that are remembered; beyond that the one that was quiet the longest is forgotten

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


class TooManyGuesses(Exception):
    """Too many logins of one address are waiting already."""


@dataclass(slots=True)
class _Guesser:
    tries: int = 0  # that were not right
    next_at: float = 0.0
    seen_at: float = 0.0


class Guesses:
    """Count the logins that each address tries: the eleventh wrong one waits 1 s, the next 2 s, up to a minute."""

    def __init__(self) -> None:
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()

    def begin(self, address: str, now: float) -> float:
        """Note a try, which counts as wrong until `was_right`; return how long it must wait, in seconds.

        Raises: TooManyGuesses.
        """
        guesser = self._guessers.pop(address, None)
        if guesser is None or now - guesser.seen_at > FORGOTTEN_S:
            guesser = _Guesser()
        self._guessers[address] = guesser
        if len(self._guessers) > MOST_ADDRESSES:
            self._guessers.popitem(last=False)
        starts_at = max(now, guesser.next_at)
        if starts_at - now > LONGEST_WAIT_S:
            raise TooManyGuesses
        guesser.tries += 1
        guesser.seen_at = starts_at
        over = guesser.tries - FREE_TRIES
        guesser.next_at = starts_at + (0.0 if over < 0 else min(LONGEST_WAIT_S, 2.0 ** min(over, 10)))
        return starts_at - now

    def was_right(self, address: str) -> None:
        """Take a try back."""
        guesser = self._guessers.get(address)
        if guesser:
            guesser.tries -= 1


class Logins:
    """Tell right logins from wrong ones."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._stored = {user.name: user.password for user in reversed(auth.user)}  # of two, the first one counts
        self._known: set[bytes] = set()
        self._key = os.urandom(16)
        self._turn = asyncio.Lock()
        self._guesses = Guesses()

    async def is_right(self, credentials: Credentials, peer: str) -> bool:
        """Tell whether a login is right; one that was right before costs nothing again.

        A name that is not known takes as long as one that is.

        Raises: TooManyGuesses.
        """
        if self._auth.accept == "any":
            return True
        stored = self._stored.get(credentials.name, "")
        known = self._fingerprint(credentials, stored)
        if known in self._known:
            return True
        wait_s = self._guesses.begin(peer, time.monotonic())
        if wait_s:
            await asyncio.sleep(wait_s)
        checked = stored or next(iter(self._stored.values()), "")
        async with self._turn:  # one at a time: guessing must not cost the other cameras their processor
            is_equal = await asyncio.to_thread(is_password, credentials.password, checked)
        is_right = is_equal and bool(stored)
        if is_right:
            self._known.add(known)
            self._guesses.was_right(peer)
        return is_right

    def _fingerprint(self, credentials: Credentials, stored: str) -> bytes:
        """Return what a right login is remembered by; it says nothing of the password."""
        secret = b"\0".join((credentials.name.encode("utf-8", "replace"), stored.encode(), credentials.password))
        return hashlib.blake2b(secret, key=self._key, digest_size=16).digest()
