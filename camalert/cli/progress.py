"""A progress line on a terminal, and nothing where there is none.

It goes to stderr, so that a program's output can be piped while a person watches.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

REDRAW_S = 0.1  # faster than the eye reads, slow enough to cost nothing
BAR_CHARS = 24


class Progress:
    """Show how far a known number of steps has come; use it as a context manager."""

    def __init__(self, total: int, what: str, stream: TextIO | None = None) -> None:
        """Begin with none of `total` (0: not known yet) done; `what` names the steps ("pictures")."""
        self._total = total
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._done = 0
        self._started_at = time.monotonic()
        self._redraw_at = 0.0

    def advance(self, count: int = 1) -> None:
        """Note that `count` more steps are done."""
        self._done += count
        self.draw()

    def reach(self, done: int, total: int) -> None:
        """Note how many of how many steps are done, where the total is known on the way only."""
        self._done, self._total = done, total
        self.draw()

    def draw(self) -> None:
        """Draw the line again, when it is time to."""
        now = time.monotonic()
        if self._is_terminal and self._total and now >= self._redraw_at:
            self._redraw_at = now + REDRAW_S
            self._stream.write("\r\x1b[K" + bar(self._done, self._total, self._what, now - self._started_at))
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._is_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._redraw_at = 0.0

    def __enter__(self) -> Self:
        """Show the empty bar."""
        self.draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away."""
        self.clear()


def bar(done: int, total: int, what: str, elapsed_s: float) -> str:
    """Return the line: bar, count, rate, and the time left once a rate is known."""
    filled = BAR_CHARS * done // total
    text = f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}] {done}/{total} {what}"
    if done and elapsed_s > 0:
        rate = done / elapsed_s
        text += f"  {rate:.1f}/s  {duration((total - done) / rate)} left"
    return text


def duration(seconds: float) -> str:
    """Write a time in the two units that matter: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
