"""Which children must prove that they are alive, by when, and on which clock.

An idle child answers a `Ping`, a busy one is bounded by the deadline of its job (see `dispatch`). The main loop itself
answers; there is no heartbeat thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PING_EVERY_S = 5.0
STALL_S = 2.0  # a turn of the loop takes milliseconds; on the busiest machine it is far from this late


@dataclass(slots=True)
class _LastSeen:
    answer_s: float
    at: float
    pinged_at: float | None = None
    number: int = 0


@dataclass(slots=True)
class Liveness:
    """When every ready child was last seen, and which of them owe an answer."""

    _children: dict[str, _LastSeen] = field(default_factory=dict)

    def watch(self, name: str, answer_s: float, now: float) -> None:
        """Begin to watch a child that became ready; it has `answer_s` seconds to answer a ping."""
        self._children[name] = _LastSeen(answer_s, now)

    def forget(self, name: str) -> None:
        """Stop watching a child."""
        self._children.pop(name, None)

    def seen(self, name: str, now: float) -> None:
        """Note that any message came: the child's main loop turns."""
        child = self._children.get(name)
        if child is not None:
            child.at, child.pinged_at = now, None

    def due(self, busy: frozenset[str], now: float) -> list[tuple[str, int]]:
        """Return the children to ping now, each with the ping's number; `busy` ones have a job's deadline instead."""
        pings = []
        for name, child in self._children.items():
            if name in busy:
                child.at, child.pinged_at = now, None
            elif child.pinged_at is None and now - child.at >= PING_EVERY_S:
                child.pinged_at = now
                child.number = (child.number + 1) & 0xFFFFFFFF
                pings.append((name, child.number))
        return pings

    def silent(self, now: float) -> list[str]:
        """Return the children that left a ping unanswered for too long."""
        return [
            name
            for name, child in self._children.items()
            if child.pinged_at is not None and now - child.pinged_at >= child.answer_s
        ]

    def next_at(self) -> float | None:
        """Return when `due` or `silent` may next return something."""
        return min(
            (
                child.at + PING_EVERY_S if child.pinged_at is None else child.pinged_at + child.answer_s
                for child in self._children.values()
            ),
            default=None,
        )


@dataclass(slots=True)
class StallClock:
    """The clock of deadlines: monotonic, without the time in which the supervisor was kept from running.

    A stopped container, a frozen virtual machine or a debugger stops the children together with the supervisor; without
    this, every deadline would have passed when they resume, and healthy children would be killed.

    Attributes:
        now: The time of deadlines at the loop's latest turn.
        lost_s: The time in which the loop could not act.
    """

    now: float
    lost_s: float = 0.0

    def turn(self, monotonic: float, due_at: float) -> float:
        """Note a turn of the loop that was due by `due_at`; return by how many seconds it stalled, 0 when in time."""
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
