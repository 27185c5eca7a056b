"""What can happen to the service and its children, and what is to be done about it.

Pure values: the events that the shell (`service`) tells `lifecycle.step`, and the actions that it gets back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from camalert.states import ChildSpec


@dataclass(frozen=True, slots=True)
class Begin:
    """Start everything."""


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A child said `Ready`."""

    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A child's process is gone: `code` is its exit code, negative for a signal.

    `is_blameless`: it died of a picture, or for a reason that is mended already; it is started again at once.
    """

    name: str
    code: int
    is_blameless: bool = False


@dataclass(frozen=True, slots=True)
class Hung:
    """A child passed the deadline of its job (`is_blameless`: the picture's fault) or of a ping."""

    name: str
    reason: str
    is_blameless: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A child closed its channel: it is ending by itself, or will be made to."""

    name: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the service to end: drain; asked again: skip the drain; a third time: kill."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing is in flight any more."""


@dataclass(frozen=True, slots=True)
class ReplaceAsked:
    """Children are to be replaced one at a time, by what these specs say: a new configuration, or age."""

    specs: tuple[ChildSpec, ...]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A deadline may have come."""


Event = Begin | BecameReady | Ended | Hung | Lost | StopAsked | Quiet | ReplaceAsked | TimePassed


class Do(enum.Enum):
    """Name what the shell carries out."""

    START = "start"  # this child
    ASK = "ask"  # this child to stop
    ABORT = "abort"  # this child, SIGABRT
    KILL = "kill"  # this child, SIGKILL
    ANNOUNCE_READY = "announce_ready"
    DRAIN = "drain"
    STOP = "stop"
    STUCK = "stuck"  # this child outlives SIGKILL: systemd must act
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, to the service or to the child `name`."""

    do: Do
    name: str = ""
