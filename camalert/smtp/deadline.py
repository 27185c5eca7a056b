"""The time by which a client must have come further.

Mechanism: one timer of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Tell when a client is late.

    One timer a session is enough, although each command moves the deadline: it looks at the time that holds when it
    fires.

    Args:
        loop: Has the clock and the timer.
        on_late: Called when the deadline has passed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_late: Callable[[], None]) -> None:
        self.is_late = False
        self._loop = loop
        self._on_late = on_late
        self._ends_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def allow(self, limit_s: float) -> None:
        """Give so much time from now on, whatever was given before."""
        self.is_late = False
        self._ends_at = self._loop.time() + limit_s
        if self._timer is not None and self._timer.when() > self._ends_at:
            self.cancel()
        if self._timer is None:
            self._timer = self._loop.call_at(self._ends_at, self._look_at_clock)

    def cancel(self) -> None:
        """End the timer: nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._ends_at > self._loop.time():
            self._timer = self._loop.call_at(self._ends_at, self._look_at_clock)
        else:
            self.is_late = True
            self._on_late()
