"""settings.toml: what the site sets, in a file of its own below `config.toml`, which wins.

The site can be reached by browsers, so the file may set only what a page is for: cameras, targets of messages, further
ports for cameras' mails and the certificate that they need. Nothing in it names a file outside the site's folder, lets
other networks in, or changes what a process may do.

Values here are raw tables, as TOML gives them. Entries of the lists are the same when their names are, as
`identity.key` compares them (ports when their numbers are).
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal, TypeAlias

from camalert import identity
from camalert.config.build import KeyPath, dotted
from camalert.config.schema import Camera, Config, Notify

FILE_NAME = "settings.toml"
Raw: TypeAlias = dict[str, Any]
Kind: TypeAlias = Literal["camera", "notify", "listen"]
LISTS: Mapping[Kind, tuple[str, ...]] = {"camera": ("camera",), "notify": ("notify",), "listen": ("smtp", "listen")}
KEYS: Mapping[Kind, frozenset[str]] = {
    "camera": frozenset(item.name for item in dataclasses.fields(Camera)),
    # A file's content would become an address, and part of an error: a way to read what the site may not.
    "notify": frozenset(item.name for item in dataclasses.fields(Notify)) - {"url_file", "secret_file"},
    "listen": frozenset({"port", "tls"}),
}
CERTIFICATE = frozenset({"certificate", "private_key"})  # of [smtp]
HEAD = "# Written by camalert's site. What config.toml says wins over what stands here.\n"


def foreign(own: Raw, folder: str) -> Iterator[tuple[KeyPath, str]]:
    """Yield what does not belong into settings.toml: the key, and why.

    Args:
        own: The file's tables.
        folder: The site's data folder, in which a certificate must be.
    """
    for section in own.keys() - {"camera", "notify", "smtp"}:
        yield (section,), "is not a setting of the site: it belongs into config.toml"
    smtp = own.get("smtp", {})
    if isinstance(smtp, dict):
        for name in smtp.keys() - CERTIFICATE - {"listen"}:
            yield ("smtp", name), "is not a setting of the site: it belongs into config.toml"
        for name in smtp.keys() & CERTIFICATE:
            path = PurePosixPath(str(smtp[name]))
            if not path.is_relative_to(folder) or ".." in path.parts:
                yield ("smtp", name), f"must be in the site's folder {folder}"
    for kind, place in LISTS.items():
        for number, entry in enumerate(_entries(own, place)):
            for name in entry.keys() - KEYS[kind] if isinstance(entry, dict) else ():
                yield (*place, number, name), "is not a setting of the site: it belongs into config.toml"


def merged(own: Raw, base: Raw) -> tuple[Raw, dict[KeyPath, KeyPath]]:
    """Return the tables of config.toml with what settings.toml adds.

    What config.toml says stays, key by key, also within an entry that both have; entries that it does not have follow
    its own. Only its `smtp.certificate` and `private_key` give way when they have the ordinary default, which the file
    that is installed names: being named there is no choice.

    Returns: The tables, and for each key of settings.toml that counts its path there and its path in the result.
    """
    result: Raw = copy.deepcopy(base)
    paths: dict[KeyPath, KeyPath] = {}
    smtp = own.get("smtp", {})
    for name in sorted(smtp.keys() & CERTIFICATE):
        section = result.setdefault("smtp", {})
        if section.get(name, getattr(Config().smtp, name)) == getattr(Config().smtp, name):
            section[name] = smtp[name]
            paths["smtp", name] = ("smtp", name)
    for kind, place in LISTS.items():
        if ours := _entries(own, place):
            paths |= _merge_list(kind, ours, result)
    return result, paths


def _merge_list(kind: Kind, ours: list[Raw], result: Raw) -> dict[KeyPath, KeyPath]:
    place = LISTS[kind]
    *above, last = place
    table = result
    for step in above:
        table = table.setdefault(step, {})
    if last not in table and kind == "listen":
        table[last] = [dataclasses.asdict(entry) for entry in Config().smtp.listen]
    theirs = table.setdefault(last, [])
    known = {name_of(kind, entry): number for number, entry in enumerate(theirs) if isinstance(entry, dict)}
    paths: dict[KeyPath, KeyPath] = {}
    for number, entry in enumerate(ours):
        at = known.get(name_of(kind, entry))
        if at is None:
            at = len(theirs)
            theirs.append({})
            paths[*place, number] = (*place, at)
        elif kind == "listen":
            continue  # a port is config.toml's with all that is said of it
        for name, value in entry.items():
            if name not in theirs[at]:
                theirs[at][name] = copy.deepcopy(value)
                paths[*place, number, name] = (*place, at, name)
    return paths


def name_of(kind: Kind, entry: Any) -> str:
    """Return what identifies an entry of a list."""
    if not isinstance(entry, dict):
        return ""
    return str(entry.get("port", "")) if kind == "listen" else identity.key(str(entry.get("name", "")))


def entry_of(own: Raw, kind: Kind, name: str) -> Raw | None:
    """Return an entry of a list by its name, None when there is none."""
    wanted = name if kind == "listen" else identity.key(name)
    return next((entry for entry in _entries(own, LISTS[kind]) if name_of(kind, entry) == wanted), None)


def with_entry(own: Raw, kind: Kind, name: str, entry: Raw | None) -> Raw:
    """Return the tables with another entry of that name, or without it."""
    result = copy.deepcopy(own)
    *above, last = LISTS[kind]
    table = result
    for step in above:
        table = table.setdefault(step, {})
    entries = table.setdefault(last, [])
    wanted = name if kind == "listen" else identity.key(name)
    at = next((number for number, each in enumerate(entries) if name_of(kind, each) == wanted), len(entries))
    entries[at : at + 1] = [] if entry is None else [copy.deepcopy(entry)]
    return result


def _entries(own: Raw, place: tuple[str, ...]) -> list[Raw]:
    found: Any = own
    for step in place:
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


# --- as text ----------------------------------------------------------------------------------------------------------


def written(own: Raw) -> str:
    """Write the tables as TOML; those without content are left out.

    Source: toml.io/en/v1.0.0.
    """
    return HEAD + "".join(_section(own, ()))


def _section(table: Raw, path: KeyPath) -> Iterator[str]:
    for name, value in table.items():
        if not isinstance(value, dict) and not _is_tables(value):
            yield f"{_bare(name)} = {_value(value)}\n"
    for name, value in table.items():
        below = (*path, _bare(name))
        if isinstance(value, dict) and value:
            has_values = any(not isinstance(each, dict) and not _is_tables(each) for each in value.values())
            yield f"\n[{dotted(below)}]\n" if has_values else ""
            yield from _section(value, below)
        elif _is_tables(value):
            for entry in value:
                yield f"\n[[{dotted(below)}]]\n"
                yield from _section(entry, below)


def _is_tables(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _bare(name: str) -> str:
    is_bare = bool(name) and all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name)
    return name if is_bare else _value(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + "".join(_letter(letter) for letter in value) + '"'
        case list() | tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case int() | float():
            return repr(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
    raise TypeError(f"no value of TOML: {type(value).__name__}")


def _letter(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if ord(letter) < 0x20 or ord(letter) == 0x7F:
        return f"\\u{ord(letter):04x}"
    return letter
