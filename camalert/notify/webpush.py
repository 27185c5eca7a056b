"""Web Push: a message to each browser that wants it, through its maker's service, which cannot read it.

Encrypted for the browser as RFC 8291 says (with the coding of RFC 8188), signed as RFC 8292 says (VAPID), sent as RFC
8030 says. On `cryptography` and not on pywebpush: that brings requests and three more packages for these hundred lines.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import importlib.util
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from camalert import __version__
from camalert.config.targets import Address
from camalert.errors import ConfigError
from camalert.notify import subscriptions, turns
from camalert.notify.channel import GIVEN_UP, RETRY, SEND_S, SENT, Answer, cut, reason_of, retry_after_s, tls_of
from camalert.notify.message import SUMMARY, TEST, Message
from camalert.notify.subscriptions import Subscription
from camalert.notify.turns import Failure, Trouble
from camalert.system.logs import log

MISSING = 'Web Push needs the package cryptography: pip install "camalert[push]"'
PADDED_BYTES = 1024  # all messages have one size, so that the service learns nothing from it
TEXT_CHARS = 500
RECORD_BYTES = 4096
LASTS_S = 12 * 3600.0  # of a signature; source: RFC 8292, 2: 24 hours at most
KEPT_S = 4 * 3600  # by the service, for a browser that is off
GONE = (404, 410)  # source: RFC 8030, 7.3
SHARE_S = 5.0  # of the time, for one browser
CUT_AFTER_S = 0.5  # of who sends a little again and again
LEAST_S = 0.05
REMEMBERED = 64  # messages that are tried again
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256; source: FIPS 186-5
_URGENCY = {"low": "low", "normal": "normal", "high": "high", "urgent": "high"}

Connect = Callable[[Subscription, float], http.client.HTTPConnection]


@dataclass(slots=True)
class Reached:
    """Of one message: whose service has answered, and how."""

    answered: set[str] = field(default_factory=set)  # by subscription
    is_told: bool = False  # somebody has the message
    refusal: str = ""


class WebPush:
    """Send each message to all browsers that have subscribed; those that ended are removed.

    Raises: ConfigError when the extra is not installed.
    """

    def __init__(
        self,
        data_dir: str,
        contact: str,
        clock: Callable[[], float],
        connect: Connect | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_available():
            raise ConfigError(MISSING)
        self._data_dir = data_dir
        self._folder = Path(data_dir) / subscriptions.FOLDER
        self._secret = b""
        self._contact = contact
        self._clock = clock
        self._connect = connect or _connect(tls_of(Address("webhook+https")))
        self._ticks = ticks
        self._troubles: dict[str, Trouble] = {}  # by subscription, of those that are not reached
        self._reached: dict[str, Reached] = {}  # by message, of those that are tried again

    def prepare(self) -> None:
        """Read the key that signs, or make it at its first use: before this process gives up its rights.

        Raises: ConfigError when the folder cannot be used.
        """
        try:
            self._secret = subscriptions.key(subscriptions.folder(self._data_dir))
        except (OSError, ValueError) as error:
            raise ConfigError(f"the key of Web Push cannot be used: {error}") from error

    def send(self, message: Message) -> Answer:
        """Send a message within `SEND_S`; who has it gets no second one when the others are tried again."""
        if not self._secret:
            self.prepare()
        found = {one.id: one for one in subscriptions.found(self._folder)}
        if not found:
            return Answer(SENT, "no browser has subscribed")
        reached = self._reached_by(message.id)
        unanswered = [own for own in found if own not in reached.answered]
        waiting = turns.order(unanswered, self._troubles, self._ticks())
        failed, untried = self._try(message, [found[own] for own in waiting], reached)

        now, before = self._ticks(), self._troubles
        self._troubles = turns.after(before, found, failed, reached.answered, now)
        for own in failed:
            if self._troubles[own].failures == 1:
                one = found[own]
                log.warning("push_failing", host=one.host, device=one.device, message=failed[own].reason)
        left = [own for own in found if own not in reached.answered]
        reason = turns.why([*failed, *left], self._troubles)
        if left and not reached.is_told:
            return Answer(RETRY, reason)
        # A summary's rows come back one by one, so that others would be told them twice.
        wait_s = 0.0 if message.kind == SUMMARY else turns.wait_s(before, self._troubles, failed, now)
        if message.kind != TEST and (wait_s or untried):
            return Answer(RETRY, reason, wait_s, is_target_well=True)
        del self._reached[message.id]
        return Answer(SENT, reason if left else reached.refusal)

    def _reached_by(self, message_id: str) -> Reached:
        reached = self._reached.setdefault(message_id, Reached())
        while len(self._reached) > REMEMBERED:
            del self._reached[next(own for own in self._reached if own != message_id)]
        return reached

    def _try(
        self, message: Message, waiting: list[Subscription], reached: Reached
    ) -> tuple[dict[str, Failure], list[Subscription]]:
        """Try one browser after the other; return who failed, and who never did and had no turn in the time there is.

        A service that does not answer is asked again only after all others; those that have failed before have
        together as much time as one, once somebody is told.
        """
        until = self._ticks() + SEND_S
        is_late = False  # only those that have failed before are left
        failed: dict[str, Failure] = {}
        body = payload(message)
        while waiting:
            one = waiting[0]
            if not is_late and reached.is_told and self._troubles.get(one.id, turns.NONE).failures:
                is_late, until = True, min(until, self._ticks() + SHARE_S)
            left_s = until - self._ticks()
            if left_s <= 0:
                break
            del waiting[0]
            answer = self._tell(one, message, body, min(SHARE_S, left_s))
            if answer.code == RETRY:
                failed[one.id] = Failure(answer.reason, answer.retry_after_s)
                waiting.sort(key=lambda other: other.host == one.host)
                continue
            reached.answered.add(one.id)
            reached.is_told = reached.is_told or answer.code == SENT
            reached.refusal = reached.refusal or answer.reason
        return failed, [one for one in waiting if not self._troubles.get(one.id, turns.NONE).failures]

    def _tell(self, one: Subscription, message: Message, body: bytes, timeout_s: float) -> Answer:
        parts = urlsplit(one.endpoint)
        headers = {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT_S),
            "Urgency": _URGENCY.get(message.priority, "normal"),
            "User-Agent": f"camalert/{__version__}",
            "Authorization": authorization(
                self._secret, f"https://{parts.netloc}", self._contact, int(self._clock() + LASTS_S)
            ),
        }
        try:
            connection = self._connect(one, timeout_s)
            deadline = threading.Timer(timeout_s + CUT_AFTER_S, cut, (connection,))
            deadline.daemon = True
            deadline.start()
            try:
                encrypted = encrypt(body, subscriptions.decoded(one.key), subscriptions.decoded(one.auth))
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                connection.request("POST", path or "/", encrypted, headers)
                response = connection.getresponse()
                status, after = response.status, response.headers.get("Retry-After", "")
            finally:
                deadline.cancel()
                connection.close()
        except http.client.HTTPException as error:
            return Answer(RETRY, f"{one.host} does not speak HTTP ({type(error).__name__})")
        except OSError as error:
            return Answer(RETRY, f"{one.host}: {reason_of(error)}")
        except ValueError:  # of the browser's key: no point of the curve
            subscriptions.remove(self._folder, one.id)
            return Answer(GIVEN_UP, "a browser's key was none")
        if 200 <= status < 300:
            return Answer(SENT)
        if status in GONE:
            subscriptions.remove(self._folder, one.id)
            log.info("push_ended", host=one.host, device=one.device, status=status)
            return Answer(GIVEN_UP)
        reason = f"{one.host}: HTTP {status} {http.client.responses.get(status, '')}".strip()
        if status == 429 or status >= 500:
            return Answer(RETRY, reason, retry_after_s(after, self._clock()))
        return Answer(GIVEN_UP, reason)

    def close(self) -> None:
        """Nothing stays open."""


def is_available() -> bool:
    """Tell whether the extra is installed."""
    return importlib.util.find_spec("cryptography") is not None


def _connect(tls: ssl.SSLContext) -> Connect:
    return lambda one, timeout_s: _Encrypted(one.host, timeout_s, tls)


class _Encrypted(http.client.HTTPSConnection):
    """A connection whose time to connect is for all addresses of the host together."""

    def __init__(self, host: str, timeout_s: float, tls: ssl.SSLContext) -> None:
        super().__init__(host, timeout=timeout_s, context=tls)
        self._timeout_s, self._tls = timeout_s, tls

    def connect(self) -> None:
        """Connect to the first address that answers, each having its part of the time."""
        until = time.monotonic() + self._timeout_s
        plain = connected(self.host, self.port, self._timeout_s)
        plain.settimeout(max(LEAST_S, until - time.monotonic()))
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        if time.monotonic() > until:
            raise TimeoutError


def connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to one address of a host after the other within a time that is for all of them.

    Raises: OSError when none answers.
    """
    until = time.monotonic() + timeout_s
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    error = OSError("it has no address")
    for number, (*_, address) in enumerate(found):
        part_s = (until - time.monotonic()) / (len(found) - number)
        try:
            return socket.create_connection((str(address[0]), port), timeout=max(LEAST_S, part_s))
        except OSError as failed:
            error = failed
    raise error


def payload(message: Message) -> bytes:
    """Return what the browser's worker gets: words, and which page of the site to open; no picture fits."""
    visit = message.facts.get("visit")
    shown = {
        "id": message.id,
        "title": message.title[:TEXT_CHARS],
        "text": message.text[:TEXT_CHARS],
        "at": round(message.at_utc),
        "page": f"visits/{visit}/" if visit else "",
    }
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return text if len(text) < RECORD_BYTES - 200 else json.dumps(shown | {"text": ""}).encode()


# --- RFC 8291 --------------------------------------------------------------------------------------------------------


def encrypt(plain: bytes, browser: bytes, auth: bytes, salt: bytes = b"", own: Any = None) -> bytes:
    """Encrypt a message for one browser.

    Args:
        plain: The message.
        browser: The browser's public key, an uncompressed point of P-256.
        auth: Its secret.
        salt: 16 random bytes.
        own: A private key for this message alone.
    Raises: ValueError when the browser's key is none.
    """
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    salt = salt or os.urandom(16)
    own = own or ec.generate_private_key(ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser)
    point = point_of(own)
    shared = own.exchange(ec.ECDH(), theirs)
    material = _derived(auth, shared, b"WebPush: info\0" + browser + point, 32)
    content_key = _derived(salt, material, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, material, b"Content-Encoding: nonce\0", 12)
    padded = plain + b"\x02" + bytes(max(0, PADDED_BYTES - len(plain)))  # RFC 8188, 2: the last record's delimiter
    head = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(point)]) + point
    return head + AESGCM(content_key).encrypt(nonce, padded, None)


def _derived(salt: bytes, material: bytes, info: bytes, size: int) -> bytes:
    """Derive a key of up to 32 bytes. Source: RFC 5869, one round."""
    extracted = hmac.digest(salt, material, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)[:size]


def point_of(private_key: Any) -> bytes:
    """Return a key's public point, uncompressed."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - an extra

    point: bytes = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point


# --- RFC 8292 --------------------------------------------------------------------------------------------------------


def signing_key(secret: bytes) -> Any:
    """Return the key that signs, which the secret gives: a number below the curve's order."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra

    number = int.from_bytes(hashlib.sha512(b"camalert web push 1\0" + secret).digest(), "big")
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP256R1())


def public_key(secret: bytes) -> str:
    """Return what a browser is told when it subscribes."""
    return _base64url(point_of(signing_key(secret)))


def authorization(secret: bytes, audience: str, contact: str, until_utc: int) -> str:
    """Return the header by which a service knows that it is us whom the browser has allowed."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    key = signing_key(secret)
    claims = {"aud": audience, "exp": until_utc, "sub": contact}
    text = ".".join(_base64url(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ES256"}, claims))
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    signature = _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={text}.{signature}, k={_base64url(point_of(key))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
