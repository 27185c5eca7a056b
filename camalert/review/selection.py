"""What a list shows: which album, and which of its rows. Read from an address's query, and written as one.

Values that make no sense are left out: an address is typed, shared and outlives cameras.
"""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from camalert.config.objects import NAMES

NOT_A_PERSON = "not a person"
MISSED = "missed a person"
MARKS = (NOT_A_PERSON, MISSED)
OUTCOMES = ("person", "nobody", "failed", "pending")
ANY_MARK = "any"
UNNAMED = "(unnamed)"  # selects the rows without a camera's name
NAME_CHARS = 200
WORDS = 6  # that a row must contain; each is one more comparison for each row
WORDS_CHARS = 80
ASKED_CHARS = 200
MAX_ID = (1 << 63) - 1  # SQLite's largest number

_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2})")
_CURSOR = re.compile(r"([0-9: .T-]{0,32})~([0-9]{1,19})")


class Album(enum.Enum):
    """The two lists: pictures with people, and everything."""

    PEOPLE = "people"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list, newest first: the row's time as text, and its id."""

    timestamp: str
    id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; None for anything else."""
        found = _CURSOR.fullmatch(text)
        return cls(found[1], min(int(found[2]), MAX_ID)) if found else None

    def __str__(self) -> str:
        return f"{self.timestamp}~{self.id}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of one list. An empty value selects by nothing, and a day takes the place of a range."""

    album: Album
    camera: str = ""
    day: str = ""  # YYYY-MM-DD
    outcome: str = ""  # one of OUTCOMES, for all alarms
    score: int = 0  # percent, at least
    review: str = ""  # "new" or "done"
    mark: str = ""  # one of MARKS, or ANY_MARK
    since: str = ""  # YYYY-MM-DD HH:MM, local time: not before
    until: str = ""  # YYYY-MM-DD HH:MM, local time: before
    words: str = ""  # each is in the row's subject, event or camera
    object: str = ""  # one of `config.objects.NAMES` that was found, in all alarms also where it does not count
    asked: str = ""  # what was typed into the search field; selects nothing by itself
    is_inbox: bool = False  # an address without `review` means "new", and "all" everything

    @classmethod
    def parse(cls, album: Album, query: Mapping[str, str]) -> Self:
        """Read the query of an address; a value out of range selects nothing."""
        outcome, review, mark, kind = (query.get(name, "") for name in ("outcome", "review", "mark", "object"))
        day = _day(query.get("day", ""))
        return cls(
            album,
            camera=query.get("camera", "")[:NAME_CHARS],
            day=day,
            outcome=outcome if album is Album.ALARMS and outcome in OUTCOMES else "",
            score=_percent(query.get("score", "")),
            review=review if review in ("new", "done") else "",
            mark=mark if mark in (*MARKS, ANY_MARK) else "",
            since="" if day else _moment(query.get("since", "")),
            until="" if day else _moment(query.get("until", "")),
            words=" ".join(query.get("words", "")[:WORDS_CHARS].split()[:WORDS]),
            object=kind if kind in NAMES else "",
            asked=" ".join(query.get("asked", "")[:ASKED_CHARS].split()),
        )

    @classmethod
    def inbox(cls, query: Mapping[str, str]) -> Self:
        """Read the query of the list of visits, which shows what is to review unless it is asked for more."""
        review = query.get("review", "")
        found = cls.parse(Album.PEOPLE, query)
        return replace(found, review=review if review == "done" else "" if review == "all" else "new", is_inbox=True)

    def query(self, **changes: str) -> str:
        """Return the query of an address that selects the same, with changes."""
        values = dict(self.fields) | changes
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return the names and values of an address or a form that selects the same."""
        values = {
            "camera": self.camera, "day": self.day, "outcome": self.outcome,
            "score": str(self.score or ""), "review": self._asked_review, "mark": self.mark,
            "since": self.since, "until": self.until, "words": self.words, "object": self.object, "asked": self.asked,
        }  # fmt: skip
        return [(name, value) for name, value in values.items() if value]

    @property
    def is_everything(self) -> bool:
        """Tell whether it selects every row of its album."""
        return self == Selection(self.album) or (self.is_inbox and self == Selection.inbox({}))

    @property
    def _asked_review(self) -> str:
        return {"": "all", "new": ""}.get(self.review, self.review) if self.is_inbox else self.review

    @property
    def since_utc(self) -> float | None:
        """Return when it begins, in seconds since 1970; the earlier moment of an hour that comes twice."""
        texts = [text for text in (self.since, self.day) if text]
        return max(_seconds(text, fold=0) for text in texts) if texts else None

    @property
    def until_utc(self) -> float | None:
        """Return when it ends, in seconds since 1970; the later moment of an hour that comes twice."""
        texts = [text for text in (self.until, self.day and self.day_after) if text]
        return min(_seconds(text, fold=1) for text in texts) if texts else None

    @property
    def day_after(self) -> str:
        """Return the day after `day`, for a range of times."""
        return str(datetime.date.fromisoformat(self.day) + datetime.timedelta(days=1))

    def beside(self, days: int) -> Self | None:
        """Return the same selection some days later, None without a day."""
        if not self.day:
            return None
        try:
            return replace(self, day=str(datetime.date.fromisoformat(self.day) + datetime.timedelta(days=days)))
        except OverflowError:
            return None


def parse_ids(text: str, limit: int) -> list[int]:
    """Return the ids in a list such as "3,5,8": at most `limit`, each once, in order; anything else is left out."""
    found = dict.fromkeys(int(word) for word in text.split(",") if word.isascii() and word.isdigit() and len(word) < 19)
    return list(found)[:limit]


def _day(text: str) -> str:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return ""
    return str(day) if datetime.date.min < day < datetime.date.max else ""


def _moment(text: str) -> str:
    found = _MOMENT.fullmatch(text)
    if not found or not _day(found[1]):
        return ""
    try:
        return f"{found[1]} {datetime.time.fromisoformat(found[2]):%H:%M}"
    except ValueError:
        return ""


def _seconds(text: str, *, fold: int) -> float:
    """Return a local day or moment as seconds since 1970."""
    try:
        return datetime.datetime.fromisoformat(text).replace(fold=fold).timestamp()
    except (OverflowError, ValueError, OSError):  # years that this machine's clock does not know
        return -62_135_596_800.0 if text < "1970" else 253_402_300_799.0


def _percent(text: str) -> int:
    return min(100, int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else 0
