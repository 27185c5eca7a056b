"""The children's way in when faults are to happen: points are put into a few functions, then the real `main` runs."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from camalert.ipc.child import Context
from camalert.ipc.messages import Message, Stored
from testing.faults import DEADLY, FOLDER_VARIABLE, HANGING, LANDING_S, VICTIMS, Act, Arsenal, Phase, perform

MAINS = {
    "writer": "camalert.store.process",
    "smtp": "camalert.intake.smtp.process",
    "decoder": "camalert.decoding.process",
    "detector": "camalert.detection.process",
}


def main(context: Context) -> int:
    """Run a child with points in it."""
    points = Points(context)
    points.arsenal.bend_clock()
    points.pass_by(Phase.STARTING, (context.name,))
    role = context.name.partition("-")[0]
    _PATCHES[role](points)
    return int(importlib.import_module(MAINS[role]).main(context))


class Points:
    """The places of one child at which a fault may happen."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.arsenal = Arsenal(Path(os.environ[FOLDER_VARIABLE]))
        self._socket = context.channel._socket
        signal.signal(signal.SIGUSR1, lambda *_: perform(self.arsenal.ordered(), self._socket))
        self.arsenal.enlist(context.name)

    def pass_by(self, phase: Phase, victims: Container[str] = VICTIMS) -> None:
        """Let an armed fault of this phase happen, here or to its victim."""
        fault = self.arsenal.claim(phase, victims)
        if fault is None:
            return
        if fault.victim == self.context.name:
            perform(fault.act, self._socket)
        else:
            self.arsenal.strike(fault)
            time.sleep(LANDING_S)

    def before(self, owner: Any, function: str, phase: Phase) -> None:
        """Put a point before a function of a module or class."""
        original = getattr(owner, function)

        @functools.wraps(original)
        def pointed(*arguments: Any, **named: Any) -> Any:
            self.pass_by(phase)
            return original(*arguments, **named)

        setattr(owner, function, pointed)


def _point_writer(points: Points) -> None:
    channel = points.context.channel
    send = channel.send

    def send_pointed(*messages: Message) -> None:
        if any(isinstance(message, Stored) for message in messages):
            points.pass_by(Phase.COMMITTED, [name for name in VICTIMS if name != "smtp"])
        send(*messages)

    channel.send = send_pointed  # type: ignore[method-assign]
    points.before(importlib.import_module("camalert.store.batch"), "conclude", Phase.STORING)


def _point_smtp(points: Points) -> None:
    slots = importlib.import_module("camalert.intake.smtp.intakeslots").IntakeSlots
    points.before(slots, "stored", Phase.COMMITTED)


def _point_decoder(points: Points) -> None:
    frames = importlib.import_module("camalert.decoding.frames")
    points.before(frames, "decode_into", Phase.DECODING)
    pointed = frames.decode_into

    def decode_into(encoded: memoryview | bytes, *arguments: Any) -> Any:
        content = bytes(encoded)
        if DEADLY in content:
            perform(Act.SEGV, None)
        if HANGING in content:
            perform(Act.HANG, None)
        return pointed(encoded, *arguments)

    frames.decode_into = decode_into


def _point_detector(points: Points) -> None:
    examiner = importlib.import_module("camalert.detection.examiner").Examiner
    points.before(examiner, "examine", Phase.DETECTING)
    pointed = examiner.examine
    broken_engines = points.arsenal.broken_engines()

    def examine(self: Any, *arguments: Any) -> Any:
        if self.engine.name in broken_engines():
            perform(Act.SEGV, None)
        return pointed(self, *arguments)

    examiner.examine = examine


_PATCHES: dict[str, Callable[[Points], None]] = {
    "writer": _point_writer,
    "smtp": _point_smtp,
    "decoder": _point_decoder,
    "detector": _point_detector,
}
