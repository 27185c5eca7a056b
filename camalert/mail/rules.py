"""The owner's own rules for telling cameras: `[[camera]]` blocks with `match`.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields

from camalert.config import Camera, Match
from camalert.mail.envelope import Envelope
from camalert.mail.styles import Facts, event_named


class Rules:
    """The compiled rules of a configuration, in its order; the first that fits wins."""

    def __init__(self, cameras: Iterable[Camera]) -> None:
        self._rules = [(camera.name, patterns) for camera in cameras if (patterns := _compiled(camera.match))]

    def apply(self, facts: Facts, envelope: Envelope, subject: str, text: str) -> Facts:
        """Return the facts as the first fitting rule has them, else as the mail says them."""
        for name, patterns in self._rules:
            groups = _groups(patterns, envelope, subject, text)
            if groups is not None:
                return Facts(
                    camera=groups.get("camera") or name or facts.camera,
                    event=event_named(groups["event"]) if groups.get("event") else facts.event,
                    time=groups.get("time") or facts.time,
                )
        return facts


def _compiled(match: Match) -> dict[str, re.Pattern[str]]:
    return {
        item.name: re.compile(pattern, re.IGNORECASE)
        for item in fields(match)
        if (pattern := getattr(match, item.name))
    }


def _groups(patterns: dict[str, re.Pattern[str]], envelope: Envelope, subject: str, text: str) -> dict[str, str] | None:
    """Return the named groups when every pattern fits, else None."""
    groups: dict[str, str] = {}
    for item, pattern in patterns.items():
        found = next(
            (match for words in _words(item, envelope, subject, text) if (match := pattern.search(words))), None
        )
        if found is None:
            return None
        groups |= {name: value.strip() for name, value in found.groupdict().items() if value}
    return groups


def _words(item: str, envelope: Envelope, subject: str, text: str) -> tuple[str, ...]:
    match item:
        case "recipient":
            return envelope.recipients
        case "sender":
            return (envelope.sender,)
        case "login":
            return (envelope.login,)
        case "address":
            return (envelope.peer,)
        case "subject":
            return (subject,)
        case _:
            return (text,)
