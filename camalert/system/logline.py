"""Lines of the log: from an event and its facts to one line of JSON or of text.

The facts may come from untrusted clients (subjects, addresses, greetings): terminal escapes, secrets and floods are
filtered out here.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Facts = dict[str, Any]
Show = Callable[[Facts], str]

# journald splits a stream's lines at 48 kB and programs that read logs often much earlier.
JOURNAL_LINE_BYTES = 8192
# PIPE_BUF without the line's end: several processes write to one pipe, and only up to here no write is torn, pipe(7).
STREAM_LINE_BYTES = 4095
CUT = "…"
# Numbers of syslog(3), which the journal and systemd's <N> prefix use.
PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
HIDDEN = "***"
_SECRET_KEY = re.compile(r"passw|secret|token|credential|cookie|authorization|api_?key", re.IGNORECASE)
_URL_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_NEEDS_QUOTES = re.compile(r"[\s=\"]")
_COLOURS = {
    "critical": "\x1b[1;31m",
    "error": "\x1b[31m",
    "warning": "\x1b[33m",
    "info": "\x1b[36m",
    "debug": "\x1b[2m",
}
_PLAIN = "\x1b[0m"
_BOLD = "\x1b[1m"
# On a terminal: what says nothing to who looks on, events by name and facts by what the message says already.
_UNSEEN_EVENTS = frozenset(("child_started", "child_ready"))
_VERDICTS = frozenset(("person_found", "no_person_found"))
_SAID = frozenset(("score", "threshold", "people", "objects"))
_FIRST_CLIP = 1 << 62  # ids from here on are clips' own, and no row's
_LAST_UTC = 253_402_300_800.0
_SMALLEST_CHARS = 64  # a value this short is dropped rather than cut
_HEAD = ("event", "message")  # read first, so written first


def clean(facts: Mapping[str, Any]) -> Facts:
    """Return facts that are safe to show, what says most first: no secrets, no bytes, no control characters."""
    order = (*(key for key in _HEAD if key in facts), *(key for key in facts if key not in _HEAD))
    return {key: HIDDEN if _SECRET_KEY.search(key) else _clean(facts[key]) for key in order}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return printable(_URL_LOGIN.sub(f"{HIDDEN}@", value) if "://" in value else value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON knows no NaN
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return clean({str(key): item for key, item in value.items()})
    if isinstance(value, (tuple, list, set, frozenset)):
        return [_clean(item) for item in value]
    return printable(str(value))


def printable(text: str) -> str:
    r"""Return text whose control characters are spelled out (`\x1b`); line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def fit(facts: Facts, limit_bytes: int, shown: Show) -> tuple[Facts, str]:
    """Shorten facts until their line is at most `limit_bytes` long; the longest values give way first.

    Args:
        shown: What makes the line of them, such as `to_json`.
    Returns: The facts and their line.
    """
    line = shown(facts)
    while len(line.encode("utf-8", "backslashreplace")) > limit_bytes:
        facts = {**facts, "truncated": True}
        longest = max((key for key in facts if key != "event"), key=lambda key: len(_text(facts[key])))
        text = _text(facts[longest])
        if len(text) < _SMALLEST_CHARS:
            del facts[longest]
        elif longest == "exception":
            facts[longest] = CUT + text[len(text) // 2 :]  # the last lines of a traceback say what happened
        else:
            facts[longest] = text[: len(text) // 2] + CUT
        line = shown(facts)
    return facts, line


def to_json(facts: Facts) -> str:
    """Return facts as one line of JSON, readable in any script."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def to_text(facts: Facts, clock: str, *, is_coloured: bool) -> str:
    """Return facts as a line for a person: time, level, process, event, message, the rest as key=value."""
    rest = dict(facts)
    level, process = str(rest.pop("level", "info")), str(rest.pop("process", ""))
    event, message = str(rest.pop("event", "")), " ".join(str(rest.pop("message", "")).split())
    rest.pop("timestamp", None)
    exception = rest.pop("exception", "")
    head = f"{clock} {level:<7} {process:<11} {event}"
    if is_coloured:
        head = f"{_COLOURS.get(level, '')}{head}{_PLAIN}"
    line = " ".join((head + (f": {message}" if message else ""), *_pairs(rest.items())))
    # Indented, so that no line of an exception's text passes for a line of the log.
    return "\n".join((line, *(f"    {text}" for text in str(exception).splitlines()))) if exception else line


def to_terminal(facts: Facts, clock: str, *, is_coloured: bool) -> str:
    """Return facts as a line for who looks on: without what only programs ask, people found in bold; "" for none."""
    event = str(facts.get("event", ""))
    if event in _UNSEEN_EVENTS:
        return ""
    kept = {key: _moment(key, value) for key, value in facts.items() if not _is_unseen(event, key, value)}
    line = to_text(kept, clock, is_coloured=is_coloured)
    return (
        f"{_BOLD}{line.replace(_PLAIN, _PLAIN + _BOLD, 1)}{_PLAIN}" if is_coloured and event == "person_found" else line
    )


def _is_unseen(event: str, key: str, value: Any) -> bool:
    if key in ("alert_id", "first_id"):
        return not isinstance(value, int) or not 0 < value < _FIRST_CLIP
    return event in _VERDICTS and key in _SAID


def _moment(key: str, value: Any) -> Any:
    """Return a moment as this machine's clock shows it, and anything else as it is."""
    if not key.endswith("_utc") or not isinstance(value, float) or not 0 <= value < _LAST_UTC:
        return value
    return dt.datetime.fromtimestamp(value).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - the owner's own clock


def to_fields(facts: Facts) -> dict[str, str]:
    """Return each fact as text, as the journal's fields carry it."""
    return {key: _text(value) for key, value in facts.items()}


def _pairs(facts: Iterable[tuple[str, Any]]) -> Iterable[str]:
    for key, value in facts:
        text = _text(value)
        is_plain = text and not _NEEDS_QUOTES.search(text)
        yield f"{key}={text if is_plain else json.dumps(text, ensure_ascii=False)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)
