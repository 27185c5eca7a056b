"""The supervisor's clock: it stands still while the supervisor is kept from running.

Pure. A stopped container, a frozen virtual machine or a debugger stops the children together with the supervisor;
without this, every deadline would be past when all of them go on, and sound children would be ended for it.
"""

from __future__ import annotations

from dataclasses import dataclass

STALL_S = 2.0  # a turn takes milliseconds; on the busiest machine it is far from this late


@dataclass(slots=True)
class TurnClock:
    """Count the seconds in which the loop could act. `lost_s` are those in which it could not."""

    lost_s: float = 0.0
    _due_at: float | None = None

    def time(self, monotonic: float) -> float:
        """Return the time of deadlines for a monotonic time."""
        return monotonic - self.lost_s

    def turn(self, monotonic: float, may_take_s: float) -> float:
        """Note that the loop is here, and how long its next part may take.

        Returns: By how many seconds it came too late, 0 when it is in time.
        """
        late_s = 0.0 if self._due_at is None else monotonic - self._due_at
        self._due_at = monotonic + may_take_s
        if late_s <= STALL_S:
            return 0.0
        self.lost_s += late_s
        return late_s
