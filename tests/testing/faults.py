"""Faults on purpose: what happens (`Act`), to whom, and when; and how a test makes it happen in a real process.

Nothing of this is in the service. `faults_supervisor` starts it with children that begin in `faults_child`, which puts
points into a few functions; an armed fault is a file that the first process to pass the named point takes.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Container
from dataclasses import asdict, dataclass
from pathlib import Path

DEADLY = b"deadly to decoders"  # a picture with these bytes ends the decoder of a service made by `faults_supervisor`
HANGING = b"endless to decoders"
FOLDER_VARIABLE = "FAULTS_FOLDER"
LANDING_S = 0.05  # what a blow to another process needs to land while the moment lasts


class Act(enum.StrEnum):
    """What befalls a process."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP"
    SEGV = "SIGSEGV"
    EXIT_0 = "exit 0"
    EXIT_1 = "exit 1"
    CLOSE = "channel closed"
    GARBAGE = "garbage on the channel"
    HANG = "hang in C"
    MEMORY = "out of memory"

    @property
    def signal(self) -> signal.Signals:
        """Return the signal that does it from outside; SIGUSR1 asks the process to do it to itself."""
        return signal.Signals[self.value] if self.value.startswith("SIG") else signal.SIGUSR1


class Phase(enum.StrEnum):
    """When it happens."""

    STARTING = "starting"
    IDLE = "idle"
    RECEIVING = "receiving a mail"
    COMMITTED = "between commit and 250"
    DECODING = "decoding"
    DETECTING = "detecting"
    STORING = "storing the detection"
    DRAINING = "draining"


VICTIMS = ("smtp", "writer", "decoder-1", "detector-1", "detector-2", "supervisor")


@dataclass(frozen=True, slots=True)
class Fault:
    """One cell of the table."""

    act: Act
    victim: str
    phase: Phase

    def __str__(self) -> str:
        """Return a test's id."""
        return f"{self.act} of {self.victim} while {self.phase}".replace(" ", "-")


class Arsenal:
    """The folder through which a test and the processes of its service agree on faults."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, fault: Fault) -> None:
        """Let the fault happen to the next process that passes its point."""
        self._fired.unlink(missing_ok=True)
        temporary = self.folder / "arming"
        temporary.write_text(json.dumps(asdict(fault)), encoding="utf-8")
        temporary.rename(self._armed)

    def disarm(self) -> None:
        """Begin anew, with nothing armed and nothing fired."""
        self._armed.unlink(missing_ok=True)
        self._fired.unlink(missing_ok=True)

    @property
    def has_fired(self) -> bool:
        """Tell whether the armed fault has happened."""
        return self._fired.exists()

    def claim(self, phase: Phase, victims: Container[str] = VICTIMS) -> Fault | None:
        """Take the armed fault of this phase, if it is one of these victims'; at most one process does."""
        try:
            fault = _fault(self._armed)
            if fault.phase is not phase or fault.victim not in victims:
                return None
            self._armed.rename(self._fired)
        except (FileNotFoundError, ValueError):
            return None
        return fault

    def strike(self, fault: Fault) -> None:
        """Let it happen now, to another process."""
        if not self._fired.exists():
            self._fired.write_text(json.dumps(asdict(fault)), encoding="utf-8")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(fault.victim), fault.act.signal)

    def ordered(self) -> Act:
        """Return what the process that got SIGUSR1 is to do to itself."""
        return _fault(self._fired).act

    def enlist(self, name: str) -> None:
        """Note the calling process as the one of this name."""
        temporary = self.folder / f"{name}.new"
        temporary.write_text(str(os.getpid()), encoding="ascii")
        temporary.rename(self.folder / f"{name}.pid")

    def pid(self, name: str) -> int:
        """Return the process of this name."""
        return int((self.folder / f"{name}.pid").read_text(encoding="ascii"))

    def break_engines(self, *names: str) -> None:
        """Let detectors with these engines die of every picture that they examine; with none, none."""
        # In place: a detector reads what it opened before it gave up opening files.
        (self.folder / "engines").write_text(" ".join(names), encoding="ascii")

    def broken_engines(self) -> Callable[[], list[str]]:
        """Open the list of the engines whose detectors are to die, for a process that may open no file later."""
        try:
            descriptor = os.open(self.folder / "engines", os.O_RDONLY)
        except FileNotFoundError:
            return list
        return lambda: os.pread(descriptor, 100, 0).decode("ascii").split()

    def set_clock(self, offset_s: float) -> None:
        """Let the clock of all processes jump: `time.time` is off by so much from now on."""
        temporary = self.folder / "clock.new"
        temporary.write_text(repr(offset_s), encoding="ascii")
        temporary.rename(self.folder / "clock")

    def bend_clock(self) -> None:
        """Put `set_clock`'s offset into the calling process' `time.time`, at every call anew."""
        real = time.time

        def bent() -> float:
            with contextlib.suppress(FileNotFoundError):
                return real() + float((self.folder / "clock").read_text(encoding="ascii"))
            return real()

        time.time = bent

    @property
    def _armed(self) -> Path:
        return self.folder / "armed.json"

    @property
    def _fired(self) -> Path:
        return self.folder / "fired.json"


def perform(act: Act, channel: socket.socket | None) -> None:
    """Let it happen to the calling process.

    Raises: MemoryError for `Act.MEMORY`.
    """
    match act:
        case Act.KILL | Act.STOP | Act.SEGV:
            os.kill(os.getpid(), act.signal)
            time.sleep(LANDING_S)
        case Act.EXIT_0 | Act.EXIT_1:
            os._exit(int(act is Act.EXIT_1))
        case Act.CLOSE:
            if channel is not None:
                channel.shutdown(socket.SHUT_RDWR)
        case Act.GARBAGE:
            if channel is not None:
                channel.send(b"\xff garbage" * 9)
        case Act.HANG:
            ctypes.PyDLL(None).sleep(3600)  # PyDLL keeps the interpreter's lock: no Python code runs any more
        case Act.MEMORY:
            raise MemoryError("on purpose")


def _fault(path: Path) -> Fault:
    found = json.loads(path.read_text(encoding="utf-8"))
    return Fault(Act(found["act"]), found["victim"], Phase(found["phase"]))
