"""The watch over a folder: which files have been as they are for long enough.

Pure: sightings in, `now` as an argument. Not the age of a file counts but how long it was seen unchanged, because an
upload may set the time of modification to whatever the camera thinks it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from camalert.folder.rules import Sighting, is_wanted, text_paths


@dataclass(slots=True)
class _Watched:
    sighting: Sighting
    since: float
    due_at: float


class Watch:
    """Remember what was seen since when."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._watched: dict[str, _Watched] = {}

    def look(self, sightings: Iterable[Sighting], now: float) -> list[Sighting]:
        """Take all that is in the folder now; return the pictures that are due, the oldest first.

        A picture whose text still changes is not due.
        """
        before, self._watched = self._watched, {}
        for seen in sightings:
            known = before.get(seen.path)
            is_unchanged = known is not None and known.sighting == seen
            self._watched[seen.path] = known if known and is_unchanged else _Watched(seen, now, now + self._settle_s)
        due = [
            watched.sighting
            for path, watched in self._watched.items()
            if is_wanted(path) and watched.due_at <= now and self._has_settled_text(path, now)
        ]
        return sorted(due, key=lambda seen: (seen.mtime_ns, seen.path))

    def text_of(self, path: str) -> Sighting | None:
        """Return the text that was seen beside a picture."""
        return next((self._watched[text].sighting for text in text_paths(path) if text in self._watched), None)

    def unchanged_s(self, seen: Sighting, now: float) -> float:
        """Return for how long a file has been seen as it is, in seconds."""
        return now - self._watched[seen.path].since

    def put_off(self, seen: Sighting, due_at: float) -> None:
        """Let a file rest until then, or until it changes."""
        self._watched[seen.path].due_at = due_at

    def ignore(self, seen: Sighting) -> None:
        """Let a file rest until it changes."""
        self.put_off(seen, math.inf)

    def _has_settled_text(self, path: str, now: float) -> bool:
        return all(self._watched[text].due_at <= now for text in text_paths(path) if text in self._watched)
