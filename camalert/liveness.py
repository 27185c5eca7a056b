"""Who has to prove that it is alive, and by when.

Pure. An idle child answers a `Ping` from its main loop, a busy one is bounded by the deadline of its job (see
`dispatch`); no helper thread ever vouches for a loop that hangs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PING_EVERY_S = 5.0


@dataclass(slots=True)
class _Pulse:
    answer_s: float
    heard_at: float
    asked_at: float | None = None
    number: int = 0


@dataclass(slots=True)
class Liveness:
    """Keep the pulse of every ready child."""

    _pulses: dict[str, _Pulse] = field(default_factory=dict)

    def watch(self, name: str, answer_s: float, now: float) -> None:
        """Begin to watch a child that became ready; it has `answer_s` seconds to answer a ping."""
        self._pulses[name] = _Pulse(answer_s, now)

    def forget(self, name: str) -> None:
        """Stop watching a child."""
        self._pulses.pop(name, None)

    def heard(self, name: str, now: float) -> None:
        """Note that any message came: its main loop turns."""
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.heard_at = now
            pulse.asked_at = None

    def due(self, busy: frozenset[str], now: float) -> list[tuple[str, int]]:
        """Return the children to ping now, each with the ping's number; `busy` ones have a job's deadline instead."""
        asked = []
        for name, pulse in self._pulses.items():
            if name in busy:
                pulse.heard_at = now
                pulse.asked_at = None
            elif pulse.asked_at is None and now - pulse.heard_at >= PING_EVERY_S:
                pulse.asked_at = now
                pulse.number = (pulse.number + 1) & 0xFFFFFFFF
                asked.append((name, pulse.number))
        return asked

    def silent(self, now: float) -> list[str]:
        """Return the children that left a ping unanswered for too long."""
        return [
            name
            for name, pulse in self._pulses.items()
            if pulse.asked_at is not None and now - pulse.asked_at >= pulse.answer_s
        ]

    def next_at(self) -> float | None:
        """Return when `due` or `silent` may next have something to say."""
        return min(
            (
                pulse.heard_at + PING_EVERY_S if pulse.asked_at is None else pulse.asked_at + pulse.answer_s
                for pulse in self._pulses.values()
            ),
            default=None,
        )
