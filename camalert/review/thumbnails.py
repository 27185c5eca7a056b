"""Small pictures: made once, kept in a file of their own, forgotten with what they were made from.

One SQLite file instead of a folder of a hundred thousand files. A picture that cannot be shown is kept as an empty one,
so that it is not tried again for each visitor.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings

from camalert.review.alerts.models import Alert, AlertFacts, Detect, DetectFacts, Meta
from camalert.review.selection import Album
from camalert.review.shrinker import Shrinker

BUSY_S = 10.0
TIDY_ROWS = 500  # looked at for each step of tidying up

_TABLES = """
CREATE TABLE IF NOT EXISTS thumbnail (
    source TEXT NOT NULL,       -- which database they were made from
    album TEXT NOT NULL, id INTEGER NOT NULL,
    made_utc REAL NOT NULL, jpeg BLOB NOT NULL,
    PRIMARY KEY (source, album, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS thumbnail_made ON thumbnail (made_utc);
"""


class Thumbnails:
    """The small pictures of one site."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._local = threading.local()
        self._shrinker = Shrinker()
        with self._open() as cache:
            cache.executescript(_TABLES)

    def get(self, album: Album, row_id: int) -> bytes | None:
        """Return the small picture of a row: b"" when it cannot be shown, None when the row is gone."""
        source = self.source()
        with self._open() as cache:
            row = cache.execute(
                "SELECT jpeg FROM thumbnail WHERE source = ? AND album = ? AND id = ?", (source, album.value, row_id)
            ).fetchone()
        if row:
            return bytes(row[0])
        model = Detect if album is Album.PEOPLE else Alert
        picture = model.objects.filter(pk=row_id).values_list("snapshot", flat=True).first()
        if picture is None:
            return None
        small = self._shrinker.shrink(bytes(picture))
        with self._open() as cache:
            cache.execute(
                "INSERT OR REPLACE INTO thumbnail VALUES (?, ?, ?, ?, ?)",
                (source, album.value, row_id, time.time(), small),
            )
        return small

    def forget(self, album: Album, ids: Sequence[int]) -> None:
        """Forget the small pictures of rows that were deleted."""
        source = self.source()
        with self._open() as cache:
            cache.executemany(
                "DELETE FROM thumbnail WHERE source = ? AND album = ? AND id = ?",
                [(source, album.value, row_id) for row_id in ids],
            )

    def tidy(self) -> None:
        """Forget what was made from rows or databases that are gone, and the oldest beyond the limit."""
        self._shrinker.rest()
        source = self.source()
        with self._open() as cache:
            cache.execute("DELETE FROM thumbnail WHERE source <> ?", (source,))
            (count,) = cache.execute("SELECT count(*) FROM thumbnail").fetchone()
            cache.execute(
                "DELETE FROM thumbnail WHERE (source, album, id) IN"
                " (SELECT source, album, id FROM thumbnail ORDER BY made_utc LIMIT ?)",
                (max(0, count - self._limit),),
            )
        for album in Album:
            for ids in self._kept(source, album):
                model = DetectFacts if album is Album.PEOPLE else AlertFacts
                present = set(model.objects.filter(pk__in=ids).values_list("pk", flat=True))
                self.forget(album, [row_id for row_id in ids if row_id not in present])

    def close(self) -> None:
        """End the process that makes them."""
        self._shrinker.close()

    def source(self) -> str:
        """Return what tells the service's database from every other one: ids mean nothing without it."""
        return Meta.objects.filter(name="identity").values_list("value", flat=True).first() or ""

    def _kept(self, source: str, album: Album) -> Iterator[list[int]]:
        last = -1
        while True:
            with self._open() as cache:
                ids = [
                    row_id
                    for (row_id,) in cache.execute(
                        "SELECT id FROM thumbnail WHERE source = ? AND album = ? AND id > ? ORDER BY id LIMIT ?",
                        (source, album.value, last, TIDY_ROWS),
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
    """Return the site's small pictures."""
    review = settings.CAMALERT.review
    return Thumbnails(Path(review.data_dir) / "thumbnails.sqlite3", review.thumbnails)
