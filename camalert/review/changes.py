"""What people change: reviewed flags, marks, deletions. Short transactions of a few rows each.

An alarm is one thing to its owner: a change of a picture with people is one of the snapshot it was made from, and a
deletion moves both into the bin. A change of a visit is one of all of its pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from camalert.review import reviewers
from camalert.review.alerts.models import FACTS, AlertFacts, Binned, DetectFacts
from camalert.review.selection import Album
from camalert.review.settings import ALERTS
from camalert.review.thumbnails import thumbnails
from camalert.review.views.switches import read
from camalert.store.rows import learned
from camalert.store.sqlite import deletions
from camalert.store.sqlite.deletions import Pair
from camalert.system.logs import log

ROWS_AT_ONCE = 100  # a transaction holds the only lock for writing, and alarms wait for it
DELETES_AT_ONCE = 20  # each moves a picture
VISIT_PICTURES = 20_000  # of some visits that are changed at a time


def set_reviewed(album: Album, ids: Sequence[int], *, is_reviewed: bool, user: str) -> int:
    """Mark pictures as reviewed or unreviewed; return how many exist."""
    return _update(album, ids, {"reviewed_utc": time.time() if is_reviewed else None}, user)


def set_mark(album: Album, ids: Sequence[int], mark: str | None, user: str) -> int:
    """Mark what the detection got wrong, or unmark it; return how many exist. A marked picture counts as reviewed."""
    values: dict[str, Any] = {"mark": mark}
    if mark:
        values["reviewed_utc"] = time.time()
    return _update(album, ids, values, user)


@dataclass(frozen=True, slots=True)
class Deletion:
    """How many pictures were deleted, and the number by which they are restored; 0 when there were none."""

    count: int
    number: int


def delete(album: Album, ids: Sequence[int], user: str) -> Deletion:
    """Move pictures with their marked copies and clips into the bin."""
    count, number = 0, 0
    for some_ids in _batches(ids, DELETES_AT_ONCE):
        with transaction.atomic(using=ALERTS):
            pairs = [Pair(*row) for row in _pairs(album, some_ids)]
            number = read(lambda found: deletions.put(found, pairs, user, time.time(), number))  # noqa: B023 - run here
        thumbnails().forget(Album.ALARMS, [pair.alert_id for pair in pairs if pair.alert_id is not None])
        thumbnails().forget(Album.PEOPLE, [pair.detect_id for pair in pairs if pair.detect_id is not None])
        count += len(pairs)
    log.info("pictures_deleted", user=user, album=album.value, count=count)
    return Deletion(count, number)


def restore(ids: Sequence[int], user: str) -> int:
    """Move pictures back out of the bin; return how many."""
    gap_s = settings.CAMALERT.visits.gap_seconds
    count = 0
    for some_ids in _batches(ids, DELETES_AT_ONCE):
        with transaction.atomic(using=ALERTS):
            count += len(read(lambda found: deletions.restore(found, some_ids, gap_s)))  # noqa: B023 - run here
    log.info("pictures_restored", user=user, count=count)
    return count


def delete_for_good(ids: Sequence[int], user: str) -> int:
    """Delete pictures in the bin for good; return how many."""
    count = 0
    for some_ids in _batches(ids, DELETES_AT_ONCE):
        with transaction.atomic(using=ALERTS):
            count += read(lambda found: deletions.remove(found, some_ids))  # noqa: B023 - run here
    log.info("bin_emptied", user=user, count=count)
    return count


def deleted_together(number: int) -> list[int]:
    """Return the rows of the bin that one deletion put there."""
    return list(Binned.objects.filter(deletion=number).order_by("pk").values_list("pk", flat=True))


def pictures_of(visits: Sequence[int]) -> list[int]:
    """Return the alerts of some visits, at most `VISIT_PICTURES` of them."""
    found: list[int] = []
    for some_ids in _batches(visits, ROWS_AT_ONCE):
        rows = AlertFacts.objects.filter(visit__in=some_ids).values_list("pk", flat=True)
        found += rows[: VISIT_PICTURES - len(found)]
    return found


def _update(album: Album, ids: Sequence[int], values: dict[str, Any], user: str) -> int:
    count = 0
    for some_ids in _batches(ids, ROWS_AT_ONCE):
        with transaction.atomic(using=ALERTS):
            alerts, detections = _rows(album, some_ids)
            changed_alerts = AlertFacts.objects.filter(pk__in=alerts).update(**values)
            if "mark" in values:
                _teach(alerts, values["mark"], user)
            changed_detections = DetectFacts.objects.filter(pk__in=detections).update(**values)
        if "reviewed_utc" in values:
            reviewers.note(alerts, user, is_reviewed=values["reviewed_utc"] is not None)
        count += changed_detections if album is Album.PEOPLE else changed_alerts
    log.info("pictures_marked", user=user, album=album.value, count=count, **values)
    return count


def _teach(alerts: Sequence[int], mark: str | None, user: str) -> None:
    """Let the next pictures of a camera know what was marked; without Django, as the service has it."""
    connection = connections[ALERTS].connection
    with connections[ALERTS].wrap_database_errors:
        count = learned.take_mark(connection, alerts, mark, user, time.time())
    if count:
        log.info("objects_changed", user=user, count=count, mark=mark)


def _rows(album: Album, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the alerts and the detections that belong to some pictures; deleted ones are left out."""
    pairs = _pairs(album, ids)
    return [alert for alert, _ in pairs if alert is not None], [detect for _, detect in pairs if detect is not None]


def _pairs(album: Album, ids: Sequence[int]) -> list[tuple[int | None, int | None]]:
    return list(FACTS[album].objects.filter(pk__in=ids).values_list("alert_id", "detect_id"))


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
