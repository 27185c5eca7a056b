"""The words of cameras, recorders and programs: one table for each language, as README.md here says.

`tables` reads them once, when a reader begins. All words are compared as `plain` writes them.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from camalert.intake.mail.languages.rows import LETTERS, Word, parsed, rows_of

_LETTERS = (("\u0131", "i"), ("ł", "l"), ("ø", "o"), ("đ", "d"), ("æ", "ae"))  # that no mark is taken from
_RUN = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")


def plain(text: str) -> str:
    """Return what all spellings of a text have in common: no capitals, no accents."""
    text = text.casefold()
    if text.isascii():
        return text
    for letter, bare in _LETTERS:
        text = text.replace(letter, bare)
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def label_key(text: str) -> str:
    """Return what all spellings of a label have in common: no stops either, and one blank between two words."""
    return " ".join(plain(text).replace("\u2019", "'").replace(".", " ").replace("_", " ").replace("-", " ").split())


def label_apart(text: str) -> str:
    """Return a label's key where its words are only told apart by their capitals: AlarmEvent is two."""
    return label_key(_HUMP.sub(" ", text))


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text as `plain` writes it, and where it stands."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> Iterator[Token]:
    """Yield the words of a text; VideoMotion is two."""
    for run in _RUN.finditer(text):
        edges = [run.start(), *(run.start() + hump.start() for hump in _HUMP.finditer(run[0])), run.end()]
        for start, end in itertools.pairwise(edges):
            yield Token(plain(text[start:end]), start, end)


@dataclass(frozen=True, slots=True)
class Found:
    """A row whose words stand in a text, and where."""

    word: Word
    start: int
    end: int


class Phrases:
    """Rows that are looked for in texts, in one walk however many they are.

    A text is cut into words and each is looked up, as it is and by its beginnings; Chinese has no blanks, so that its
    rows are looked for as they are.
    """

    def __init__(self, rows: Iterable[Word]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], Word]]] = {}
        self._as_they_are: list[tuple[str, Word]] = []
        for row in rows:
            if _IDEOGRAPH.search(row.text):
                self._as_they_are.append((plain(row.text), row))
                continue
            phrase = tuple(plain(word) for word in re.findall(r"[^\W_]+\*?", row.text))
            self._by_first.setdefault(phrase[0], []).append((phrase, row))
        self._longest_stem = max((len(first) - 1 for first in self._by_first if first.endswith("*")), default=0)
        # Most words of a text begin like none of the rows' words.
        self._beginnings = {first.rstrip("*")[:LETTERS] for first in self._by_first}

    def find(self, text: str) -> Iterator[Found]:
        """Yield every row whose words stand in a text."""
        words = list(tokens_of(text))
        for at, word in enumerate(words):
            if word.text[:LETTERS] not in self._beginnings:
                continue
            longest = min(len(word.text), self._longest_stem)
            for first in (word.text, *(f"{word.text[:end]}*" for end in range(LETTERS, longest + 1))):
                for phrase, row in self._by_first.get(first, ()):
                    rest = words[at : at + len(phrase)]
                    if len(rest) == len(phrase) and all(map(_fits, phrase, rest)):
                        stem = len(phrase[-1]) - 1 if phrase[-1].endswith("*") else len(rest[-1].text)
                        yield Found(row, word.start, min(rest[-1].end, rest[-1].start + stem))
        if self._as_they_are and _IDEOGRAPH.search(text):
            folded = text.casefold()
            for as_it_is, row in self._as_they_are:
                start = folded.find(as_it_is)
                if start >= 0:
                    yield Found(row, start, start + len(as_it_is))

    def best(self, text: str) -> Word | None:
        """Return the row of the smallest rank whose words stand in a text, None for none."""
        return min((found.word for found in self.find(text)), key=lambda word: word.rank, default=None)


def _fits(word: str, token: Token) -> bool:
    return token.text.startswith(word[:-1]) if word.endswith("*") else token.text == word


@dataclass(frozen=True, slots=True)
class Tables:
    """All languages together.

    Attributes:
        labels: What stands before a colon, by `label_key`.
        events: Words of events.
        kinds: Words of tests, health mails and ends; one of a single word counts where it stands alone.
        ends: Words behind an event that is over.
        alarm: Words of the line that names the event.
        months: Number of each month, by its name and the first three letters.
        days: Names of days.
        clock: Small words about dates and times.
        cameras: What makers call a camera that nobody named.
        recorders: What makers call a recorder that nobody named.
        places: Small words that stand before a camera's name in a sentence.
        words: All words of all rows, one by one.
    """

    labels: dict[str, Word]
    events: Phrases
    kinds: Phrases
    ends: Phrases
    alarm: Phrases
    months: dict[str, int]
    days: frozenset[str]
    clock: frozenset[str]
    cameras: frozenset[str]
    recorders: frozenset[str]
    places: frozenset[str]
    words: frozenset[str]


def table_names() -> list[str]:
    """Return the names of the files, English first: where two makers share a label, its rank counts."""
    names = [item.name for item in importlib.resources.files(__name__).iterdir() if item.name.endswith(".toml")]
    return sorted(names, key=lambda name: (name != "en.toml", name))


def table(name: str) -> dict[str, Any]:
    """Read one file.

    Raises: ConfigError that names every mistake.
    """
    file = importlib.resources.files(__name__) / name
    return parsed(str(file), file.read_bytes())


@functools.cache
def tables() -> Tables:
    """Read all languages; the second time they are there.

    Raises: ConfigError for a table that is not as README.md says.
    """
    read = [table(name) for name in table_names()]
    rows: dict[str, list[Word]] = {"labels": [], "events": [], "kinds": [], "ends": []}
    for one in read:
        for name, row in rows_of(one):
            rows[name].append(row)
    labels: dict[str, Word] = {}
    for row in rows["labels"]:
        labels.setdefault(label_key(row.text), row)
    months: dict[str, int] = {}
    for one in read:
        for month, text in enumerate(one["months"], start=1):
            months.setdefault(plain(text), month)
            months.setdefault(plain(text)[:LETTERS], month)

    def of(name: str) -> frozenset[str]:
        return frozenset(plain(text) for one in read for text in one[name])

    every = itertools.chain.from_iterable(rows.values())
    days = of("days")
    english = (plain(text)[:LETTERS] for text in (*read[0]["days"][:7], *read[0]["months"]))
    return Tables(
        labels=labels,
        events=Phrases(rows["events"]),
        kinds=Phrases(rows["kinds"]),
        ends=Phrases(rows["ends"]),
        alarm=Phrases(Word(text, "alarm", one["language"], "any", 0) for one in read for text in one["alarm"]),
        months=months,
        days=days | frozenset(english) | frozenset(month for month in months if len(month) > LETTERS),
        clock=of("clock"),
        cameras=of("camera"),
        recorders=of("camera") | of("recorder"),
        places=of("place"),
        words=frozenset(token.text for row in every for token in tokens_of(row.text)),
    )
