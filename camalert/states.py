"""Where the service and its children are: states, specs, and what is known of one run.

Pure values; `lifecycle` says how one follows from another. A state says where a child is, its `reason` says why.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from camalert import restart
from camalert.errors import Exit


class Phase(enum.Enum):
    """Where the service is."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"


class State(enum.Enum):
    """Where a child is."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    FAILED = "failed"


class Role(enum.Enum):
    """What a child does; it decides the order of stopping."""

    INTAKE = "intake"  # takes alarms in: stopped first, so that nothing new comes
    DECODER = "decoder"
    DETECTOR = "detector"
    OPTIONAL = "optional"  # its failure never touches the pipeline
    WRITER = "writer"  # stopped last: it commits what the others finished


class Rung(enum.IntEnum):
    """How firmly a child has been told to go."""

    NONE = 0
    ASKED = 1
    ABORTED = 2
    KILLED = 3


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """Describe a child: what runs, how long it may take to start and to go, and what its loss means.

    A vital child is one the service's promise rests on: it is given up, and the service with it, after too many ends.
    """

    name: str
    role: Role
    target: str
    is_vital: bool
    ready_s: float
    grace_s: float
    answer_s: float = 10.0  # to answer a ping when idle


@dataclass(frozen=True, slots=True)
class Child:
    """Hold what is known of one child."""

    spec: ChildSpec
    state: State = State.DOWN
    deadline: float | None = None
    rung: Rung = Rung.NONE
    is_hung: bool = False  # it was given up: it did not answer in time, or made no sense
    is_outdated: bool = False  # it was started before a change that it is to be replaced for
    is_blameless: bool = False  # the end to come is a picture's fault: start again at once
    history: restart.History = field(default_factory=restart.History)
    started_at: float = 0.0
    was_ready: bool = False  # since its latest start
    restarts: int = 0
    reason: str = ""

    @property
    def is_running(self) -> bool:
        """Tell whether a process exists."""
        return self.state in (State.STARTING, State.READY, State.STOPPING)

    def started(self, now: float) -> Child:
        """Return the child at the start of a new run; its past, and why the last run ended, stay known."""
        return replace(
            self,
            state=State.STARTING,
            deadline=now + self.spec.ready_s,
            rung=Rung.NONE,
            is_hung=False,
            is_outdated=False,
            is_blameless=False,
            started_at=now,
            was_ready=False,
            restarts=self.restarts + (self.started_at > 0),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """Hold the whole state of the supervisor's life."""

    children: dict[str, Child]
    drain_s: float
    phase: Phase = Phase.STARTING
    deadline: float | None = None
    replacing: tuple[str, ...] = ()
    exit: int = Exit.OK
    reason: str = ""

    def next_deadline(self) -> float | None:
        """Return the earliest time at which `TimePassed` would change something."""
        deadlines = (self.deadline, *(child.deadline for child in self.children.values()))
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def running(self) -> list[Child]:
        """Return the children that have a process."""
        return [child for child in self.children.values() if child.is_running]

    def has_running(self, role: Role) -> bool:
        """Tell whether a child of this role has a process."""
        return any(child.is_running and child.spec.role is role for child in self.children.values())

    def needs(self, child: Child) -> bool:
        """Tell whether a child that ended is wanted again in this phase: draining needs the writer alone."""
        match self.phase:
            case Phase.STARTING | Phase.RUNNING:
                return True
            case Phase.DRAINING:
                return child.spec.role is Role.WRITER
            case _:
                return False


def exit_words(code: int) -> str:
    """Say in words how a process ended: `code` as multiprocessing gives it, negative for a signal."""
    if code < 0:
        return f"killed by signal {-code}"
    try:
        return f"exit {code} ({Exit(code).name.lower()})"
    except ValueError:
        return f"exit {code}"
