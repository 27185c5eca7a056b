"""Look whether a database is sound: its pages, its tables against each other, and every alarm accounted for.

Queries only; the service may run meanwhile. What is looked at is one moment's state.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.errors import StoreError
from camalert.store.queue import CLIP_BASE
from camalert.store.rows.tables import BOTH
from camalert.store.sqlite import schema, tables
from camalert.store.sqlite.opening import open_reader, pragma, translated

PROBLEMS_SHOWN = 20  # of the pages; one bad page causes many lines
VISITS_VERSION = 3
BIN_VERSION = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found. A fault must not be; the others are to be known."""

    is_fault: bool
    message: str


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
    with contextlib.closing(open_reader(path)) as connection, translated():
        connection.execute("BEGIN")
        broken = [row[0] for row in connection.execute(f"PRAGMA integrity_check({PROBLEMS_SHOWN})") if row[0] != "ok"]
        if not schema.version(connection):
            raise StoreError(f"{path} has none of camalert's tables; `camalert init-db` adds them")
        findings = [Finding(is_fault=True, message=f"damaged: {message}") for message in broken]
        findings += _end(connection, path)
        findings += _relations(connection)
        findings += _triggers(connection)
        return Report(
            alerts=_count(connection, "camalert_alert"),
            detections=_count(connection, "camalert_detect"),
            pending=_count(connection, "camalert_pending"),
            failed=_count(connection, "camalert_alert WHERE outcome = 'failed'"),
            findings=tuple(findings),
        )


def _end(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    """Look at the end of the file: SQLite takes what is missing of its last page for zeros."""
    page_bytes = pragma(connection, "page_size")
    if rest_bytes := path.stat().st_size % page_bytes:
        yield Finding(
            is_fault=True, message=f"damaged: the file ends {page_bytes - rest_bytes} bytes before its last page does"
        )


# What must not be there, as what follows FROM.
_WRONG = (
    *(
        wrong
        for name, facts, key, count in ((table.name, table.facts, table.key, table.count) for table in BOTH)
        for wrong in (
            (f"{name} WHERE id NOT IN (SELECT {key} FROM {facts})", f"rows of {name} without their row in {facts}"),
            (f"{facts} WHERE {key} NOT IN (SELECT id FROM {name})", f"rows of {facts} whose row in {name} is gone"),
            (
                f"camalert_rows WHERE name = '{name}' AND rows <> (SELECT count(*) FROM {name})",
                f"wrong count of the rows of {name} (the next start counts anew)",
            ),
            (
                f"camalert_holder WHERE {count} <> (SELECT count(*) FROM {facts} WHERE holder = camalert_holder.id)",
                f"holders whose rows of {name} are counted wrongly",
            ),
        )
    ),
    (
        f"camalert_pending WHERE alert_id < {CLIP_BASE} AND alert_id NOT IN (SELECT id FROM alerts_alert)",
        "pending examinations of alerts that are gone",
    ),
    (
        f"camalert_pending WHERE alert_id >= {CLIP_BASE}"
        f" AND alert_id - {CLIP_BASE} NOT IN (SELECT id FROM camalert_clip)",
        "pending examinations of clips that are gone",
    ),
    (
        "camalert_alert WHERE mail IS NOT NULL AND outcome IS NULL"
        " AND alert_id NOT IN (SELECT alert_id FROM camalert_pending)",
        "alerts that are neither examined nor pending",
    ),
    (
        f"camalert_clip WHERE state = 'pending' AND id + {CLIP_BASE} NOT IN (SELECT alert_id FROM camalert_pending)",
        "clips that are neither examined nor pending",
    ),
    (
        "camalert_alert WHERE outcome IS NOT NULL AND alert_id IN (SELECT alert_id FROM camalert_pending)",
        "alerts that are examined and pending at the same time",
    ),
    (
        "camalert_detect WHERE alert_id IS NOT NULL GROUP BY alert_id HAVING count(*) > 1",
        "alerts with more than one detection",
    ),
    (
        "camalert_alert WHERE outcome = 'failed' AND coalesce(reason, '') = ''",
        "alerts that could not be examined, without a reason",
    ),
    (
        "camalert_alert JOIN alerts_alert ON id = alert_id WHERE picture_bytes <> length(snapshot)",
        "alerts whose picture has another size than when it came",
    ),
)
_WRONG_SINCE_VISITS = (
    (
        "camalert_visit WHERE id NOT IN (SELECT visit FROM camalert_alert WHERE alert_id = best_alert"
        " AND visit IS NOT NULL)",
        "visits whose best picture is gone",
    ),
    (
        "camalert_alert WHERE visit IS NOT NULL AND visit NOT IN (SELECT id FROM camalert_visit)",
        "alerts of visits that are gone",
    ),
)
_WRONG_SINCE_BIN = (
    (
        "camalert_visit WHERE unreviewed <> (SELECT count(*) FROM camalert_alert WHERE visit = camalert_visit.id"
        " AND reviewed_utc IS NULL)",
        "visits whose unreviewed pictures are counted wrongly",
    ),
    (
        "camalert_clip WHERE alert_id < 0 AND alert_id NOT IN (SELECT -alert_id FROM camalert_bin"
        " WHERE alert_id IS NOT NULL)",
        "clips of deleted alerts that are not in the bin",
    ),
    (
        "camalert_bin WHERE alert_id IN (SELECT id FROM alerts_alert) OR detect_id IN (SELECT id FROM alerts_detect)",
        "deleted pictures that are also among the others",
    ),
)
_ODD = (
    ("camalert_detect WHERE alert_id IS NULL", "detections that came from elsewhere and belong to no alert"),
    ("camalert_alert WHERE mail IS NULL", "alerts that came from elsewhere, which nobody examines"),
)


def _relations(connection: sqlite3.Connection) -> Iterator[Finding]:
    version = schema.version(connection)  # it may be an older backup
    since_visits = _WRONG_SINCE_VISITS if version >= VISITS_VERSION else ()
    since_bin = _WRONG_SINCE_BIN if version >= BIN_VERSION else ()
    for is_fault, relations in ((True, _WRONG), (True, since_visits), (True, since_bin), (False, _ODD)):
        for source, message in relations:
            if found := _count(connection, f"(SELECT 1 FROM {source})"):
                yield Finding(is_fault, f"{found} {message}")


def _triggers(connection: sqlite3.Connection) -> Iterator[Finding]:
    present = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
    for table in BOTH:
        for name, sql in {**tables.followers(table), table.trigger: tables.keeper(table)}.items():
            if name not in present:
                yield Finding(is_fault=True, message=f"the trigger {name} is missing (the service puts it back)")
            elif schema.fold(present[name]) != schema.fold(sql):
                yield Finding(is_fault=False, message=f"the trigger {name} is not as camalert makes it")


def _count(connection: sqlite3.Connection, source: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {source}").fetchone()[0])
