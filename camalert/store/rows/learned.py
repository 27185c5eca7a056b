"""What is known of each camera: the objects that are no people, and where somebody was missed.

A verdict's own transaction notes what was seen, and a mark's own transaction what somebody said; the next picture of
the camera takes both along (`memory`). `detection.known` decides, here are the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from camalert.config.schema import Learn
from camalert.detection import known, thresholds
from camalert.detection.known import MOST_OF_ALL, MOST_OF_CAMERA, Kind, Known, Place, Sightings
from camalert.detection.thresholds import Judged
from camalert.ipc.records import FrameRecord
from camalert.store.interface import Rows
from camalert.store.queue import known_as

NOT_A_PERSON, MISSED = "not a person", "missed a person"  # as a mark stands in the tables
JUDGED_MOST, JUDGED_AMONG = 500, 2000  # pictures that a threshold is proposed from, among the newest
OBJECTS_LISTED = 500
_KNOWN = "id, kind, x, y, width, height, look, needs"
_SEEN = "first_utc, last_utc, moments, moment_utc"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a picture's record takes along of its camera."""

    known: str = ""  # as `known.packed`
    missed: tuple[float, ...] = ()


NOTHING = Memory()


@dataclass(frozen=True, slots=True)
class Static:
    """That an object stops counting, for the log."""

    camera: str
    object_id: int
    message: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as people see it."""

    id: int
    camera: str
    kind: str
    place: Place
    seen: Sightings
    alert_id: int  # the newest picture that shows it, while that is there; else 0
    by: str  # who marked it


def memory(connection: Rows, camera: str, settings: Learn) -> Memory:
    """Return what is known of a camera."""
    own = known_as(camera)
    rows = connection.execute(f"SELECT {_KNOWN} FROM camalert_known WHERE known_as = ? ORDER BY last_utc DESC", (own,))
    wanted = [one for row in rows if (one := _known(row)) is not None and _is_wanted(one.kind, settings)]
    missed: tuple[float, ...] = ()
    if settings.threshold:
        missed = tuple(
            score
            for (score,) in connection.execute(
                "SELECT best_score FROM camalert_alert WHERE camera = ? AND mark = 'missed a person'"
                " AND best_score BETWEEN 0 AND 1 ORDER BY best_score DESC LIMIT ?",
                (camera, thresholds.MISSED_MOST),
            )
        )
    return Memory(known.packed(wanted) if wanted else "", missed)


def _is_wanted(kind: Kind, settings: Learn) -> bool:
    return settings.marks if kind is Kind.MARKED else settings.static_sightings > 0


def _known(row: Sequence[object]) -> Known | None:
    """Return the object of a row, None when another program has spoilt it."""
    own, kind, x, y, width, height, look, needs = row
    try:
        sides = tuple(float(side) for side in (x, y, width, height))  # type: ignore[arg-type]
        found = Known(int(own), Kind(kind), Place(*sides), bytes(look), float(needs))  # type: ignore[call-overload, arg-type]
    except (TypeError, ValueError):
        return None
    is_sound = len(found.look) == known.LOOK_BYTES and all(0 <= side <= 1 for side in sides) and 0 < found.needs <= 1
    return found if is_sound else None


# --- what is seen -----------------------------------------------------------------------------------------------------


def note(connection: Rows, alert_id: int, record: FrameRecord, settings: Learn, now_utc: float) -> list[Static]:
    """Note what a verdict says of objects; return those that stop counting from now on.

    Args:
        connection: Inside the verdict's transaction.
        alert_id: The picture's.
        record: The verdict's.
        settings: What is to be learned.
        now_utc: When it was concluded, for a row without a time of its own.
    """
    if not (record.people or record.left_out):
        return []
    camera, at_utc = connection.execute(
        "SELECT camera, coalesce(received_utc, ?) FROM camalert_alert WHERE alert_id = ?", (now_utc, alert_id)
    ).fetchone()
    own = known_as(camera)
    seen = [one.known for one in record.left_out if one.known] + [one.known for one in record.people if one.known]
    found = [_see(connection, object_id, own, (alert_id, at_utc), settings) for object_id in dict.fromkeys(seen)]
    if settings.static_sightings and record.width_px and record.height_px:
        for person in record.people:
            if not person.known and (look := known.read(person.look)):
                sides = person.x, person.y, person.width, person.height
                place = _place(sides, record.width_px, record.height_px)
                _add(connection, camera, Kind.WATCHED, place, look, alert_id=alert_id, at_utc=at_utc)
    return [one for one in found if one is not None]


def _see(connection: Rows, object_id: int, own: str, where: tuple[int, float], settings: Learn) -> Static | None:
    """Note a sighting of an object; return it when that makes it static."""
    alert_id, at_utc = where
    row = connection.execute(
        f"SELECT kind, camera, {_SEEN} FROM camalert_known WHERE id = ? AND known_as = ?", (object_id, own)
    ).fetchone()
    if row is None:  # forgotten meanwhile; or a detector says what it likes
        return None
    kind, camera, *times = row
    seen = Sightings(*times).after(at_utc)
    becomes = kind == Kind.WATCHED.value and seen.is_static(settings.static_sightings, settings.static_hours)
    if becomes:
        kind = Kind.STATIC.value
        _make_room(connection, own, Kind.STATIC)
    connection.execute(
        f"UPDATE camalert_known SET (kind, alert, {_SEEN}) = (?, CASE WHEN alert > ? THEN alert ELSE ? END, ?, ?, ?, ?)"
        " WHERE id = ?",
        (kind, alert_id, alert_id, seen.first_utc, seen.last_utc, seen.moments, seen.moment_utc, object_id),
    )
    if not becomes:
        return None
    hours = (seen.moment_utc - seen.first_utc) / 3600
    what = f"seen at {seen.moments} moments over {hours:.0f} hours in one place with one look"
    return Static(camera, object_id, f"known object {object_id} is static and stops counting: {what}")


def _place(sides: Sequence[int], width_px: int, height_px: int) -> Place:
    x, y, width, height = sides
    return Place(
        min(1.0, x / width_px), min(1.0, y / height_px), min(1.0, width / width_px), min(1.0, height / height_px)
    )


def _add(  # noqa: PLR0913 - a row
    connection: Rows,
    camera: str,
    kind: Kind,
    place: Place,
    look: bytes,
    *,
    alert_id: int,
    at_utc: float,
    mark: int = 0,
    by: str = "",
) -> None:
    own = known_as(camera)
    _forget_old(connection, at_utc)
    _make_room(connection, own, kind)
    connection.execute(
        "INSERT INTO camalert_known (camera, known_as, kind, x, y, width, height, look, needs, first_utc, last_utc,"
        ' moments, moment_utc, alert, mark, "by") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)',
        (camera, own, kind.value, place.x, place.y, place.width, place.height, look, known.LIKE, at_utc, at_utc,
         at_utc, alert_id, mark, by),
    )  # fmt: skip


def _forget_old(connection: Rows, now_utc: float) -> None:
    """Forget what was not seen for so long that it is not there any more; a mark is never too old."""
    for kind, age_s in ((Kind.WATCHED, known.WATCHED_S), (Kind.STATIC, known.STATIC_S)):
        connection.execute("DELETE FROM camalert_known WHERE kind = ? AND last_utc < ?", (kind.value, now_utc - age_s))


def _make_room(connection: Rows, own: str, kind: Kind) -> None:
    """Let objects of a kind give way, so that there is place for one more of a camera, and in all."""
    for where, values, most in (
        ("known_as = ? AND kind = ?", (own, kind.value), MOST_OF_CAMERA[kind]),
        ("kind = ?", (kind.value,), MOST_OF_ALL[kind]),
    ):
        (count,) = connection.execute(f"SELECT count(*) FROM camalert_known WHERE {where}", values).fetchone()
        if count < most:
            continue
        rows = connection.execute(f"SELECT id, moments, last_utc FROM camalert_known WHERE {where}", values).fetchall()
        gone = known.giving_way(rows, most)
        connection.executemany("DELETE FROM camalert_known WHERE id = ?", [(row_id,) for row_id in gone])


# --- what is said -----------------------------------------------------------------------------------------------------


def take_mark(connection: Rows, alert_ids: Sequence[int], mark: str | None, by: str, now_utc: float) -> int:
    """Learn from a mark, or forget what was learned from one that is taken back; return how many objects changed.

    Args:
        connection: Inside the mark's transaction.
        alert_ids: The pictures that get it.
        mark: `NOT_A_PERSON`, `MISSED` or None.
        by: Who says so.
        now_utc: When.
    """
    changed = 0
    for alert_id in alert_ids:
        changed += _unmark(connection, alert_id)
        if mark == NOT_A_PERSON:
            changed += _mark(connection, alert_id, by, now_utc)
        elif mark == MISSED:
            changed += _doubt(connection, alert_id)
    return changed


def _unmark(connection: Rows, alert_id: int) -> int:
    return connection.execute("DELETE FROM camalert_known WHERE mark = ?", (alert_id,)).rowcount


def _mark(connection: Rows, alert_id: int, by: str, now_utc: float) -> int:
    """Make what counted in a picture known as no person, and who was uncertain beside it.

    What counted comes last, so that of too many it is not what gives way.
    """
    row = connection.execute(
        "SELECT camera, people, uncounted, width_px, height_px FROM camalert_alert WHERE alert_id = ?", (alert_id,)
    ).fetchone()
    if row is None:
        return 0
    camera, people, uncounted, width_px, height_px = row
    count = 0
    for person in (*_boxes(uncounted), *_boxes(people)):
        look = known.read(str(person.get("look", "")))
        try:
            sides = [int(person[name]) for name in ("x", "y", "width", "height")]
        except (KeyError, TypeError, ValueError):
            continue
        if look and width_px and height_px and min(sides) >= 0:
            place = _place(sides, width_px, height_px)
            _add(connection, camera, Kind.MARKED, place, look, alert_id=alert_id, at_utc=now_utc, mark=alert_id, by=by)
            count += 1
    return count


def _doubt(connection: Rows, alert_id: int) -> int:
    """Doubt the objects that did not count in a picture in which somebody was missed.

    What was only thought to be static is forgotten; what somebody marked must be more alike from then on.
    """
    row = connection.execute("SELECT left_out FROM camalert_alert WHERE alert_id = ?", (alert_id,)).fetchone()
    changed = 0
    for left_out in _boxes(row[0] if row else None):
        object_id, seen = left_out.get("known"), left_out.get("likeness")
        if not isinstance(object_id, int) or not isinstance(seen, (int, float)):
            continue
        found = connection.execute("SELECT kind, needs FROM camalert_known WHERE id = ?", (object_id,)).fetchone()
        if found is None:
            continue
        if found[0] == Kind.MARKED.value:
            needs = known.stricter(found[1], seen)
            connection.execute("UPDATE camalert_known SET needs = ? WHERE id = ?", (needs, object_id))
        else:
            connection.execute("DELETE FROM camalert_known WHERE id = ?", (object_id,))
        changed += 1
    return changed


def forget(connection: Rows, object_id: int) -> str | None:
    """Forget an object, so that it counts again; return its camera, None when there is no such object."""
    row = connection.execute("DELETE FROM camalert_known WHERE id = ? RETURNING camera", (object_id,)).fetchone()
    return None if row is None else str(row[0])


def listed(connection: Rows, camera: str | None = None) -> list[Listed]:
    """Return the objects that do not count, of a camera or of all, those seen last first."""
    where, values = ("", ()) if camera is None else (" AND k.known_as = ?", (known_as(camera),))
    rows = connection.execute(
        f'SELECT k.id, k.camera, k.kind, k.x, k.y, k.width, k.height, {_SEEN}, coalesce(a.alert_id, 0), k."by"'
        " FROM camalert_known k LEFT JOIN camalert_alert a ON a.alert_id = k.alert"
        f" WHERE k.kind <> 'watched'{where} ORDER BY k.last_utc DESC, k.id DESC LIMIT ?",
        (*values, OBJECTS_LISTED),
    )
    return [
        Listed(own, name, kind, Place(*sides), Sightings(*times), alert_id, by)
        for own, name, kind, *rest in rows
        for sides, times, (alert_id, by) in [(rest[:4], rest[4:8], rest[8:])]
    ]


def judged(connection: Rows, camera: str) -> list[Judged]:
    """Return what people said of a camera's pictures, the newest first: their marks, and what they reviewed.

    A false alarm that made a known object is left out: no threshold has to deal with it any more.
    """
    rows = connection.execute(
        "SELECT best_score, mark, outcome FROM (SELECT alert_id, best_score, mark, outcome, reviewed_utc, left_out"
        " FROM camalert_alert WHERE camera = ? ORDER BY timestamp DESC, alert_id DESC LIMIT ?) AS newest"
        " WHERE (reviewed_utc IS NOT NULL OR mark IS NOT NULL) AND outcome IN ('person', 'nobody')"
        " AND best_score BETWEEN 0 AND 1 AND left_out IS NULL"
        " AND alert_id NOT IN (SELECT mark FROM camalert_known) LIMIT ?",
        (camera, JUDGED_AMONG, JUDGED_MOST),
    )
    return [Judged(score, has_person=mark == MISSED if mark else outcome == "person") for score, mark, outcome in rows]


def _boxes(text: object) -> Iterable[dict[str, Any]]:
    """Return the boxes in a column's JSON, none when another program has spoilt it."""
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        return []
    return [box for box in found if isinstance(box, dict)] if isinstance(found, list) else []
