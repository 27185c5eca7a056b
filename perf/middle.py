"""What stands between the echoes of `supervisor.py`: camalert's own supervisor, or a bare loop as its bound.

Each runs in a process of its own until the intake child tells it to stop. They are imported by a command that is no
file (`python -c`), for spawn would import the file again in each child.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import echoes

from camalert.config.schema import Config
from camalert.config.sources import Source
from camalert.detection.choice import EngineChoice
from camalert.ipc import spawn
from camalert.ipc.layout import PAGE_BYTES, Layout
from camalert.ipc.messages import (
    MAX_BYTES,
    Conclude,
    Decode,
    Detect,
    Lend,
    Outcome,
    Ready,
    Stage,
    Store,
    StoreCode,
    Stored,
    decode,
    encode,
)
from camalert.ipc.pool import Pool
from camalert.supervisor import plan
from camalert.supervisor.lifecycle import ChildSpec, Role
from camalert.supervisor.loop import Supervisor
from camalert.supervisor.processes import Run
from camalert.supervisor.reload import Resources
from camalert.supervisor.reporter import Reporter
from camalert.system import logs
from camalert.system.signals import Signals


def supervise(folder: str, detectors: int) -> None:
    """Run the real supervisor, whose children are echoes."""
    config, planned = shape(folder, detectors)
    logs.configure(config.log, "supervisor")
    with pool(planned) as segment, mock.patch.object(plan, "specs", return_value=specs(config, planned)):
        reporter = Reporter(config, planned.layout.size_bytes, len(planned.layout.frames))
        run = Run(config, planned, segment.name, ())
        resources = Resources(Source(None), None)
        Supervisor(run, EngineChoice(("echo",)), reporter, Signals(), resources).run()


def route(folder: str, detectors: int) -> None:
    """Pass on the same datagrams between the same children: what any supervisor in Python has to do at least."""
    config, planned = shape(folder, detectors)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with pool(planned) as segment, contextlib.ExitStack() as ending:
        sockets: dict[Role, list[socket.socket]] = {role: [] for role in Role}
        run = Run(config, planned, segment.name, ())
        for spec in specs(config, planned):
            child = spawn.start(run.orders_for(spec, "echo"))
            ending.callback(child.reap)
            ending.callback(child.signal, signal.SIGKILL)
            sockets[spec.role].append(socket.socket(fileno=os.dup(child.channel.fileno())))
        pass_on(sockets, planned.layout.frames)


def pass_on(sockets: dict[Role, list[socket.socket]], frames: range) -> None:
    """Send to the next what follows each datagram; the children do not mind that it is always the same."""
    [writer] = sockets[Role.WRITER]
    to = {role: itertools.cycle(found) for role, found in sockets.items() if found}
    follows = {
        Role.INTAKE: ((to[Role.WRITER], encode(Store(0, 1, bytes(16)))),),
        Role.WRITER: (
            (to[Role.DECODER], encode(Decode(0, 1, 0, 0, is_clip=False))),
            (to[Role.INTAKE], encode(Stored(0, 1, bytes(16), StoreCode.STORED, 1, 1))),
        ),
        Role.DECODER: ((to[Role.DETECTOR], encode(Detect(0, 1))),),
        Role.DETECTOR: ((to[Role.WRITER], encode(Conclude(0, 1, 1, Outcome.NOBODY, Stage.DETECT, 0, 0))),),
    }
    epoll = select.epoll()
    sources = {}
    for role, found in sockets.items():
        for sock in found:
            sock.setblocking(True)
            assert isinstance(decode(sock.recv(MAX_BYTES))[0], Ready)
            sock.setblocking(False)
            epoll.register(sock, select.EPOLLIN)
            sources[sock.fileno()] = sock, follows[role]
    for slot in frames:
        writer.send(encode(Lend(slot, 1)))
    while True:
        for file, _ in epoll.poll():
            source, sends = sources[file]
            source.recv(MAX_BYTES)
            for targets, datagram in sends:
                next(targets).send(datagram)


@contextlib.contextmanager
def pool(planned: plan.Plan) -> Iterator[Pool]:
    """Lend a pool that nobody looks into."""
    segment = Pool.create(f"camalert-perf-{os.getpid()}", planned.layout)
    try:
        yield segment
    finally:
        segment.close()
        segment.unlink()


def shape(folder: str, detectors: int) -> tuple[Config, plan.Plan]:
    """Return a configuration and a plan with so many detectors, and as many mails on their way as frame slots."""
    decoders = max(1, detectors // 2)
    found = Config()
    config = replace(
        found,
        service=replace(found.service, run_dir=folder, drain_seconds=0.1),  # it ends with pictures on their way
        decode=replace(found.decode, processes=decoders),
        detector=replace(found.detector, processes=detectors, recycle_pictures=0),
        review=replace(found.review, enabled=False),
        log=replace(found.log, level="error"),
    )
    slots = detectors + decoders + plan.SPARE_FRAME_SLOTS
    return config, plan.Plan(detectors, decoders, Layout(slots, PAGE_BYTES, slots, PAGE_BYTES, PAGE_BYTES, PAGE_BYTES))


def specs(config: Config, planned: plan.Plan) -> list[ChildSpec]:
    """Return the children of a plan, with an echo in the place of each."""
    return [replace(spec, target=echoes.TARGETS[spec.role]) for spec in plan.specs(config, planned)]
