"""What the writer tells without being asked: its figures, when each camera was last heard, and what goes wrong.

In the writer process. All of it is for the status and in no hurry: it is posted, and leaves with what is sent next.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from camalert import config
from camalert.messages import Counted, Message, Noted
from camalert.store import cameras, clock, pending
from camalert.store.database import Database

COUNT_EVERY_S = 1.0


class News:
    """Know what has been told, and post what is new."""

    def __init__(self, settings: config.Database, database: Database, post: Callable[[Message], object]) -> None:
        self._zone = settings.timestamps
        self._database = database
        self._post = post
        self._told_epoch = 0  # the epoch whose cameras have been told
        self._count_at = 0.0
        self._counted: Counted | None = None

    def note(self, facts: dict[str, str | float]) -> None:
        """Post a note; `facts` has the key `event` and fits into one."""
        self._post(Noted(json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace")))

    def tell_cameras(self) -> None:
        """Say when each camera of a new database was last heard: one that died before a reboot is missed after it.

        Raises: StoreError and its kinds.
        """
        if self._told_epoch == self._database.epoch:
            return
        for camera, seen_utc in self._database.read(cameras.last_seen):
            self.note({"event": "camera_known", "camera": camera, "seen_utc": seen_utc})
        self._told_epoch = self._database.epoch

    def tell_figures(self, now: float, now_utc: float) -> None:
        """Say how many pictures are pending and what this day has had, if it is time and they have changed.

        Raises: StoreError and its kinds.
        """
        if now < self._count_at:
            return
        self._count_at = now + COUNT_EVERY_S
        today = clock.day(now_utc, self._zone)
        found = self._database.read(lambda db: Counted(pending.count(db), *pending.today(db, today)))
        if found != self._counted:
            self._counted = found
            self._post(found)
