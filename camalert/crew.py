"""The workers of one stage, and the slots that wait for them.

Pure: part of the books of `dispatch`.
"""

from __future__ import annotations

import collections
import math
from dataclasses import dataclass, field

from camalert.messages import Stage


@dataclass(slots=True)
class Crew:
    """The workers of one stage: who is idle, who has which slot since when, what waits."""

    stage: Stage
    limit_s: float
    idle: list[str] = field(default_factory=list)
    jobs: dict[str, tuple[int, float]] = field(default_factory=dict)  # name -> slot, deadline
    retired: set[str] = field(default_factory=set)  # finish their job, get no other
    live: collections.deque[int] = field(default_factory=collections.deque)
    backlog: collections.deque[int] = field(default_factory=collections.deque)

    def queue(self, slot: int, *, is_live: bool, is_first: bool = False) -> None:
        """Let a slot wait for a worker, behind all others of its kind or before them."""
        waiting = self.live if is_live else self.backlog
        if is_first:
            waiting.appendleft(slot)
        else:
            waiting.append(slot)

    def unqueue(self) -> list[int]:
        """Let nothing wait any more; return the slots that did."""
        slots = [*self.live, *self.backlog]
        self.live.clear()
        self.backlog.clear()
        return slots

    def assign(self, now: float) -> tuple[str, int] | None:
        """Give a waiting slot, live ones first, to an idle worker; None when either is missing."""
        waiting = self.live or self.backlog
        if not waiting or not self.idle:
            return None
        slot = waiting.popleft()
        name = self.idle.pop()  # the last one to finish has the warmest caches
        self.jobs[name] = (slot, now + self.limit_s)
        return name, slot

    def finish(self, name: str, slot: int) -> bool:
        """Take a worker's answer; return False when it is not about its job."""
        if self.jobs.get(name, (None, 0.0))[0] != slot:
            return False
        del self.jobs[name]
        if name not in self.retired:
            self.idle.append(name)
        return True

    def overdue(self, now: float) -> list[str]:
        """Return the workers that passed the deadline of their job, each once."""
        late = [name for name, (_, deadline) in self.jobs.items() if deadline <= now]
        for name in late:
            self.jobs[name] = (self.jobs[name][0], math.inf)
        return late

    def retire(self, name: str) -> None:
        """Give a worker no further job: it is about to be replaced."""
        self.retired.add(name)
        if name in self.idle:
            self.idle.remove(name)

    def drop_job(self, name: str) -> int | None:
        """Take a worker's job from it; return its slot."""
        return self.jobs.pop(name, (None, 0.0))[0]

    def lose(self, name: str) -> int | None:
        """Forget a worker; return the slot it was working on."""
        self.retire(name)
        self.retired.remove(name)
        return self.drop_job(name)
