"""The owner's patterns that identify cameras: `[[camera]]` blocks with `match`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields

from camalert.config.schema import Camera, Match
from camalert.identity import Envelope
from camalert.intake.mail.facts import Facts, Reason, event_named


class Rules:
    """The compiled patterns of a configuration, in its order; the first block that matches wins."""

    def __init__(self, cameras: Iterable[Camera]) -> None:
        self._rules = [(camera.name, patterns) for camera in cameras if (patterns := _compiled(camera.match))]

    def apply(self, facts: Facts, envelope: Envelope, subject: str, text: str) -> Facts:
        """Return the facts as the first rule that matches says, else unchanged."""
        for name, patterns in self._rules:
            groups = _groups(patterns, envelope, subject, text)
            if groups is not None:
                camera = groups.get("camera") or name
                event = event_named(groups["event"]) if groups.get("event") else ""
                said = {"camera": camera, "event": event, "time": groups.get("time", "")}
                own = tuple(
                    Reason(what, value, "a [[camera]] block of the configuration")
                    for what, value in said.items()
                    if value
                )
                others = tuple(reason for reason in facts.reasons if not said[reason.what])
                return Facts(
                    camera or facts.camera, event or facts.event, said["time"] or facts.time,
                    "" if camera else facts.channel, (*own, *others),
                )  # fmt: skip
        return facts


def _compiled(match: Match) -> dict[str, re.Pattern[str]]:
    return {
        item.name: re.compile(pattern, re.IGNORECASE)
        for item in fields(match)
        if (pattern := getattr(match, item.name))
    }


def _groups(patterns: dict[str, re.Pattern[str]], envelope: Envelope, subject: str, text: str) -> dict[str, str] | None:
    """Return the named groups when every pattern matches, else None."""
    groups: dict[str, str] = {}
    for item, pattern in patterns.items():
        found = next(
            (match for value in _values(item, envelope, subject, text) if (match := pattern.search(value))), None
        )
        if found is None:
            return None
        groups |= {name: value.strip() for name, value in found.groupdict().items() if value}
    return groups


def _values(item: str, envelope: Envelope, subject: str, text: str) -> tuple[str, ...]:
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
