"""A channel to a target: what it can do, what it answers, and how it is opened."""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from camalert.config import targets
from camalert.config.schema import Notify, Review
from camalert.config.targets import Address
from camalert.errors import CamalertError, ConfigError
from camalert.notify.message import Message
from camalert.visits.policy import GIVEN_UP, RETRY, SENT

__all__ = ["GIVEN_UP", "RETRY", "SENT", "Answer", "Channel", "Opened", "cut", "open_channel", "read_address", "tls_of"]

CONNECT_S = 10.0
SEND_S = 30.0  # for all of one message
NO_CONTACT = "mailto:nobody@camalert.invalid"  # a service wants one; `review.address` is better
FILE_BYTES = 8192  # of a file with a URL or a secret


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try, in words that hold no secret."""

    code: str  # SENT, RETRY or GIVEN_UP
    reason: str = ""
    retry_after_s: float = 0.0
    is_target_well: bool = False  # with RETRY: some have this message, and the next one need not wait for the others


class Channel(Protocol):
    """What sends messages to one target; one thread uses it."""

    def send(self, message: Message) -> Answer:
        """Send a message within `SEND_S`; whatever goes wrong is an answer, or an error that means RETRY."""

    def close(self) -> None:
        """Let go of what is open."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A target's address and its channel."""

    address: Address
    channel: Channel
    secrets: tuple[str, ...] = ()

    def send(self, message: Message) -> Answer:
        """Send a message; every error is an answer, and none of them shows a secret."""
        try:
            answer = self.channel.send(message)
        except (OSError, CamalertError, ValueError) as error:
            answer = Answer(RETRY, reason_of(error))
        reason = targets.without_secrets(answer.reason, self.address, *self.secrets)
        return replace(answer, reason=" ".join(reason.split())[:400])


def reason_of(error: Exception) -> str:
    """Put an error of the network into words."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case ConnectionRefusedError():
            return "the connection was refused"
        case OSError() if error.strerror:
            return error.strerror
    return str(error) or type(error).__name__


def read_address(settings: Notify) -> tuple[Address, str]:
    """Return a target's address and its webhook's secret, from the configuration or the files that it names.

    Raises: ConfigError, without a secret.
    """
    url = settings.url or _read("url_file", settings.url_file)
    try:
        address = targets.parse(url)
    except ConfigError as error:
        raise ConfigError(f"the URL in {settings.url_file or 'url'} {error}") from error
    secret = settings.secret or (_read("secret_file", settings.secret_file) if settings.secret_file else "")
    targets.signing_keys(secret)
    if secret and not address.scheme.startswith("webhook"):
        raise ConfigError("secret is of use for a webhook only")
    return address, secret


def _read(key: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES + 1)
        text = content.decode().strip()
    except OSError as error:
        raise ConfigError(f"{key} {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key} {path} is not text") from error
    if not text or len(content) > FILE_BYTES:
        raise ConfigError(f"{key} {path} must hold one line")
    return text


def tls_of(address: Address) -> ssl.SSLContext:
    """Return what checks the receiver's certificate: by the system's authorities, or the `ca` that the URL names.

    Raises: ConfigError when the file cannot be used.
    """
    authority = address.option("ca")
    try:
        return ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"ca={authority} cannot be used: {reason_of(error)}") from error


def retry_after_s(value: str, now_utc: float) -> float:
    """Return the seconds that a `Retry-After` asks for, 0 when it says nothing that can be understood.

    Source: RFC 9110, 10.2.3: seconds, or a date.
    """
    text = value.strip()
    if text.isdecimal():
        return float(min(int(text[:12]), 1_000_000_000))
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now_utc)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def cut(connection: http.client.HTTPConnection) -> None:
    """End a connection that takes too long; the thread that waits on it gets an error."""
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has just ended


def open_channel(settings: Notify, review: Review | None = None) -> Opened:
    """Open the channel to a target; nothing is connected yet.

    Args:
        settings: The target.
        review: The site, in whose folder the browsers of Web Push are.
    Raises: ConfigError when it cannot be used.
    """
    address, secret = read_address(settings)
    return Opened(address, _channel(address, settings, secret, review or Review()), tuple(secret.split()))


def _channel(address: Address, settings: Notify, secret: str, review: Review) -> Channel:
    # Each library is loaded by who needs it only.
    if address.scheme.startswith("webhook"):
        from camalert.notify.webhook import Webhook  # noqa: PLC0415

        return Webhook(address, targets.signing_keys(secret), time.time)
    if address.scheme.startswith("smtp"):
        from camalert.notify.relay import Relay  # noqa: PLC0415

        return Relay(address)
    if address.scheme.startswith("mqtt"):
        from camalert.notify.mqtt import Mqtt  # noqa: PLC0415

        return Mqtt(address)
    if address.scheme == targets.WEB_PUSH:
        from camalert.notify.webpush import WebPush  # noqa: PLC0415

        return WebPush(review.data_dir, review.address or NO_CONTACT, time.time)
    from camalert.notify.services import Service  # noqa: PLC0415

    return Service(address, settings.name)
