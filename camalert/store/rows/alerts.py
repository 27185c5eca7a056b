"""The rows of an alert: a mail with its pictures and their places in the queue, a pending picture, a verdict.

What writes does so on a connection inside a transaction that the caller begins and commits.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from camalert.config.objects import PERSON, listed
from camalert.config.schema import Config, Learn, Visits
from camalert.identity import key
from camalert.ipc.messages import MAX_TRIES, Outcome, StoreCode
from camalert.ipc.records import KEPT, FrameRecord, MailRecord, PersonRecord, PictureRecord
from camalert.store import filesystem
from camalert.store.interface import Rows
from camalert.store.queue import CLIP_BASE, FETCH_ROWS, Waiting, known_as, sender_of
from camalert.store.rows import claims, learned, outbox, retention, visits
from camalert.store.rows.columns import neutral_values
from camalert.store.rows.names import named_now
from camalert.store.rows.tables import ALERTS, DETECTIONS, NOBODY, DjangoTable, day_of, timestamp_of
from camalert.store.verdict import Verdict, explain
from camalert.visits.grouping import Sighting, Visit
from camalert.visits.policy import Target

SUBJECT_CHARS = 200  # the column of cams
LASTING_S = 30 * 86_400.0  # some cameras upload all that they have again after each start
LEARN = Learn()  # what is learned unless the configuration says otherwise
UNEXAMINED = "the configuration says that this camera's pictures are not examined"

# The mail says who sent it: a clip's own columns would be behind its bytes.
_WAITING = (
    "SELECT p.alert_id, p.bytes, p.tries, coalesce(m.peer, ''), coalesce(m.camera, '') FROM camalert_pending p"
    " LEFT JOIN camalert_alert f ON f.alert_id = p.alert_id LEFT JOIN camalert_clip c ON c.id = p.alert_id - :clips"
    " LEFT JOIN camalert_mail m ON m.id = coalesce(f.mail, c.mail)"
)
_PICTURE = (
    "SELECT p.tries, f.camera, f.event, f.picture_kind, m.sender, m.recipients, a.snapshot"
    " FROM camalert_pending p JOIN alerts_alert a ON a.id = p.alert_id"
    " LEFT JOIN camalert_alert f ON f.alert_id = a.id LEFT JOIN camalert_mail m ON m.id = f.mail WHERE p.alert_id = :id"
)
_CLIP = (
    "SELECT p.tries, coalesce(m.camera, c.camera), c.event, c.kind, m.sender, m.recipients, c.clip"
    " FROM camalert_pending p JOIN camalert_clip c ON c.id = p.alert_id - :clips"
    " LEFT JOIN camalert_mail m ON m.id = c.mail WHERE p.alert_id = :id"
)


def repeat_span(record: MailRecord, window_s: float) -> tuple[float, float] | None:
    """Return from when until when the same bytes are a repeat of a mail, None when they never are.

    Both sides of its moment: the clock may have been set back in between.
    """
    if not window_s or not record.digest:
        return None
    longest_s = max(window_s, LASTING_S if record.is_lasting else 0.0)
    return record.received_utc - longest_s, record.received_utc + longest_s


# --- a mail ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PendingPicture:
    """A picture or clip whose examination is pending since this transaction, and where it still is in its slot."""

    alert_id: int
    picture: PictureRecord
    memory: learned.Memory = learned.NOTHING  # what is known of its camera


@dataclass(frozen=True, slots=True)
class MailResult:
    """What became of a mail: the answer to smtp and what the queue gets."""

    code: StoreCode
    first_id: int = 0
    count: int = 0
    pending: tuple[PendingPicture, ...] = ()
    reason: str = ""  # why it was not stored, for the camera's owner


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail that has its row, with what its pictures' rows need of it."""

    row: int
    holder: int
    record: MailRecord
    timestamp: str
    is_examined: bool


class Intake:
    """Write mails by the rules of a configuration."""

    def __init__(self, config: Config, free_bytes: Callable[[], int] | None = None, node: str = "") -> None:
        self._node = node  # that examines what it receives, if it can
        self._zone = config.database.timestamps
        folder = Path(config.database.path).parent
        self._free_bytes = free_bytes or (lambda: filesystem.free_bytes(folder))
        self._repeat_window_s = config.intake.repeat_window_seconds
        self._configured = frozenset(key(camera.name) for camera in config.camera)
        self._learn = config.learn
        self._unexamined = frozenset(key(camera.name) for camera in config.camera if not camera.examine)

    def store(self, connection: Rows, mail_id: bytes, record: MailRecord, section: memoryview) -> MailResult:
        """Write one mail.

        Args:
            connection: Inside a transaction.
            mail_id: 16 bytes; a mail of this id that is there already is answered with its ids.
            record: What smtp knows of it.
            section: The picture section of the intake slot; pictures are written straight from it.

        Returns: With the first alert's id and how many there are; clips and raw mails have none and do not count.
        """
        known = self._known(connection, mail_id, record)
        if known is not None:
            return known
        if key(record.camera) not in self._configured:
            record = replace(record, camera=named_now(connection, record.camera))
        holder = NOBODY
        if record.pictures:
            holder = retention.take_holder(connection, record.peer, record.camera, record.received_utc)
            if reason := retention.refusal(connection, holder, self._free_bytes):
                return MailResult(StoreCode.FULL, reason=reason)
        mail = self._add_mail(connection, mail_id, record, holder)
        alerts = []
        pending = []
        for picture in record.pictures:
            # `with`, or a failing statement's traceback would keep the view of the slot.
            with section[picture.offset : picture.offset + picture.length] as content:
                if record.unreadable:
                    _add_raw(connection, mail, picture, content)
                elif picture.is_clip:
                    pending.append(
                        _queue(connection, CLIP_BASE + _add_clip(connection, mail, picture, content), picture)
                    )
                else:
                    alerts.append(_add_alert(connection, mail, picture, content))
                    if mail.is_examined:
                        pending.append(_queue(connection, alerts[-1], picture))
        first_id = alerts[0] if alerts else 0
        if alerts:
            connection.execute(
                "UPDATE camalert_mail SET first_id = ?, count = ? WHERE id = ?", (first_id, len(alerts), mail.row)
            )
        if record.kind != KEPT:
            self._count(connection, record, len(alerts))
        if pending:
            pending = self._remember(connection, record.camera, pending)
        return MailResult(StoreCode.STORED, first_id, len(alerts), tuple(pending))

    def _known(self, connection: Rows, mail_id: bytes, record: MailRecord) -> MailResult | None:
        row = connection.execute("SELECT first_id, count FROM camalert_mail WHERE mail_id = ?", (mail_id,)).fetchone()
        if row is not None:
            return MailResult(StoreCode.STORED, *row)
        span = repeat_span(record, self._repeat_window_s)
        if span is None:
            return None
        row = connection.execute(
            "SELECT first_id, count FROM camalert_mail WHERE digest = ? AND received_utc BETWEEN ? AND ? LIMIT 1",
            (record.digest, *span),
        ).fetchone()
        return None if row is None else MailResult(StoreCode.REPEATED, *row)

    def _add_mail(self, connection: Rows, mail_id: bytes, record: MailRecord, holder: int) -> _Mail:
        row = _insert(
            connection,
            "INSERT INTO camalert_mail (mail_id, digest, received_utc, first_id, count, peer, helo, login, sender,"
            " recipients, subject, camera, event, camera_time, kind, unreadable, headers, reasons)"
            " VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (mail_id, record.digest, record.received_utc, record.peer, record.helo, record.login, record.sender,
             json.dumps(record.recipients, ensure_ascii=False), record.subject, record.camera, record.event,
             record.camera_time, record.kind, record.unreadable, record.headers,
             json.dumps(record.reasons, ensure_ascii=False)),
        )  # fmt: skip
        moment_utc = record.received_utc if record.taken_utc is None else record.taken_utc
        timestamp = timestamp_of(moment_utc, self._zone)
        return _Mail(row, holder, record, timestamp, is_examined=key(record.camera) not in self._unexamined)

    def _remember(self, connection: Rows, camera: str, pending: list[PendingPicture]) -> list[PendingPicture]:
        """Return pending pictures with what is known of their camera, claimed by this node where there are others."""
        if self._node:
            for each in pending:
                claims.take(connection, each.alert_id, self._node, claims.FRESH_S)
        memory = learned.memory(connection, camera, self._learn)
        return [replace(each, memory=memory) for each in pending]

    def _count(self, connection: Rows, record: MailRecord, alerts: int) -> None:
        connection.execute(
            "INSERT INTO camalert_camera VALUES (:camera, :now, :now, :kind, :peer, 1, :alerts, 0) ON CONFLICT (name)"
            " DO UPDATE SET last_seen_utc = :now, last_kind = :kind, last_peer = :peer,"
            " mails = camalert_camera.mails + 1, alerts = camalert_camera.alerts + :alerts",
            {"camera": record.camera, "now": record.received_utc, "kind": record.kind, "peer": record.peer,
             "alerts": alerts},
        )  # fmt: skip
        day = day_of(record.received_utc, self._zone)
        connection.execute(
            "INSERT INTO camalert_day (day, camera, mails, alerts, detections) VALUES (:day, :camera, 1, :alerts, 0)"
            " ON CONFLICT (day, camera) DO UPDATE SET mails = camalert_day.mails + 1,"
            " alerts = camalert_day.alerts + :alerts",
            {"day": day, "camera": retention.day_name(connection, day, record.camera), "alerts": alerts},
        )


def _add_alert(connection: Rows, mail: _Mail, picture: PictureRecord, content: memoryview) -> int:
    record = mail.record
    names, values = neutral_values(connection, ALERTS)
    alert = _insert(
        connection,
        f"INSERT INTO alerts_alert (subject, timestamp, snapshot{names}) VALUES (?, ?, ?{values})",
        (record.subject[:SUBJECT_CHARS], mail.timestamp, content),
    )
    # The trigger made the row of facts; it knows what cams knows.
    connection.execute(
        "UPDATE camalert_alert SET holder = ?, mail = ?, camera = ?, event = ?, received_utc = ?, taken_utc = ?,"
        " picture_kind = ?, picture_name = ?, picture_bytes = ?, outcome = ?, reason = ? WHERE alert_id = ?",
        (mail.holder, mail.row, record.camera, record.event, record.received_utc, record.taken_utc, picture.kind,
         picture.name, picture.length, None if mail.is_examined else "unexamined",
         None if mail.is_examined else UNEXAMINED, alert),
    )  # fmt: skip
    return alert


def _add_clip(connection: Rows, mail: _Mail, picture: PictureRecord, content: memoryview) -> int:
    record = mail.record
    return _insert(
        connection,
        "INSERT INTO camalert_clip (holder, mail, name, kind, bytes, subject, timestamp, camera, event, received_utc,"
        " taken_utc, state, reason, clip) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', '', ?)",
        (mail.holder, mail.row, picture.name, picture.kind, picture.length, record.subject[:SUBJECT_CHARS],
         mail.timestamp, record.camera, record.event, record.received_utc, record.taken_utc, content),
    )  # fmt: skip


def _add_raw(connection: Rows, mail: _Mail, picture: PictureRecord, content: memoryview) -> None:
    connection.execute(
        "INSERT INTO camalert_raw (holder, mail, received_utc, bytes, raw) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (mail.holder, mail.row, mail.record.received_utc, picture.length, content),
    )


def _queue(connection: Rows, alert_id: int, picture: PictureRecord) -> PendingPicture:
    connection.execute("INSERT INTO camalert_pending (alert_id, bytes) VALUES (?, ?)", (alert_id, picture.length))
    return PendingPicture(alert_id, picture)


def _insert(connection: Rows, statement: str, values: tuple[object, ...]) -> int:
    """Insert a row and return its id."""
    row_id = connection.execute(statement, values).lastrowid
    assert row_id is not None  # noqa: S101 - set by every INSERT
    return row_id


# --- the queue ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """A pending picture or clip with what the examination gets to know of it."""

    record: FrameRecord
    tries: int
    content: bytes


def pending_of(  # noqa: PLR0913 - what a node can take has several sides
    connection: Rows, known: Collection[int], small_bytes: int, *, is_large: bool, node: str = "",
    largest_bytes: int = 0,
) -> list[Waiting]:  # fmt: skip
    """Return pending rows that the queue does not know yet, the oldest first; none: it knows them all.

    Args:
        connection: Where.
        known: What the queue knows; it is little, and so it is passed over here.
        small_bytes: The size up to which a picture takes an equal frame slot.
        is_large: Whether clips and larger pictures are asked for, or the others.
        node: Who asks, where several nodes share the work; what others examine is left out.
        largest_bytes: What that node's largest frame slot takes.
    """
    free = claims.FREE + (claims.FITS if is_large else "") if node else ""
    own = {"node": node, "largest": largest_bytes} if node else {}
    limits = {"small": small_bytes, "clips": CLIP_BASE, "rows": FETCH_ROWS + len(known)}
    rows = connection.execute(_pending(is_large=is_large, also=free), limits | own)
    return [_waiting(*row) for row in rows if row[0] not in known][:FETCH_ROWS]


@functools.cache
def _pending(*, is_large: bool, also: str) -> str:
    """Return the query for pending rows of a line."""
    own = "(p.bytes > :small OR p.alert_id >= :clips)" if is_large else "p.alert_id < :clips AND p.bytes <= :small"
    return f"{_WAITING} WHERE {own}{also} ORDER BY p.alert_id LIMIT :rows"


def _waiting(alert_id: int, length_bytes: int, tries: int, peer: str, camera: str) -> Waiting:
    return Waiting(alert_id, length_bytes, tries, sender_of(peer), known_as(camera))


def load(connection: Rows, waiting: Waiting, learn: Learn) -> Picture | None:
    """Return a pending picture, None when it is not pending any more."""
    query = _CLIP if waiting.is_clip else _PICTURE
    row = connection.execute(query, {"id": waiting.alert_id, "clips": CLIP_BASE}).fetchone()
    if row is None:
        return None
    tries, camera, event, kind, sender, recipients, content = row
    memory = learned.memory(connection, camera or "", learn)
    record = FrameRecord(
        alert_id=waiting.alert_id,
        camera=camera or "",
        event=event or "",
        sender=sender or "",
        recipients=recipients_of(recipients),
        kind=kind or "",
        known=memory.known,
        missed=memory.missed,
    )
    return Picture(record, tries, content)


def recipients_of(text: object) -> tuple[str, ...]:
    """Return the recipients that a mail's row has, none where another program has spoilt them."""
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        return ()
    return tuple(str(recipient) for recipient in found) if isinstance(found, list) else ()


# --- a verdict ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says of verdicts."""

    zone: str  # of timestamps and days
    visits: Visits  # what is one visit
    targets: tuple[Target, ...] = ()  # who may be told of visits
    learn: Learn = LEARN


@dataclass(frozen=True, slots=True)
class _Written:
    """A verdict as it is written: given up pictures have become failed ones."""

    verdict: Verdict
    outcome: Outcome
    reason: str
    now_utc: float
    rules: Rules


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of a verdict."""

    is_written: bool
    retry: Waiting | None = None  # what stays pending for another try
    static: tuple[learned.Static, ...] = ()  # objects that stop counting


def conclude(connection: Rows, verdict: Verdict, now_utc: float, rules: Rules) -> Conclusion:
    """Write one verdict: the detection if there is a person, the facts, and the end of its place in the queue.

    Exactly once: it begins with deleting the pending row; if there is none, the owner deleted the alert or it is
    concluded already, and nothing is written.
    """
    own = {"id": verdict.alert_id, "clips": CLIP_BASE}
    if verdict.outcome is Outcome.SPARED:
        row = connection.execute("SELECT tries, bytes FROM camalert_pending WHERE alert_id = :id", own).fetchone()
        # Queued as one that has had a try, so that the next probe is another picture.
        return Conclusion(
            is_written=False, retry=None if row is None else Waiting(verdict.alert_id, row[1], max(1, row[0]))
        )
    row = connection.execute("DELETE FROM camalert_pending WHERE alert_id = :id RETURNING tries, bytes", own).fetchone()
    if row is None:
        return Conclusion(is_written=False)
    outcome, reason = verdict.outcome, verdict.record.reason if verdict.record else ""
    if verdict.is_unfinished:
        tries = verdict.tries_after(row[0])
        if tries < MAX_TRIES:
            connection.execute(
                "INSERT INTO camalert_pending (alert_id, tries, bytes) VALUES (?, ?, ?)",
                (verdict.alert_id, tries, row[1]),
            )
            row = connection.execute(f"{_WAITING} WHERE p.alert_id = :id", own).fetchone()
            return Conclusion(is_written=False, retry=_waiting(*row))
        outcome, reason = Outcome.FAILED, explain(verdict, tries)
    written = _Written(verdict, outcome, reason, now_utc, rules)
    alert_id = _end_clip(connection, written) if verdict.is_clip else verdict.alert_id
    static: list[learned.Static] = []
    if alert_id is not None:
        if outcome is Outcome.PERSON:
            _tell(connection, _visit(connection, alert_id, written), alert_id, written)
        _write_facts(connection, ALERTS, alert_id, written)
        if outcome is Outcome.PERSON:
            _add_detection(connection, alert_id, written)
        if verdict.record is not None and not verdict.is_unfinished:
            static = learned.note(connection, alert_id, verdict.record, rules.learn, now_utc)
    return Conclusion(is_written=True, static=tuple(static))


def _end_clip(connection: Rows, written: _Written) -> int | None:
    """Make the alert of an examined clip; without any picture of it there is none and the clip keeps the reason."""
    verdict = written.verdict
    clip = verdict.alert_id - CLIP_BASE
    if not verdict.snapshot:
        connection.execute(
            "UPDATE camalert_clip SET state = 'failed', reason = ? WHERE id = ?",
            (written.reason or "no picture could be taken out of this clip", clip),
        )
        return None
    names, values = neutral_values(connection, ALERTS)
    of_clip = connection.execute("SELECT subject, timestamp FROM camalert_clip WHERE id = ?", (clip,)).fetchone()
    alert_id = _insert(
        connection,
        f"INSERT INTO alerts_alert (subject, timestamp, snapshot{names}) VALUES (?, ?, ?{values})",
        (*of_clip, verdict.snapshot),
    )
    connection.execute(
        "UPDATE camalert_clip SET state = ?, reason = ?, alert_id = ? WHERE id = ?",
        ("failed" if written.outcome is Outcome.FAILED else "examined", written.reason, alert_id, clip),
    )
    connection.execute(
        "UPDATE camalert_alert SET (holder, mail, camera, event, received_utc, taken_utc, picture_name, clip) ="
        " (SELECT c.holder, c.mail, coalesce(m.camera, c.camera), c.event, c.received_utc, c.taken_utc, c.name, c.id"
        " FROM camalert_clip c LEFT JOIN camalert_mail m ON m.id = c.mail WHERE c.id = ?),"
        " picture_kind = 'jpeg', picture_bytes = ? WHERE alert_id = ?",
        (clip, len(verdict.snapshot), alert_id),
    )
    return alert_id


def _visit(connection: Rows, alert_id: int, written: _Written) -> Visit:
    """Let a picture with people join its visit."""
    camera, at_utc, heard_utc = connection.execute(
        "SELECT camera, coalesce(taken_utc, received_utc, :now), coalesce(received_utc, :now) FROM camalert_alert"
        " WHERE alert_id = :id",
        {"now": written.now_utc, "id": alert_id},
    ).fetchone()
    record = written.verdict.record or FrameRecord(alert_id)
    seen = _objects(record) or PERSON
    people = sum(person.kind == PERSON for person in record.people)
    sighting = Sighting(alert_id, camera, at_utc, heard_utc, people if record.people else 1, record.best_score, seen)
    return visits.take(connection, sighting, written.rules.visits, written.rules.zone)


def _tell(connection: Rows, visit: Visit, alert_id: int, written: _Written) -> None:
    """Decide who is told of a visit's newest picture."""
    if targets := written.rules.targets:
        score = written.verdict.record.best_score if written.verdict.record else 0.0
        outbox.tell(connection, outbox.events_of(visit, alert_id, score), targets, written.now_utc)


def _add_detection(connection: Rows, alert_id: int, written: _Written) -> None:
    names, values = neutral_values(connection, DETECTIONS)
    detect_id = _insert(
        connection,
        f"INSERT INTO alerts_detect (subject, timestamp, snapshot{names}) SELECT subject, timestamp, ?{values}"
        " FROM alerts_alert WHERE id = ?",
        (written.verdict.annotated, alert_id),
    )
    connection.execute(
        "UPDATE camalert_detect SET (holder, alert_id, mail, camera, event, received_utc, taken_utc) ="
        " (SELECT holder, alert_id, mail, camera, event, received_utc, taken_utc FROM camalert_alert"
        " WHERE alert_id = ?) WHERE detect_id = ?",
        (alert_id, detect_id),
    )
    _write_facts(connection, DETECTIONS, detect_id, written)
    camera, received_utc = connection.execute(
        "UPDATE camalert_alert SET detect_id = ? WHERE alert_id = ? RETURNING camera, coalesce(received_utc, ?)",
        (detect_id, alert_id, written.now_utc),
    ).fetchone()
    connection.execute("UPDATE camalert_camera SET detections = detections + 1 WHERE name = ?", (camera,))
    day = day_of(received_utc, written.rules.zone)
    connection.execute(
        "INSERT INTO camalert_day (day, camera, mails, alerts, detections) VALUES (?, ?, 0, 0, 1)"
        " ON CONFLICT (day, camera) DO UPDATE SET detections = camalert_day.detections + 1",
        (day, retention.day_name(connection, day, camera)),
    )


def _objects(record: FrameRecord) -> str | None:
    return listed(person.kind for person in record.people) or None


def _write_facts(connection: Rows, table: DjangoTable, row_id: int, written: _Written) -> None:
    record = written.verdict.record
    columns: dict[str, object] = {"reason": written.reason, "concluded_utc": written.now_utc}
    if table is ALERTS:
        columns["outcome"] = written.outcome.name.lower()
        if record is not None and 0 <= record.best_index < len(record.moments_ms):
            columns["clip_second"] = round(record.moments_ms[record.best_index] / 1000, 2)
    if record is not None and not written.verdict.is_unfinished:
        columns |= {
            "people": json.dumps([_box(person, is_alert=table is ALERTS) for person in record.people]),
            "objects": _objects(record),
            "engine": record.engine, "model": record.model, "effort": record.effort,
            "decode_ms": record.decode_ms, "detect_ms": record.detect_ms,
            "height_px": record.height_px, "width_px": record.width_px,
            "original_height_px": record.original_height_px, "original_width_px": record.original_width_px,
        }  # fmt: skip
        if table is ALERTS:
            columns["uncounted"] = json.dumps([_box(person, is_alert=True) for person in record.uncounted])
        if table is ALERTS and record.left_out:
            columns["left_out"] = json.dumps([asdict(each) for each in record.left_out])
        if table is ALERTS and record.others:
            columns["others"] = json.dumps([_box(thing, is_alert=False) for thing in record.others])
        if written.outcome is not Outcome.FAILED:
            columns |= {"best_score": record.best_score, "threshold": record.threshold}
    assignments = ", ".join(f"{column} = ?" for column in columns)
    connection.execute(f"UPDATE {table.facts} SET {assignments} WHERE {table.key} = ?", (*columns.values(), row_id))


def _box(person: PersonRecord, *, is_alert: bool) -> dict[str, object]:
    """Return a person as a row has it; the look stands once, where a mark finds it."""
    box = asdict(person)
    for name in ("look", "known"):
        if not (is_alert and box[name]):
            del box[name]
    return box
