"""What the values of the supervisor's state say about themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from camalert import states
from camalert.restart import History
from camalert.states import Child, ChildSpec, Phase, Role, Rung, Service, State

WRITER = Child(ChildSpec("writer", Role.WRITER, "w:main", is_vital=True, ready_s=10, grace_s=5))
SMTP = Child(ChildSpec("smtp", Role.INTAKE, "s:main", is_vital=True, ready_s=10, grace_s=5))


def _service(*children: Child, phase: Phase = Phase.RUNNING, deadline: float | None = None) -> Service:
    return Service({child.spec.name: child for child in children}, drain_s=20, phase=phase, deadline=deadline)


def test_next_deadline_is_the_earliest_of_the_service_and_its_children() -> None:
    """The shell sleeps until then, and no longer."""
    service = _service(replace(WRITER, deadline=7.0), SMTP, deadline=5.0)

    assert service.next_deadline() == 5.0
    assert replace(service, deadline=None).next_deadline() == 7.0
    assert _service(WRITER, SMTP).next_deadline() is None


@pytest.mark.parametrize("state", State)
def test_child_has_a_process_from_its_start_to_its_end(state: State) -> None:
    """A child that was told to go is still there; one that waits for its restart is not."""
    service = _service(WRITER, replace(SMTP, state=state))
    has_process = state in (State.STARTING, State.READY, State.STOPPING)

    assert service.has_running(Role.INTAKE) is has_process
    assert [child.spec.name for child in service.running()] == ["smtp"] * has_process
    assert not service.has_running(Role.WRITER)


def test_started_child_has_its_life_before_it_and_its_past_behind() -> None:
    """A new run is judged by itself, and the back-off still knows the ends before it."""
    first = WRITER.started(100.0)
    ended = replace(
        first, state=State.STOPPING, rung=Rung.KILLED, is_blameless=True, was_ready=True, history=History((150.0,))
    )

    again = ended.started(151.0)

    assert (first.restarts, again.restarts) == (0, 1)
    assert (again.state, again.started_at, again.deadline) == (State.STARTING, 151.0, 161.0)
    assert (again.rung, again.is_blameless, again.was_ready) == (Rung.NONE, False, False)
    assert again.history == History((150.0,))


@pytest.mark.parametrize(
    ("phase", "needed"),
    [
        (Phase.STARTING, ["writer", "smtp"]),
        (Phase.RUNNING, ["writer", "smtp"]),
        (Phase.DRAINING, ["writer"]),
        (Phase.STOPPING, []),
        (Phase.STOPPED, []),
    ],
)
def test_service_needs_whom_its_phase_needs(phase: Phase, needed: list[str]) -> None:
    """What was received is committed in a drain; nothing new is begun."""
    service = _service(WRITER, SMTP, phase=phase)

    assert [child.spec.name for child in (WRITER, SMTP) if service.needs(child)] == needed


@pytest.mark.parametrize(
    ("code", "words"), [(-9, "killed by signal 9"), (78, "exit 78 (config)"), (3, "exit 3"), (0, "exit 0 (ok)")]
)
def test_exit_words_name_the_end(code: int, words: str) -> None:
    """A log line says how a process ended."""
    assert states.exit_words(code) == words
