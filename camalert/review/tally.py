"""How many alarms, people and visits there were: by hour of a day, by day, by camera. Read from the indices alone.

Every query is bounded by what retention keeps of the rows, and most by a day or a month of them.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

from django.db import connections

from camalert import identity
from camalert.review.alerts.models import FACTS, SeenCamera
from camalert.review.glance import Sum
from camalert.review.selection import UNNAMED, Album
from camalert.review.settings import ALERTS

DAYS = 400  # of the scrubber
MARKED = 20_000
_DAY = datetime.timedelta(days=1)


def of_day(day: datetime.date) -> list[Sum]:
    """Return what each camera sent in each hour of a local day."""
    span = (str(day), str(day + _DAY))
    alarms = _ask(
        "SELECT camera, CAST(substr(timestamp, 12, 2) AS INTEGER) AS hour, count(*), 0 FROM camalert_alert"
        " WHERE timestamp >= %s AND timestamp < %s GROUP BY camera, hour",
        *span,
    )
    people = _ask(
        "SELECT camera, CAST(substr(timestamp, 12, 2) AS INTEGER) AS hour, 0, count(*) FROM camalert_detect"
        " WHERE timestamp >= %s AND timestamp < %s GROUP BY camera, hour",
        *span,
    )
    found: dict[tuple[str, int], list[int]] = {}
    for camera, hour, count, with_people in (*alarms, *people):
        sums = found.setdefault((camera, hour), [0, 0])
        sums[0] += count
        sums[1] += with_people
    return [Sum(camera, hour, *sums) for (camera, hour), sums in found.items()]


def of_days(days: Sequence[datetime.date]) -> list[tuple[int, bool, bool]]:
    """Return for each local day how many visits began in it, and whether it has people and any alarms."""
    marks = ", ".join(["(%s, %s, %s, %s)"] * len(days))
    values = [
        value for day in days for value in (str(day), str(day + _DAY), _midnight_utc(day), _midnight_utc(day + _DAY))
    ]
    rows = _ask(
        f"WITH days (day, after, since_utc, until_utc) AS (VALUES {marks}) SELECT"  # noqa: S608 - marks only
        " (SELECT count(*) FROM camalert_visit WHERE began_utc >= since_utc AND began_utc < until_utc),"
        " EXISTS (SELECT 1 FROM camalert_detect WHERE timestamp >= day AND timestamp < after),"
        " EXISTS (SELECT 1 FROM camalert_alert WHERE timestamp >= day AND timestamp < after) FROM days",
        *values,
    )
    return [(visits, bool(has_people), bool(has_alarms)) for visits, has_people, has_alarms in rows]


def days_with_rows(album: Album, camera: str = "") -> list[str]:
    """Return the days that have rows of an album, newest first, at most `DAYS`; of one camera, or of all."""
    table = FACTS[album]._meta.db_table
    names: list[str | None] = [None]
    if camera:
        key = identity.key("" if camera == UNNAMED else camera)
        seen = SeenCamera.objects.values_list("name", flat=True)
        names = list({"" if camera == UNNAMED else camera, *(name for name in seen if identity.key(name) == key)})
    days: set[str] = set()
    for name in names:
        # From day to day by the index, however many rows a day has.
        own, values = ("", []) if name is None else ("camera = %s AND", [name])
        condition = own.removesuffix(" AND")
        rows = _ask(
            f"WITH RECURSIVE found (at) AS (SELECT max(timestamp) FROM {table} {condition and 'WHERE ' + condition}"  # noqa: S608 - a model's table
            f" UNION ALL SELECT (SELECT max(timestamp) FROM {table} WHERE {own} timestamp < substr(found.at, 1, 10))"
            f" FROM found WHERE found.at IS NOT NULL LIMIT {DAYS + 1}) SELECT substr(at, 1, 10) FROM found"
            " WHERE at IS NOT NULL",
            *values, *values,
        )  # fmt: skip
        days.update(day for (day,) in rows if _is_day(day))
    return sorted(days, reverse=True)[:DAYS]


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _midnight_utc(day: datetime.date) -> float:
    return datetime.datetime.combine(day, datetime.time()).timestamp()


def _ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections[ALERTS].cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def of_hours(days: Sequence[datetime.date], cameras: Sequence[str]) -> list[Sum]:
    """Return what cameras sent in each hour of some days together: a look into the index for each hour of each day."""
    values = (
        json.dumps(list(cameras)),
        json.dumps([str(day) for day in days]),
        json.dumps([f" {hour:02}:" for hour in range(24)]),
    )
    found: dict[tuple[str, int], list[int]] = {}
    for place, table in enumerate(("camalert_alert", "camalert_detect")):
        rows = _ask(
            f"SELECT cameras.value, hours.key, sum((SELECT count(*) FROM {table} facts"  # noqa: S608 - one of two
            "  WHERE facts.camera = cameras.value AND timestamp >= days.value || hours.value"
            "  AND timestamp < days.value || hours.value || ';'))"
            " FROM json_each(%s) cameras, json_each(%s) days, json_each(%s) hours GROUP BY 1, 2",
            *values,
        )
        for camera, hour, count in rows:
            found.setdefault((camera, hour), [0, 0])[place] += count
    return [Sum(camera, hour, *sums) for (camera, hour), sums in found.items() if any(sums)]


def marked(mark: str) -> dict[str, int]:
    """Return how many pictures have a mark, by camera, among the newest `MARKED` of them."""
    # The plus keeps SQLite from walking through all rows by the index of cameras.
    rows = _ask(
        "SELECT camera, count(*) FROM (SELECT camera FROM camalert_alert WHERE mark = %s AND mark IS NOT NULL"  # noqa: S608 - a number
        f" ORDER BY timestamp DESC, alert_id DESC LIMIT {MARKED}) GROUP BY +camera",
        mark,
    )
    return dict(rows)


def kept() -> dict[str, tuple[int, int | None, str]]:
    """Return for each of the two tables how many rows there are, how many are kept, and the oldest's time."""
    rows = _ask(
        "SELECT name, rows, keep, coalesce(CASE name WHEN 'alerts_alert' THEN"
        " (SELECT min(timestamp) FROM camalert_alert)"
        " ELSE (SELECT min(timestamp) FROM camalert_detect) END, '') FROM camalert_rows"
        " WHERE name IN ('alerts_alert', 'alerts_detect')"
    )
    return {name: (count, keep, oldest) for name, count, keep, oldest in rows}
