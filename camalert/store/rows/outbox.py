"""The outbox: for each event and each target a row, to be told or with the reason why not.

The rows are made in the transaction that the event comes from. The notifier reads them; what it reports is written
here. A row's key says what it is about, and is there once: nothing is told twice.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from camalert.identity import key
from camalert.ipc.records import ToldRecord
from camalert.store.interface import Rows
from camalert.store.queue import known_as
from camalert.store.rows import switches
from camalert.visits import digest, policy
from camalert.visits.grouping import Visit
from camalert.visits.policy import Decision, Event, Target

BETTER_SCORE = 0.15  # as much more makes a picture clearly better
ROWS_KEPT = 5000
WAITING_KEPT = 1000  # of a target
REASON_CHARS = 400
DIGEST_VISITS = 2000
NO_TARGET = "there is no such target any more"
TOO_MANY = "too many messages waited"
TEST = "test"  # an event that somebody asks for: tried once


@dataclass(frozen=True, slots=True)
class Told:
    """A decision with the event that it is about, for the log."""

    event: Event
    decision: Decision


def events_of(visit: Visit, alert_id: int, score: float) -> list[Event]:
    """Return what a picture that has just joined its visit may be worth telling.

    Args:
        visit: As it is with the picture.
        alert_id: The picture.
        score: Of its surest person.
    """
    if visit.best_alert != alert_id:
        return []
    # When it was received: a camera's own clock may be wrong by hours.
    event = Event("visit", visit.camera, visit.heard_utc, visit.id, alert_id, score, visit.pictures)
    return [event] if visit.pictures == 1 else [event, replace(event, kind="better")]


def over(visit: Visit) -> Event:
    """Return the event of a visit that is over."""
    return Event(
        "over", visit.camera, visit.heard_utc, visit.id, visit.best_alert, visit.best_score, visit.pictures,
        visit.last_utc - visit.began_utc,
    )  # fmt: skip


def tell(connection: Rows, events: Iterable[Event], targets: Sequence[Target], now_utc: float) -> list[Told]:
    """Decide about events and keep what was decided, inside a transaction.

    Returns: What is new; a repeat changes nothing.
    """
    if not targets:
        return []
    switched = switches.read(connection, now_utc)
    named = {target.name: target for target in targets}
    told: list[Told] = []
    for event in events:
        for decision in policy.decide(event, targets, switched, _last_sent(connection, event), now_utc, None):
            target = named[decision.target]
            if event.kind == "better" and not _is_clearly_better(connection, event, target):
                continue
            if event.kind == "visit" and event.pictures > 1 and not _forget_unsure(connection, event, target):
                continue  # it was decided with the first picture
            added = connection.execute(
                "INSERT INTO camalert_outbox (key, target, event, camera, known_as, visit, alert, at_utc,"
                " created_utc, due_utc, tries, state, reason, priority, score, message, since_utc)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (policy.key_of(event, decision.target), decision.target, event.kind, event.camera,
                 known_as(event.camera), event.visit, event.alert, event.at_utc, now_utc, decision.due_utc,
                 "waiting" if decision.is_told else "silent", decision.reason, decision.priority, event.score,
                 event.message, event.since_utc),
            )  # fmt: skip
            if added.rowcount > 0:
                told.append(Told(event, decision))
    return told


def _forget_unsure(connection: Rows, event: Event, target: Target) -> bool:
    """Remove the decision not to tell a target of a visit as its pictures were not sure enough, if this one is."""
    removed = connection.execute(
        "DELETE FROM camalert_outbox WHERE key = :key AND state = 'silent' AND score < :least AND :score >= :least",
        {"key": policy.key_of(event, target.name), "least": target.min_score, "score": event.score},
    )
    return removed.rowcount > 0


def _is_clearly_better(connection: Rows, event: Event, target: Target) -> bool:
    """Compare a picture with the one that this target was told of, or another one where it asked for no visits."""
    row = connection.execute(
        "SELECT score FROM camalert_outbox WHERE visit = ? AND event = 'visit' ORDER BY target <> ?, score LIMIT 1",
        (event.visit, target.name),
    ).fetchone()
    return row is None or event.score >= row[0] + BETTER_SCORE


def _last_sent(connection: Rows, event: Event) -> dict[tuple[str, str], float]:
    rows = connection.execute(
        "SELECT target, max(sent_utc) FROM camalert_outbox WHERE known_as = ? AND state = 'sent' GROUP BY target",
        (known_as(event.camera),),
    )
    return {(target, key(event.camera)): float(sent_utc) for target, sent_utc in rows if sent_utc is not None}


def take(
    connection: Rows, told: ToldRecord, targets: Sequence[Target], now_utc: float, chance: float
) -> tuple[str, str] | None:
    """Write what became of a message, inside a transaction; a report that comes twice counts once.

    Returns: The target and the row's new state, None when nothing has changed.
    """
    row = connection.execute(
        "SELECT target, tries, created_utc, event FROM camalert_outbox"
        " WHERE id = ? AND tries = ? AND state = 'waiting'",
        (told.outbox_id, told.tries),
    ).fetchone()
    if row is None:
        return None
    target, tries, created_utc, kind = row
    give_up_s = next((one.give_up_s for one in targets if one.name == target and kind != TEST), 0.0)
    after = policy.after_try(
        tries + 1, created_utc, told.code, retry_after_s=told.retry_after_s, give_up_s=give_up_s, now_utc=now_utc,
        chance=chance,
    )  # fmt: skip
    sent_utc = told.at_utc if after.state == policy.SENT else None
    connection.execute(
        "UPDATE camalert_outbox SET tries = ?, state = ?, due_utc = ?, reason = ?, sent_utc = ? WHERE id = ?",
        (tries + 1, after.state, after.due_utc, told.reason[:REASON_CHARS], sent_utc, told.outbox_id),
    )
    return str(target), after.state


def put_test(connection: Rows, target: str, message: str, own: str, now_utc: float) -> int:
    """Let a target get a test message at once, inside a transaction; return the row's id.

    Args:
        connection: Where.
        target: Its name.
        message: What it says.
        own: Something that no other test has.
        now_utc: Seconds since 1970.
    """
    (row_id,) = connection.execute(
        "INSERT INTO camalert_outbox (key, target, event, camera, known_as, visit, alert, at_utc, created_utc, due_utc,"
        " tries, state, reason, priority, score, message, since_utc)"
        " VALUES (:key, :target, :event, '', '', 0, 0, :now, :now, :now, 0, 'waiting', '', 'normal', 0, :message, :now)"
        " RETURNING id",
        {"key": f"test:{own}", "target": target, "event": TEST, "now": now_utc, "message": message},
    ).fetchone()
    return int(row_id)


def tell_digests(
    connection: Rows, targets: Sequence[Target], now_utc: float, zone: datetime.tzinfo | None = None
) -> int:
    """Decide about the digests that are due, each once, inside a transaction; return how many there were."""
    switched = switches.read(connection, now_utc)
    count = 0
    for target in targets:
        for event in digest.due(target, switched, now_utc, zone):
            own = policy.key_of(event, target.name)
            if connection.execute("SELECT 1 FROM camalert_outbox WHERE key = ?", (own,)).fetchone():
                continue
            seen = visits_between(connection, target, event.since_utc, event.at_utc)
            count += len(tell(connection, [replace(event, pictures=len(seen))], [target], now_utc))
    return count


def visits_between(connection: Rows, target: Target, since_utc: float, until_utc: float) -> list[Visit]:
    """Return the visits that a target's digest counts, the newest `DIGEST_VISITS`."""
    rows = connection.execute(
        "SELECT id, camera, began_utc, last_utc, heard_utc, pictures, people, best_alert, best_score, objects"
        " FROM camalert_visit WHERE heard_utc > ? AND heard_utc <= ? ORDER BY heard_utc DESC LIMIT ?",
        (since_utc, until_utc, DIGEST_VISITS),
    )
    return [visit for visit in (Visit(*row) for row in rows) if digest.counts(visit, target)]


def keep_up(connection: Rows, targets: Sequence[Target], now_utc: float) -> int:
    """Keep the table small, and give up what nobody will send; return how many rows changed."""
    names = [target.name for target in targets]
    others = f"target NOT IN ({','.join('?' * len(names))})" if names else "true"
    changed = connection.execute(
        "UPDATE camalert_outbox SET state = 'given_up', due_utc = NULL, reason = ?"
        f" WHERE state = 'waiting' AND {others}",
        (NO_TARGET, *names),
    ).rowcount
    for name in names:
        changed += connection.execute(
            "UPDATE camalert_outbox SET state = 'given_up', due_utc = NULL, reason = ? WHERE state = 'waiting'"
            " AND target = ? AND id <= (SELECT id FROM camalert_outbox WHERE state = 'waiting' AND target = ?"
            " ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (TOO_MANY, name, name, WAITING_KEPT),
        ).rowcount
    return (
        changed
        + connection.execute(
            "DELETE FROM camalert_outbox WHERE state <> 'waiting' AND id <= (SELECT max(id) FROM camalert_outbox) - ?"
            " AND NOT (event = 'digest' AND created_utc > ?)",  # there are a few a day, and one that goes comes again
            (ROWS_KEPT, now_utc - 2 * digest.LATE_S),
        ).rowcount
    )
