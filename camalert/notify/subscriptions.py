"""Browsers that want to be told by Web Push: one small file each, in a folder that the site and the notifier share.

The site adds them and shows them to their people; either removes them, the notifier when the browser's service says
that one has ended. The key that signs what is sent lies beside them. Nothing else of the site is in this folder, so
that the notifier needs no right to the rest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from camalert.errors import CamalertError
from camalert.ipc import needs
from camalert.system import keyfile

FOLDER = needs.BROWSERS
KEY_FILE = "key"
MOST = 100
MOST_EACH = 10  # of one person
FILE_BYTES = 4096
ENDPOINT_CHARS = 1000
KEY_BYTES, AUTH_BYTES = 65, 16  # an uncompressed point of P-256; source: RFC 8291, 2.1 and 3.2
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Where browsers have their services: Chrome and its relatives, Firefox, Safari, Edge. A subscription comes from whoever
# may log in, and the notifier connects to no host that such a person makes up.
SERVICES = (
    "fcm.googleapis.com", "android.googleapis.com", ".push.services.mozilla.com", ".push.apple.com",
    ".notify.windows.com",
)  # fmt: skip


class SubscriptionError(CamalertError):
    """A subscription is none, or one too many."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser."""

    endpoint: str
    key: str  # base64url: the browser's public key
    auth: str  # base64url: its secret
    user: int
    device: str  # the browser in a few words
    made_utc: float

    @property
    def id(self) -> str:
        """Return what its file is called, which the browser's address gives."""
        return hashlib.sha256(self.endpoint.encode()).hexdigest()[:32]

    @property
    def host(self) -> str:
        """Return the service's host."""
        return urlsplit(self.endpoint).hostname or ""


def folder(data_dir: str) -> Path:
    """Return the folder, made when there is none.

    Raises: OSError.
    """
    path = Path(data_dir) / FOLDER
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def key(path: Path) -> bytes:
    """Return the secret from which the signing key is made, itself made at its first use.

    Raises: OSError or ValueError when it cannot be read.
    """
    found = keyfile.key(path / KEY_FILE).encode()
    if len(found) < keyfile.KEY_BYTES:
        raise ValueError(f"{path / KEY_FILE} holds no key")
    return found


def check(found: Subscription) -> None:
    """Look whether a subscription can be used.

    Raises: SubscriptionError.
    """
    try:
        parts = urlsplit(found.endpoint)
        port = parts.port
    except ValueError as error:
        raise SubscriptionError("the browser's address is none") from error
    is_plain = found.endpoint.isascii() and found.endpoint.isprintable() and " " not in found.endpoint
    if parts.scheme != "https" or port not in (None, 443) or parts.username or not is_plain:
        raise SubscriptionError("the browser's address is none")
    if len(found.endpoint) > ENDPOINT_CHARS or not is_service(found.host):
        raise SubscriptionError(f"{found.host or 'this'} is no service of a browser that camalert knows")
    if len(decoded(found.key)) != KEY_BYTES or len(decoded(found.auth)) != AUTH_BYTES:
        raise SubscriptionError("the browser's keys are none")


def is_service(host: str) -> bool:
    """Tell whether a host belongs to a browser's push service."""
    return any(host == name.lstrip(".") or (name.startswith(".") and host.endswith(name)) for name in SERVICES)


def decoded(text: str) -> bytes:
    """Return what base64url says, b"" when it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def found(path: Path) -> list[Subscription]:
    """Return all subscriptions, the oldest first; what cannot be read is none."""
    subscriptions = []
    for file in sorted(path.glob("*.json"))[: 2 * MOST]:
        try:
            with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
                one = Subscription(**json.loads(stream.read(FILE_BYTES)))
            check(one)
        except (OSError, ValueError, TypeError, AttributeError, SubscriptionError):
            continue
        subscriptions.append(one)
    return sorted(subscriptions, key=lambda one: (one.made_utc, one.id))


def put(path: Path, one: Subscription) -> None:
    """Add a subscription; the same browser once more takes its own place.

    Raises: SubscriptionError when it is none, or there are as many as there can be; OSError.
    """
    check(one)
    others = [other for other in found(path) if other.id != one.id]
    if len(others) >= MOST or sum(other.user == one.user for other in others) >= MOST_EACH:
        raise SubscriptionError("there are as many browsers as there can be; end one first")
    file, draft = path / f"{one.id}.json", path / f".{one.id}.draft"
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, _NEW_FILE, 0o600), "w", encoding="utf-8") as stream:
        json.dump(asdict(one), stream)
    os.replace(draft, file)


def remove(path: Path, number: str) -> None:
    """Remove a subscription; one that is gone is removed.

    Raises: OSError.
    """
    (path / f"{number}.json").unlink(missing_ok=True)
