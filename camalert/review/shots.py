"""The rows of a list, and how they are read: from the tables of facts by key, never a page of pictures.

Order is by the row's own time, newest first, and by id where times are the same. A page begins where the one before
ended, so that a page far back costs what the first one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Value

from camalert.review.alerts.models import AlertFacts, DetectFacts, Pending
from camalert.review.selection import ANY_MARK, Album, Cursor, Selection
from camalert.review.shot import Shot

PAGE_ROWS = 60


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
    """Return what was added since a row of this id, newest first."""
    return _shots(selection.album, _rows(selection).filter(pk__gt=after_id).order_by("-pk")[:limit])


def newest_id(album: Album) -> int:
    """Return the highest id of an album, 0 when it is empty."""
    last = _model(album).objects.order_by("-pk").values_list("pk", flat=True).first()
    return last or 0


def some(album: Album, ids: Sequence[int]) -> list[Shot]:
    """Return the rows of these ids that are still there."""
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


def _model(album: Album) -> Any:
    return DetectFacts if album is Album.PEOPLE else AlertFacts


def _rows(selection: Selection) -> QuerySet[Any]:
    rows = _model(selection.album).objects.all()
    if selection.album is Album.ALARMS:
        rows = rows.annotate(is_pending=Exists(Pending.objects.filter(alert_id=OuterRef("alert_id"))))
    return rows.filter(*_conditions(selection))


def _conditions(selection: Selection) -> Iterable[Q]:
    if selection.camera:
        yield Q(camera=selection.camera)
    if selection.day:
        yield Q(timestamp__gte=selection.day, timestamp__lt=selection.day_after)
    if selection.outcome == "pending":
        yield Q(outcome__isnull=True, is_pending=True)
    elif selection.outcome:
        yield Q(outcome=selection.outcome)
    if selection.score:
        yield Q(best_score__gte=selection.score / 100)
    if selection.review:
        yield Q(reviewed_utc__isnull=selection.review == "new")
    if selection.mark:
        yield Q(mark__isnull=False) if selection.mark == ANY_MARK else Q(mark=selection.mark)


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
        "reviewed_utc", "mark", "shown_clip", "alert_id", "detect_id",
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
        )
        for row in rows.values(*columns)
    ]
