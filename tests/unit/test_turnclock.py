"""The clock of deadlines: it counts only the seconds in which the supervisor could act."""

from __future__ import annotations

from camalert.turnclock import TurnClock


def test_clock_of_a_loop_in_time_is_the_monotonic_one() -> None:
    """Waits and short turns are no stalls."""
    clock = TurnClock()

    assert clock.turn(100.0, may_take_s=30.0) == 0.0
    assert clock.turn(130.2, may_take_s=0.0) == 0.0
    assert clock.turn(131.0, may_take_s=5.0) == 0.0
    assert clock.time(131.0) == 131.0


def test_clock_stands_still_while_the_supervisor_was_stopped() -> None:
    """After a pause of the machine no child's deadline is past because of it."""
    clock = TurnClock()
    clock.turn(100.0, may_take_s=1.0)

    assert clock.turn(160.0, may_take_s=0.0) == 59.0

    assert clock.time(160.0) == 101.0
    assert clock.time(161.5) == 102.5


def test_clock_counts_a_stall_between_two_waits_as_well() -> None:
    """A stop may come while messages are worked through."""
    clock = TurnClock()
    clock.turn(0.0, may_take_s=1.0)
    clock.turn(0.5, may_take_s=0.0)

    assert clock.turn(10.5, may_take_s=1.0) == 10.0
    assert clock.time(10.5) == 0.5
