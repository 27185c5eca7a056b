"""Whose rows they are, and which of them give way: what is too old or too much goes, a few rows at a time.

A holder is a camera at an address, and the rows that give way are those of the largest holder. A name in a mail can be
invented and costs nothing; an address costs a little more. So rows are shared out among addresses first, and what an
address has among the cameras that it names. Both are bounded, first come, first served: what is named beyond the bound
shares one holder, so that a sender with a thousand names is one among the others. `tables.largest` chooses,
`tables.keeper` is the trigger.

All of it works on a connection inside a transaction of the caller's. What removes takes a few rows only, so that a mail
that arrives meanwhile waits for milliseconds, and returns how many; 0 means that there is nothing left to do. Never a
row whose examination is pending.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from camalert.store.interface import Rows
from camalert.store.queue import CLIP_BASE, known_as, sender_of
from camalert.store.rows import tables
from camalert.store.rows.tables import ALERTS, BOTH, DETECTIONS, NOBODY, DjangoTable

ADDRESSES = 64  # with holders of their own
CAMERAS = 64  # of one address
HOLDERS = 512  # in all; a few more, for what is shared
SHARED = "others"  # the address under which those beyond the bound are held

ROWS_A_STEP = 8  # 1 to 3 ms a row of 200 kB, its pages go to the free list one by one (measured)
MAILS_KEPT = 10_000  # mails without any row of theirs: test mails, repeats' originals, deleted alerts
MAIL_KEPT_S = 86_400.0  # longer than any repeat window
MAILS_AT_MOST = 50_000  # also when they are younger: a flood of them
RAW_KEPT = 100  # mails that nobody could read
RAW_BYTES = 268_435_456  # of them together
CAMERAS_KEPT = 1000  # names; a camera of KNOWN_MAILS mails does not give way to one with fewer
KNOWN_MAILS = 20
DAY_CAMERAS = 256  # names with sums of their own, a day; more are summed up together
PENDING_PICTURES = 10_000  # of one address
PENDING_CLIPS = 200
PENDING_BYTES = 1_073_741_824  # of both; more only up to `PENDING_SHARE` of what is free on the disk
PENDING_SHARE = 0.25
CLIPS_KEPT = 100  # clips of which no picture could be taken
CLIPS_BYTES = 536_870_912
BIN_KEPT_S = 86_400.0  # what people deleted can be restored for a day
BIN_ROWS = 5000
BIN_BYTES = 1_073_741_824
BYTES_A_STEP = 4_194_304  # freed by size at a time, and one row more
NEWEST_ROWS = 100  # that show who sends the most now
DAYS_KEPT = 800  # sums by day: two years to compare with


def take_holder(connection: Rows, peer: str, camera: str, now_utc: float) -> int:
    """Return the holder of what a client sends now in the name of a camera; it may be a new one."""
    address, name = sender_of(peer), known_as(camera)
    found = _find(connection, address, name)
    if found is None:
        _forget_empty(connection)
        address, name = _place(connection, address, name)
        found = _find(connection, address, name)
    if found is None:
        made = connection.execute(
            "INSERT INTO camalert_holder (address, camera, last_utc) VALUES (?, ?, ?)", (address, name, now_utc)
        ).lastrowid
        assert made is not None  # noqa: S101 - set by every INSERT
        return made
    connection.execute("UPDATE camalert_holder SET last_utc = ? WHERE id = ?", (now_utc, found))
    return found


def _forget_empty(connection: Rows) -> int:
    """Forget the holders that have nothing any more."""
    return connection.execute(
        "DELETE FROM camalert_holder WHERE alerts = 0 AND detections = 0 AND bytes = 0 AND id <> ?", (NOBODY,)
    ).rowcount


# The tables whose rows have a holder and a size.
HOLDING = (ALERTS.facts, DETECTIONS.facts, "camalert_clip", "camalert_raw", "camalert_bin")


def recount_holders(connection: Rows, holding: Collection[str] = HOLDING) -> None:
    """Count anew what each holder has, in the tables that are there; the triggers keep it right from then on."""
    for table in (ALERTS, DETECTIONS):
        connection.execute(
            f"UPDATE camalert_holder SET {table.count} ="
            f" (SELECT count(*) FROM {table.facts} WHERE holder = camalert_holder.id)"
        )
    sizes = " + ".join(
        f"coalesce((SELECT sum(bytes) FROM {name} WHERE holder = camalert_holder.id), 0)" for name in holding
    )
    connection.execute(f"UPDATE camalert_holder SET bytes = {sizes}")


def _find(connection: Rows, address: str, name: str) -> int | None:
    row = connection.execute(
        "SELECT id FROM camalert_holder WHERE address = ? AND camera = ?", (address, name)
    ).fetchone()
    return None if row is None else int(row[0])


def _place(connection: Rows, address: str, name: str) -> tuple[str, str]:
    """Return under which address and name a newcomer is held."""
    holders, addresses, cameras = connection.execute(
        "SELECT count(*), count(DISTINCT address), count(*) FILTER (WHERE address = ?) FROM camalert_holder", (address,)
    ).fetchone()
    if cameras:
        return (address, "") if cameras >= CAMERAS or holders >= HOLDERS else (address, name)
    if addresses >= ADDRESSES or holders >= HOLDERS:
        return SHARED, ""
    return address, name


def by_count(connection: Rows) -> int:
    """Remove the rows beyond `keep` that the triggers left, by the same rule, and junk beyond its own bounds."""
    removed = 0
    for table in BOTH:
        row = connection.execute("SELECT rows, keep FROM camalert_rows WHERE name = ?", (table.name,)).fetchone()
        rows, keep = row or (0, None)  # somebody deleted it; the next start counts anew
        excess = 0 if keep is None else min(ROWS_A_STEP, rows - keep)
        while excess > 0 and _give_way(connection, table):
            removed += 1
            excess -= 1
    return removed + _junk_beyond(connection) + _names_beyond(connection)


def _names_beyond(connection: Rows) -> int:
    """Forget cameras beyond the newest, those first that sent a few mails only: any mail may invent one."""
    return connection.execute(
        "DELETE FROM camalert_camera WHERE name IN (SELECT name FROM camalert_camera"
        " ORDER BY mails >= ? DESC, last_seen_utc DESC LIMIT ? OFFSET ?)",
        (KNOWN_MAILS, ROWS_A_STEP * 16, CAMERAS_KEPT),
    ).rowcount


def day_name(connection: Rows, day: str, camera: str) -> str:
    """Return under which name a camera's sums of a day are kept: its own, or "" when too many names came that day.

    A camera that is known has a place in any case.
    """
    (has_place,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM camalert_day WHERE day = :day AND camera = :camera)"
        " OR (SELECT count(*) FROM camalert_day WHERE day = :day) < :most"
        " OR EXISTS (SELECT 1 FROM camalert_camera WHERE name = :camera AND mails >= :known)",
        {"day": day, "camera": camera, "most": DAY_CAMERAS, "known": KNOWN_MAILS},
    ).fetchone()
    return camera if has_place else ""


def refusal(connection: Rows, holder: int, free_bytes: Callable[[], int]) -> str:
    """Return why nothing more is taken from a holder's address for now, "" when it is.

    What waits for its examination is never removed, so that it is bounded here.

    Args:
        connection: Inside a transaction.
        holder: Whose mail it is.
        free_bytes: Returns what is free on the disk; asked only when very much waits.
    """
    of_address = (
        "holder IN (SELECT id FROM camalert_holder WHERE address ="
        " (SELECT address FROM camalert_holder WHERE id = :holder))"
    )
    alerts = f"camalert_alert WHERE {of_address} AND worth = 3"
    clips = f"camalert_clip WHERE {of_address} AND alert_id IS NULL AND state = 'pending'"
    own = {"holder": holder}
    (address,) = connection.execute("SELECT address FROM camalert_holder WHERE id = :holder", own).fetchone()
    whence = "from this and other new addresses" if address == SHARED else "from this address"
    alert_count, clip_count, held_bytes = connection.execute(
        f"SELECT (SELECT count(*) FROM {alerts}), (SELECT count(*) FROM {clips}), (SELECT sum(bytes)"
        " FROM camalert_holder WHERE address = (SELECT address FROM camalert_holder WHERE id = :holder))",
        own,
    ).fetchone()
    if alert_count >= PENDING_PICTURES or clip_count >= PENDING_CLIPS:
        return f"{alert_count} pictures and {clip_count} clips {whence} wait for their examination already"
    if held_bytes <= PENDING_BYTES:
        return ""
    (waiting_bytes,) = connection.execute(
        "SELECT sum(bytes) FROM (SELECT bytes FROM "
        + alerts
        + " UNION ALL SELECT bytes FROM "
        + clips
        + ") AS waiting",
        own,
    ).fetchone()
    if (waiting_bytes or 0) <= max(PENDING_BYTES, PENDING_SHARE * free_bytes()):
        return ""
    return f"{waiting_bytes / 1e9:.1f} GB {whence} wait for their examination already"


def _junk_beyond(connection: Rows) -> int:
    """Remove unreadable mails and clips of which nothing came beyond their bounds, of the address that has the most."""
    removed = 0
    for name, key, most, most_bytes, where in (
        ("camalert_raw", "mail", RAW_KEPT, RAW_BYTES, "true"),
        ("camalert_clip", "id", CLIPS_KEPT, CLIPS_BYTES, "alert_id IS NULL AND state <> 'pending'"),
    ):
        count, size_bytes = connection.execute(
            f"SELECT count(*), coalesce(sum(bytes), 0) FROM {name} WHERE {where}"
        ).fetchone()
        while removed < ROWS_A_STEP and (count > most or size_bytes > most_bytes):
            order = "count(*)" if count > most else "sum(j.bytes)"
            row_id, gone_bytes = connection.execute(
                f"SELECT {key}, bytes FROM {name} WHERE {where} AND holder IN (SELECT id FROM camalert_holder"
                f" WHERE address = (SELECT h.address FROM {name} j JOIN camalert_holder h ON h.id = j.holder"
                f" WHERE {where} GROUP BY h.address ORDER BY {order} DESC LIMIT 1)) ORDER BY {key} LIMIT 1"
            ).fetchone()
            connection.execute(f"DELETE FROM {name} WHERE {key} = ?", (row_id,))
            count, size_bytes, removed = count - 1, size_bytes - gone_bytes, removed + 1
    return removed


def _give_way(connection: Rows, table: DjangoTable) -> int:
    """Remove the row of the largest holder that gives way; return 0 when all of its rows are pending."""
    removed = 0
    for statement in tables.give_way(table, f"(SELECT max({table.key}) FROM {table.facts})"):
        removed = connection.execute(statement).rowcount
    return removed


@dataclass(frozen=True, slots=True)
class Young:
    """Rows that gave way on their own day: how many, who was to give way last, and who sends the most by now."""

    count: int
    camera: str
    address: str
    sender_camera: str
    sender_address: str


def take_young(connection: Rows) -> Young:
    """Return what gave way on its own day since the last call."""
    count, camera, address = connection.execute(
        "SELECT coalesce(sum(young), 0), coalesce(max(coalesce(nullif(h.camera, ''), h.address)), ''),"
        " coalesce(max(h.address), '') FROM camalert_rows r LEFT JOIN camalert_holder h ON h.id = r.holder"
        " WHERE young > 0"
    ).fetchone()
    if not count:
        return Young(0, "", "", "", "")
    connection.execute("UPDATE camalert_rows SET young = 0")
    sender = connection.execute(
        "SELECT CASE count(DISTINCT h.camera) WHEN 1 THEN max(h.camera) ELSE '' END, h.address FROM (SELECT holder FROM"
        " camalert_alert ORDER BY alert_id DESC LIMIT ?) AS newest JOIN camalert_holder h ON h.id = holder"
        " GROUP BY h.address ORDER BY count(*) DESC LIMIT 1",
        (NEWEST_ROWS,),
    ).fetchone()
    return Young(int(count), str(camera), str(address), *(sender or ("", "")))


def by_age(connection: Rows, before: str) -> int:
    """Remove the rows whose timestamp is before this text."""
    removed = 0
    for table in BOTH:
        removed += _remove(
            connection,
            table,
            f"SELECT {table.key} FROM {table.facts} WHERE timestamp < ? ORDER BY timestamp",
            (before,),
        )
    clips = connection.execute(
        "DELETE FROM camalert_clip WHERE id IN (SELECT id FROM camalert_clip WHERE timestamp < ?"
        " AND state <> 'pending' ORDER BY id LIMIT ?)",
        (before, ROWS_A_STEP),
    )
    return removed + clips.rowcount


def of_bin(connection: Rows, before_utc: float) -> int:
    """Remove for good what was deleted before a moment, and the oldest beyond what the bin holds."""
    expired = connection.execute(
        "SELECT id FROM camalert_bin WHERE deleted_utc < ? ORDER BY deleted_utc, id LIMIT ?", (before_utc, ROWS_A_STEP)
    ).fetchall()
    count, size_bytes = connection.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM camalert_bin").fetchone()
    removed = 0
    for (row_id,) in expired:
        connection.execute("DELETE FROM camalert_bin WHERE id = ?", (row_id,))
        removed += 1
    if not expired:
        while removed < ROWS_A_STEP and (count > BIN_ROWS or size_bytes > BIN_BYTES):
            size_bytes -= _remove_binned(connection) or 0
            count, removed = count - 1, removed + 1
    return removed


def _remove_binned(connection: Rows) -> int | None:
    """Remove for good what was deleted first; return its size, None when the bin is empty."""
    row = connection.execute("SELECT id, bytes FROM camalert_bin ORDER BY deleted_utc, id LIMIT 1").fetchone()
    if row is None:
        return None
    connection.execute("DELETE FROM camalert_bin WHERE id = ?", (row[0],))
    return max(1, int(row[1]))


def by_size(connection: Rows, keep_bytes: int, now_text: str, used_bytes: Callable[[Rows], int]) -> int:
    """Empty the bin, remove junk, then rows of the largest holder, while more than `keep_bytes` are in use.

    Args:
        connection: Inside a transaction.
        keep_bytes: What may be in use.
        now_text: The time, as the tables have it.
        used_bytes: Tells how much is.
    """
    removed = freed_bytes = 0
    while removed < ROWS_A_STEP and freed_bytes < BYTES_A_STEP and used_bytes(connection) > keep_bytes:
        holders = _by_bytes(connection)
        gone_bytes = (
            _remove_binned(connection)
            or _remove_junk(connection, holders)
            or _remove_oldest(connection, holders[:1], now_text)
        )
        if gone_bytes is None:
            break
        removed += 1
        freed_bytes += gone_bytes
    return removed


def free(connection: Rows, needed_bytes: int, senders: Collection[str], now_text: str) -> int:
    """Free pages for what does not fit: the bin, junk, then rows of the largest holders; return how many bytes.

    Who has less than the one that it is for gives nothing: then that one is refused.

    Args:
        connection: Inside a transaction.
        needed_bytes: How much is enough.
        senders: The addresses whose mails do not fit.
        now_text: The time, as the tables have it.
    """
    freed_bytes = 0
    holders = _by_bytes(connection)
    least = min((sum(held.bytes for held in holders if held.address == sender) for sender in senders), default=0)
    able = [held for held in holders if held.address_bytes >= least]
    while freed_bytes < needed_bytes:
        gone_bytes = (
            _remove_binned(connection) or _remove_junk(connection, able) or _remove_oldest(connection, able, now_text)
        )
        if gone_bytes is None:
            break
        freed_bytes += max(1, gone_bytes)
    return freed_bytes


@dataclass(frozen=True, slots=True)
class _Held:
    """How much a holder has, and its address."""

    holder: int
    address: str
    bytes: int
    address_bytes: int


def _by_bytes(connection: Rows) -> list[_Held]:
    """Return the holders, those of the address that has the most bytes first, and of an address the largest first."""
    rows = connection.execute(
        "SELECT h.id, h.address, h.bytes, a.total FROM camalert_holder h JOIN (SELECT address, sum(bytes) AS total"
        " FROM camalert_holder GROUP BY address) a ON a.address = h.address WHERE h.bytes > 0"
        " ORDER BY a.total DESC, h.address, h.bytes DESC"
    )
    return [_Held(*row) for row in rows]


def _remove_junk(connection: Rows, holders: Sequence[_Held]) -> int | None:
    """Remove an unreadable mail or a clip of which nothing came, the oldest of the first holder; return its size."""
    rank = {held.holder: place for place, held in enumerate(holders)}
    rows = connection.execute(
        "SELECT 'camalert_raw', mail, bytes, holder FROM camalert_raw UNION ALL"
        " SELECT 'camalert_clip', id, bytes, holder FROM camalert_clip WHERE alert_id IS NULL AND state <> 'pending'"
    )
    junk = [(rank[holder], name, row_id, size_bytes) for name, row_id, size_bytes, holder in rows if holder in rank]
    if not junk:
        return None
    _, name, row_id, size_bytes = min(junk)
    key = "mail" if name == "camalert_raw" else "id"
    connection.execute(f"DELETE FROM {name} WHERE {key} = ?", (row_id,))
    return int(size_bytes)


def _days(text: str, now_text: str) -> float:
    """Return how many days ago a row's time is; many when it is none."""
    then, now = tables.seconds_of(text), tables.seconds_of(now_text)
    return 36_500.0 if then is None or now is None else (now - then) / 86_400


def _remove_oldest(connection: Rows, holders: Sequence[_Held], now_text: str) -> int | None:
    """Remove the row of the first of the holders that has any to give, by age and worth; return how much it frees."""
    for held in holders:
        found = [
            ((_days(row[1], now_text) + 0.01) * weight, table, row[0], row[2])
            for table in BOTH
            for worth, weight in tables.WEIGHTS.items()
            if (
                row := connection.execute(
                    f"SELECT {table.key}, timestamp, bytes FROM {table.facts}"
                    f" WHERE holder = ? AND worth = ? AND {_idle(table)} ORDER BY {table.key} LIMIT 1",
                    (held.holder, worth),
                ).fetchone()
            )
        ]
        if found:
            _, table, row_id, size_bytes = max(found, key=lambda each: each[0])
            connection.execute(f"DELETE FROM {table.name} WHERE id = ?", (row_id,))
            return int(size_bytes)
    return None


def note_others(connection: Rows, now_utc: float) -> None:
    """Note when another program last added a row: its rows are nobody's, and nobody sends a mail.

    Else they would count as those of a sender who fell silent when the database became ours, and give way ever sooner.
    The time is that of the newest row, to a day.
    """
    newest = " UNION ALL ".join(
        f"SELECT timestamp FROM {table.facts} WHERE {table.key} = (SELECT max({table.key}) FROM {table.facts}"
        f" WHERE holder = {NOBODY} AND worth = {worth})"
        for table in BOTH
        for worth in tables.WEIGHTS
    )
    found = [tables.seconds_of(text) for (text,) in connection.execute(newest)]
    added_utc = min(now_utc, max((moment for moment in found if moment is not None), default=0.0))
    connection.execute(
        f"UPDATE camalert_holder SET last_utc = :added WHERE id = {NOBODY} AND last_utc < :added - 86400",
        {"added": added_utc},
    )


def of_mails(connection: Rows, before_utc: float, first_day: str) -> int:
    """Remove mails that no row refers to, and sums by day, beyond what is kept.

    Args:
        connection: Inside a transaction.
        before_utc: Younger mails stay, unless there are very many.
        first_day: Sums of earlier days go.
    """
    removed = 0
    for kept, until_utc in ((MAILS_KEPT, before_utc), (MAILS_AT_MOST, 1e99)):
        removed += connection.execute(
            "DELETE FROM camalert_mail WHERE id IN (SELECT m.id FROM camalert_mail m WHERE m.id <= ("
            "  SELECT id FROM camalert_mail ORDER BY id DESC LIMIT 1 OFFSET ?) AND m.received_utc < ?"
            " AND NOT EXISTS (SELECT 1 FROM camalert_alert WHERE mail = m.id)"
            " AND NOT EXISTS (SELECT 1 FROM camalert_detect WHERE mail = m.id)"
            " AND NOT EXISTS (SELECT 1 FROM camalert_clip WHERE mail = m.id) ORDER BY m.id LIMIT ?)",
            (kept, until_utc, ROWS_A_STEP * 16),
        ).rowcount
    days = connection.execute("DELETE FROM camalert_day WHERE day < ?", (first_day,)).rowcount
    return removed + days


def _remove(connection: Rows, table: DjangoTable, candidates: str, arguments: tuple[object, ...]) -> int:
    """Delete the first rows that a query names and that no examination waits for."""
    cursor = connection.execute(
        f"DELETE FROM {table.name} WHERE id IN (SELECT {table.key} FROM ({candidates}) AS candidates"
        f" WHERE {_idle(table)} LIMIT {ROWS_A_STEP})",
        arguments,
    )
    return cursor.rowcount


def _idle(table: DjangoTable) -> str:
    if table is not ALERTS:
        return "true"
    return f"alert_id NOT IN (SELECT alert_id FROM camalert_pending WHERE alert_id < {CLIP_BASE})"
