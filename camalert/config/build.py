"""Build configuration values from raw tables, and report everything that is wrong with them.

Generic: the dataclasses of `schema` are the only description, so a key that is added there is validated without a
change here. Mistakes are collected, not raised one by one: whoever edits a file wants to read them all at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from camalert.errors import ConfigError

Table = TypeVar("Table")
KeyPath = tuple[str | int, ...]

SHOWN_VALUE_CHARS = 80  # a longer value would bury its message
_STEP = re.compile(r"\[\d+\]|\.?[^.\[]+")
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it was read, which key, and what is allowed."""

    origin: str  # "config.toml", "/srv/.env line 3", "environment variable CAMALERT_LOG__LEVEL"
    key: str  # "smtp.listen[0].port"; empty when it concerns the whole file
    text: str

    def __str__(self) -> str:
        """Return the line that the owner reads."""
        return f"{self.origin}: {self.key} {self.text}" if self.key else f"{self.origin}: {self.text}"


def dotted(path: KeyPath) -> str:
    """Write `("smtp", "listen", 0, "port")` as `smtp.listen[0].port`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def undotted(key: str) -> KeyPath:
    """Return the path that `dotted` was given."""
    return tuple(int(step[1:-1]) if step[0] == "[" else step.lstrip(".") for step in _STEP.findall(key))


def origin_of(path: KeyPath, origins: Mapping[KeyPath, str]) -> str | None:
    """Return where a key was set: its own origin, else that of the nearest table above it that has one."""
    return next((origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in origins), None)


def shown(value: Any) -> str:
    """Write a value as TOML does, cut to `SHOWN_VALUE_CHARS`."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case list() | tuple():
            text = "[" + ", ".join(shown(item) for item in value) + "]"
        case dict():
            text = "{" + ", ".join(f"{name} = {shown(item)}" for name, item in value.items()) + "}"
        case int() if value.bit_length() > SHOWN_VALUE_CHARS * 4:
            text = hex(value)  # Python refuses to write thousands of decimal digits
        case _:
            text = str(value)
    return text if len(text) <= SHOWN_VALUE_CHARS else text[: SHOWN_VALUE_CHARS - 1] + "…"


def near(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` is most likely a misspelling of, else ""."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def build(
    kind: type[Table], raw: Any, origin: str, origins: Mapping[KeyPath, str]
) -> tuple[Table | None, list[Problem]]:
    """Build a dataclass of the configuration from raw values.

    Args:
        kind: The dataclass, normally `schema.Config`.
        raw: Nested dicts, lists and scalars as TOML gives them.
        origin: Where values come from, for the messages.
        origins: The same for single keys (and all below them) that came from elsewhere.
    Returns: The value, or None when anything is wrong, and every problem found.
    """
    reader = _Reader(origin, origins)
    value = reader.table(kind, raw, ())
    return (None, reader.problems) if reader.problems else (value, [])


def with_absolute_paths(table: Table, folder: str) -> Table:
    """Return the same configuration with every relative path below `folder`; an empty path stays empty."""
    return _changed(table, "path", lambda path: str(PurePosixPath(folder) / path))


def without_secrets(table: Table) -> Table:
    """Return the same configuration with every secret empty."""
    return _changed(table, "secret", lambda _: "")


def _changed(table: Table, mark: str, change: Callable[[str], str]) -> Table:
    """Return the same configuration with every value changed whose key has a mark; an empty one stays empty."""
    changes: dict[str, Any] = {}
    for item in dataclasses.fields(table):  # type: ignore[arg-type]  # every table is a dataclass
        value = getattr(table, item.name)
        if item.metadata.get(mark) and value:
            changes[item.name] = change(value)
        elif dataclasses.is_dataclass(value):
            changes[item.name] = _changed(value, mark, change)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            changes[item.name] = tuple(_changed(entry, mark, change) for entry in value)
    return dataclasses.replace(table, **changes)  # type: ignore[type-var]  # every table is a dataclass


def keys_of(kind: type, prefix: KeyPath = ()) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Map every key below a table, dotted and without the numbers of list entries, to its type and metadata."""
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        path = (*prefix, item.name)
        found[dotted(path)] = (hints[item.name], item.metadata)
        below = table_of(hints[item.name])
        if below is not None:
            found |= keys_of(below, path)
    return found


def table_of(annotation: Any) -> type | None:
    """Return the dataclass that an annotation names, alone or as the entry of a list, else None."""
    if dataclasses.is_dataclass(annotation):
        return typing.cast(type, annotation)
    return next((below for part in typing.get_args(annotation) if (below := table_of(part))), None)


class _Reader:
    """Walk raw values along the annotations and collect problems."""

    def __init__(self, origin: str, origins: Mapping[KeyPath, str]) -> None:
        self.problems: list[Problem] = []
        self._origin = origin
        self._origins = origins

    def table(self, kind: type[Table], raw: Any, path: KeyPath) -> Table | None:
        if not isinstance(raw, dict):
            self._report(path, f"= {shown(raw)} must be a table: write [{dotted(path)}] above its keys")
            return None
        hints = typing.get_type_hints(kind)
        known = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a dataclass
        before = len(self.problems)
        for name in raw.keys() - known.keys():
            self._report_unknown(path, name, raw[name], list(known))
        values = {
            name: self._value(hints[name], raw[name], (*path, name), item.metadata)
            for name, item in known.items()
            if name in raw
        }
        for name, item in known.items():
            if name not in raw and _is_required(item):
                self._report((*path, name), "is missing and has no default")
        return kind(**values) if len(self.problems) == before else None

    def _value(self, annotation: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> Any:
        if dataclasses.is_dataclass(annotation):
            return self.table(typing.cast(type, annotation), raw, path)
        if typing.get_origin(annotation) is tuple:
            return self._list(typing.get_args(annotation)[0], raw, path, metadata)
        value = "(hidden)" if metadata.get("secret") else shown(raw)
        if not _fits(annotation, raw, metadata):
            meant = near(raw, metadata["choices"]) if isinstance(raw, str) and metadata.get("choices") else ""
            hint = f"; did you mean {shown(meant)}?" if meant else ""
            self._report(path, f"= {value} must be {_allowed(annotation, metadata)}{hint}")
            return None
        try:
            if metadata.get("check"):
                metadata["check"](raw)
        except ConfigError as error:
            self._report(path, f"= {value} is invalid: {error}")
        return annotation(raw)

    def _list(self, kind: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
        if metadata.get("alone") and isinstance(raw, str):
            raw = [raw]
        if not isinstance(raw, (list, tuple)):  # a tuple: the default of a list that is partly overridden
            if table_of(kind):
                self._report(path, f"is a list of tables: write [[{dotted(path)}]] with double brackets")
            else:
                example = '"one", "two"' if kind is str else "1, 2"
                self._report(path, f"= {shown(raw)} must be a list in brackets, such as [{example}]")
            return None
        return tuple(self._value(kind, value, (*path, number), metadata) for number, value in enumerate(raw))

    def _report_unknown(self, path: KeyPath, name: str, value: Any, known: list[str]) -> None:
        what = "section" if isinstance(value, dict) and not path else "key"
        hint = near(str(name), known)
        text = f"is not a {what}; " + (f"did you mean {hint}?" if hint else f"known here: {', '.join(sorted(known))}")
        self._report((*path, str(name)), text)

    def _report(self, path: KeyPath, text: str) -> None:
        self.problems.append(Problem(origin_of(path, self._origins) or self._origin, dotted(path), text))


def _is_required(item: dataclasses.Field[Any]) -> bool:
    """Tell whether a key must be given: its default does not pass its own check."""
    check = item.metadata.get("check")
    if check and not isinstance(item.default, tuple):
        try:
            check(item.default)
        except ConfigError:
            return True
    return False


def _fits(kind: type, raw: Any, metadata: Mapping[str, Any]) -> bool:
    """Tell whether a scalar has the type, range and choices of its key."""
    if kind in (bool, str):
        return isinstance(raw, kind) and (not metadata.get("choices") or raw in metadata["choices"])
    if isinstance(raw, bool) or not isinstance(raw, (int, kind)) or (isinstance(raw, float) and not math.isfinite(raw)):
        return False
    return bool(metadata["low"] <= raw <= metadata["high"])


def _allowed(kind: type, metadata: Mapping[str, Any]) -> str:
    """Describe what a key accepts: `a whole number from 0 to 65535`, `one of "auto", "text"`, `text in quotes`."""
    if metadata.get("choices"):
        return "one of " + ", ".join(shown(choice) for choice in metadata["choices"])
    bounds = "" if kind in (bool, str) else f" from {metadata['low']} to {metadata['high']} {metadata['unit']}"
    return f"{_KINDS[kind]}{bounds}".rstrip()
