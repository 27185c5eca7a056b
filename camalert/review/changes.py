"""What people change: reviewed or not, marks, deletions. Short transactions, a few rows each.

An alarm is one thing to its owner: what is said of a picture with people holds for the snapshot it was made of, and
a deletion takes both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction

from camalert.review.alerts.models import Alert, AlertFacts, Detect, DetectFacts
from camalert.review.router import ALERTS
from camalert.review.selection import Album
from camalert.review.thumbnails import thumbnails

ROWS_AT_ONCE = 100  # a transaction holds the only lock for writing, and alarms wait for it
DELETES_AT_ONCE = 20  # each frees the pages of a picture

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that belong to a choice of pictures, in both tables."""

    alerts: tuple[int, ...]
    detections: tuple[int, ...]


def set_reviewed(album: Album, ids: Sequence[int], *, is_reviewed: bool, who: str) -> int:
    """Say that pictures were looked at, or were not; return how many there were."""
    return _update(album, ids, {"reviewed_utc": time.time() if is_reviewed else None}, who)


def set_mark(album: Album, ids: Sequence[int], mark: str | None, who: str) -> int:
    """Say what the detection got wrong, or that it got nothing wrong; a marked picture has been looked at."""
    values: dict[str, Any] = {"mark": mark}
    if mark:
        values["reviewed_utc"] = time.time()
    return _update(album, ids, values, who)


def delete(album: Album, ids: Sequence[int], who: str) -> int:
    """Delete pictures for good, with their marked copies, clips and small pictures; return how many there were."""
    count = 0
    for some_ids in _batches(ids, DELETES_AT_ONCE):
        with transaction.atomic(using=ALERTS):
            rows = _rows(album, some_ids)
            Alert.objects.filter(pk__in=rows.alerts).delete()
            Detect.objects.filter(pk__in=rows.detections).delete()
        thumbnails().forget(Album.ALARMS, rows.alerts)
        thumbnails().forget(Album.PEOPLE, rows.detections)
        count += len(rows.detections if album is Album.PEOPLE else rows.alerts)
    log.info("pictures_deleted", user=who, album=album.value, count=count)
    return count


def _update(album: Album, ids: Sequence[int], values: dict[str, Any], who: str) -> int:
    count = 0
    for some_ids in _batches(ids, ROWS_AT_ONCE):
        with transaction.atomic(using=ALERTS):
            rows = _rows(album, some_ids)
            changed = AlertFacts.objects.filter(pk__in=rows.alerts).update(**values)
            changed_detections = DetectFacts.objects.filter(pk__in=rows.detections).update(**values)
        count += changed_detections if album is Album.PEOPLE else changed
    log.info("pictures_marked", user=who, album=album.value, count=count, **values)
    return count


def _rows(album: Album, ids: Sequence[int]) -> Rows:
    """Find the rows of both tables that belong to a choice; those that are gone are left out."""
    if album is Album.PEOPLE:
        found = list(DetectFacts.objects.filter(pk__in=ids).values_list("detect_id", "alert_id"))
        return Rows(tuple(alert for _, alert in found if alert is not None), tuple(detection for detection, _ in found))
    pairs = list(AlertFacts.objects.filter(pk__in=ids).values_list("alert_id", "detect_id"))
    return Rows(tuple(alert for alert, _ in pairs), tuple(detection for _, detection in pairs if detection is not None))


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
