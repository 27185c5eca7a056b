"""Write what a mail brought: its words, its pictures, its place in the queue.

Effects on a connection inside a transaction that the caller begins and commits. Pictures are read straight from the
intake slot in shared memory.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from camalert.config import Config
from camalert.messages import StoreCode
from camalert.store import clock
from camalert.store.tables import CLIP_BASE
from camalert.words import MailWords, PictureWords

SUBJECT_CHARS = 200  # the column of cams
UNEXAMINED = "the configuration says that this camera's pictures are not examined"


@dataclass(frozen=True, slots=True)
class Queued:
    """A picture or clip whose examination is pending since this transaction, and where it still lies in its slot."""

    alert_id: int
    picture: PictureWords


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a mail: the answer to smtp and what the queue gets."""

    code: StoreCode
    first_id: int = 0
    count: int = 0
    queued: tuple[Queued, ...] = ()


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail that has its row, with what its pictures' rows need of it."""

    row: int
    words: MailWords
    timestamp: str
    is_examined: bool


class Intake:
    """Write mails by the rules of a configuration."""

    def __init__(self, config: Config) -> None:
        self._zone = config.database.timestamps
        self._repeat_window_s = config.intake.repeat_window_seconds
        self._unexamined = frozenset(camera.name for camera in config.camera if not camera.examine)

    def keep(self, connection: sqlite3.Connection, mail_id: bytes, words: MailWords, section: memoryview) -> Kept:
        """Write one mail.

        Args:
            connection: Inside a transaction.
            mail_id: 16 bytes; a mail of this id that is there already is answered with its ids.
            words: What smtp knows.
            section: The picture section of the intake slot.

        Returns: The alerts' ids are consecutive; clips and raw mails have none yet and are not counted.
        """
        known = self._known(connection, mail_id, words)
        if known is not None:
            return known
        mail = self._add_mail(connection, mail_id, words)
        alerts = []
        queued = []
        for picture in words.pictures:
            # `with`, or a failing statement's traceback would keep the view of the slot.
            with section[picture.offset : picture.offset + picture.length] as content:
                if words.unreadable:
                    _add_raw(connection, mail, picture, content)
                elif picture.is_clip:
                    clip = _add_clip(connection, mail, picture, content)
                    queued.append(_queue(connection, CLIP_BASE + clip, picture))
                else:
                    alert = _add_alert(connection, mail, picture, content)
                    alerts.append(alert)
                    if mail.is_examined:
                        queued.append(_queue(connection, alert, picture))
        first_id = alerts[0] if alerts else 0
        if alerts:
            connection.execute(
                "UPDATE camalert_mail SET first_id = ?, count = ? WHERE id = ?", (first_id, len(alerts), mail.row)
            )
        self._count(connection, words, len(alerts))
        return Kept(StoreCode.STORED, first_id, len(alerts), tuple(queued))

    def _known(self, connection: sqlite3.Connection, mail_id: bytes, words: MailWords) -> Kept | None:
        row = connection.execute("SELECT first_id, count FROM camalert_mail WHERE mail_id = ?", (mail_id,)).fetchone()
        if row is not None:
            return Kept(StoreCode.STORED, *row)
        if not self._repeat_window_s or not words.digest:
            return None
        # Both sides of the moment: the clock may have been set back in between.
        earliest = words.received_utc - self._repeat_window_s
        latest = words.received_utc + self._repeat_window_s
        row = connection.execute(
            "SELECT first_id, count FROM camalert_mail WHERE digest = ? AND received_utc BETWEEN ? AND ? LIMIT 1",
            (words.digest, earliest, latest),
        ).fetchone()
        return None if row is None else Kept(StoreCode.REPEATED, *row)

    def _add_mail(self, connection: sqlite3.Connection, mail_id: bytes, words: MailWords) -> _Mail:
        cursor = connection.execute(
            "INSERT INTO camalert_mail (mail_id, digest, received_utc, first_id, count, peer, helo, login, sender,"
            " recipients, subject, camera, event, camera_time, kind, unreadable, headers)"
            " VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (mail_id, words.digest, words.received_utc, words.peer, words.helo, words.login, words.sender,
             json.dumps(words.recipients, ensure_ascii=False), words.subject, words.camera, words.event,
             words.camera_time, words.kind, words.unreadable, words.headers),
        )  # fmt: skip
        moment_utc = words.received_utc if words.taken_utc is None else words.taken_utc
        timestamp = clock.text(moment_utc, self._zone)
        return _Mail(_row_id(cursor), words, timestamp, is_examined=words.camera not in self._unexamined)

    def _count(self, connection: sqlite3.Connection, words: MailWords, alerts: int) -> None:
        connection.execute(
            "INSERT INTO camalert_camera VALUES (:camera, :now, :now, :kind, :peer, 1, :alerts, 0) ON CONFLICT (name)"
            " DO UPDATE SET last_seen_utc = :now, last_kind = :kind, last_peer = :peer, mails = mails + 1,"
            " alerts = alerts + :alerts",
            {"camera": words.camera, "now": words.received_utc, "kind": words.kind, "peer": words.peer,
             "alerts": alerts},
        )  # fmt: skip
        connection.execute(
            "INSERT INTO camalert_day VALUES (:day, :camera, 1, :alerts, 0) ON CONFLICT (day, camera) DO UPDATE SET"
            " mails = mails + 1, alerts = alerts + :alerts",
            {"day": clock.day(words.received_utc, self._zone), "camera": words.camera, "alerts": alerts},
        )


def _add_alert(connection: sqlite3.Connection, mail: _Mail, picture: PictureWords, content: memoryview) -> int:
    words = mail.words
    alert = _row_id(
        connection.execute(
            "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES (?, ?, ?)",
            (words.subject[:SUBJECT_CHARS], mail.timestamp, content),
        )
    )
    # The trigger made the row of facts; it knows what cams knows.
    connection.execute(
        "UPDATE camalert_alert SET mail = ?, camera = ?, event = ?, received_utc = ?, taken_utc = ?,"
        " picture_kind = ?, picture_name = ?, picture_bytes = ?, outcome = ?, reason = ? WHERE alert_id = ?",
        (mail.row, words.camera, words.event, words.received_utc, words.taken_utc, picture.kind, picture.name,
         picture.length, None if mail.is_examined else "unexamined", None if mail.is_examined else UNEXAMINED, alert),
    )  # fmt: skip
    return alert


def _add_clip(connection: sqlite3.Connection, mail: _Mail, picture: PictureWords, content: memoryview) -> int:
    words = mail.words
    cursor = connection.execute(
        "INSERT INTO camalert_clip (mail, name, kind, bytes, subject, timestamp, camera, event, received_utc,"
        " taken_utc, state, reason, clip) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', '', ?)",
        (mail.row, picture.name, picture.kind, picture.length, words.subject[:SUBJECT_CHARS], mail.timestamp,
         words.camera, words.event, words.received_utc, words.taken_utc, content),
    )  # fmt: skip
    return _row_id(cursor)


def _add_raw(connection: sqlite3.Connection, mail: _Mail, picture: PictureWords, content: memoryview) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO camalert_raw VALUES (?, ?, ?, ?)",
        (mail.row, mail.words.received_utc, picture.length, content),
    )


def _queue(connection: sqlite3.Connection, alert_id: int, picture: PictureWords) -> Queued:
    connection.execute("INSERT INTO camalert_pending (alert_id, bytes) VALUES (?, ?)", (alert_id, picture.length))
    return Queued(alert_id, picture)


def _row_id(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None  # noqa: S101 - set by every INSERT
    return cursor.lastrowid
