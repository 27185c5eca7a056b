"""Thumbnails: made once, cached in a SQLite file of their own, removed with what they were made from.

A picture that cannot be shown is cached as an empty one, so that it is not tried again for each visitor. One thread
makes them one after the other and owns the process that does it. A web thread waits a moment for its picture, a few of
them at a time, and none for a picture that hangs.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from camalert.errors import CamalertError
from camalert.review.alerts.models import FACTS, PICTURES, Alert, AlertFacts, Binned, Clip, Meta
from camalert.review.boxes import around, read
from camalert.review.selection import Album
from camalert.review.shrink import WHOLE, Share, Shrinker
from camalert.system.logs import log

BUSY_S = 10.0
TIDY_ROWS = 500  # checked at a time
WAIT_S = 1.5  # a thumbnail takes some hundredths of a second once its process runs
IDLE_S = 120.0  # without a request the process that makes them is ended
WAITING = 7  # web threads that may wait at a time; the others answer that it is being made
PREVIEWS = 100  # of clips that are kept, at most 4 MiB each
REQUESTED = 500  # to be made; beyond that the oldest request is dropped: its page asks again


class NotYet(CamalertError):
    """The thumbnail is being made: ask again in a moment."""


class Kind(enum.Enum):
    """What a thumbnail shows, by the id of which row."""

    ALARMS = "alarms"
    PEOPLE = "people"  # the copy with the people marked
    ALARMS_CUT = "alarms cut"  # the part of the picture that shows its people
    PEOPLE_CUT = "people cut"
    BIN = "bin"
    CLIP = "clip"  # a moving preview, an animated WebP

    def is_there(self, row_id: int) -> bool:
        """Tell whether its row exists."""
        return bool(self.present([row_id]))

    def present(self, ids: Sequence[int]) -> set[int]:
        """Return those of some rows that exist."""
        rows: Any = Binned if self is Kind.BIN else Clip if self is Kind.CLIP else FACTS[self.album]
        return set(rows.objects.filter(pk__in=ids).values_list("pk", flat=True))

    @property
    def album(self) -> Album:
        """Return whose rows they are; not of the bin."""
        return Album.PEOPLE if self in (Kind.PEOPLE, Kind.PEOPLE_CUT) else Album.ALARMS

    def load(self, row_id: int) -> tuple[bytes, Share] | None:
        """Return a picture and the part of it that is shown, None when it is gone."""
        if self is Kind.BIN:
            picture = Binned.stored(row_id)
            facts = json.loads(Binned.objects.filter(pk=row_id).values_list("alert", flat=True).first() or "{}")
            part = _share(facts.get("people"), facts.get("width_px") or 0, facts.get("height_px") or 0)
            return None if picture is None else (picture, part)
        if self is Kind.CLIP:
            clip = Clip.stored(row_id)
            return None if clip is None else (clip, WHOLE)
        part = WHOLE
        picture = None
        if self in (Kind.ALARMS_CUT, Kind.PEOPLE_CUT):
            columns = ("alert_id", "people", "width_px", "height_px")
            known = FACTS[self.album].objects.filter(pk=row_id).values(*columns).first()
            if known is None:
                return None
            part = _share(known["people"], known["width_px"] or 0, known["height_px"] or 0)
            picture = Alert.stored(known["alert_id"]) if known["alert_id"] is not None else None
        if picture is None:
            picture = PICTURES[self.album].stored(row_id)
        return None if picture is None else (picture, part)


# The thumbnails of each album's rows.
OF_ALBUM = {
    Album.ALARMS: (Kind.ALARMS, Kind.ALARMS_CUT),
    Album.PEOPLE: (Kind.PEOPLE, Kind.PEOPLE_CUT),
}


def _share(people: str | None, width_px: int, height_px: int) -> Share:
    part = around(read(people), width_px, height_px)
    if part is None:
        return WHOLE
    return part.x / width_px, part.y / height_px, part.width / width_px, part.height / height_px


_TABLES = """
CREATE TABLE IF NOT EXISTS thumbnail (
    source TEXT NOT NULL,       -- which database they were made from
    album TEXT NOT NULL, id INTEGER NOT NULL,
    made_utc REAL NOT NULL, jpeg BLOB NOT NULL,
    PRIMARY KEY (source, album, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS thumbnail_made ON thumbnail (made_utc);
"""


class Thumbnails:
    """The thumbnails of one site."""

    def __init__(self, path: Path, limit: int, *, is_for_clips: bool = False) -> None:
        self._is_for_clips = is_for_clips
        self._path = path
        self._limit = limit
        self._local = threading.local()
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._changed = threading.Condition()
        self._requests: OrderedDict[tuple[str, Kind, int], threading.Event] = OrderedDict()
        self._thread: threading.Thread | None = None
        path.touch(mode=0o600)
        with self._open() as cache:
            cache.executescript(_TABLES)

    def get(self, kind: Kind, row_id: int) -> bytes | None:
        """Return the thumbnail of a row, a JPEG: b"" when it cannot be shown, None when the row is gone.

        Raises: NotYet when making it takes longer than a web thread may wait.
        """
        key = self._source(), kind, row_id
        small = self._cached(key)
        if small is not None:
            return small
        if not kind.is_there(row_id):
            return None
        if kind is Kind.ALARMS and AlertFacts.objects.filter(pk=row_id, outcome="failed").exists():
            return b""  # what killed or held up a decoder is not tried here
        made = self._request(key)
        if not self._waiting.acquire(blocking=False):
            raise NotYet
        try:
            made.wait(WAIT_S)
        finally:
            self._waiting.release()
        small = self._cached(key)
        if small is None and kind.is_there(row_id):
            raise NotYet
        return small

    def forget(self, album: Album, ids: Sequence[int]) -> None:
        """Remove the thumbnails of deleted rows."""
        source = self._source()
        with self._open() as cache:
            cache.executemany(
                "DELETE FROM thumbnail WHERE source = ? AND album = ? AND id = ?",
                [(source, kind.value, row_id) for kind in OF_ALBUM[album] for row_id in ids],
            )

    def tidy(self) -> None:
        """Remove what was made from rows or databases that are gone, and the oldest beyond the limit."""
        source = self._source()
        with self._open() as cache:
            cache.execute("DELETE FROM thumbnail WHERE source <> ?", (source,))
            (count,) = cache.execute("SELECT count(*) FROM thumbnail").fetchone()
            cache.execute(
                "DELETE FROM thumbnail WHERE (source, album, id) IN"
                " (SELECT source, album, id FROM thumbnail ORDER BY made_utc LIMIT ?)",
                (max(0, count - self._limit),),
            )
        for kind in Kind:
            for ids in self._cached_ids(source, kind):
                present = kind.present(ids)
                gone = [(source, kind.value, row_id) for row_id in ids if row_id not in present]
                with self._open() as cache:
                    cache.executemany("DELETE FROM thumbnail WHERE source = ? AND album = ? AND id = ?", gone)

    def _source(self) -> str:
        """Return the identity of the service's database, without which ids mean nothing."""
        return Meta.objects.filter(name="identity").values_list("value", flat=True).first() or ""

    def _cached(self, key: tuple[str, Kind, int]) -> bytes | None:
        source, kind, row_id = key
        with self._open() as cache:
            row = cache.execute(
                "SELECT jpeg FROM thumbnail WHERE source = ? AND album = ? AND id = ?", (source, kind.value, row_id)
            ).fetchone()
        return bytes(row[0]) if row else None

    def _request(self, key: tuple[str, Kind, int]) -> threading.Event:
        with self._changed:
            made = self._requests.setdefault(key, threading.Event())
            if len(self._requests) > REQUESTED:
                self._requests.popitem(last=False)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._make, name="review-thumbnails", daemon=True)
                self._thread.start()
            self._changed.notify()
        return made

    def _make(self) -> None:
        """Make what is requested, the newest request first, for as long as the site runs."""
        shrinker = Shrinker(is_confined=settings.CAMALERT.service.confine, is_for_clips=self._is_for_clips)
        while True:
            with self._changed:
                while not self._requests:
                    if not self._changed.wait(IDLE_S):
                        shrinker.close()
                key = next(reversed(self._requests))  # what is on a screen now
            try:
                self._make_one(shrinker, key)
            except (DatabaseError, sqlite3.Error, OSError, ValueError) as error:
                log.warning("thumbnail_failed", message=str(error))
            with self._changed:
                made = self._requests.pop(key, None)
            if made:
                made.set()

    def _make_one(self, shrinker: Shrinker, key: tuple[str, Kind, int]) -> None:
        source, kind, row_id = key
        close_old_connections()
        found = kind.load(row_id)
        if found is None:
            return
        small = shrinker.shrink(*found)
        with self._open() as cache:
            cache.execute(
                "INSERT OR REPLACE INTO thumbnail VALUES (?, ?, ?, ?, ?)",
                (source, kind.value, row_id, time.time(), small),
            )

    def _cached_ids(self, source: str, kind: Kind) -> Iterator[list[int]]:
        last = -1
        while True:
            with self._open() as cache:
                ids = [
                    row_id
                    for (row_id,) in cache.execute(
                        "SELECT id FROM thumbnail WHERE source = ? AND album = ? AND id > ? ORDER BY id LIMIT ?",
                        (source, kind.value, last, TIDY_ROWS),
                    )
                ]
            if not ids:
                return
            last = ids[-1]
            yield ids

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection for one transaction."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite3.connect(self._path, timeout=BUSY_S)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # what is lost is made again
            connection.execute("PRAGMA secure_delete = ON")  # what was deleted shall not stay readable in the file
        with connection:
            yield connection


@functools.cache
def thumbnails() -> Thumbnails:
    """Return the site's thumbnails."""
    review = settings.CAMALERT.review
    return Thumbnails(Path(review.data_dir) / "thumbnails.sqlite3", review.thumbnails)


@functools.cache
def previews() -> Thumbnails:
    """Return the moving previews of clips: made by a process of their own, so that no thumbnail waits for one."""
    return Thumbnails(Path(settings.CAMALERT.review.data_dir) / "previews.sqlite3", PREVIEWS, is_for_clips=True)
