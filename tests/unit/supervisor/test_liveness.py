"""Which children must prove that they are alive, by when, and the clock of it."""

from __future__ import annotations

from camalert.supervisor.liveness import PING_EVERY_S, Liveness, StallClock

NOBODY: frozenset[str] = frozenset()


def _watching(answer_s: float = 10) -> Liveness:
    liveness = Liveness()
    liveness.watch("smtp", answer_s, 0.0)
    return liveness


def test_liveness_idle_child_is_pinged_once() -> None:
    """One question at a time."""
    liveness = _watching()

    assert liveness.due(NOBODY, PING_EVERY_S - 0.1) == []
    assert liveness.due(NOBODY, PING_EVERY_S) == [("smtp", 1)]
    assert liveness.due(NOBODY, PING_EVERY_S + 1) == []


def test_liveness_any_message_counts_as_an_answer() -> None:
    """A child that works need not be asked."""
    liveness = _watching()
    liveness.due(NOBODY, PING_EVERY_S)

    liveness.seen("smtp", 6.0)

    assert liveness.silent(100.0) == []
    assert liveness.due(NOBODY, 6.0 + PING_EVERY_S) == [("smtp", 2)]


def test_liveness_unanswered_ping_is_silence() -> None:
    """A loop that hangs is found within its time to answer."""
    liveness = _watching(answer_s=10)
    liveness.due(NOBODY, PING_EVERY_S)

    assert liveness.silent(PING_EVERY_S + 9.9) == []
    assert liveness.silent(PING_EVERY_S + 10) == ["smtp"]


def test_liveness_busy_child_has_its_jobs_deadline_instead() -> None:
    """A long detection is no silence."""
    liveness = _watching()

    assert liveness.due(frozenset({"smtp"}), 50.0) == []
    assert liveness.silent(100.0) == []


def test_liveness_forgotten_child_is_never_silent() -> None:
    """What is asked to leave need not answer."""
    liveness = _watching()
    liveness.due(NOBODY, PING_EVERY_S)

    liveness.forget("smtp")

    assert liveness.silent(1000.0) == []
    assert liveness.next_at() is None


def test_liveness_next_at_is_when_something_changes() -> None:
    """The loop may sleep exactly until then."""
    liveness = _watching(answer_s=10)

    assert liveness.next_at() == PING_EVERY_S
    liveness.due(NOBODY, PING_EVERY_S)
    assert liveness.next_at() == PING_EVERY_S + 10


def test_clock_of_a_loop_in_time_is_the_monotonic_one() -> None:
    """Waits and short turns are no stalls."""
    clock = StallClock(100.0)

    assert clock.turn(101.0, due_at=130.0) == 0.0
    assert clock.turn(130.2, due_at=130.0) == 0.0
    assert clock.now == 130.2
    assert clock.of(131.0) == 131.0


def test_clock_stands_still_while_the_supervisor_was_stopped() -> None:
    """After a pause of the machine no child's deadline is past because of it."""
    clock = StallClock(100.0)

    assert clock.turn(160.0, due_at=101.0) == 59.0

    assert clock.now == 101.0
    assert clock.of(161.5) == 102.5


def test_clock_counts_each_stall_once() -> None:
    """Two stops one after the other are both left out, and the time between them is not."""
    clock = StallClock(0.0)

    assert clock.turn(11.0, due_at=1.0) == 10.0
    assert clock.turn(12.0, due_at=3.0) == 0.0
    assert clock.now == 2.0
    assert clock.turn(33.0, due_at=3.0) == 20.0
    assert clock.now == 3.0
