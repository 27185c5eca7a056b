"""What can be wrong with a configuration, in words for its owner.

Pure. Problems are collected, not raised one by one: whoever edits a file wants to hear everything at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]

SHOWN_VALUE_CHARS = 80  # a longer value hides the message it stands in


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it was read, which key, and what is allowed."""

    origin: str  # "config.toml", "/srv/.env line 3", "environment variable CAMALERT_LOG__LEVEL"
    key: str  # "smtp.listen[0].port"; empty when it concerns the whole file
    text: str

    def __str__(self) -> str:
        """Give the line that the owner reads."""
        return f"{self.origin}: {self.key} {self.text}" if self.key else f"{self.origin}: {self.text}"


def dotted(path: KeyPath) -> str:
    """Write a key path as the owner would: `("smtp", "listen", 0, "port")` as `smtp.listen[0].port`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def shown(value: Any) -> str:
    """Show a value the way TOML writes it, cut to `SHOWN_VALUE_CHARS`."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case list() | tuple():
            text = "[" + ", ".join(shown(item) for item in value) + "]"
        case dict():
            text = "{" + ", ".join(f"{name} = {shown(item)}" for name, item in value.items()) + "}"
        case _:
            text = str(value)
    return text if len(text) <= SHOWN_VALUE_CHARS else text[: SHOWN_VALUE_CHARS - 1] + "…"


def near(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` is most likely a misspelling of, or an empty text."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def allowed(kind: str, metadata: Mapping[str, Any]) -> str:
    """Say what a key accepts: `a whole number from 0 to 65535`, `one of "auto", "text"`, `text in quotes`."""
    if metadata.get("choices"):
        return "one of " + ", ".join(shown(choice) for choice in metadata["choices"])
    low, high, unit = metadata.get("low"), metadata.get("high"), metadata.get("unit", "")
    if low is not None and high is not None:
        kind += f" from {low} to {high}"
    elif low is not None:
        kind += f" of at least {low}"
    elif high is not None:
        kind += f" of at most {high}"
    return f"{kind} {unit}".rstrip()
