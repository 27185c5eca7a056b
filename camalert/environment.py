"""What the environment says about the configuration: `CAMALERT_SECTION__KEY=value`.

Pure: the environment is an argument. A variable names its key with two underscores between the steps, an entry of a
list of tables by its number: `CAMALERT_SMTP__LISTEN__0__PORT=2525`. Values are plain text; a list may be written with
commas (`CAMALERT_SMTP__ALLOW=private,203.0.113.0/24`) or like anything else as TOML or JSON in brackets.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomli

from camalert.problems import KeyPath, dotted, near, shown
from camalert.validation import keys_of

PREFIX = "CAMALERT_"

_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f", ""})


@dataclass(frozen=True, slots=True)
class Override:
    """One value that replaces what the configuration file says."""

    path: KeyPath
    value: Any
    origin: str  # for messages: "environment variable CAMALERT_LOG__LEVEL"


def overrides(kind: type, environment: Mapping[str, str]) -> tuple[list[Override], list[str]]:
    """Read every `CAMALERT_SECTION__KEY`, and say which other `CAMALERT_` names look like a slip.

    Names that lead nowhere are kept: the validation reports them like an unknown key in the file.

    Returns: The overrides in the order of their names, and one line for each doubtful name.
    """
    found: list[Override] = []
    doubtful: list[str] = []
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        steps = name.removeprefix(PREFIX).lower().split("__")
        if len(steps) == 1:
            meant = near(steps[0], [key.replace(".", "_") for key in keys_of(kind)])
            if meant:
                doubtful.append(f"{name} is not used: two underscores stand between section and key")
            continue
        path: KeyPath = tuple(int(step) if step.isdecimal() else step for step in steps)
        found.append(
            Override(path, parse(annotation_at(kind, path), environment[name]), f"environment variable {name}")
        )
    return found, doubtful


def annotation_at(kind: Any, path: KeyPath) -> Any:
    """Return the type of the key at a path, or None when there is no such key."""
    for step in path:
        if isinstance(step, int):
            parts = typing.get_args(kind) if typing.get_origin(kind) is tuple else ()
            kind = parts[0] if parts else None
        else:
            kind = typing.get_type_hints(kind).get(step) if dataclasses.is_dataclass(kind) else None
        if kind is None:
            return None
    return kind


def parse(annotation: Any, text: str) -> Any:
    """Turn the text of a variable into the value TOML would give; text that does not fit stays text.

    The validation then says what would have been right.
    """
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    stripped = text.strip()
    if annotation is bool:
        lowered = stripped.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else text
    if annotation in (int, float):
        return _number(annotation, stripped)
    if typing.get_origin(annotation) is tuple:
        if stripped.startswith("["):
            return _literal(stripped)
        entry = typing.get_args(annotation)[0]
        return [parse(entry, part.strip()) for part in stripped.split(",") if part.strip()]
    if dataclasses.is_dataclass(annotation) and stripped.startswith("{"):
        return _literal(stripped)
    return text


def put(raw: dict[str, Any], default: Any, override: Override) -> str:
    """Place an override into the raw tables, making the tables on its way.

    Args:
        raw: The raw tables; changed.
        default: The configuration's default value, for a list of tables that the file does not mention.
        override: What to place.
    Returns: What is wrong, or an empty text.
    """
    place: Any = raw
    for depth, (step, below) in enumerate(zip(override.path, (*override.path[1:], None), strict=True)):
        default = _step_into(default, step)
        if isinstance(step, int):
            if not isinstance(place, list) or step > len(place):
                have = len(place) if isinstance(place, list) else 0
                return f"has no entry {step}: {dotted(override.path[:depth])} has {have}, counted from 0"
            if step == len(place):
                place.append({})
        if below is None:
            place[step] = override.value
        elif isinstance(below, int):
            place = place.setdefault(step, [dataclasses.asdict(entry) for entry in default or ()])
        else:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        if below is not None and not isinstance(place, (dict, list)):
            return f"cannot be set: {dotted(override.path[: depth + 1])} is {shown(place)} and not a table"
    return ""


def _step_into(default: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return default[step] if isinstance(default, tuple) and step < len(default) else None
    return getattr(default, step, None)


def _number(kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return text


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text
