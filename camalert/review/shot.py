"""One picture in a list.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.review.selection import Album, Cursor


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture in a list."""

    album: Album
    id: int
    timestamp: str
    camera: str
    event: str
    subject: str
    score: float | None
    threshold: float | None
    outcome: str  # "person", "nobody", "failed", "unexamined", "pending" or "" (nobody was asked)
    is_reviewed: bool
    mark: str
    has_clip: bool
    alert_id: int | None
    detect_id: int | None

    @property
    def cursor(self) -> Cursor:
        """Return its place in the list."""
        return Cursor(self.timestamp, self.id)

    @property
    def cursor_key(self) -> tuple[str, int]:
        """Return what the list is ordered by."""
        return self.timestamp, self.id

    @property
    def time(self) -> str:
        """Return the time of day."""
        return self.timestamp[11:19]

    @property
    def day(self) -> str:
        """Return the day, YYYY-MM-DD."""
        return self.timestamp[:10]

    @property
    def per_cent(self) -> int | None:
        """Return the score in per cent; 100 is for what is certain."""
        return None if self.score is None else min(99, round(self.score * 100))

    @property
    def name(self) -> str:
        """Return what to call whoever took it."""
        return self.camera or self.subject or "Unknown"

    @property
    def state(self) -> str:
        """Return what may change while somebody looks at it, as one word to compare."""
        return f"{self.outcome}/{'done' if self.is_reviewed else 'new'}/{self.mark}/{self.detect_id or ''}"
