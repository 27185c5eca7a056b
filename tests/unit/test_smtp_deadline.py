"""When a client is late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from camalert.smtp.deadline import Deadline


class _Clock:
    """An event loop's clock and its timers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[_Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> _Timer:
        self.timers.append(_Timer(self, when, callback))
        return self.timers[-1]

    def go_to(self, now: float) -> None:
        self.now = now
        for timer in [timer for timer in self.timers if timer.when() <= now]:
            self.timers.remove(timer)
            timer.callback()


class _Timer:
    def __init__(self, clock: _Clock, when: float, callback: Callable[[], None]) -> None:
        self.clock = clock
        self.callback = callback
        self._when = when

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.clock.timers.remove(self)


def test_deadline_that_is_moved_on_takes_no_further_timer() -> None:
    """A session of a hundred commands has one timer, and is late only by the last of them."""
    clock, late = _Clock(), []
    deadline = Deadline(cast(Any, clock), lambda: late.append(clock.now))

    for second in range(9):
        clock.go_to(second)
        deadline.allow(10.0)
        assert len(clock.timers) == 1
    clock.go_to(17.9)
    assert late == []
    clock.go_to(18.0)

    assert late == [18.0]
    assert deadline.is_late
    deadline.allow(10.0)
    assert not deadline.is_late


def test_deadline_that_is_moved_back_is_kept_all_the_same() -> None:
    """A shorter time than before holds at once."""
    clock, late = _Clock(), []
    deadline = Deadline(cast(Any, clock), lambda: late.append(clock.now))
    deadline.allow(100.0)

    deadline.allow(1.0)
    clock.go_to(1.0)

    assert late == [1.0]
    assert clock.timers == []


def test_cancelled_deadline_leaves_no_timer() -> None:
    """What has ended is not woken."""
    clock = _Clock()
    deadline = Deadline(cast(Any, clock), lambda: None)
    deadline.allow(1.0)

    deadline.cancel()
    deadline.cancel()

    assert clock.timers == []
