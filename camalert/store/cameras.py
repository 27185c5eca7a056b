"""What the owner says of cameras' names: one is renamed, two are one, one is gone. The stored rows follow.

A mail goes on to give the old name. So the new one is kept beside it, and whoever learns the old one says the new: the
writer in the transaction of each mail, the intake and the status as soon as the writer has noticed the change, within a
second. A name that a `[[camera]]` block gives is the configuration's to change.

A clip's camera is its mail's, and a deleted picture follows when it is restored: to change their rows would mean to
write the clip or the picture once more.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.config import schema as config
from camalert.errors import StoreError, StoreRefused
from camalert.identity import key, spelled
from camalert.store.queue import known_as
from camalert.store.rows import names, visits
from camalert.store.sqlite.opening import connect, translated
from camalert.visits.policy import matches

MOST_NAMES = 512  # that stand for other ones
MOST_FORGOTTEN = 64  # cameras; the status has taken note of the older ones long ago
NAME_CHARS = 100
BUSY_S = 10.0


@dataclass(frozen=True, slots=True)
class Follower:
    """A table whose rows follow when a camera gets another name.

    `written` is its column for the name as it is written, `compared` the one for `known_as`. Where rows of a camera are
    unique, a row of the new name is there perhaps already: then it stays, and the old one goes or `is_kept`.
    """

    table: str
    written: str = ""
    compared: str = ""
    is_kept: bool = False


FOLLOWING = (
    Follower("camalert_mail", "camera"),
    Follower("camalert_alert", "camera"),
    Follower("camalert_detect", "camera"),
    Follower("camalert_visit", "camera", "known_as"),
    Follower("camalert_outbox", "camera", "known_as"),
    Follower("camalert_known", "camera", "known_as"),
    Follower("camalert_switch", compared="camera"),
    Follower("camalert_holder", compared="camera", is_kept=True),  # its rows are its own until they give way
)


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed: the name as it is written now, how many pictures follow, and what the owner should know."""

    name: str
    pictures: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A camera that mailed, seen last at `seen_utc`, with the names that stand for its own."""

    name: str
    mails: int
    seen_utc: float
    also: tuple[str, ...]


def rename(
    settings: config.Config, old: str, new: str, now_utc: float, *, fixed: Collection[str] | None = None
) -> Change:
    """Give a camera another name.

    Args:
        settings: The configuration, with the database.
        old: Its present name, in any spelling.
        new: What it is called from now on; no other camera may be called so.
        now_utc: Seconds since 1970.
        fixed: The names that only the configuration may change; None: those of all [[camera]] blocks.

    Raises: StoreRefused with the reason, for the owner; StoreError when the database cannot be written.
    """
    name = _name(new)
    with _writing(settings) as connection:
        _refuse_fixed(settings, old, name, fixed)
        variants = _variants(connection, old)
        if key(name) != key(old) and key(name) in {key(own) for own in _names(connection)}:
            raise StoreRefused(f"there is a camera {name} already: merge the two, or choose another name")
        return _move(connection, settings, variants, old, _spelled_by(settings, name), now_utc)


def merge(
    settings: config.Config, old: str, into: str, now_utc: float, *, fixed: Collection[str] | None = None
) -> Change:
    """Make one camera of two: what came as `old` is `into`'s, now and from now on.

    Raises: StoreRefused with the reason, for the owner; StoreError when the database cannot be written.
    """
    with _writing(settings) as connection:
        _refuse_fixed(settings, old, into, fixed)
        if key(old) == key(into):
            raise StoreRefused(f"{spelled(old)} and {spelled(into)} are the same camera already")
        variants = _variants(connection, old)
        found = next((own for own in _names(connection) if key(own) == key(into)), None)
        if found is None and key(into) not in {key(camera.name) for camera in settings.camera}:
            raise StoreRefused(f"there is no camera {spelled(into)}")
        return _move(connection, settings, variants, old, _spelled_by(settings, found or into), now_utc)


def forget(
    settings: config.Config,
    name: str,
    now_utc: float,
    *,
    also: Iterable[str] = (),
    fixed: Collection[str] | None = None,
) -> None:
    """Forget a camera that is gone, and the names that stand for its own. Its pictures stay.

    Args:
        settings: The configuration, with the database.
        name: The camera.
        now_utc: Seconds since 1970.
        also: Cameras that the service's status knows; one that never delivered a mail is there alone.
        fixed: As for `rename`.

    Raises: StoreRefused with the reason, for the owner; StoreError when the database cannot be written.
    """
    own = key(name)
    if own in _fixed(settings, fixed):
        raise StoreRefused(f"{spelled(name)} has a [[camera]] block in the configuration: first remove it and reload")
    with _writing(settings) as connection:
        seen = [row[0] for row in connection.execute("SELECT name FROM camalert_camera") if key(row[0]) == own]
        if not seen and own not in {key(other) for other in also}:
            raise StoreRefused(_unknown(connection, name))
        connection.executemany("DELETE FROM camalert_camera WHERE name = ?", [(other,) for other in seen])
        renamed = [
            row[0] for row in connection.execute("SELECT known_as, name FROM camalert_name") if key(row[1]) == own
        ]
        connection.executemany("DELETE FROM camalert_name WHERE known_as = ?", [(other,) for other in renamed])
        names.put(connection, own, names.GONE, now_utc)
        connection.execute(
            "DELETE FROM camalert_name WHERE name = ? AND known_as NOT IN (SELECT known_as FROM camalert_name"
            " WHERE name = ? ORDER BY changed_utc DESC LIMIT ?)",
            (names.GONE, names.GONE, MOST_FORGOTTEN),
        )


def known(connection: sqlite3.Connection) -> list[Known]:
    """Return the cameras that mailed, by name, each with the names that stand for its own."""
    also = names.before(connection)
    rows = connection.execute("SELECT name, mails, last_seen_utc FROM camalert_camera WHERE name <> ''").fetchall()
    return [
        Known(str(name), int(mails), float(seen_utc), tuple(sorted(also.get(key(name), set()) - {key(name)})))
        for name, mails, seen_utc in sorted(rows, key=lambda row: key(row[0]))
    ]


@contextlib.contextmanager
def _writing(settings: config.Config) -> Iterator[sqlite3.Connection]:
    """Open the database that the writer uses too, for one transaction."""
    path = Path(settings.database.path)
    if not path.exists():
        raise StoreError(f"there is no database {path}: start the service once, or run `camalert init-db`")
    with translated(), contextlib.closing(connect(path, "rw", wait_s=BUSY_S)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer's work
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'camalert_name'").fetchone():
            raise StoreError(f"{path} is of an older release: start the service once, or run `camalert init-db`")
        yield connection
        connection.execute("COMMIT")


def _name(text: str) -> str:
    name = spelled(text)
    if not name or not name.isprintable():
        raise StoreRefused("a camera's name is a line of letters")
    if len(name) > NAME_CHARS:
        raise StoreRefused(f"a camera's name has at most {NAME_CHARS} characters, this one has {len(name)}")
    return name


def _fixed(settings: config.Config, fixed: Collection[str] | None) -> set[str]:
    return {key(name) for name in ((camera.name for camera in settings.camera) if fixed is None else fixed)}


def _refuse_fixed(settings: config.Config, old: str, new: str, fixed: Collection[str] | None) -> None:
    if key(old) in _fixed(settings, fixed):
        raise StoreRefused(
            f"{spelled(old)} is the name that a [[camera]] block of the configuration gives: first change it there to "
            f"{spelled(new)} and reload; then do this again, and the stored rows follow"
        )


def _spelled_by(settings: config.Config, name: str) -> str:
    """Return a name as the configuration writes it, where it does."""
    return next((spelled(camera.name) for camera in settings.camera if key(camera.name) == key(name)), spelled(name))


def _names(connection: sqlite3.Connection) -> list[str]:
    """Return all names of cameras that rows have, in all spellings."""
    found: dict[str, None] = {}
    for table, column in (("camalert_camera", "name"), *_WRITTEN, ("camalert_day", "camera")):
        for (name,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}"):
            if key(str(name)):
                found[str(name)] = None
    return list(found)


_WRITTEN = tuple((follower.table, follower.written) for follower in FOLLOWING if follower.written)


def _variants(connection: sqlite3.Connection, name: str) -> list[str]:
    """Return the spellings that a camera's rows have.

    Raises: StoreRefused when there is none.
    """
    found = [own for own in _names(connection) if key(own) == key(name)]
    if not found:
        raise StoreRefused(_unknown(connection, name))
    return found


def _unknown(connection: sqlite3.Connection, name: str) -> str:
    now = names.named_now(connection, name)
    there = f"there is no camera {spelled(name)}"
    return there if key(now) == key(name) else f"{there}: it is called {now} now"


def _move(  # noqa: PLR0913, PLR0917 - one change, as it was checked
    connection: sqlite3.Connection, settings: config.Config, variants: list[str], old: str, new: str, now_utc: float
) -> Change:
    """Let all rows of a camera follow, and its later mails."""
    _keep_name(connection, old, new, now_utc)
    pictures = 0
    for own in variants:
        if own == new:
            continue
        for follower in FOLLOWING:
            changed = _follow(connection, follower, own, new)
            pictures += changed if follower.table == "camalert_alert" else 0
        _follow_sums(connection, own, new)
        _follow_camera(connection, own, new)
    visits.regroup(connection, new, settings.visits.gap_seconds, settings.database.timestamps)
    return Change(new, pictures, tuple(_remarks(settings, old, new)))


def _keep_name(connection: sqlite3.Connection, old: str, new: str, now_utc: float) -> None:
    own = key(new)
    [count] = connection.execute(
        "SELECT count(*) FROM camalert_name WHERE name <> ? AND known_as <> ?", (names.GONE, key(old))
    ).fetchone()
    if count >= MOST_NAMES:
        raise StoreRefused(f"{count} names stand for others already: forget cameras that are gone")
    earlier = [
        other for other, name in connection.execute("SELECT known_as, name FROM camalert_name") if key(name) == key(old)
    ]
    connection.execute("DELETE FROM camalert_name WHERE known_as = ?", (own,))  # it is a camera's own name now
    for other in (*earlier, key(old)):
        if other != own or key(old) == own:
            names.put(connection, other, new, now_utc)


def _follow(connection: sqlite3.Connection, follower: Follower, old: str, new: str) -> int:
    table, written, compared = follower.table, follower.written, follower.compared
    if written:
        assignments = f"{written} = :new" + (f", {compared} = :as" if compared else "")
        values = {"new": new, "as": known_as(new), "old": old}
        return connection.execute(f"UPDATE {table} SET {assignments} WHERE {written} = :old", values).rowcount
    if known_as(old) == known_as(new):
        return 0
    changed = connection.execute(
        f"UPDATE OR IGNORE {table} SET {compared} = ? WHERE {compared} = ?", (known_as(new), known_as(old))
    ).rowcount
    if not follower.is_kept:
        connection.execute(f"DELETE FROM {table} WHERE {compared} = ?", (known_as(old),))
    return changed


def _follow_sums(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Add a camera's sums by day to those of another name."""
    columns = [row[1] for row in connection.execute("PRAGMA table_info(camalert_day)")]
    sums = [name for name in columns if name not in ("day", "camera")]
    connection.execute(
        f"INSERT INTO camalert_day (day, camera, {', '.join(sums)})"
        f" SELECT day, ?, {', '.join(sums)} FROM camalert_day WHERE camera = ?"
        f" ON CONFLICT (day, camera) DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in sums)}",
        (new, old),
    )
    connection.execute("DELETE FROM camalert_day WHERE camera = ?", (old,))


def _follow_camera(connection: sqlite3.Connection, old: str, new: str) -> None:
    values = {"old": old, "new": new}
    connection.execute("UPDATE OR IGNORE camalert_camera SET name = :new WHERE name = :old", values)
    row = connection.execute(
        "SELECT first_seen_utc, last_seen_utc, last_kind, last_peer, mails, alerts, detections FROM camalert_camera"
        " WHERE name = :old",
        values,
    ).fetchone()
    if row is None:
        return  # it has the new name, or was forgotten
    connection.execute(
        "UPDATE camalert_camera SET first_seen_utc = min(first_seen_utc, ?1),"
        " last_kind = iif(last_seen_utc < ?2, ?3, last_kind), last_peer = iif(last_seen_utc < ?2, ?4, last_peer),"
        " last_seen_utc = max(last_seen_utc, ?2), mails = mails + ?5, alerts = alerts + ?6,"
        " detections = detections + ?7 WHERE name = ?8",
        (*row, new),
    )
    connection.execute("DELETE FROM camalert_camera WHERE name = :old", values)


def _remarks(settings: config.Config, old: str, new: str) -> Iterator[str]:
    """Say which targets are told of the old name and not of the new."""
    for target in settings.notify:
        for item, patterns in (("cameras", target.cameras), ("away_cameras", target.away_cameras)):
            if matches(old, patterns) and not matches(new, patterns):
                yield f"`{item}` of the target {target.name} names {spelled(old)}: write {new} there, and reload"
