"""Where messages go: the URL of a [[notify]] block, taken apart, and written again without what is secret in it.

`mqtt[s]://`, `webhook+http[s]://`, `smtp[s]://` and `webpush://` have a channel of our own; all others are Apprise's.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from camalert.errors import ConfigError

EVENTS = ("visit", "better", "over", "silent", "back", "trouble", "well", "digest")
LINKS = ("open", "snooze", "disarm", "home")  # that a message may carry
URL_CHARS = 2000
SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one; source: standardwebhooks.com
SECRET_BYTES = range(24, 65)  # source: Standard Webhooks, "Signature scheme"
PORTS = {"mqtt": 1883, "mqtts": 8883, "webhook+http": 80, "webhook+https": 443, "smtp": 587, "smtps": 465}
WEB_PUSH = "webpush"  # to the browsers that have subscribed on the site
HIDDEN = "***"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,40}", re.IGNORECASE)
_TOPIC = re.compile(r"[^\x00-\x1f+#]{1,100}")
_MAIL_ADDRESS = re.compile(r"[^\s<>@,;\"]{1,64}@[^\s<>@,;\"]{1,255}")
# What each channel of ours understands behind the "?".
_OPTIONS = {
    "mqtt": {"ca", "version", "discovery"},
    "mqtts": {"ca", "version", "discovery"},
    "webhook+http": None,  # they are the receiver's
    "webhook+https": None,
    "smtp": {"to", "from", "tls", "ca"},
    "smtps": {"to", "from", "ca"},
}


@dataclass(frozen=True, slots=True)
class Address:
    """A target's URL. `whole` may hold secrets, like user and password; `str()` shows none."""

    scheme: str
    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    path: str = field(default="", repr=False)  # with the query, for a webhook
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    whole: str = field(default="", repr=False)

    @property
    def is_encrypted(self) -> bool:
        """Tell whether it is encrypted from the first byte."""
        return self.scheme in ("mqtts", "webhook+https", "smtps")

    def option(self, name: str, default: str = "") -> str:
        """Return what stands behind the "?" under a name."""
        return dict(self.options).get(name, default)

    def __str__(self) -> str:
        """Return what may be shown: never a user, a password, a path or a token."""
        if self.scheme == WEB_PUSH:
            return self.whole
        if self.scheme not in PORTS:
            return f"{self.scheme}://{HIDDEN}"  # in many of Apprise's URLs the token stands where a host would
        login = f"{HIDDEN}@" if self.user or self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = f"{self.scheme}://{login}{host}:{self.port}"
        if self.scheme.startswith("mqtt"):
            return f"{shown}/{self.path}"
        return f"{shown}/{HIDDEN}" if self.scheme.startswith("webhook") and self.path != "/" else shown

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that no log line may contain, the longest first."""
        if self.scheme == WEB_PUSH:
            return ()
        found = {self.whole, self.user, self.password}
        if self.scheme not in PORTS:
            found |= set(re.split(r"[:/@?&=]+", self.whole.partition("://")[2]))
            found |= {unquote(text) for text in found}
        elif self.scheme.startswith("webhook"):
            found |= {self.path, *(value for _, value in self.options)}
        return tuple(sorted((text for text in found if len(text) > 3), key=len, reverse=True))


def parse(url: str) -> Address:
    """Take a URL apart.

    Raises: ConfigError with what is wrong, without the URL: it may hold a password.
    """
    scheme, mark, rest = url.strip().partition("://")
    scheme = scheme.lower()
    if not mark or not _SCHEME.fullmatch(scheme):
        raise ConfigError('is no URL: it begins with a name and "://", such as ntfy://, mqtt:// or webhook+https://')
    if len(url) > URL_CHARS or not url.isprintable():
        raise ConfigError(f"is no URL: it has more than {URL_CHARS} characters, or control characters")
    if scheme in ("http", "https"):
        raise ConfigError(f'of a webhook begins with "webhook+{scheme}://"')
    if not rest:
        raise ConfigError("ends where the address should begin")
    if scheme == WEB_PUSH and rest != "browsers":
        raise ConfigError("of browsers that have subscribed is webpush://browsers")
    if scheme not in PORTS:
        return Address(scheme, whole=url.strip())
    return _parse_own(url.strip(), scheme)


def _parse_own(url: str, scheme: str) -> Address:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise ConfigError("has no valid host or port") from error
    if "#" in url:
        raise ConfigError('has a "#": write %23')
    if not host or port == 0:
        raise ConfigError(f"needs a host: {scheme}://host/")
    options = tuple(parse_qsl(parts.query, keep_blank_values=True))
    known = _OPTIONS[scheme]
    for name, _ in options:
        if known is not None and name not in known:
            raise ConfigError(f"has an option {name!r} that {scheme}:// does not know: {', '.join(sorted(known))}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme.startswith("webhook"):
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or " " in path:
            raise ConfigError("has a blank or a letter in its path that must be written with %")
    else:
        path = unquote(parts.path).strip("/")
    address = Address(scheme, host, port or PORTS[scheme], user, password, path, options, url)
    if scheme.startswith("smtp"):
        _check_mail(address)
    elif scheme.startswith("mqtt"):
        _check_mqtt(address)
        return replace(address, path=path or "camalert")
    return address


def _check_mqtt(address: Address) -> None:
    if address.path and not _TOPIC.fullmatch(address.path):
        raise ConfigError('has a topic that contains "+": write mqtt://host/prefix')
    if address.option("version", "5") not in ("5", "3.1.1"):
        raise ConfigError("has an MQTT version that is neither 5 nor 3.1.1")


def _check_mail(address: Address) -> None:
    for name in ("to", "from"):
        found = address.option(name).split(",") if name == "to" else [address.option(name)]
        if not all(_MAIL_ADDRESS.fullmatch(one.strip()) for one in found):
            raise ConfigError(
                f"needs ?{name}= with a mail address: smtp://host/?to=me@example.org&from=cam@example.org"
            )
    if address.option("tls", "starttls") not in ("starttls", "none"):
        raise ConfigError('has an option tls that is neither "starttls" nor "none"; smtps:// is encrypted at once')
    if address.user and not address.is_encrypted and address.option("tls") == "none":
        raise ConfigError("would send the password unencrypted: leave tls=none out")


def check_url(text: str) -> None:
    """Accept a target's URL, or none (it may come from a file); ConfigError for anything else."""
    if text:
        parse(text)


def signing_keys(secret: str) -> tuple[bytes, ...]:
    """Return the keys of `whsec_…`, several parted by blanks while one takes another's place.

    Raises: ConfigError, without the secret.
    Source: Standard Webhooks: base64 after the prefix, 24 to 64 bytes.
    """
    keys = []
    for text in secret.split():
        try:
            key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
            raise ConfigError(
                f'must be "{SECRET_PREFIX}" and the base64 of {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} bytes: '
                "`openssl rand -base64 32` makes the latter"
            )
        keys.append(key)
    return tuple(keys)


def without_secrets(text: str, address: Address, *others: str) -> str:
    """Return a text that others made of a URL, such as an error's, with everything secret replaced."""
    for secret in (*address.secrets(), *(other for other in others if other)):
        text = text.replace(secret, HIDDEN)
    return text
