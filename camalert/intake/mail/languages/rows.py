"""The rows of a table: what they may mean, and what a table must be.

Whoever adds a row reads every mistake at once, with its file, its line and what is allowed there: a row that does
nothing would be missed by nobody.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from camalert.errors import ConfigError

CAMERA, DEVICE, NUMBER, EVENT, TIME, OTHER = "camera", "device", "number", "event", "time", "other"
MEANINGS = (CAMERA, DEVICE, NUMBER, EVENT, TIME, OTHER)
# Our names of events, the more specific first: where a text has words of two of them, the first one is meant.
EVENTS = (
    "line crossing", "intrusion", "person", "vehicle", "animal", "face", "video loss", "tampering", "sound", "motion",
    "alarm input", "disk", "login",
)  # fmt: skip
TEST, HEALTH, END = "test", "health", "end"
KINDS = (TEST, HEALTH, END)
LETTERS = 3  # of the shortest stem

# The keys of a table and of a source, and what a source's words may mean.
_LISTS = ("months", "days", "clock", "camera", "recorder", "alarm", "place")
_KEYS = ("language", *_LISTS, "source")
_MEANS = {"labels": MEANINGS, "events": EVENTS, "kinds": KINDS}
_SOURCE_KEYS = ("maker", "from", *_MEANS, "ends")
_MONTHS = 12
_WORD = re.compile(r"[^\W_]+\*?")

_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A row of a table: words, what they mean, and whose they are."""

    text: str
    means: str
    language: str
    maker: str
    rank: int  # of a label or an event: the smaller counts more

    @property
    def source(self) -> str:
        """Return where the row stands, for an owner."""
        return f'"{self.text}" ({self.language}: {self.maker})'


def rows_of(table: dict[str, Any]) -> Iterator[tuple[str, Word]]:
    """Yield the rows of one language with the list that each is in: labels, events, kinds or ends."""
    language, number = table["language"], itertools.count()
    for source in table["source"]:
        for name in _MEANS:
            for means, texts in source.get(name, {}).items():
                for text in texts:
                    rank = EVENTS.index(means) if name == "events" else next(number)
                    yield name, Word(text, means, language, source["maker"], rank)
        for text in source.get("ends", ()):
            yield "ends", Word(text, END, language, source["maker"], next(number))


def parsed(origin: str, content: bytes) -> dict[str, Any]:
    """Return what a table's file holds.

    Raises: ConfigError with a line for each mistake.
    """
    try:
        text = content.decode()
        table = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from error
    mistakes = list(_mistakes(table))
    if mistakes:
        from camalert.config.build import dotted, origin_of  # noqa: PLC0415 - only a wrong table needs them
        from camalert.config.toml_lines import lines_of  # noqa: PLC0415

        places = {path: f"{origin} line {line}" for path, line in lines_of(text).items()}
        raise ConfigError(
            "\n".join(f"{origin_of(path, places) or origin}: {dotted(path)} {said}" for path, said in mistakes)
        )
    return table


def _mistakes(table: dict[str, Any]) -> Iterator[tuple[_Path, str]]:
    """Yield what is wrong with a table: where, and what is allowed there."""
    yield from _wrong_keys((), table, _KEYS, _KEYS)
    yield from _wrong_text(("language",), table.get("language", "-"))
    for name in _LISTS:
        yield from (_wrong_rows if name == "alarm" else _wrong_list)((name,), table.get(name, []))
    months = table.get("months")
    if isinstance(months, list) and len(months) != _MONTHS:
        yield ("months",), f"must be the names of all {_MONTHS} months"
    sources = table.get("source", [])
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        yield ("source",), "is a list of tables: write [[source]] with double brackets"
        return
    for number, source in enumerate(sources):
        path = ("source", number)
        yield from _wrong_keys(path, source, _SOURCE_KEYS, ("maker", "from"))
        for name in ("maker", "from"):
            yield from _wrong_text((*path, name), source.get(name, "-"))
        for name, allowed in _MEANS.items():
            means = source.get(name, {})
            if not isinstance(means, dict):
                yield (*path, name), f"must say what its words mean, such as {name}.{allowed[0]} = [...]"
                continue
            yield from _wrong_keys((*path, name), means, allowed)
            for meaning, texts in means.items():
                yield from _wrong_rows((*path, name, meaning), texts, has_stars=name != "labels")
        yield from _wrong_rows((*path, "ends"), source.get("ends", []))


def _wrong_keys(
    path: _Path, table: dict[str, Any], allowed: tuple[str, ...], needed: tuple[str, ...] = ()
) -> Iterator[tuple[_Path, str]]:
    for name in table:
        if name not in allowed:
            yield (*path, name), f"is not known here; allowed are {', '.join(allowed)}"
    for name in needed:
        if name not in table:
            yield (*path, name), "is missing"


def _wrong_text(path: _Path, text: Any) -> Iterator[tuple[_Path, str]]:
    if not isinstance(text, str) or not text.strip():
        yield path, "must be a text in quotes, and not an empty one"


def _wrong_list(path: _Path, texts: Any) -> Iterator[tuple[_Path, str]]:
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        yield path, 'must be a list of texts in brackets, such as ["one", "two"]'


def _wrong_rows(path: _Path, texts: Any, *, has_stars: bool = True) -> Iterator[tuple[_Path, str]]:
    """Yield also what would never be found in a mail."""
    wrong = list(_wrong_list(path, texts))
    yield from wrong
    for text in [] if wrong else texts:
        first = next(iter(_WORD.findall(text)), "")
        if not first:
            yield path, f'has "{text}", in which there is no word'
        elif "*" in text and not has_stars:
            yield path, f'has "{text}"; a label is written in full, without a star'
        elif first.endswith("*") and len(first) <= LETTERS:
            yield path, f'has "{text}"; before a star stand {LETTERS} letters at least'
