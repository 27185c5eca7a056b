"""Look whether a database is sound: its pages, its tables against each other, and every alarm accounted for.

Queries only; the service may run meanwhile. What is looked at is one moment's state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.errors import StoreError
from camalert.store import schema, tables
from camalert.store.connection import open_reader
from camalert.store.faults import translate
from camalert.store.tables import BOTH, CLIP_BASE

PROBLEMS_SHOWN = 20  # of the pages; one bad page causes many lines


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found. A fault must not be; the others are to be known."""

    is_fault: bool
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found, and how much it looked at."""

    alerts: int
    detections: int
    pending: int
    failed: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not any(finding.is_fault for finding in self.findings)


def verify(path: Path) -> Report:
    """Verify a database.

    Raises: StoreError when it cannot be read at all.
    """
    connection = open_reader(path)
    try:
        connection.execute("BEGIN")
        broken = [row[0] for row in connection.execute(f"PRAGMA integrity_check({PROBLEMS_SHOWN})") if row[0] != "ok"]
        if not schema.version(connection):
            raise StoreError(f"{path} has none of camalert's tables; `camalert init-db` adds them")
        findings = [Finding(is_fault=True, words=f"damaged: {words}") for words in broken]
        findings += _end(connection, path)
        findings += _relations(connection)
        findings += _triggers(connection)
        alerts, detections, pending, failed = (
            int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])
            for what in (
                "camalert_alert",
                "camalert_detect",
                "camalert_pending",
                "camalert_alert WHERE outcome = 'failed'",
            )
        )
        return Report(alerts, detections, pending, failed, tuple(findings))
    except sqlite3.Error as error:
        raise translate(error) from error
    finally:
        connection.close()


def _end(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    """Look at the end of the file: SQLite takes what is missing of its last page for zeros."""
    page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
    if rest_bytes := path.stat().st_size % page_bytes:
        yield Finding(
            is_fault=True, words=f"damaged: the file ends {page_bytes - rest_bytes} bytes before its last page does"
        )


def _relations(connection: sqlite3.Connection) -> Iterator[Finding]:
    for table in BOTH:
        name, facts, key = table.name, table.facts, table.key
        yield from _count(
            connection,
            f"{name} WHERE id NOT IN (SELECT {key} FROM {facts})",
            f"rows of {name} without their row in {facts}",
        )
        yield from _count(
            connection,
            f"{facts} WHERE {key} NOT IN (SELECT id FROM {name})",
            f"rows of {facts} whose row in {name} is gone",
        )
        yield from _count(
            connection,
            f"camalert_rows WHERE name = '{name}' AND rows <> (SELECT count(*) FROM {name})",
            f"wrong count of the rows of {name} (the next start counts anew)",
        )
    yield from _count(
        connection,
        f"camalert_pending WHERE alert_id < {CLIP_BASE} AND alert_id NOT IN (SELECT id FROM alerts_alert)",
        "pending examinations of alerts that are gone",
    )
    yield from _count(
        connection,
        f"camalert_pending WHERE alert_id >= {CLIP_BASE}"
        f" AND alert_id - {CLIP_BASE} NOT IN (SELECT id FROM camalert_clip)",
        "pending examinations of clips that are gone",
    )
    yield from _count(
        connection,
        "camalert_alert WHERE mail IS NOT NULL AND outcome IS NULL"
        " AND alert_id NOT IN (SELECT alert_id FROM camalert_pending)",
        "alerts that are neither examined nor pending",
    )
    yield from _count(
        connection,
        f"camalert_clip WHERE state = 'pending' AND id + {CLIP_BASE} NOT IN (SELECT alert_id FROM camalert_pending)",
        "clips that are neither examined nor pending",
    )
    yield from _count(
        connection,
        "camalert_alert WHERE outcome IS NOT NULL AND alert_id IN (SELECT alert_id FROM camalert_pending)",
        "alerts that are examined and pending at the same time",
    )
    yield from _count(
        connection,
        "camalert_detect WHERE alert_id IS NOT NULL GROUP BY alert_id HAVING count(*) > 1",
        "alerts with more than one detection",
    )
    yield from _count(
        connection,
        "camalert_alert WHERE outcome = 'failed' AND coalesce(reason, '') = ''",
        "alerts that could not be examined, without a reason",
    )
    yield from _count(
        connection,
        "camalert_alert JOIN alerts_alert ON id = alert_id WHERE picture_bytes <> length(snapshot)",
        "alerts whose picture has another size than when it came",
    )
    yield from _count(
        connection,
        "camalert_detect WHERE alert_id IS NULL",
        "detections that came from elsewhere and belong to no alert",
        is_fault=False,
    )
    yield from _count(
        connection,
        "camalert_alert WHERE mail IS NULL",
        "alerts that came from elsewhere, which nobody examines",
        is_fault=False,
    )


def _triggers(connection: sqlite3.Connection) -> Iterator[Finding]:
    present = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
    for table in BOTH:
        for name, sql in {**tables.followers(table), table.trigger: tables.keeper(table)}.items():
            if name not in present:
                yield Finding(is_fault=True, words=f"the trigger {name} is missing (the service puts it back)")
            elif schema.fold(present[name]) != schema.fold(sql):
                yield Finding(is_fault=False, words=f"the trigger {name} is not as camalert makes it")


def _count(connection: sqlite3.Connection, what: str, words: str, *, is_fault: bool = True) -> Iterator[Finding]:
    found = int(connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {what})").fetchone()[0])
    if found:
        yield Finding(is_fault, f"{found} {words}")
