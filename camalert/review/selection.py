"""What a list shows: which album, and which of its rows. Made from the query of an address, and made into one again.

Pure. Values that make no sense are left out: an address is typed, shared and outlives cameras.
"""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

NOT_A_PERSON = "not a person"
MISSED = "missed a person"
MARKS = (NOT_A_PERSON, MISSED)
OUTCOMES = ("person", "nobody", "failed", "pending")
ANY_MARK = "any"
NAME_CHARS = 200
MAX_ID = (1 << 63) - 1  # SQLite's largest number

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
        """Return the place that `str` wrote, None for anything else."""
        found = _CURSOR.fullmatch(text)
        return cls(found[1], min(int(found[2]), MAX_ID)) if found else None

    def __str__(self) -> str:
        return f"{self.timestamp}~{self.id}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of one list. An empty value selects by nothing."""

    album: Album
    camera: str = ""
    day: str = ""  # YYYY-MM-DD
    outcome: str = ""  # one of OUTCOMES, for all alarms
    score: int = 0  # per cent, at least
    review: str = ""  # "new" or "done"
    mark: str = ""  # one of MARKS, or ANY_MARK

    @classmethod
    def parse(cls, album: Album, query: Mapping[str, str]) -> Self:
        """Read the query of an address."""
        outcome, review, mark = (query.get(name, "") for name in ("outcome", "review", "mark"))
        return cls(
            album,
            camera=query.get("camera", "")[:NAME_CHARS],
            day=_day(query.get("day", "")),
            outcome=outcome if album is Album.ALARMS and outcome in OUTCOMES else "",
            score=_per_cent(query.get("score", "")),
            review=review if review in ("new", "done") else "",
            mark=mark if mark in (*MARKS, ANY_MARK) else "",
        )

    def query(self, **changes: str) -> str:
        """Return it as the query of an address, with changes."""
        values = {
            "camera": self.camera, "day": self.day, "outcome": self.outcome,
            "score": str(self.score or ""), "review": self.review, "mark": self.mark,
        } | changes  # fmt: skip
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def is_everything(self) -> bool:
        """Tell whether nothing is left out."""
        return self == Selection(self.album)

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
    """Return the ids in a list such as "3,5,8": at most `limit`, each once, in order; nonsense is left out."""
    found = dict.fromkeys(int(word) for word in text.split(",") if word.isascii() and word.isdigit() and len(word) < 19)
    return list(found)[:limit]


def _day(text: str) -> str:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return ""
    return str(day) if datetime.date.min < day < datetime.date.max else ""


def _per_cent(text: str) -> int:
    return min(100, int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else 0
