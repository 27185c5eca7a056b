"""Build configuration values from raw tables, and say everything that is wrong with them.

Pure and generic: the dataclasses of `config` are the only description. Their annotations give the types, the
metadata of `configkey.key` the range and the choices, so a key that is added there is checked here without a change.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from camalert.errors import ConfigError
from camalert.problems import KeyPath, Problem, allowed, dotted, near, shown

Table = TypeVar("Table")

_NO_METADATA: Mapping[str, Any] = {}


class _Wrong(Exception):
    """Carry the allowed values from the place that knows them to the one that knows the key."""


def build(
    kind: type[Table], raw: Any, origin: str, origins: Mapping[KeyPath, str]
) -> tuple[Table | None, list[Problem]]:
    """Build a dataclass of the configuration from raw values.

    Args:
        kind: The dataclass, normally `config.Config`.
        raw: Nested dicts, lists and scalars as TOML gives them.
        origin: Where values come from, for the messages.
        origins: The same for single keys (and all below them) that came from elsewhere.
    Returns: The value, or None when it is wrong, and every problem found.
    """
    reader = _Reader(origin, origins)
    value = reader.table(kind, raw, ())
    return (None, reader.problems) if reader.problems else (value, [])


def with_absolute_paths(table: Table, folder: str) -> Table:
    """Return the same configuration with every relative path put below `folder`; an empty path stays empty."""
    changes: dict[str, Any] = {}
    for item in dataclasses.fields(table):  # type: ignore[arg-type]  # every table is a dataclass
        value = getattr(table, item.name)
        if item.metadata.get("path") and value:
            changes[item.name] = str(PurePosixPath(folder) / value)
        elif dataclasses.is_dataclass(value):
            changes[item.name] = with_absolute_paths(value, folder)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            changes[item.name] = tuple(with_absolute_paths(entry, folder) for entry in value)
    return dataclasses.replace(table, **changes)  # type: ignore[type-var]  # every table is a dataclass


def keys_of(kind: type, prefix: KeyPath = ()) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """List every key below a table as dotted text, entries of lists without their number, with type and metadata."""
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
        """Read one dataclass; None when anything in it is wrong."""
        if not isinstance(raw, dict):
            self._report(path, f"= {shown(raw)} must be a table: write [{dotted(path)}] above its keys")
            return None
        hints = typing.get_type_hints(kind)
        known = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a dataclass
        before = len(self.problems)
        for name in raw.keys() - known.keys():
            self._unknown(path, name, raw[name], list(known))
        values = {
            name: self._value(hints[name], raw[name], (*path, name), item.metadata)
            for name, item in known.items()
            if name in raw
        }
        for name, item in known.items():
            if name not in raw and not _is_usable_default(item):
                self._report((*path, name), "is missing and has no default")
        return kind(**values) if len(self.problems) == before else None

    def _value(self, annotation: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> Any:
        if dataclasses.is_dataclass(annotation):
            return self.table(typing.cast(type, annotation), raw, path)
        if typing.get_origin(annotation) is tuple:
            return self._list(annotation, raw, path, metadata)
        if isinstance(annotation, types.UnionType):
            annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
            return self._value(annotation, raw, path, metadata)
        value = "(hidden)" if metadata.get("secret") else shown(raw)
        try:
            accepted = _scalar(annotation, raw, metadata)
            if metadata.get("check"):
                metadata["check"](accepted)
        except _Wrong as wrong:
            hint = near(raw, metadata["choices"]) if isinstance(raw, str) and metadata.get("choices") else ""
            hint = f"; did you mean {shown(hint)}?" if hint else ""
            self._report(path, f"= {value} must be {wrong}{hint}")
        except ConfigError as error:
            self._report(path, f"= {value} is not right: {error}")
        else:
            return accepted
        return None

    def _list(self, annotation: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
        parts = typing.get_args(annotation)
        is_open = len(parts) == 2 and parts[1] is Ellipsis
        if not isinstance(raw, (list, tuple)):  # a tuple: the default of a list that is partly overridden
            if table_of(parts[0]):
                self._report(path, f"is a list of tables: write [[{dotted(path)}]] with double brackets")
            else:
                self._report(path, f"= {shown(raw)} must be a list in brackets, such as [{_example(parts[0])}]")
            return None
        if not is_open and len(raw) != len(parts):
            self._report(path, f"= {shown(raw)} must be a list of {len(parts)} values")
            return None
        kinds = [parts[0]] * len(raw) if is_open else parts
        # Range and choices of a list hold for each of its entries.
        return tuple(
            self._value(kind, value, (*path, number), metadata)
            for number, (kind, value) in enumerate(zip(kinds, raw, strict=True))
        )

    def _unknown(self, path: KeyPath, name: str, value: Any, known: list[str]) -> None:
        what = "section" if isinstance(value, dict) and not path else "key"
        hint = near(str(name), known)
        text = f"is not a {what}; " + (f"did you mean {hint}?" if hint else f"known here: {', '.join(sorted(known))}")
        self._report((*path, str(name)), text)

    def _report(self, path: KeyPath, text: str) -> None:
        origin = next((self._origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._origins), None)
        self.problems.append(Problem(origin or self._origin, dotted(path), text))


def _is_usable_default(item: dataclasses.Field[Any]) -> bool:
    """Tell whether a key may be left out: its default passes its own check."""
    if item.default is dataclasses.MISSING:
        return False
    check = item.metadata.get("check")
    if check and not isinstance(item.default, tuple):
        try:
            check(item.default)
        except ConfigError:
            return False
    return True


def _scalar(annotation: Any, raw: Any, metadata: Mapping[str, Any]) -> Any:
    match annotation:
        case type() if annotation is bool:
            if isinstance(raw, bool):
                return raw
            raise _Wrong("true or false")
        case type() if annotation in (int, float):
            words = allowed("a whole number" if annotation is int else "a number", metadata)
            kinds = (int,) if annotation is int else (int, float)
            if isinstance(raw, bool) or not isinstance(raw, kinds) or not math.isfinite(raw):
                raise _Wrong(words)
            low, high = metadata.get("low"), metadata.get("high")
            if (low is not None and raw < low) or (high is not None and raw > high):
                raise _Wrong(words)
            return annotation(raw)
        case type() if annotation is str:
            if not isinstance(raw, str) or (metadata.get("choices") and raw not in metadata["choices"]):
                raise _Wrong(allowed("text in quotes", metadata))
            return raw
    message = f"a configuration key cannot be of type {annotation}"
    raise TypeError(message)


def _example(annotation: Any) -> str:
    return '"one", "two"' if annotation is str else "1, 2"
