"""Links in messages: they open the site, or switch something there without a login, once, for a day.

A link names its action, the outbox's row, its end, and a signature over these and the row's own id, by a key that only
the notifier and the site can read. The site looks up the row for the camera; see `review.views.links`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from camalert.config.schema import Review
from camalert.notify.message import OPEN, Link, Row
from camalert.system import keyfile

KEY_FILE: Final = "link-key"  # in the site's data folder
LASTS_S: Final = 86_400.0
SNOOZE, DISARM, HOME = "snooze", "disarm", "home"
SNOOZE_S: Final = 3600.0
ACTIONS: Final = {SNOOZE: "Snooze for an hour", DISARM: "Disarm all cameras", HOME: "I am at home"}
ABOUT: Final = frozenset({"visit", "better", "over"})  # messages that one may want less of
MAC_BYTES: Final = 16
_TOKEN = re.compile(r"(snooze|disarm|home)-([0-9]{1,19})-([0-9]{1,12})-([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Token:
    """What a link says, before its signature is checked."""

    action: str
    row: int
    until_s: int
    mac: str


def key_of(review: Review) -> bytes:
    """Return the key that signs links, made when there is none.

    Raises: OSError when the site's data folder cannot be used; ValueError when the file holds no key.
    """
    folder = Path(review.data_dir)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = keyfile.key(folder / KEY_FILE)
    if len(found) < keyfile.KEY_BYTES:
        raise ValueError(f"{folder / KEY_FILE} holds no key")
    return found.encode()


def make(key: bytes, action: str, row: int, identity: str, until_utc: float) -> str:
    """Return the token of a link.

    Args:
        key: As `key_of` returns it.
        action: One of `ACTIONS`.
        row: The outbox's row.
        identity: The id of its message, which no row of another database has.
        until_utc: When it ends, in seconds since 1970.
    """
    until_s = int(until_utc)
    return f"{action}-{row}-{until_s}-{_mac(key, action, row, identity, until_s)}"


def parse(text: str) -> Token | None:
    """Take a token apart, None for what is none."""
    found = _TOKEN.fullmatch(text)
    return Token(found[1], int(found[2]), int(found[3]), found[4]) if found else None


def is_signed(key: bytes, token: Token, identity: str) -> bool:
    """Tell whether a token is one of ours, for this row."""
    return hmac.compare_digest(_mac(key, token.action, token.row, identity, token.until_s), token.mac)


def _mac(key: bytes, action: str, row: int, identity: str, until_s: int) -> str:
    text = f"camalert link 1\n{action}\n{row}\n{identity}\n{until_s}"
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()[:MAC_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def of(rows: Sequence[Row], wanted: Sequence[str], site: str, key: bytes, now_utc: float) -> tuple[Link, ...]:
    """Return the links of a message.

    Args:
        rows: What it tells.
        wanted: Names of links, as `[[notify]] links` has them.
        site: Where the site is, "" for nowhere.
        key: As `key_of` returns it; b"" for no actions.
        now_utc: Seconds since 1970.
    """
    if not site:
        return ()
    row, base = rows[-1], site.rstrip("/")
    found = [Link(OPEN, "Open", f"{base}{_page(rows)}")] if OPEN in wanted else []
    if len(rows) == 1 and row.kind in ABOUT and key:
        for action, title in ACTIONS.items():
            if action in wanted:
                token = make(key, action, row.id, row.key, now_utc + LASTS_S)
                found.append(Link(action, title, f"{base}/do/{token}/"))
    return tuple(found)


def _page(rows: Sequence[Row]) -> str:
    row = rows[-1]
    if len(rows) > 1 or row.kind == "digest":
        return "/"
    if row.alert:
        return f"/alarms/{row.alert}/"
    return {"silent": "/cameras/", "back": "/cameras/", "trouble": "/status/", "well": "/status/"}.get(row.kind, "/")
