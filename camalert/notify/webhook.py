"""Webhook: the facts as JSON, signed as Standard Webhooks; redirects are refused.

Source: the Standard Webhooks specification (standardwebhooks.com): the headers webhook-id, webhook-timestamp and
webhook-signature, `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; several signatures are parted by blanks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import math
import threading
from collections.abc import Callable, Sequence

from camalert import __version__
from camalert.config.targets import Address
from camalert.notify.channel import CONNECT_S, GIVEN_UP, RETRY, SEND_S, SENT, Answer, cut, retry_after_s, tls_of
from camalert.notify.message import Message, iso

GONE = 410  # source: the specification, "Operational considerations": the receiver wants no more
ANSWER_BYTES = 2048


class Webhook:
    """Post each message on a connection of its own."""

    def __init__(self, address: Address, keys: Sequence[bytes], clock: Callable[[], float]) -> None:
        self._address = address
        self._keys = keys
        self._clock = clock
        self._tls = tls_of(Address("webhook+https")) if address.is_encrypted else None

    def send(self, message: Message) -> Answer:
        """Send a message; only a 2xx is success, and what a redirect points to is never asked."""
        address = self._address
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(address.host, address.port, timeout=CONNECT_S, context=self._tls)
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=CONNECT_S)
        body = body_of(message)
        deadline = threading.Timer(SEND_S, cut, (connection,))
        deadline.daemon = True
        deadline.start()
        try:
            connection.request("POST", address.path, body, self._headers(message, body))
            response = connection.getresponse()
            head = response.read(ANSWER_BYTES)
        except http.client.HTTPException as error:
            return Answer(RETRY, f"it closed the connection or does not speak HTTP ({type(error).__name__})")
        finally:
            deadline.cancel()
            connection.close()
        return answer_of(response.status, response.headers.get("Retry-After", ""), head, self._clock())

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        now_utc = math.floor(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"camalert/{__version__}",
            "webhook-id": message.id,
            "webhook-timestamp": str(now_utc),
        }
        if self._keys:
            signed = [sign(key, message.id, now_utc, body) for key in self._keys]
            headers["webhook-signature"] = " ".join(signed)
        if self._address.user or self._address.password:
            login = base64.b64encode(f"{self._address.user}:{self._address.password}".encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        return headers

    def close(self) -> None:
        """Nothing stays open."""


def body_of(message: Message) -> bytes:
    """Return the JSON of a message: type, timestamp and data, as the specification recommends."""
    data = dict(message.facts) | {"priority": message.priority}
    if message.picture:
        data["picture"] = {"type": "image/jpeg", "base64": base64.b64encode(message.picture).decode()}
    body = {"type": f"camalert.{message.kind}", "timestamp": iso(message.at_utc), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def sign(key: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a body."""
    digest = hmac.new(key, f"{identity}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def answer_of(status: int, retry_after: str, body: bytes, now_utc: float) -> Answer:
    """Return what an HTTP answer means."""
    if 200 <= status < 300:
        return Answer(SENT)
    said = "".join(letter if letter.isprintable() else " " for letter in body[:120].decode("utf-8", "replace")).strip()
    name = http.client.responses.get(status, "")
    reason = f"HTTP {status} {name}".strip()
    if 300 <= status < 400:
        return Answer(RETRY, f"{reason}: redirects are refused, write the final address into the URL")
    if status == GONE:
        return Answer(GIVEN_UP, f"{reason}: the receiver wants no messages any more")
    return Answer(RETRY, f"{reason}: {said}" if said else reason, retry_after_s(retry_after, now_utc))
