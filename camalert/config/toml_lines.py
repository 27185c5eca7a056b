"""Find the line of each key in a TOML text: `("camera", 1, "name")` is in line 41.

tomli gives values without positions. This scanner walks a text that tomli has accepted, so it need not validate; it
knows just enough TOML to find keys: tables, lists of tables, inline tables, dotted and quoted keys, and strings and
comments to skip.

Source: toml.io/en/v1.0.0.
"""

from __future__ import annotations

import bisect
import contextlib
import re
from collections.abc import Iterator

import tomli

from camalert.config.build import KeyPath

MAX_DEPTH = 32  # of nested tables; a configuration has five

_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|' + r"'''.*?'''(?:'{0,2})|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'", re.DOTALL
)
_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # between two statements, or two values of a list
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")  # numbers, dates, true and false


def lines_of(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, in which each key, table and entry of a list of tables begins."""
    scanner = _Scanner(text)
    with contextlib.suppress(IndexError, RecursionError, tomli.TOMLDecodeError):
        scanner.scan()  # a line that is not found is missing in a message; the values are tomli's
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self.found: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._entries: dict[KeyPath, int] = {}  # how many each list of tables has so far

    def scan(self) -> None:
        table: KeyPath = ()
        self._pass(_GAP)
        while self._at < len(self._text):
            began_at = self._at
            if self._takes("[["):
                table = self._entry(self._key(), began_at)
                self._expect("]]")
            elif self._takes("["):
                table = self._inside(self._key())
                self._note(table, began_at)
                self._expect("]")
            else:
                self._statement(table)
            self._pass(_GAP)

    def _statement(self, table: KeyPath) -> None:
        """Read `key = value`."""
        began_at = self._at
        path = (*table, *self._key())
        self._note(path, began_at)
        self._expect("=")
        self._pass(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._takes("{"):
            for _ in self._items("}"):
                self._statement(path)
        elif self._takes("["):
            for number, began_at in enumerate(self._items("]")):
                self._note((*path, number), began_at)
                self._value((*path, number))
        elif string := _STRING.match(self._text, self._at):
            self._at = string.end()
        else:
            self._pass(_SCALAR)

    def _items(self, end: str) -> Iterator[int]:
        """Yield where each item of a list or an inline table begins; the caller reads it."""
        self._pass(_GAP)
        while not self._takes(end):
            began_at = self._at
            yield began_at
            self._pass(_GAP)
            self._takes(",")
            self._pass(_GAP)
            if self._at == began_at:  # an item of nothing: this is not TOML
                raise IndexError(began_at)

    def _key(self) -> KeyPath:
        """Read a key, dotted or not, with the blanks around it."""
        steps: list[str] = []
        while True:
            self._pass(_BLANK)
            if string := _STRING.match(self._text, self._at):
                steps += tomli.loads(f"{string[0]} = 0")
                self._at = string.end()
            else:
                steps.append(self._pass(_BARE_KEY))
            self._pass(_BLANK)
            if not self._takes("."):
                return tuple(steps)
            if len(steps) > MAX_DEPTH:
                raise IndexError(self._at)

    def _inside(self, keys: KeyPath) -> KeyPath:
        """Return the path that a header means: below a list of tables it is in the latest entry."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if path in self._entries:
                path = (*path, self._entries[path] - 1)
        return path

    def _entry(self, keys: KeyPath, began_at: int) -> KeyPath:
        """Begin a new entry of a list of tables."""
        path = (*self._inside(keys[:-1]), keys[-1])
        number = self._entries.get(path, 0)
        self._entries[path] = number + 1
        self._note(path, began_at)
        self._note((*path, number), began_at)
        return (*path, number)

    def _note(self, path: KeyPath, at: int) -> None:
        if len(path) > MAX_DEPTH:
            raise IndexError(at)
        for n in range(1, len(path) + 1):
            self.found.setdefault(path[:n], bisect.bisect_left(self._breaks, at) + 1)

    def _takes(self, token: str) -> bool:
        """Step over a token, if it is there."""
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise IndexError(self._at)

    def _pass(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise IndexError(self._at)
        self._at = found.end()
        return found[0]
