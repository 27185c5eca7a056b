"""Read what the notifier works from: due messages, their pictures, the states of cameras. Nothing is written here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from camalert import identity
from camalert.config.objects import PERSON, listed
from camalert.notify.homeassistant import MOST_CAMERAS, CameraState
from camalert.notify.message import Lost, Row, id_of
from camalert.store.rows import switches
from camalert.store.rows.outbox import DIGEST_VISITS, visits_between
from camalert.visits import digest
from camalert.visits.digest import Digest
from camalert.visits.policy import Switches, Target, matches

MOST_ROWS = 1000  # of one target at a time: all that may wait, so that an outage ends in one message
BOXES = 16
NOT_A_PERSON = "not a person"  # a mark of the review site

_DUE = (
    "SELECT o.id, o.key, o.event, o.camera, o.at_utc, o.created_utc, o.tries, o.visit, o.alert, o.score, o.priority,"
    " o.message, o.since_utc, v.pictures, v.people, v.began_utc, v.last_utc, f.people, v.objects FROM camalert_outbox o"
    " LEFT JOIN camalert_visit v ON v.id = o.visit LEFT JOIN camalert_alert f ON f.alert_id = o.alert"
    " WHERE o.target = ? AND o.state = 'waiting' AND o.due_utc <= ? ORDER BY o.id LIMIT ?"
)

# `Person` is about people alone, whatever else a camera asks for; what was seen last is what it says.
_OF_PEOPLE = "(v.objects IS NULL OR instr(v.objects, 'person'))"
_STATES = (
    f"SELECT l.camera, max(CASE WHEN {_OF_PEOPLE} THEN v.last_utc END), l.best_score,"  # noqa: S608 - constants
    f" sum(v.state = 'open' AND {_OF_PEOPLE}), sum(v.began_utc >= ?1),"
    " sum(CASE WHEN v.began_utc >= ?1 THEN v.people ELSE 0 END), l.objects FROM camalert_visit v"
    " JOIN (SELECT known_as, camera, max(last_utc) AS last_utc, best_score, objects FROM camalert_visit"
    " GROUP BY known_as) l ON l.known_as = v.known_as GROUP BY v.known_as ORDER BY l.last_utc DESC LIMIT ?2"
)


def due(connection: sqlite3.Connection, target: str, now_utc: float, but: frozenset[int]) -> list[Row]:
    """Return the messages that a target is to get now, oldest first, without those whose result is on its way."""
    rows = connection.execute(_DUE, (target, now_utc, MOST_ROWS + len(but))).fetchall()
    return [_row(row) for row in rows if row[0] not in but][:MOST_ROWS]


def _row(row: Sequence[object]) -> Row:
    (own, key, kind, camera, at_utc, created_utc, tries, visit, alert, score, priority, message,
     since_utc, pictures, people, began_utc, last_utc, boxes, seen) = row  # fmt: skip
    return Row(
        id=_whole(own), key=id_of(str(key), _real(created_utc)), kind=str(kind), camera=str(camera or ""),
        at_utc=_real(at_utc), created_utc=_real(created_utc), tries=_whole(tries), visit=_whole(visit),
        alert=_whole(alert), score=_real(score), priority=str(priority or "normal"), message=str(message or ""),
        since_utc=_real(since_utc), pictures=_whole(pictures), people=_whole(people), began_utc=_real(began_utc),
        last_utc=_real(last_utc), boxes=_boxes(boxes), objects=listed(str(seen or "").split(",")) or PERSON,
    )  # fmt: skip


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _real(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _boxes(text: object) -> tuple[dict[str, float], ...]:
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except ValueError:
        return ()
    boxes = found if isinstance(found, list) else []
    return tuple(box for box in boxes[:BOXES] if isinstance(box, dict))


def next_due_utc(connection: sqlite3.Connection, target: str, but: frozenset[int]) -> float | None:
    """Return when a target's next message is due, apart from those whose result is on its way; None without one."""
    rows = connection.execute(
        "SELECT id, due_utc FROM camalert_outbox WHERE target = ? AND state = 'waiting' ORDER BY due_utc LIMIT ?",
        (target, len(but) + 1),
    )
    return next((float(due_utc) for own, due_utc in rows if own not in but and due_utc is not None), None)


def unanswered(connection: sqlite3.Connection, tries: dict[int, int]) -> set[int]:
    """Return which messages still stand as they did before a try whose result was reported.

    Args:
        connection: Where.
        tries: By id: how many tries the row had before.
    """
    marks = ",".join("?" * len(tries))
    rows = connection.execute(
        f"SELECT id, tries FROM camalert_outbox WHERE state = 'waiting' AND id IN ({marks})",  # noqa: S608 - marks
        tuple(tries),
    ).fetchall()
    return {own for own, count in rows if count <= tries[own]}


def lost(connection: sqlite3.Connection, target: str) -> Lost | None:
    """Return what was given up since the last message that a target got."""
    count, first_utc, last_utc = connection.execute(
        "SELECT count(*), min(at_utc), max(at_utc) FROM camalert_outbox WHERE target = ? AND state = 'given_up'"
        " AND event <> 'test'"
        " AND created_utc > coalesce((SELECT max(created_utc) FROM camalert_outbox WHERE target = ?"
        " AND state = 'sent'), 0)",
        (target, target),
    ).fetchone()
    return Lost(count, first_utc, last_utc) if count else None


def digest_of(connection: sqlite3.Connection, rows: Sequence[Row], target: Target, silent: Iterable[str]) -> Digest:
    """Return what a digest says, of several the one that covers the time of all.

    Args:
        connection: Where.
        rows: Of digests.
        target: Whose they are.
        silent: The cameras that are silent now.
    """
    since_utc, until_utc = min(row.since_utc for row in rows), max(row.at_utc for row in rows)
    visits = visits_between(connection, target, since_utc, until_utc)
    marked = connection.execute(
        "SELECT alert_id, camera FROM camalert_alert WHERE mark = ? AND received_utc > ? AND received_utc <= ? LIMIT ?",
        (NOT_A_PERSON, since_utc, until_utc, DIGEST_VISITS),
    ).fetchall()
    meant = [(alert, camera) for alert, camera in marked if not target.cameras or matches(camera, target.cameras)]
    return digest.gather(
        visits,
        {alert for alert, _ in meant},
        since_utc=since_utc,
        until_utc=until_utc,
        silent=tuple(name for name in silent if not target.cameras or matches(name, target.cameras)),
        false_alarms=len(meant),
        is_whole=len(visits) < DIGEST_VISITS,
    )


def picture(connection: sqlite3.Connection, alert: int, most_bytes: int) -> bytes:
    """Return the marked picture of an alert, b"" when there is none any more."""
    row = connection.execute(
        "SELECT d.snapshot FROM camalert_alert f JOIN alerts_detect d ON d.id = f.detect_id"
        " WHERE f.alert_id = ? AND length(d.snapshot) <= ?",
        (alert, most_bytes),
    ).fetchone()
    return bytes(row[0]) if row else b""


def camera_states(
    connection: sqlite3.Connection, configured: Iterable[str], midnight_utc: float, switched: Switches, now_utc: float
) -> list[CameraState]:
    """Return the states of the configured cameras and of those that have had visits, the latest first.

    Args:
        connection: Where.
        configured: Names of the configuration.
        midnight_utc: When today began.
        switched: As it is now.
        now_utc: Seconds since 1970.
    """
    rows = connection.execute(
        _STATES,
        (midnight_utc, MOST_CAMERAS),
    ).fetchall()
    names = {identity.key(name): name for name in configured}
    found: dict[str, CameraState] = {}
    for camera, last_utc, score, is_open, visits, people, seen in rows:
        name = names.get(identity.key(camera), camera)
        state = CameraState(
            name, bool(is_open), score, last_utc, visits, people, objects=listed((seen or PERSON).split(","))
        )
        found[identity.key(camera)] = _switched(state, switched, now_utc)
    for own, name in names.items():
        found.setdefault(own, _switched(CameraState(name), switched, now_utc))
    return [state for state in found.values() if state.name][:MOST_CAMERAS]


def _switched(state: CameraState, switched: Switches, now_utc: float) -> CameraState:
    snooze = switched.snooze_of(state.name, now_utc)
    return replace(
        state,
        is_armed=switched.is_armed(state.name),
        snoozed_until_utc=None if snooze is None else snooze[0],
    )


def switched(connection: sqlite3.Connection, now_utc: float) -> Switches:
    """Return what is switched now."""
    return switches.read(connection, now_utc)


@dataclass(frozen=True, slots=True)
class Record:
    """How a target has fared."""

    waiting: int
    sent_utc: float | None
    problem: str  # of the latest message that was tried and not sent, "" when a later one was


def record_of(connection: sqlite3.Connection, target: str) -> Record:
    """Return how a target has fared."""
    waiting, sent_utc, sent_id = connection.execute(
        "SELECT sum(state = 'waiting'), max(sent_utc), max(CASE WHEN state = 'sent' THEN id END)"
        " FROM camalert_outbox WHERE target = ?",
        (target,),
    ).fetchone()
    failed = connection.execute(
        "SELECT reason FROM camalert_outbox WHERE target = ? AND state IN ('waiting', 'given_up') AND tries > 0"
        " AND id > ? ORDER BY id DESC LIMIT 1",
        (target, sent_id or 0),
    ).fetchone()
    return Record(waiting or 0, sent_utc, str(failed[0] or "") if failed else "")
