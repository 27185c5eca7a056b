"""Who has looked at which picture, and when.

A picture is reviewed once for the whole household: *To review* is one list, shared by all, so that nobody looks at what
somebody else has seen. Beside it is kept, in the site's own database, each person who said so.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Max

from camalert.review.accounts.models import Reviewed
from camalert.review.alerts.models import AlertFacts
from camalert.review.formats import local_time

ROWS_KEPT = 200_000  # the newest; about 20 MB


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One person who has looked at some pictures."""

    name: str
    at: str  # local time, of the latest
    pictures: int


def note(alerts: Sequence[int], name: str, *, is_reviewed: bool) -> None:
    """Note that somebody has reviewed pictures; those to review again are nobody's."""
    if not is_reviewed:
        Reviewed.objects.filter(alert__in=alerts).delete()
        return
    now = time.time()
    rows = [Reviewed(alert=alert, name=name[:150], at=now) for alert in alerts]
    Reviewed.objects.bulk_create(rows, update_conflicts=True, unique_fields=["alert", "name"], update_fields=["at"])
    newest = Reviewed.objects.aggregate(Max("pk"))["pk__max"] or 0
    Reviewed.objects.filter(pk__lte=newest - ROWS_KEPT).delete()


def of(alerts: Sequence[int]) -> list[Reviewer]:
    """Return who has reviewed some of these pictures, the latest first.

    Somebody who looked before a picture was received saw another one of its id, of before a database was restored.
    """
    received = dict(AlertFacts.objects.filter(pk__in=alerts).values_list("pk", "received_utc"))
    found: dict[str, list[float]] = defaultdict(list)
    for alert, name, at in Reviewed.objects.filter(alert__in=received).values_list("alert", "name", "at"):
        if at >= (received[alert] or 0.0):
            found[name].append(at)
    people = sorted(found.items(), key=lambda each: (-max(each[1]), each[0]))
    return [Reviewer(name, local_time(max(times)), len(times)) for name, times in people]


def by(alerts: Sequence[int]) -> list[dict[str, str]]:
    """Return the same as programs get it."""
    return [{"name": each.name, "at": each.at} for each in of(alerts)]
