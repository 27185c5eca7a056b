"""Write how an examination ended, exactly once.

Effects on a connection inside a transaction that the caller begins and commits. It begins with deleting the pending
row; if there is none, the owner deleted the alert or it is concluded already, and nothing is written.
"""

from __future__ import annotations

import enum
import json
import signal
import sqlite3
from dataclasses import asdict, dataclass

from camalert.messages import Outcome, Stage
from camalert.store import clock
from camalert.store.queue import Waiting
from camalert.store.tables import ALERTS, CLIP_BASE, DETECTIONS, Reviewed
from camalert.words import FrameWords

MAX_TRIES = 2  # a picture that two processes died of is not given to a third


class Ending(enum.Enum):
    """Say what became of a verdict."""

    WRITTEN = "written"
    AGAIN = "again"  # the picture stays pending for another try
    GONE = "gone"  # nothing was pending under this id


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an examination ended, taken out of its slot.

    `words` is None when the slot's words could not be trusted; `annotated` and `snapshot` (for a clip: the picture that
    becomes the alert's) are JPEG files, empty when there is none.
    """

    alert_id: int
    outcome: Outcome
    stage: Stage = Stage.DETECT
    tries: int = 0
    exit: int = 0
    words: FrameWords | None = None
    annotated: bytes = b""
    snapshot: bytes = b""

    @property
    def is_clip(self) -> bool:
        """Tell a clip's verdict from an alert's."""
        return self.alert_id >= CLIP_BASE

    @property
    def is_unfinished(self) -> bool:
        """Tell whether no examination came to an end: a process died or hung, or left what cannot be used."""
        if self.outcome in (Outcome.DIED, Outcome.HUNG) or self.words is None:
            return True
        return self.outcome is Outcome.PERSON and not self.annotated

    @property
    def failure(self) -> str:
        """Return why there is no result, "" when there is one; for an unfinished one: as if it were the last try."""
        if self.is_unfinished:
            return explain(self, MAX_TRIES)
        return self.words.reason if self.words and self.outcome is Outcome.FAILED else ""


@dataclass(frozen=True, slots=True)
class _Written:
    """A verdict as it is written: given up pictures have become failed ones."""

    verdict: Verdict
    outcome: Outcome
    reason: str
    now_utc: float
    zone: str


def conclude(
    connection: sqlite3.Connection, verdict: Verdict, now_utc: float, zone: str
) -> tuple[Ending, Waiting | None]:
    """Write one verdict: the detection if there is a person, the facts, and the end of its place in the queue.

    Returns: What became of it, and for AGAIN what waits again.
    """
    row = connection.execute(
        "DELETE FROM camalert_pending WHERE alert_id = ? RETURNING tries, bytes", (verdict.alert_id,)
    ).fetchone()
    if row is None:
        return Ending.GONE, None
    outcome, reason = verdict.outcome, verdict.words.reason if verdict.words else ""
    if verdict.is_unfinished:
        tries = max(row[0] + (0 if verdict.tries else 1), verdict.tries)
        if tries < MAX_TRIES:
            connection.execute("INSERT INTO camalert_pending VALUES (?, ?, ?)", (verdict.alert_id, tries, row[1]))
            return Ending.AGAIN, Waiting(verdict.alert_id, row[1], tries)
        outcome, reason = Outcome.FAILED, explain(verdict, tries)
    written = _Written(verdict, outcome, reason, now_utc, zone)
    alert_id = _end_clip(connection, written) if verdict.is_clip else verdict.alert_id
    if alert_id is not None:
        _write_facts(connection, ALERTS, alert_id, written)
        if outcome is Outcome.PERSON:
            _add_detection(connection, alert_id, written)
    return Ending.WRITTEN, None


def explain(verdict: Verdict, tries: int) -> str:
    """Say in words why a picture was given up after its tries."""
    process, work = ("decoder", "decoded") if verdict.stage is Stage.DECODE else ("detector", "examined")
    if verdict.outcome is Outcome.HUNG:
        what = f"the {process} did not finish in time"
    elif verdict.outcome is Outcome.DIED:
        what = f"the {process} process {_ended(verdict.exit)}"
    else:
        what = f"the {process} left a result that cannot be read"
    return f"failed after {tries} tries: {what} while this picture was {work}"


def _ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


def _end_clip(connection: sqlite3.Connection, written: _Written) -> int | None:
    """Make the alert of an examined clip; without any picture of it there is none and the clip keeps the reason."""
    verdict = written.verdict
    clip = verdict.alert_id - CLIP_BASE
    if not verdict.snapshot:
        connection.execute(
            "UPDATE camalert_clip SET state = 'failed', reason = ? WHERE id = ?",
            (written.reason or "no picture could be taken out of this clip", clip),
        )
        return None
    cursor = connection.execute(
        "INSERT INTO alerts_alert (subject, timestamp, snapshot)"
        " SELECT subject, timestamp, ? FROM camalert_clip WHERE id = ?",
        (verdict.snapshot, clip),
    )
    alert_id = cursor.lastrowid
    assert alert_id is not None  # noqa: S101 - set by every INSERT
    connection.execute(
        "UPDATE camalert_clip SET state = ?, reason = ?, alert_id = ? WHERE id = ?",
        ("failed" if written.outcome is Outcome.FAILED else "examined", written.reason, alert_id, clip),
    )
    connection.execute(
        "UPDATE camalert_alert SET (mail, camera, event, received_utc, taken_utc, picture_name, clip) ="
        " (SELECT mail, camera, event, received_utc, taken_utc, name, id FROM camalert_clip WHERE id = ?),"
        " picture_kind = 'jpeg', picture_bytes = ? WHERE alert_id = ?",
        (clip, len(verdict.snapshot), alert_id),
    )
    return alert_id


def _add_detection(connection: sqlite3.Connection, alert_id: int, written: _Written) -> None:
    cursor = connection.execute(
        "INSERT INTO alerts_detect (subject, timestamp, snapshot) SELECT subject, timestamp, ? FROM alerts_alert"
        " WHERE id = ?",
        (written.verdict.annotated, alert_id),
    )
    detect_id = cursor.lastrowid
    assert detect_id is not None  # noqa: S101 - set by every INSERT
    connection.execute(
        "UPDATE camalert_detect SET (alert_id, mail, camera, event, received_utc, taken_utc) ="
        " (SELECT alert_id, mail, camera, event, received_utc, taken_utc FROM camalert_alert WHERE alert_id = ?)"
        " WHERE detect_id = ?",
        (alert_id, detect_id),
    )
    _write_facts(connection, DETECTIONS, detect_id, written)
    connection.execute("UPDATE camalert_alert SET detect_id = ? WHERE alert_id = ?", (detect_id, alert_id))
    camera, received_utc = connection.execute(
        "SELECT camera, coalesce(received_utc, ?) FROM camalert_alert WHERE alert_id = ?", (written.now_utc, alert_id)
    ).fetchone()
    connection.execute("UPDATE camalert_camera SET detections = detections + 1 WHERE name = ?", (camera,))
    connection.execute(
        "INSERT INTO camalert_day VALUES (?, ?, 0, 0, 1) ON CONFLICT (day, camera) DO UPDATE SET"
        " detections = detections + 1",
        (clock.day(received_utc, written.zone), camera),
    )


def _write_facts(connection: sqlite3.Connection, table: Reviewed, row_id: int, written: _Written) -> None:
    words = written.verdict.words
    columns: dict[str, object] = {"reason": written.reason, "concluded_utc": written.now_utc}
    if table is ALERTS:
        columns["outcome"] = written.outcome.name.lower()
    if words is not None and not written.verdict.is_unfinished:
        columns |= {
            "people": json.dumps([asdict(person) for person in words.people]),
            "engine": words.engine, "model": words.model, "effort": words.effort,
            "decode_ms": words.decode_ms, "detect_ms": words.detect_ms,
            "height_px": words.height_px, "width_px": words.width_px,
            "original_height_px": words.original_height_px, "original_width_px": words.original_width_px,
            "details": json.dumps(words.details, ensure_ascii=False),
        }  # fmt: skip
        if written.outcome is not Outcome.FAILED:
            columns |= {"best_score": words.best_score, "threshold": words.threshold}
    assignments = ", ".join(f"{column} = ?" for column in columns)
    connection.execute(f"UPDATE {table.facts} SET {assignments} WHERE {table.key} = ?", (*columns.values(), row_id))
