"""When an ended child is started again: restart intensity and back-off as one pure decision.

Source: the idea of intensity and period is that of the Erlang/OTP supervisor behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass

BASE_S = 0.5  # the first wait: long enough not to spin, short enough that no camera notices
CAP_S = 30.0  # the longest wait: a repaired cause is found within half a minute
SPREAD = 0.2  # ± share by which waits differ, so that children do not restart in step
STABLE_S = 60.0  # a child up for this long starts afresh
MAX_EXITS = 5  # more than this many ends ...
PERIOD_S = 60.0  # ... within this time are a failure that restarting does not mend
KEPT_EXITS = 32  # more than the longest wait is reached by; a child that is tried for ever keeps no longer history


@dataclass(frozen=True, slots=True)
class StartAt:
    """Start the child again at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop trying: the words say why."""

    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """The ends of a child that were its own fault, since it was last stable; `now` values."""

    exits: tuple[float, ...] = ()

    def after_exit(self, started_at: float, now: float) -> History:
        """Return the history with an end at `now` of a run that began at `started_at`."""
        return History((now,)) if now - started_at >= STABLE_S else History((*self.exits, now)[-KEPT_EXITS:])


def decide(history: History, now: float, *, is_vital: bool, draw: float) -> StartAt | GiveUp:
    """Decide what follows the latest end in `history`.

    Args:
        is_vital: The service cannot do without this child: it is given up after too many ends. Any other is tried
            again for ever, every `CAP_S` in the end.
        draw: A random number from -1 to 1.
    """
    recent = sum(1 for exit_at in history.exits if now - exit_at <= PERIOD_S)
    if recent > MAX_EXITS:
        if is_vital:
            return GiveUp(f"ended {recent} times within {PERIOD_S:.0f} s")
        return StartAt(now + CAP_S)
    wait_s = min(CAP_S, BASE_S * 2 ** max(0, len(history.exits) - 1))
    return StartAt(now + wait_s * (1 + SPREAD * draw))
