"""The rows of visits: a verdict's own transaction lets its picture join one; rows from before are joined in upkeep.

A visit says what was seen: its counts stay when pictures of it are deleted. Its best picture is always one that is
there, and when the last one goes, so does the visit (`tables.LEAVING`); so there are never more visits than alerts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from camalert.config import schema as config
from camalert.config.objects import PERSON
from camalert.store.interface import Rows
from camalert.store.queue import CLIP_BASE, known_as
from camalert.store.rows import outbox, retention
from camalert.store.rows.tables import day_of
from camalert.visits.grouping import Sighting, Visit, chosen, join, overlapping
from camalert.visits.policy import Target

OLD_ROWS_A_STEP = 64  # 4 ms (measured)
OVER_A_STEP = 64

# The planner would take the index of outcomes, and walk through all that have a visit.
OLD_ROWS = (
    "SELECT alert_id, camera, coalesce(taken_utc, received_utc, 0.0), coalesce(received_utc, taken_utc, 0.0), people,"
    " coalesce(best_score, 0.0) FROM camalert_alert INDEXED BY camalert_alert_unvisited"
    " WHERE outcome = 'person' AND visit IS NULL ORDER BY alert_id DESC LIMIT ?"
)
_COLUMNS = "camera, began_utc, last_utc, heard_utc, pictures, people, best_alert, best_score, objects"


def take(connection: Rows, sighting: Sighting, settings: config.Visits, zone: str, *, is_new: bool = True) -> Visit:
    """Let a picture join its visit, which is made if there is none, and note it in the picture's row.

    Args:
        connection: Inside a transaction.
        sighting: The picture.
        settings: What is one visit.
        zone: `local` or `utc`, of the sums by day.
        is_new: Whether its verdict is new; a visit made of old rows alone is over already.
    """
    found = list(_near(connection, sighting, settings.gap_seconds))
    own = {visit.id for visit in chosen(sighting, [visit for visit, _ in found], settings.longest_seconds)}
    near = [(visit, is_open) for visit, is_open in found if visit.id in own]
    visit = join(sighting, [one for one, _ in near])
    state = "open" if is_new or any(is_open for _, is_open in near) else "over"
    if visit.id:
        _update(connection, visit, state)
    else:
        made = connection.execute(
            f"INSERT INTO camalert_visit ({_COLUMNS}, state, known_as) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*_values(visit), state, known_as(visit.camera)),
        ).lastrowid
        assert made is not None  # noqa: S101 - set by every INSERT
        visit = replace(visit, id=made)
        _count(connection, visit, zone, 1)
    for other, _ in near:
        if other.id != visit.id:
            _absorb(connection, visit, other, zone)
    connection.execute("UPDATE camalert_alert SET visit = ? WHERE alert_id = ?", (visit.id, sighting.alert_id))
    return visit


def regroup(connection: Rows, camera: str, gap_s: float, zone: str) -> int:
    """Make one of visits of a camera that overlap, because it was two; return how many are fewer.

    A visit that gets pictures of a picture's time in between would be one too, had all come from one camera.
    """
    rows = connection.execute(
        f"SELECT id, {_COLUMNS}, state = 'open' FROM camalert_visit WHERE known_as = ?", (known_as(camera),)
    ).fetchall()
    are_open = {row[0] for row in rows if row[-1]}
    fewer = 0
    for visit, parts in overlapping([Visit(*row[:-1]) for row in rows], gap_s):
        state = "open" if any(part.id in are_open for part in parts) else "over"
        _update(connection, visit, state)
        for other in parts:
            if other.id != visit.id:
                _absorb(connection, visit, other, zone)
                fewer += 1
    return fewer


def _values(visit: Visit) -> tuple[object, ...]:
    """Return what goes into `_COLUMNS`."""
    return (
        visit.camera, visit.began_utc, visit.last_utc, visit.heard_utc, visit.pictures, visit.people, visit.best_alert,
        visit.best_score, visit.objects,
    )  # fmt: skip


def _update(connection: Rows, visit: Visit, state: str) -> None:
    connection.execute(
        f"UPDATE camalert_visit SET ({_COLUMNS}, state) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
        (*_values(visit), state, visit.id),
    )


def _absorb(connection: Rows, visit: Visit, other: Visit, zone: str) -> None:
    """Let the rows of a visit become those of another."""
    connection.execute("UPDATE camalert_alert SET visit = ? WHERE visit = ?", (visit.id, other.id))
    connection.execute("UPDATE camalert_outbox SET visit = ? WHERE visit = ?", (visit.id, other.id))
    connection.execute("DELETE FROM camalert_visit WHERE id = ?", (other.id,))
    _count(connection, other, zone, -1)


def _near(connection: Rows, sighting: Sighting, gap_s: float) -> Iterator[tuple[Visit, bool]]:
    """Yield the visits that a picture belongs to, each with whether it is open. They never overlap."""
    rows = connection.execute(
        f"SELECT id, {_COLUMNS}, state = 'open' FROM camalert_visit WHERE known_as = ? AND last_utc >= ?"
        " ORDER BY last_utc",
        (known_as(sighting.camera), sighting.at_utc - gap_s),
    )
    for *columns, is_open in rows:
        visit = _visit(*columns)
        if not visit.is_near(sighting.at_utc, gap_s):
            return
        yield visit, bool(is_open)


def _visit(*columns: Any) -> Visit:
    """Return a row as a visit; those from before there were other things are of people."""
    visit = Visit(*columns)
    return visit if visit.objects else replace(visit, objects=PERSON)


def _count(connection: Rows, visit: Visit, zone: str, count: int) -> None:
    """Add to the visits of a day, or take one away that has become part of another."""
    day = day_of(visit.heard_utc, zone)
    connection.execute(
        "INSERT INTO camalert_day (day, camera, mails, alerts, detections, visits) VALUES (?, ?, 0, 0, 0, ?)"
        " ON CONFLICT (day, camera) DO UPDATE SET visits ="
        " CASE WHEN camalert_day.visits + ? > 0 THEN camalert_day.visits + ? ELSE 0 END",
        (day, retention.day_name(connection, day, visit.camera), max(0, count), count, count),
    )


def keep_up(
    connection: Rows, settings: config.Visits, zone: str, now_utc: float, targets: Sequence[Target] = ()
) -> int:
    """End what is over, and group some pictures from before there were visits; return how much was done."""
    ended = end(connection, settings.gap_seconds, now_utc, targets)
    return ended + of_old_rows(connection, settings, zone)


def of_old_rows(connection: Rows, settings: config.Visits, zone: str) -> int:
    """Let some pictures from before there were visits join theirs, the newest first; return how many."""
    rows = connection.execute(OLD_ROWS, (OLD_ROWS_A_STEP,)).fetchall()
    for alert_id, camera, at_utc, heard_utc, people, score in rows:
        sighting = Sighting(alert_id, camera, at_utc, heard_utc, _number(people), score)
        take(connection, sighting, settings, zone, is_new=False)
    return len(rows)


def _number(people: str | None) -> int:
    """Return how many people a row's JSON has, 1 when somebody has spoilt it: the outcome says that there was one."""
    try:
        return max(1, len(json.loads(people or "[]")))
    except (ValueError, TypeError, RecursionError):
        return 1


def end(connection: Rows, gap_s: float, now_utc: float, targets: Sequence[Target] = ()) -> int:
    """End the visits of which nothing came for so long and nothing waits for its examination; return how many."""
    quiet = connection.execute(
        f"SELECT known_as, id, {_COLUMNS} FROM camalert_visit WHERE state = 'open' AND heard_utc < ?"
        " ORDER BY heard_utc LIMIT ?",
        (now_utc - gap_s, OVER_A_STEP),
    ).fetchall()
    if not quiet:
        return 0
    waiting: dict[str, float] = {}  # since when, by camera
    for camera, since_utc in connection.execute(
        "SELECT coalesce(a.camera, m.camera, ''), min(coalesce(a.received_utc, m.received_utc, 0.0))"
        " FROM camalert_pending p LEFT JOIN camalert_alert a ON a.alert_id = p.alert_id"
        " LEFT JOIN camalert_clip c ON c.id = p.alert_id - ? LEFT JOIN camalert_mail m ON m.id = c.mail GROUP BY 1",
        (CLIP_BASE,),
    ):
        waiting[known_as(camera)] = min(since_utc, waiting.get(known_as(camera), since_utc))
    over = [
        visit
        for name, visit in ((row[0], _visit(*row[1:])) for row in quiet)
        if name not in waiting or waiting[name] > visit.heard_utc + gap_s
    ]
    connection.executemany("UPDATE camalert_visit SET state = 'over' WHERE id = ?", [(visit.id,) for visit in over])
    outbox.tell(connection, [outbox.over(visit) for visit in over], targets, now_utc)
    return len(over)
