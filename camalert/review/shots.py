"""The pictures of a list: how their rows are read, and how they are shown by day and by event.

Rows come from the tables of facts by key; no list reads a picture. The order is by the row's own time, newest first,
then by id. A page begins where the one before ended, so a page far back costs what the first one does.
"""

from __future__ import annotations

import datetime
import functools
import json
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Value
from django.utils.translation import gettext as _

from camalert import identity
from camalert.config import objects
from camalert.review.alerts.models import FACTS, REVIEWED, TO_REVIEW, Pending, SeenCamera
from camalert.review.boxes import Box, Part, around, middle, read
from camalert.review.formats import long_day, phrase
from camalert.review.selection import ANY_MARK, UNNAMED, Album, Cursor, Selection

PAGE_ROWS = 32  # with more, of filtered ones in any language, a first page would be beyond 60 kB before its pictures
EVENT_GAP_S = 60.0


def part_of(boxes: Sequence[Box], width_px: int, height_px: int) -> Part | None:
    """Return the part of a picture that a list shows around its boxes: all of it where no thumbnails are made."""
    if width_px <= 0 or height_px <= 0:
        return None
    part = around(boxes, width_px, height_px)
    return middle(width_px, height_px) if part and not settings.CAMALERT.review.thumbnails else part


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a list."""

    album: Album
    id: int
    timestamp: str
    camera: str
    event: str
    subject: str
    score: float | None
    threshold: float | None
    outcome: str  # "person", "nobody", "failed", "unexamined", "pending" or "" (never to be examined)
    is_reviewed: bool
    mark: str
    has_clip: bool
    alert_id: int | None
    detect_id: int | None
    boxes: tuple[Box, ...] = ()
    width_px: int = 0  # of the examined picture; 0: it is not known
    height_px: int = 0
    kinds: str = ""  # what counted in it, as the database has it

    @property
    def part(self) -> Part | None:
        """Return the part of the picture that a list shows, None for all of it."""
        is_known = self.outcome == "person" and self.alert_id is not None
        return part_of(self.boxes, self.width_px, self.height_px) if is_known else None

    @property
    def light(self) -> str:
        """Return what the light box needs to know, as JSON: the examined picture's size, and the boxes in it."""
        boxes = [[round(box.x), round(box.y), round(box.width), round(box.height), box.percent] for box in self.boxes]
        return json.dumps({"w": self.width_px, "h": self.height_px, "boxes": boxes if self.width_px else []})

    @property
    def cursor(self) -> Cursor:
        """Return its place in the list, from which the next page can begin."""
        return Cursor(self.timestamp, self.id)

    @property
    def time(self) -> str:
        """Return the time of day, HH:MM:SS."""
        return self.timestamp[11:19]

    @property
    def day(self) -> str:
        """Return the day, YYYY-MM-DD."""
        return self.timestamp[:10]

    @property
    def percent(self) -> int | None:
        """Return the score in percent, at most 99: no detection is certain."""
        return None if self.score is None else min(99, round(self.score * 100))

    @property
    def verdict(self) -> str:
        """Return what the detection found, as a phrase."""
        match self.outcome:
            case "person":
                return self.found + ("" if self.percent is None else f", {self.percent} %")
            case "nobody":
                return _("nobody")
            case "pending":
                return _("being examined")
            case _:
                return _("not examined")

    @property
    def found(self) -> str:
        """Return what was found where something was, as a phrase: "a person and a dog"."""
        return phrase(self.kinds)

    @property
    def is_person(self) -> bool:
        """Tell whether nothing but people was found."""
        return self.kinds in ("", objects.PERSON)

    @property
    def name(self) -> str:
        """Return the camera, or what else its mail says where no camera is named."""
        return self.camera or self.subject or _("Unknown")

    @property
    def state(self) -> str:
        """Return what may change on an open page, as one string to compare."""
        return f"{self.outcome}/{'done' if self.is_reviewed else 'new'}/{self.mark}/{self.detect_id or ''}"


def page(
    selection: Selection, before: Cursor | None = None, limit: int = PAGE_ROWS
) -> tuple[list[Shot], Cursor | None]:
    """Return the rows of a page, and where the next one begins."""
    rows = _rows(selection)
    if before:
        # Written so that the index gives the range: a plain OR of both cases would read it from the start.
        rows = rows.filter(timestamp__lte=before.timestamp).exclude(timestamp=before.timestamp, pk__gte=before.id)
    found = _shots(selection.album, rows.order_by("-timestamp", "-pk")[: limit + 1])
    return found[:limit], found[limit - 1].cursor if len(found) > limit else None


def newer(selection: Selection, after_id: int, limit: int = PAGE_ROWS) -> list[Shot]:
    """Return the rows added after the row of this id, newest first."""
    return _shots(selection.album, _rows(selection).filter(pk__gt=after_id).order_by("-pk")[:limit])


def newest_id(album: Album) -> int:
    """Return the highest id of an album, 0 when it is empty."""
    last = FACTS[album].objects.order_by("-pk").values_list("pk", flat=True).first()
    return last or 0


def some(album: Album, ids: Sequence[int]) -> list[Shot]:
    """Return the rows of these ids that still exist."""
    return _shots(album, _rows(Selection(album)).filter(pk__in=ids))


def following(selection: Selection, shot: Shot, limit: int) -> list[Shot]:
    """Return the rows of a selection that are newer than a row, oldest first."""
    rows = _rows(selection).filter(timestamp__gte=shot.timestamp).exclude(timestamp=shot.timestamp, pk__lte=shot.id)
    return _shots(selection.album, rows.order_by("timestamp", "pk")[:limit])


def neighbours(selection: Selection, shot: Shot) -> tuple[Shot | None, Shot | None]:
    """Return the next newer and the next older row of a selection."""
    newer_ones = following(selection, shot, 1)
    older_ones, _ = page(selection, shot.cursor, 1)
    return (newer_ones[0] if newer_ones else None), (older_ones[0] if older_ones else None)


def ids(selection: Selection, limit: int) -> list[int]:
    """Return the ids of a selection, at most `limit` of them."""
    return list(_rows(selection).order_by("-timestamp", "-pk").values_list("pk", flat=True)[:limit])


def _rows(selection: Selection) -> QuerySet[Any]:
    rows = FACTS[selection.album].objects.all()
    if selection.album is Album.ALARMS:
        rows = rows.annotate(is_pending=Exists(Pending.objects.filter(alert_id=OuterRef("alert_id"))))
    return rows.filter(*_conditions(selection))


def _conditions(selection: Selection) -> Iterable[Q]:
    if selection.camera == UNNAMED:
        yield Q(camera="")
    elif selection.camera:
        key = identity.key(selection.camera)
        seen = SeenCamera.objects.values_list("name", flat=True)
        yield Q(camera__in={selection.camera, *(name for name in seen if identity.key(name) == key)})
    if selection.day:
        yield Q(timestamp__gte=selection.day, timestamp__lt=selection.day_after)
    if selection.since:
        yield Q(timestamp__gte=selection.since)
    if selection.until:
        yield Q(timestamp__lt=selection.until)
    yield from _containing(selection.words, ("subject", "event", "camera"))
    if selection.outcome == "pending":
        yield Q(outcome__isnull=True, is_pending=True)
    elif selection.outcome:
        yield Q(outcome=selection.outcome)
    if selection.score:
        yield Q(best_score__gte=selection.score / 100)
    if selection.object:
        yield _showing(selection)
    if selection.review:
        yield Q(reviewed_utc__isnull=selection.review == "new")
    if selection.mark:
        yield Q(mark__isnull=False) if selection.mark == ANY_MARK else Q(mark=selection.mark)


def _showing(selection: Selection) -> Q:
    """Return what holds of rows in which a kind was found, or one of a group."""
    is_found = Q()
    for kind in objects.kinds_of((selection.object,)):
        is_found |= Q(kinds__contains=kind)  # no kind's name is a part of another's
        if selection.album is Album.ALARMS:
            is_found |= Q(others__contains=f'"{kind}"')
    if selection.object == objects.PERSON:  # rows from before there was a choice
        is_found |= (
            Q(kinds__isnull=True, outcome="person") if selection.album is Album.ALARMS else Q(kinds__isnull=True)
        )
    return is_found


def visit_conditions(selection: Selection) -> Iterable[Any]:
    """Return which visits belong to a selection: by camera, time and words."""
    if selection.camera:
        yield Q(known_as=identity.key("" if selection.camera == UNNAMED else selection.camera))
    if selection.object:
        is_seen = Q(kinds__isnull=True) if selection.object == objects.PERSON else Q()
        for kind in objects.kinds_of((selection.object,)):
            is_seen |= Q(kinds__contains=kind)
        yield is_seen
    if (since_utc := selection.since_utc) is not None:
        yield Q(began_utc__gte=since_utc)
    if (until_utc := selection.until_utc) is not None:
        yield Q(began_utc__lt=until_utc)
    if selection.score:
        yield Q(best_score__gte=selection.score / 100)
    if selection.review:
        yield TO_REVIEW if selection.review == "new" else REVIEWED
    if selection.mark:
        marked = Q(mark__isnull=False) if selection.mark == ANY_MARK else Q(mark=selection.mark)
        yield Q(pk__in=FACTS[Album.ALARMS].objects.filter(marked).values("visit"))
    if selection.words:
        fitting = FACTS[Album.ALARMS].objects.filter(visit__isnull=False)
        fitting = fitting.filter(*_containing(selection.words, ("subject", "event", "camera")))
        yield Q(pk__in=fitting.values("visit"))


def _containing(words: str, columns: Sequence[str]) -> Iterable[Q]:
    """Return what holds of rows that have each of the words in one of their columns."""
    for word in words.split():
        # SQLite knows capitals of ASCII only.
        spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
        yield functools.reduce(
            operator.or_, (Q(**{f"{column}__icontains": each}) for column in columns for each in spellings)
        )


def _shots(album: Album, rows: QuerySet[Any]) -> list[Shot]:
    if album is Album.PEOPLE:
        rows = rows.annotate(
            shown_outcome=Value("person"),
            shown_clip=Value(None, output_field=BigIntegerField()),
            is_pending=Value(False),
        )
    else:
        rows = rows.annotate(shown_outcome=F("outcome"), shown_clip=F("clip"))
    columns = (
        "pk", "timestamp", "camera", "event", "subject", "best_score", "threshold", "shown_outcome", "is_pending",
        "reviewed_utc", "mark", "shown_clip", "alert_id", "detect_id", "people", "width_px", "height_px", "kinds",
    )  # fmt: skip
    return [
        Shot(
            album=album,
            id=row["pk"],
            timestamp=str(row["timestamp"]),
            camera=row["camera"],
            event=row["event"],
            subject=row["subject"],
            score=row["best_score"],
            threshold=row["threshold"],
            outcome=row["shown_outcome"] or ("pending" if row["is_pending"] else ""),
            is_reviewed=row["reviewed_utc"] is not None,
            mark=row["mark"] or "",
            has_clip=row["shown_clip"] is not None,
            alert_id=row["alert_id"],
            detect_id=row["detect_id"],
            boxes=read(row["people"]),
            width_px=row["width_px"] or 0,
            height_px=row["height_px"] or 0,
            kinds=row["kinds"] or "",
        )
        for row in rows.values(*columns)
    ]


@dataclass(slots=True)
class Event:
    """Pictures of one camera, each within a minute of the next, newest first."""

    camera: str
    shots: list[Shot] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """Return what the camera called it, each name once."""
        return list(dict.fromkeys(shot.event for shot in self.shots if shot.event))


@dataclass(slots=True)
class Day:
    """The events of one day, newest first."""

    date: str
    events: list[Event] = field(default_factory=list)

    def title(self, today: datetime.date) -> str:
        """Return the day as a heading: "Today · Sunday, 22 November"."""
        try:
            date = datetime.date.fromisoformat(self.date)
        except ValueError:
            return _("Unknown day")
        text = long_day(date, today)
        if date == today:
            return f"{_('Today')} · {text}"
        return f"{_('Yesterday')} · {text}" if date == today - datetime.timedelta(days=1) else text


def group(shots: Iterable[Shot]) -> list[Day]:
    """Group rows, newest first, by day and event; another camera's pictures in between do not split an event."""
    days: list[Day] = []
    open_events: dict[str, tuple[Event, float]] = {}
    for shot in shots:
        if not days or days[-1].date != shot.day:
            days.append(Day(shot.day))
            open_events.clear()
        at_s = seconds(shot.timestamp)
        event, oldest_s = open_events.get(shot.name, (None, 0.0))
        if event is None or oldest_s - at_s > EVENT_GAP_S:
            event = Event(shot.name)
            days[-1].events.append(event)
        event.shots.append(shot)
        open_events[shot.name] = event, at_s
    return days


def seconds(timestamp: str) -> float:
    """Return a row's time as seconds, for differences within a day; 0 for a text that is no time."""
    try:
        return (datetime.datetime.fromisoformat(timestamp[:19]) - datetime.datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001
    except ValueError:
        return 0.0
