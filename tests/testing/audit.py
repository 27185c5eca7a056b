"""The audit: what clients remember of their mails, held against what the database has of them.

A client's own record is the only witness: it knows the bytes it sent and whether it read a 250. Pictures are unique, so
that each row has exactly one sender.
"""

from __future__ import annotations

import collections
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.store.sqlite.verify import verify


@dataclass(slots=True)
class Sent:
    """One mail as its client remembers it. `expected` is the outcome of its pictures, "" when any will do."""

    subject: str
    digests: tuple[str, ...]
    expected: str
    is_acknowledged: bool = False


class Record:
    """What several clients remember; they may write it from threads of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: list[Sent] = []

    def sent(self, subject: str, pictures: list[bytes], expected: str = "") -> Sent:
        """Note a mail before it is sent."""
        mail = Sent(subject, tuple(digest(picture) for picture in pictures), expected)
        with self._lock:
            self._mails.append(mail)
        return mail

    @property
    def mails(self) -> list[Sent]:
        """Return all mails so far."""
        with self._lock:
            return list(self._mails)

    @property
    def acknowledged(self) -> int:
        """Return how many mails got their 250."""
        return sum(mail.is_acknowledged for mail in self.mails)


def digest(content: bytes) -> str:
    """Return what two pictures are compared by."""
    return hashlib.sha256(content).hexdigest()


def audit(database: Path, record: Record, *, is_examined: bool = True) -> list[str]:
    """Return in words what is wrong; `is_examined` also asks that nothing is left to examine."""
    return [*_verified(database), *_compared(database, record, is_examined=is_examined)]


def _verified(database: Path) -> Iterator[str]:
    for finding in verify(database).findings:
        if finding.is_fault:
            yield f"verify: {finding.message}"


def _compared(database: Path, record: Record, *, is_examined: bool) -> Iterator[str]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        connection.create_function("sha256", 1, digest, deterministic=True)
        rows = connection.execute(
            "SELECT a.id, a.subject, sha256(a.snapshot), f.outcome, f.reason, f.detect_id,"
            " (SELECT count(*) FROM camalert_detect d WHERE d.alert_id = a.id),"
            " EXISTS (SELECT 1 FROM camalert_pending p WHERE p.alert_id = a.id)"
            " FROM alerts_alert a JOIN camalert_alert f ON f.alert_id = a.id ORDER BY a.id"
        ).fetchall()
        orphans = connection.execute(
            "SELECT count(*) FROM alerts_detect WHERE id NOT IN (SELECT detect_id FROM camalert_detect"
            " WHERE alert_id IS NOT NULL)"
        ).fetchone()[0]
    connection.close()
    if orphans:
        yield f"{orphans} detections belong to no alert"
    kept = collections.Counter((subject, content) for _, subject, content, *_ in rows)
    expected = {}
    for mail in record.mails:
        counts = [kept.pop((mail.subject, content), 0) for content in mail.digests]
        expected.update(dict.fromkeys(((mail.subject, content) for content in mail.digests), mail.expected))
        if max(counts, default=0) > 1:
            yield f"{mail.subject}: stored {max(counts)} times"
        if mail.is_acknowledged and 0 in counts:
            yield f"{mail.subject}: got its 250, and {counts.count(0)} of {len(counts)} pictures are missing"
        if not mail.is_acknowledged and 0 in counts and max(counts, default=0):
            yield f"{mail.subject}: stored in part"
    for subject, _ in kept:
        yield f"{subject}: nobody sent a picture that is stored under this subject"
    for alert_id, subject, content, outcome, reason, detect_id, detections, is_pending in rows:
        name = f"alert {alert_id} ({subject})"
        if is_examined and (is_pending or outcome is None):
            yield f"{name}: not examined"
        if outcome is not None and is_pending:
            yield f"{name}: examined and pending"
        if outcome == "failed" and not reason:
            yield f"{name}: failed without a reason"
        wanted = 1 if outcome == "person" else 0
        if detections != wanted or (detect_id is None) == (outcome == "person"):
            yield f"{name}: {outcome} with {detections} detections"
        promised = expected.get((subject, content), "")
        if outcome is not None and promised and outcome != promised:
            yield f"{name}: {outcome} ({reason}), expected {promised}"
