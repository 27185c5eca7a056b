"""What the owner has switched: armed or not, snoozed until when, at home or away. It outlives restarts.

The writer reads it with each decision; the commands, the site and, through the writer, MQTT change it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from camalert.errors import StoreRefused
from camalert.identity import key
from camalert.ipc.records import SwitchRecord
from camalert.store.interface import Rows
from camalert.visits.policy import AWAY, HOME, Switches

ARMED, SNOOZE, PRESENCE = "armed", "snooze", "presence"
ON, OFF = "on", "off"
MOST = 512  # switches of single cameras
BY_CHARS = 60
CAMERA_CHARS = 200


def read(connection: Rows, now_utc: float) -> Switches:
    """Return what is switched; a snooze that is over is left out."""
    rows = connection.execute(
        'SELECT kind, camera, value, until_utc, "by", since_utc, before_utc FROM camalert_switch'
    ).fetchall()
    presence = next(((value, *times) for kind, _, value, _, _, *times in rows if kind == PRESENCE), (AWAY, None, None))
    return Switches(
        armed={camera: value != OFF for kind, camera, value, *_ in rows if kind == ARMED},
        snoozed={
            camera: (float(until_utc), str(by))
            for kind, camera, _, until_utc, by, *_ in rows
            if kind == SNOOZE and until_utc is not None and until_utc > now_utc
        },
        presence=presence[0] if presence[0] in (HOME, AWAY) else AWAY,
        presence_since_utc=presence[1],
        presence_before_utc=presence[2],
    )


def put(connection: Rows, switch: SwitchRecord, now_utc: float) -> None:
    """Switch something, inside a transaction.

    Args:
        connection: Where.
        switch: `ARMED` with "on" or "off", `PRESENCE` with "home" or "away", or `SNOOZE`, which `until_utc` None ends.
            Of no camera it means all, and what was said of single ones is forgotten.
        now_utc: Seconds since 1970.

    Raises: StoreRefused for anything else, and for too many.
    """
    kind, value = switch.kind, switch.value
    own = "" if kind == PRESENCE else key(switch.camera)
    allowed = {ARMED: (ON, OFF), PRESENCE: (HOME, AWAY), SNOOZE: ("",)}.get(kind, ())
    if value not in allowed or len(own) > CAMERA_CHARS:
        raise StoreRefused(f"{kind!r} cannot be switched to {value!r}")
    before = read(connection, now_utc)
    since_utc, before_utc = (
        (None, None) if kind != PRESENCE else (before.presence_since_utc, before.presence_before_utc)
    )
    if kind == PRESENCE and value != before.presence:
        since_utc, before_utc = now_utc, since_utc
    if not own:
        connection.execute("DELETE FROM camalert_switch WHERE kind = ?", (kind,))
    if kind == SNOOZE and switch.until_utc is None:
        connection.execute("DELETE FROM camalert_switch WHERE kind = ? AND camera = ?", (kind, own))
        return
    [count] = connection.execute(
        "SELECT count(*) FROM camalert_switch WHERE NOT (kind = ? AND camera = ?)", (kind, own)
    ).fetchone()
    if count >= MOST:
        raise StoreRefused(f"there are {count} switches already: switch all cameras at once")
    connection.execute(
        'INSERT INTO camalert_switch (kind, camera, value, until_utc, "by", since_utc, before_utc)'
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, camera) DO UPDATE SET value = excluded.value,"
        ' until_utc = excluded.until_utc, "by" = excluded."by", since_utc = excluded.since_utc,'
        " before_utc = excluded.before_utc",
        (kind, own, value, switch.until_utc, switch.by[:BY_CHARS], since_utc, before_utc),
    )


Listed: TypeAlias = list[list[Any]]


def rows_of(connection: Rows, kind: str) -> Listed:
    """Return the rows of a kind of switch, to be put back by `restore`."""
    found = connection.execute(
        'SELECT camera, value, until_utc, "by", since_utc, before_utc FROM camalert_switch WHERE kind = ?'
        " ORDER BY camera",
        (kind,),
    )
    return [list(row) for row in found]


def restore(connection: Rows, kind: str, *, before: Listed, after: Listed) -> bool:
    """Put a kind of switch back as it was, inside a transaction, if nobody has changed it meanwhile.

    Args:
        connection: Where.
        kind: Of switch.
        before: As `rows_of` returned them before the change that is undone.
        after: And after it.
    Returns: Whether it was put back.
    """
    if rows_of(connection, kind) != after:
        return False
    connection.execute("DELETE FROM camalert_switch WHERE kind = ?", (kind,))
    connection.executemany(
        'INSERT INTO camalert_switch (kind, camera, value, until_utc, "by", since_utc, before_utc)'
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(kind, *row) for row in before[:MOST]],
    )
    return True
