"""The clock of deadlines: it counts only the seconds in which the supervisor could act."""

from __future__ import annotations

from camalert.turnclock import TurnClock


def test_clock_of_a_loop_in_time_is_the_monotonic_one() -> None:
    """Waits and short turns are no stalls."""
    clock = TurnClock(100.0)

    assert clock.turn(101.0, due_at=130.0) == 0.0
    assert clock.turn(130.2, due_at=130.0) == 0.0
    assert clock.now == 130.2
    assert clock.of(131.0) == 131.0


def test_clock_stands_still_while_the_supervisor_was_stopped() -> None:
    """After a pause of the machine no child's deadline is past because of it."""
    clock = TurnClock(100.0)

    assert clock.turn(160.0, due_at=101.0) == 59.0

    assert clock.now == 101.0
    assert clock.of(161.5) == 102.5


def test_clock_counts_each_stall_once() -> None:
    """Two stops one after the other are both left out, and the time between them is not."""
    clock = TurnClock(0.0)

    assert clock.turn(11.0, due_at=1.0) == 10.0
    assert clock.turn(12.0, due_at=3.0) == 0.0
    assert clock.now == 2.0
    assert clock.turn(33.0, due_at=3.0) == 20.0
    assert clock.now == 3.0
