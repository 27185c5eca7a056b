"""What the writer reports on its own: its figures, when and from where each camera was last seen, and what goes wrong.

All of it is for the status and in no hurry: it is posted, and leaves with what is sent next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

from camalert import identity
from camalert.config import schema as config
from camalert.identity import Envelope
from camalert.ipc.messages import NAMES_CHANGED, NOTE_BYTES, WORDS_SHARED, Counted, Message, Noted
from camalert.ipc.records import NameRecord, NamesRecord, NoteRecord
from camalert.store.interface import Rows, Store
from camalert.store.rows import alerts, names
from camalert.store.rows.retention import KNOWN_MAILS
from camalert.store.rows.tables import day_of

COUNT_EVERY_S = 1.0
MOST_CAMERAS = 256  # the status shows no more
MOST_NAMES = 1000  # more than `cameras` allows
MAILS_READ = 1000  # 30 ms


class Notes:
    """Post what has changed since the last report."""

    def __init__(self, settings: config.Database, store: Store, post: Callable[[Message], object]) -> None:
        self._zone = settings.timestamps
        self._store = store
        self._post = post
        self._posted_epoch = 0  # the epoch whose cameras have been posted
        self._posted_names: tuple[int, int] = (0, 0)
        self._count_at = 0.0
        self._counted: Counted | None = None

    def note(self, record: NoteRecord) -> None:
        """Post a note."""
        self._post(Noted(record.encode()))

    def post_cameras(self) -> None:
        """Say when each camera of a new database was last seen: one that broke before a reboot is missed after it.

        Raises: StoreError and its kinds.
        """
        if self._posted_epoch == self._store.epoch:
            return
        known = self._store.read(last_seen)
        for camera in known:
            self.note(camera)
        if (shared := self._store.read(shared_words)) or known:
            self._post(words_shared(shared, [camera.camera for camera in known]))
        self._posted_epoch = self._store.epoch

    def post_names(self) -> None:
        """Say what the owner has renamed or forgotten, if that has changed.

        Raises: StoreError and its kinds.
        """
        found = (self._store.epoch, self._store.read(names.changes))
        if found == self._posted_names:
            return
        if found[1] or self._posted_names[1]:  # else none was ever changed
            for note in self._store.read(names_changed):
                self._post(note)
        self._posted_names = found

    def post_figures(self, now: float, now_utc: float) -> None:
        """Say how many pictures are pending and what this day has had, if it is time and they have changed.

        Raises: StoreError and its kinds.
        """
        if now < self._count_at:
            return
        self._count_at = now + COUNT_EVERY_S
        self.post_names()
        today = day_of(now_utc, self._zone)
        found = self._store.read(lambda connection: _figures(connection, today))
        if found != self._counted:
            self._counted = found
            self._post(found)


def words_shared(words: Iterable[str], cameras: Iterable[str] = ()) -> Noted:
    """Return the note of what tells cameras apart, for whoever reads mails; as much as fits into one.

    Args:
        words: Those that name no camera, the latest last.
        cameras: Their names as they are written, those seen latest first.
    """
    facts = {"event": WORDS_SHARED, "words": list(words), "names": list(cameras)}
    while len(text := json.dumps(facts, ensure_ascii=False).encode()) > NOTE_BYTES:
        facts["names"] = facts["names"][:-1]
        if not facts["names"]:
            facts["words"] = facts["words"][1:]
    return Noted(text)


def names_changed(connection: Rows) -> list[Noted]:
    """Return what cameras are called, and which were forgotten, as notes for the rest of the service.

    The first one says `is_first`: what was said before does not hold any more. A name that no note can hold is left
    out; its rows get the new one nevertheless.
    """
    rows = connection.execute(
        "SELECT known_as, name, changed_utc FROM camalert_name ORDER BY changed_utc, known_as LIMIT ?", (MOST_NAMES,)
    ).fetchall()
    notes: list[Noted] = []
    waiting = NamesRecord(NAMES_CHANGED, is_first=True)
    for own, name, changed_utc in rows:
        item = NameRecord(str(own), str(name), max(0.0, float(changed_utc)))
        if len(replace(waiting, names=(item,)).encode()) > NOTE_BYTES:
            continue
        if len(replace(waiting, names=(*waiting.names, item)).encode()) > NOTE_BYTES:
            notes.append(Noted(waiting.encode()))
            waiting = NamesRecord(NAMES_CHANGED, is_first=False)
        waiting = replace(waiting, names=(*waiting.names, item))
    return [*notes, Noted(waiting.encode())]


def _figures(connection: Rows, today: str) -> Counted:
    """Return how many examinations are pending, and how many alerts, detections and visits this day has had."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM camalert_pending), coalesce(sum(alerts), 0), coalesce(sum(detections), 0),"
        " coalesce(sum(visits), 0)"
        " FROM camalert_day WHERE day = ?",
        (today,),
    ).fetchone()
    return Counted(*row)


def last_seen(connection: Rows) -> list[NoteRecord]:
    """Return a note of each camera, those seen latest first: name, address, mails; times in seconds since 1970.

    One that sent only a few mails comes after all others: whoever invents names makes no silent camera unknown.

    The time of the last picture is found by the index, one camera at a time; a picture that was taken late is not asked
    for.
    """
    rows = connection.execute(
        "SELECT name, last_peer, mails, first_seen_utc, last_seen_utc, (SELECT received_utc FROM camalert_alert"
        " WHERE camera = name ORDER BY timestamp DESC, alert_id DESC LIMIT 1)"
        " FROM camalert_camera WHERE name <> '' ORDER BY mails >= ? DESC, last_seen_utc DESC LIMIT ?",
        (KNOWN_MAILS, MOST_CAMERAS),
    )
    return [
        NoteRecord(
            "camera_known", camera=str(name), peer=str(peer), mails=max(0, int(mails)), first_utc=_moment(first_utc),
            seen_utc=_moment(seen_utc), picture_utc=_moment(picture_utc),
        )
        for name, peer, mails, first_utc, seen_utc, picture_utc in rows
    ]  # fmt: skip


def _moment(utc: float | None) -> float | None:
    return None if utc is None else max(0.0, float(utc))


def shared_words(connection: Rows) -> list[str]:
    """Return the words of addresses that several cameras share, as far as the latest mails show it."""
    rows = connection.execute(
        "SELECT peer, login, sender, recipients, camera FROM camalert_mail ORDER BY id DESC LIMIT ?", (MAILS_READ,)
    ).fetchall()
    known = identity.Names(())
    before = names.before(connection)
    for peer, login, sender, recipients, camera in reversed(rows):
        envelope = Envelope(peer, "", login, sender, alerts.recipients_of(recipients))
        derived = {identity.key(word) for word in (peer, *identity.words_of(envelope))}
        own = identity.key(camera)
        is_derived = own in derived or not derived.isdisjoint(before.get(own, ()))
        known.identify("" if is_derived else camera, envelope)
    return known.shared()
