"""The supervisor's clock: it stands still while the supervisor is kept from running.

Pure. A stopped container, a frozen virtual machine or a debugger stops the children together with the supervisor;
without this, every deadline would be past when all of them go on, and sound children would be ended for it.
"""

from __future__ import annotations

from dataclasses import dataclass

STALL_S = 2.0  # a turn takes milliseconds; on the busiest machine it is far from this late


@dataclass(slots=True)
class TurnClock:
    """Count the seconds in which the loop could act. `now` is the time of deadlines, at the loop's latest turn."""

    now: float
    lost_s: float = 0.0  # in which it could not

    def turn(self, monotonic: float, due_at: float) -> float:
        """Note that the loop turns, which it was to do by `due_at` at the latest.

        Returns: By how many seconds it came too late, 0 when it is in time.
        """
        self.now = monotonic - self.lost_s
        late_s = self.now - due_at
        if late_s <= STALL_S:
            return 0.0
        self.lost_s += late_s
        self.now -= late_s
        return late_s

    def of(self, monotonic: float) -> float:
        """Return the time of deadlines for a monotonic time."""
        return monotonic - self.lost_s
