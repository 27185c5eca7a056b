"""Children for `supervisor.py` that answer at once and look at no picture.

Each takes the place of one of camalert's own: it gets the same messages and answers with the same, in the same
datagrams. A picture is one mail here, and the next mail is sent when one was answered, so that as many pictures are on
their way as there are frame slots. The intake child, which sees each picture begin, takes the measurement.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import signal
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from camalert.ipc.child import Context
from camalert.ipc.layout import following
from camalert.ipc.messages import (
    Conclude,
    Concluded,
    Decode,
    Decoded,
    Detect,
    Detected,
    Lend,
    Loaded,
    Message,
    Noted,
    Outcome,
    Ping,
    Pong,
    Ready,
    Stop,
    Store,
    StoreCode,
    Stored,
)
from camalert.supervisor.lifecycle import Role

TARGETS = {
    Role.INTAKE: "echoes:intake",
    Role.WRITER: "echoes:writer",
    Role.DECODER: "echoes:decoder",
    Role.DETECTOR: "echoes:detector",
}
CAMERAS = 60
WARM_S = 0.3
ROUND_S = 0.2
ROUNDS = 4
FOUND = "found.json"  # in the run folder: the marks between which the rounds lie


@dataclass(frozen=True, slots=True)
class Mark:
    """What the parent has used when so many pictures were taken in. `waits` are its voluntary context switches."""

    pictures: int
    at_s: float
    cpu_s: float
    waits: int


def _ready(context: Context) -> None:
    Path(context.config.service.run_dir, f"{context.name}.ready").touch()
    context.channel.send(Ready(os.getpid()))


def _next(context: Context) -> Message:
    """Return the next message that is no ping."""
    while True:
        context.channel.wait()
        match context.channel.receive():
            case Ping(number):
                context.channel.send(Pong(number))
            case None:
                continue
            case message:
                return message


def intake(context: Context) -> int:
    """Keep a Store open in each intake slot; note what the parent has used after each round, then tell it to stop."""
    folder = Path(context.config.service.run_dir)
    settings = context.config
    _ready(context)
    while len(list(folder.glob("*.ready"))) < 2 + settings.decode.processes + settings.detector.processes:
        time.sleep(0.01)
    notes = itertools.cycle(_notes())
    pictures = 0

    def store(slot: int, generation: int) -> None:
        context.channel.post(next(notes))
        context.channel.send(Store(slot, generation, pictures.to_bytes(16, "little")))

    for slot in context.pool.layout.intake:
        pictures += 1
        store(slot, 1)
    marks: list[Mark] = []
    mark_at = time.perf_counter() + WARM_S
    while not isinstance(message := _next(context), Stop):
        if not isinstance(message, Stored) or len(marks) > ROUNDS:
            continue
        pictures += 1
        store(message.slot, following(message.generation))
        if time.perf_counter() >= mark_at:
            marks.append(_mark(pictures))
            mark_at = marks[-1].at_s + ROUND_S
            if len(marks) > ROUNDS:
                (folder / FOUND).write_text(json.dumps([astuple(mark) for mark in marks]), encoding="ascii")
                os.kill(os.getppid(), signal.SIGTERM)
    return 0


def writer(context: Context) -> int:
    """Pass each mail on as soon as there is a frame slot for it; answers come one at a time, no two in a datagram."""
    _ready(context)
    leases: collections.deque[tuple[int, int]] = collections.deque()
    stores: collections.deque[Store] = collections.deque()
    alerts = itertools.count(1)
    while True:
        match _next(context):
            case Store() as store:
                stores.append(store)
            case Lend(slot, generation):
                leases.append((slot, generation))
            case Conclude(slot, generation, alert_id):
                context.channel.post(Concluded(slot, generation, alert_id))
                leases.append((slot, following(generation)))
            case Stop():
                return 0
        if stores and leases:
            store = stores.popleft()
            alert_id = next(alerts)
            loaded = Loaded(*leases.popleft(), alert_id, 200_000, 0, is_clip=False, is_live=True)
            stored = Stored(store.slot, store.generation, store.mail_id, StoreCode.STORED, alert_id, 1)
            context.channel.send(loaded, stored)


def decoder(context: Context) -> int:
    """Say that each picture is a frame."""
    _ready(context)
    while not isinstance(message := _next(context), Stop):
        if isinstance(message, Decode):
            context.channel.send(Decoded(message.slot, message.generation, is_failed=False, pictures=1))
    return 0


def detector(context: Context) -> int:
    """Say that nobody is in any frame."""
    _ready(context)
    while not isinstance(message := _next(context), Stop):
        if isinstance(message, Detect):
            context.channel.send(Detected(message.slot, message.generation, Outcome.NOBODY))
    return 0


def _notes() -> list[Noted]:
    """Return what smtp notes of a mail of each camera."""
    facts = [
        {"event": "mail_taken", "camera": f"camera {number}", "peer": f"10.0.0.{number}", "pictures": 1}
        for number in range(CAMERAS)
    ]
    return [Noted(json.dumps(fact, separators=(",", ":")).encode("ascii")) for fact in facts]


def _mark(pictures: int) -> Mark:
    """Look at the parent; see proc(5) status, and Documentation/scheduler/sched-stats in the kernel for schedstat."""
    folder = Path(f"/proc/{os.getppid()}")
    cpu_ns = int((folder / "schedstat").read_text(encoding="ascii").split()[0])
    status = (folder / "status").read_text(encoding="utf-8").splitlines()
    waits = next(line for line in status if line.startswith("voluntary_ctxt_switches"))
    return Mark(pictures, time.perf_counter(), cpu_ns / 1e9, int(waits.split()[1]))
