"""What a message says, for every channel: title, text and facts, made of one row of the outbox or of many late ones."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from camalert import __version__
from camalert.config import hours as week
from camalert.config.objects import PERSON, phrase
from camalert.status.model import counted
from camalert.visits.digest import Digest
from camalert.visits.policy import DIGEST

LATE_S = 300.0  # older than that, a message says when it was
MOST_LINES = 12  # of a summary
MOST_LISTED = 200  # messages in the facts of a summary
VERSION = 1  # of the facts, see docs/notifications.md
SUMMARY = "summary"
TEST = "test"
UNNAMED = "Unnamed camera"
OPEN = "open"  # the link that opens the site
_URGENCY = week.PRIORITIES
_NAMESPACE = uuid.UUID("8f6f3a52-0a0e-5d6a-9b0c-6a3f4f0e7d11")
_TITLES = {
    "visit": "{who} at {camera}",
    "better": "{camera}: a better picture",
    "over": "{camera}: the visit is over",
    "silent": "{camera} is silent",
    "back": "{camera} is back",
    "trouble": "camalert has a problem",
    "well": "camalert is well again",
    TEST: "A test by camalert",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox, with what is known of its visit."""

    id: int
    key: str  # the message's id, so that a receiver can tell a repeat
    kind: str
    camera: str
    at_utc: float
    created_utc: float
    tries: int = 0  # before this one
    visit: int = 0
    alert: int = 0
    score: float = 0.0
    priority: str = "normal"
    message: str = ""
    since_utc: float = 0.0  # of a digest: from when it tells
    pictures: int = 0  # of the visit so far, like what follows
    people: int = 0
    objects: str = PERSON  # what was seen, as `config.objects.listed` writes it
    began_utc: float = 0.0
    last_utc: float = 0.0
    boxes: tuple[dict[str, float], ...] = ()  # of the picture, in px of the examined frame


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a message; an action is done by a POST to its URL, and a GET shows a page that asks."""

    name: str
    title: str
    url: str

    @property
    def is_action(self) -> bool:
        """Tell whether it switches something."""
        return self.name != OPEN


@dataclass(frozen=True, slots=True)
class Message:
    """A message, ready for any channel."""

    id: str
    kind: str
    camera: str
    title: str
    text: str
    at_utc: float
    priority: str
    facts: dict[str, Any] = field(default_factory=dict)
    picture: bytes = b""  # a JPEG, or nothing
    links: tuple[Link, ...] = ()

    @property
    def text_with_links(self) -> str:
        """Return the text for who has no buttons."""
        return "\n".join([self.text, *(f"{link.title}: {link.url}" for link in self.links)])

    def linked(self, links: tuple[Link, ...]) -> Message:
        """Return the same message with links."""
        return replace(self, links=links, facts=self.facts | {"links": {link.name: link.url for link in links}})


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that were given up since the last one that arrived."""

    count: int
    first_utc: float
    last_utc: float


def id_of(key: str, created_utc: float) -> str:
    """Return the id of a row's message; in a new database, or a restored one, other visits have the same keys."""
    return str(uuid.uuid5(_NAMESPACE, f"{key}\n{created_utc!r}"))


def gather(rows: Sequence[Row], now_utc: float) -> list[Row]:
    """Return what goes into the next message: the oldest row, or all that are late when there are several.

    A digest never goes with anything else; several are one.
    """
    if rows[0].kind == DIGEST:
        return [row for row in rows if row.kind == DIGEST]
    late = [row for row in rows if is_late(row, now_utc) and row.kind != DIGEST]
    return late if len(late) > 1 else list(rows[:1])


def is_late(row: Row, now_utc: float) -> bool:
    """Tell whether a row waited so long that its message must say when it was."""
    return now_utc - min(row.at_utc, row.created_utc) > LATE_S


def compose(
    rows: Sequence[Row],
    lost: Lost | None,
    now_utc: float,
    zone: datetime.tzinfo | None,
    digest: Digest | None = None,
) -> Message:
    """Return the message that tells one row, or sums up several.

    Args:
        rows: At least one.
        lost: What never arrived; the message says so.
        now_utc: Seconds since 1970.
        zone: Of the times in words, None for this machine's.
        digest: What rows that are digests say; they are one message.
    """
    if digest is not None:
        title, text = _digest(digest, zone)
    else:
        title, text = _one(rows[0], now_utc, zone) if len(rows) == 1 else _summary(rows, zone)
    if lost is not None:
        span = f"{_moment(lost.first_utc, zone)} and {_moment(lost.last_utc, zone)}"
        text += f"\n{counted(lost.count, 'message')} between {span} could not be delivered."
    newest = rows[-1]
    kind = newest.kind if len(rows) == 1 or digest is not None else SUMMARY
    identity = newest.key if len(rows) == 1 else str(uuid.uuid5(_NAMESPACE, "\n".join(row.key for row in rows)))
    return Message(
        id=identity,
        kind=kind,
        camera=newest.camera if len({row.camera for row in rows}) == 1 else "",
        title=title,
        text=text,
        at_utc=newest.at_utc,
        priority=max((row.priority for row in rows), key=_urgency),
        facts=_facts(rows, kind, identity, title, text)
        if digest is None
        else _facts_of(digest, newest, identity, title, text),
    )


def _urgency(name: str) -> int:
    return _URGENCY.index(name) if name in _URGENCY else 1


def _one(row: Row, now_utc: float, zone: datetime.tzinfo | None) -> tuple[str, str]:
    who = "Somebody" if PERSON in row.objects.split(",") else phrase(row.objects).capitalize()
    title = _TITLES.get(row.kind, "{camera}").format(camera=row.camera or "camalert", who=who)
    lines = []
    if row.kind in ("visit", "better"):
        lines.append(f"{_time(row.at_utc, zone)}, score {row.score:.2f}")
    elif row.kind == "over":
        length_s = max(0.0, row.last_utc - row.began_utc)
        lines.append(
            f"{_time(row.began_utc or row.at_utc, zone)} to {_time(row.last_utc or row.at_utc, zone)}"
            f" ({_length(length_s)}), {counted(row.pictures, 'picture')}, best score {row.score:.2f}"
        )
    else:
        lines.append(_time(row.at_utc, zone))
    if row.message:
        lines.append(row.message)
    if now_utc - row.at_utc > LATE_S:
        title = f"Late: {title}"
        lines.append(f"This was at {_moment(row.at_utc, zone)}, {_length(now_utc - row.at_utc)} ago.")
    return title, "\n".join(lines)


def _summary(rows: Sequence[Row], zone: datetime.tzinfo | None) -> tuple[str, str]:
    cameras: dict[str, list[Row]] = {}
    for row in rows:
        cameras.setdefault(row.camera or "camalert", []).append(row)
    lines = []
    for camera, own in list(cameras.items())[:MOST_LINES]:
        begin, end = _moment(own[0].at_utc, zone), _moment(own[-1].at_utc, zone)
        visits = sum(row.kind == "visit" for row in own)
        what = [counted(visits, "visit")] if visits else []
        what += [counted(len(own) - visits, "other message")] if len(own) > visits else []
        lines.append(f"{camera}: {' and '.join(what)}, {begin}" + (f" to {end}" if begin != end else ""))
    if len(cameras) > MOST_LINES:
        lines.append(f"and {counted(len(cameras) - MOST_LINES, 'other camera')}")
    return f"Late: {len(rows)} messages that could not be sent before", "\n".join(lines)


def _facts(rows: Sequence[Row], kind: str, identity: str, title: str, text: str) -> dict[str, Any]:
    """Return what a program gets to know; docs/notifications.md describes it."""
    newest = rows[-1]
    facts = _head(newest, kind, identity, title, text)
    if len(rows) > 1:
        facts["count"] = len(rows)
        facts["messages"] = [
            {"id": row.key, "event": row.kind, "camera": row.camera, "at": iso(row.at_utc), "visit": row.visit}
            for row in rows[-MOST_LISTED:]
        ]
    elif newest.visit:
        facts |= {
            "visit": newest.visit,
            "alert": newest.alert,
            "score": round(newest.score, 3),
            "pictures": newest.pictures,
            "people": newest.people,
            "objects": newest.objects.split(","),
            "began": iso(newest.began_utc or newest.at_utc),
            "seconds": round(max(0.0, newest.last_utc - newest.began_utc), 1),
            "boxes": list(newest.boxes),
        }
    return facts


def _head(newest: Row, kind: str, identity: str, title: str, text: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "id": identity,
        "event": kind,
        "camera": newest.camera,
        "at": iso(newest.at_utc),
        "title": title,
        "text": text,
        "source": f"camalert {__version__}",
    }


def _digest(digest: Digest, zone: datetime.tzinfo | None) -> tuple[str, str]:
    span = f"{_moment(digest.since_utc, zone)} to {_moment(digest.until_utc, zone)}"
    lines = [span]
    for line in digest.lines[:MOST_LINES]:
        first, last = _clock(line.first_utc, digest, zone), _clock(line.last_utc, digest, zone)
        when = first if first == last else f"{first} to {last}"
        people = f", up to {line.people} people" if line.people > 1 else ""
        lines.append(f"{line.camera or UNNAMED}: {counted(line.visits, 'visit')}{people}, {when}")
    if len(digest.lines) > MOST_LINES:
        lines.append(f"and {counted(len(digest.lines) - MOST_LINES, 'other camera')}")
    if not digest.lines:
        lines.append("Nobody was seen.")
    if not digest.is_whole:
        lines.append("There were more visits than are counted here.")
    if len(digest.best) > 1:
        shown = [
            f"{number} {visit.camera or UNNAMED} {_clock(visit.began_utc, digest, zone)}"
            for number, visit in enumerate(digest.best, start=1)
        ]
        lines.append(f"Pictures: {', '.join(shown)}")
    if digest.false_alarms:
        lines.append(f"{counted(digest.false_alarms, 'picture')} marked as a false alarm")
    if digest.silent:
        names = ", ".join(digest.silent[:MOST_LINES])
        more = len(digest.silent) - MOST_LINES
        lines.append(f"Silent: {names}" + (f" and {more} more" if more > 0 else ""))
    what = counted(digest.visits, "visit") if digest.lines else "nobody was seen"
    return f"Digest: {what}", "\n".join(lines)


def _clock(at_utc: float, digest: Digest, zone: datetime.tzinfo | None) -> str:
    """Write a moment of a digest, with its day where that is not clear."""
    at = week.local(at_utc, zone)
    is_clear = digest.until_utc - 86_400 <= at_utc <= digest.until_utc
    return at.strftime("%H:%M" if is_clear else "%a %H:%M")


def _facts_of(digest: Digest, newest: Row, identity: str, title: str, text: str) -> dict[str, Any]:
    return _head(newest, DIGEST, identity, title, text) | {
        "since": iso(digest.since_utc),
        "visits": digest.visits,
        "cameras": [
            {"camera": line.camera, "visits": line.visits, "people": line.people, "first": iso(line.first_utc),
             "last": iso(line.last_utc)}
            for line in digest.lines
        ],
        "best": [
            {"camera": visit.camera, "visit": visit.id, "alert": visit.best_alert, "score": round(visit.best_score, 3),
             "began": iso(visit.began_utc)}
            for visit in digest.best
        ],
        "silent": list(digest.silent),
        "false_alarms": digest.false_alarms,
    }  # fmt: skip


def iso(at_utc: float) -> str:
    """Write a moment as RFC 3339 has it, in UTC."""
    return datetime.datetime.fromtimestamp(at_utc, datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(at_utc: float, zone: datetime.tzinfo | None) -> str:
    return week.local(at_utc, zone).strftime("%H:%M:%S")


def _moment(at_utc: float, zone: datetime.tzinfo | None) -> str:
    return week.local(at_utc, zone).strftime("%Y-%m-%d %H:%M")


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
