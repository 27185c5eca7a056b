"""Every other service, through Apprise: ntfy, Telegram, Pushover, Signal, Matrix and a hundred more."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from camalert.config.targets import Address
from camalert.errors import ConfigError
from camalert.notify.channel import CONNECT_S, RETRY, SEND_S, SENT, Answer
from camalert.notify.message import Link, Message

MISSING = 'this URL needs Apprise: pip install "camalert[notify]"'
# Priorities of the services that have some, by the names they have there. Source: Apprise's documentation of each.
_PRIORITIES = {
    "ntfy": {"low": "low", "normal": "default", "high": "high", "urgent": "max"},
    "ntfys": {"low": "low", "normal": "default", "high": "high", "urgent": "max"},
    "pover": {"low": "low", "normal": "normal", "high": "high", "urgent": "high"},
    "gotify": {"low": "low", "normal": "normal", "high": "high", "urgent": "emergency"},
    "gotifys": {"low": "low", "normal": "normal", "high": "high", "urgent": "emergency"},
    "prowl": {"low": "moderate", "normal": "normal", "high": "high", "urgent": "emergency"},
}
_CHATTY = ("apprise", "requests", "urllib3")
_TYPES = {"trouble": "failure", "silent": "warning", "back": "success", "well": "success"}


_opened: set[Address] = set()  # of this process


class Service:
    """Send by Apprise, which is loaded with the first message: 0.2 s and 40 MB.

    Raises: ConfigError when Apprise is not installed.
    """

    def __init__(self, address: Address, name: str) -> None:
        if importlib.util.find_spec("apprise") is None:
            raise ConfigError(MISSING)
        self._address = address
        self._name = name
        _opened.add(address)

    def send(self, message: Message) -> Answer:
        """Send a message; of a service's answer Apprise passes on words, and no time to wait."""
        import apprise  # noqa: PLC0415 - see the class
        from apprise.attachment.memory import AttachMemory  # noqa: PLC0415

        for library in _CHATTY:  # what they say may hold the URL; it comes with the answer, in which secrets are hidden
            logging.getLogger(library).propagate = False
        asset = apprise.AppriseAsset(
            app_id="camalert",
            http_redirects=False,  # a redirect could lead anywhere, with the token in its hands
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            image_url_mask="",  # no phone loads a logo from somewhere
            image_url_logo="",
        )
        services = apprise.Apprise(asset=asset)
        if not services.add(self._url(message)):
            return Answer(RETRY, f"Apprise does not understand this {self._address.scheme}:// URL")
        attachment = None
        if message.picture:
            attachment = AttachMemory(content=message.picture, name=f"{message.id}.jpg", mimetype="image/jpeg")
        with apprise.LogCapture(level=apprise.logging.WARNING, fmt="%(message)s") as captured:
            is_sent = services.notify(
                body=message.text if self._has_buttons else message.text_with_links,
                title=message.title,
                notify_type=_TYPES.get(message.kind, "info"),
                body_format="text",
                attach=attachment,
            )
            lines = [line for line in _lines(captured) if not self._is_anothers(line)]
        if is_sent:
            return Answer(SENT)
        return Answer(RETRY, " / ".join(lines[:3]) or "the service did not take it")

    def _is_anothers(self, line: str) -> bool:
        """Tell whether a line is of another target that sends meanwhile: Apprise has one log for all of them."""
        own = self._address.secrets()
        others = {secret for address in _opened - {self._address} for secret in address.secrets()}
        return any(secret in line for secret in others.difference(own))

    @property
    def _has_buttons(self) -> bool:
        return self._address.scheme in ("ntfy", "ntfys")

    def _url(self, message: Message) -> str:
        url, priority = self._address.whole, message.priority
        levels = _PRIORITIES.get(self._address.scheme, {})
        mark = "&" if "?" in url else "?"
        if priority != "normal" and priority in levels and "priority=" not in url:
            url, mark = f"{url}{mark}priority={levels[priority]}", "&"
        if self._has_buttons:
            for name, value in _buttons(message.links).items():
                if f"{name}=" not in url:
                    url, mark = f"{url}{mark}{name}={quote(value, safe='')}", "&"
        if "rto=" not in url:  # for an answer; for the connection: cto
            url += f"{mark}cto={CONNECT_S:.0f}&rto={SEND_S / 2:.0f}"
        return url

    def close(self) -> None:
        """Nothing stays open."""


def _buttons(links: Sequence[Link]) -> dict[str, str]:
    """Return what makes ntfy open the site on a tap, and show a button for each action.

    Source: ntfy's documentation, "Click action" and "Action buttons", short format.
    """
    actions = [f"http, {link.title}, {link.url}, method=POST, clear=true" for link in links if link.is_action]
    found = {"actions": "; ".join(actions)} if actions else {}
    pages = [link.url for link in links if not link.is_action]
    return found | ({"click": pages[0]} if pages else {})


def _lines(captured: Any) -> list[str]:
    text: str = captured.getvalue()
    return [line.strip() for line in text.splitlines() if line.strip()]
