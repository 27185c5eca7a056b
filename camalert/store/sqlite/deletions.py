"""The bin: what people delete on the site stays restorable for a day.

The rows leave Django's two tables at once, so that for the original site and for every list they are deleted; their
pictures and facts move into `camalert_bin`, and back under the same ids, which nobody gets meanwhile: both tables count
on (AUTOINCREMENT). A clip stays where it is, under the negative of its alert's id. `retention.of_bin` empties it.

What is deleted by anybody else, retention among them, is deleted for good.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from camalert.store.queue import known_as
from camalert.store.rows.columns import neutral_values
from camalert.store.rows.names import named_now
from camalert.store.rows.tables import ALERTS, DETECTIONS, DjangoTable

UNEXAMINED = "it was deleted while it waited for its examination, and restored"


@dataclass(frozen=True, slots=True)
class Pair:
    """An alert, the detection made from it, or both."""

    alert_id: int | None
    detect_id: int | None


def put(connection: sqlite3.Connection, pairs: Iterable[Pair], by: str, now_utc: float, deletion: int = 0) -> int:
    """Move pictures into the bin; return the number of the deletion, by which they are restored together.

    Args:
        connection: Inside a transaction.
        pairs: The rows; those that are gone are left out.
        by: Who deletes them.
        now_utc: The time.
        deletion: The deletion that they are a part of; 0 for a new one.
    """
    for pair in pairs:
        alert = _facts(connection, ALERTS, pair.alert_id)
        detect = _facts(connection, DETECTIONS, pair.detect_id)
        known = alert or detect
        if known is None:
            continue
        sizes = [int(facts["bytes"]) for facts in (alert, detect) if facts]
        row_id = connection.execute(
            'INSERT INTO camalert_bin (deletion, deleted_utc, "by", subject, timestamp, camera, alert_id, detect_id,'
            " alert, detect, visit, holder, bytes, snapshot, marked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
            " (SELECT snapshot FROM alerts_alert WHERE id = ?), (SELECT snapshot FROM alerts_detect WHERE id = ?))",
            (
                deletion, now_utc, by, known["subject"], known["timestamp"], known["camera"],
                alert and alert["alert_id"], detect and detect["detect_id"], _json(alert), _json(detect),
                _json(_visit(connection, alert)), known["holder"], sum(sizes),
                alert and alert["alert_id"], detect and detect["detect_id"],
            ),
        ).lastrowid  # fmt: skip
        assert row_id is not None  # noqa: S101 - set by every INSERT
        if not deletion:
            deletion = row_id
            connection.execute("UPDATE camalert_bin SET deletion = id WHERE id = ?", (row_id,))
        if alert:
            connection.execute("UPDATE camalert_clip SET alert_id = -alert_id WHERE alert_id = ?", (alert["alert_id"],))
            connection.execute("DELETE FROM alerts_alert WHERE id = ?", (alert["alert_id"],))
        if detect:
            connection.execute("DELETE FROM alerts_detect WHERE id = ?", (detect["detect_id"],))
    return deletion


def restore(connection: sqlite3.Connection, ids: Sequence[int], gap_s: float) -> list[Pair]:
    """Move rows of the bin back to where they were; return those that it did.

    Args:
        connection: Inside a transaction.
        ids: Rows of the bin; those that are gone are left out.
        gap_s: The longest gap within a visit.
    """
    restored = []
    for row_id in ids:
        row = connection.execute(
            "SELECT alert_id, detect_id, alert, detect, visit, camera FROM camalert_bin WHERE id = ?", (row_id,)
        ).fetchone()
        if row is None:
            continue
        pair = Pair(row[0], row[1])
        camera = named_now(connection, row[5])  # it was renamed meanwhile perhaps
        alert, detect, visit = (json.loads(text) if text else None for text in row[2:5])
        if _is_taken(connection, ALERTS, pair.alert_id) or _is_taken(connection, DETECTIONS, pair.detect_id):
            continue  # another program has set the counters back
        if alert:
            examined = {} if alert["outcome"] or alert["mail"] is None else _unexamined()
            _insert(connection, ALERTS, row_id, alert | examined | {"camera": camera, "visit": None}, "snapshot")
            connection.execute(
                "UPDATE camalert_clip SET alert_id = -alert_id WHERE alert_id = ?", (-alert["alert_id"],)
            )
            if visit:
                _rejoin(connection, alert, visit | {"camera": camera, "known_as": known_as(camera)}, gap_s)
        if detect:
            _insert(connection, DETECTIONS, row_id, detect | {"camera": camera}, "marked")
        connection.execute("DELETE FROM camalert_bin WHERE id = ?", (row_id,))
        restored.append(pair)
    return restored


def remove(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Delete rows of the bin for good, inside a transaction; return how many."""
    return sum(connection.execute("DELETE FROM camalert_bin WHERE id = ?", (row_id,)).rowcount for row_id in ids)


def _json(facts: dict[str, Any] | None) -> str | None:
    return json.dumps(facts) if facts else None


def _unexamined() -> dict[str, str]:
    # The queue has passed it by, so that it would wait until the next start.
    return {"outcome": "unexamined", "reason": UNEXAMINED}


def _facts(connection: sqlite3.Connection, table: DjangoTable, row_id: int | None) -> dict[str, Any] | None:
    """Return the row of facts of a row that is there, without what is computed from it."""
    if row_id is None:
        return None
    names = _columns(connection, table.facts)
    listed = ", ".join(f"f.{name}" for name in names)
    row = connection.execute(
        f"SELECT {listed} FROM {table.facts} f JOIN {table.name} t ON t.id = f.{table.key} WHERE f.{table.key} = ?",
        (row_id,),
    ).fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def _columns(connection: sqlite3.Connection, name: str) -> list[str]:
    return [column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")]


def _visit(connection: sqlite3.Connection, alert: dict[str, Any] | None) -> dict[str, Any] | None:
    if alert is None or alert["visit"] is None:
        return None
    names = [name for name in _columns(connection, "camalert_visit") if name != "unreviewed"]  # that is counted anew
    row = connection.execute(
        f"SELECT {', '.join(names)} FROM camalert_visit WHERE id = ?", (alert["visit"],)
    ).fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def _is_taken(connection: sqlite3.Connection, table: DjangoTable, row_id: int | None) -> bool:
    return (
        row_id is not None
        and connection.execute(f"SELECT 1 FROM {table.name} WHERE id = ?", (row_id,)).fetchone() is not None
    )


def _insert(
    connection: sqlite3.Connection, table: DjangoTable, row_id: int, facts: dict[str, Any], content: str
) -> None:
    """Put a row back into one of Django's tables, and what is known of it into its row of facts."""
    names, values = neutral_values(connection, table)
    connection.execute(
        f"INSERT INTO {table.name} (id, subject, timestamp, snapshot{names})"
        f" SELECT ?, ?, ?, {content}{values} FROM camalert_bin WHERE id = ?",
        (facts[table.key], facts["subject"], facts["timestamp"], row_id),
    )
    known = set(_columns(connection, table.facts)) - {table.key, "subject", "timestamp", "bytes"}
    kept = {name: value for name, value in facts.items() if name in known}
    if (
        kept["holder"]
        and not connection.execute("SELECT 1 FROM camalert_holder WHERE id = ?", (kept["holder"],)).fetchone()
    ):
        kept["holder"] = 0
    connection.execute(
        f"UPDATE {table.facts} SET ({', '.join(kept)}) = ({', '.join('?' * len(kept))}) WHERE {table.key} = ?",
        (*kept.values(), facts[table.key]),
    )


def _rejoin(connection: sqlite3.Connection, alert: dict[str, Any], visit: dict[str, Any], gap_s: float) -> None:
    """Let a restored picture join the visit that it left, which is put back when it went with its last picture.

    When another visit has come near its place, the picture is left without one: upkeep lets it join, as it does rows
    from before there were visits.
    """
    alert_id, score = alert["alert_id"], alert["best_score"] or 0.0
    if connection.execute("SELECT 1 FROM camalert_visit WHERE id = ?", (visit["id"],)).fetchone() is None:
        near = connection.execute(
            "SELECT 1 FROM camalert_visit WHERE known_as = ? AND last_utc >= ? AND began_utc <= ?",
            (visit["known_as"], visit["began_utc"] - gap_s, visit["last_utc"] + gap_s),
        ).fetchone()
        if near:
            return
        values = visit | {"best_alert": alert_id, "best_score": score, "state": "over"}
        connection.execute(
            f"INSERT INTO camalert_visit ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )
    connection.execute("UPDATE camalert_alert SET visit = ? WHERE alert_id = ?", (visit["id"], alert_id))
    connection.execute(
        "UPDATE camalert_visit SET (best_alert, best_score) = (SELECT alert_id, coalesce(best_score, 0.0)"
        " FROM camalert_alert WHERE visit = ?1 ORDER BY best_score DESC, alert_id LIMIT 1) WHERE id = ?1",
        (visit["id"],),
    )
