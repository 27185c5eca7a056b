"""Cameras in processes of their own: several open sessions each, all sending until told to stop.

Their mail is made before the clock runs; one header line at its front makes each copy unique. What the cameras
themselves take of the processor is measured too, because it is taken from the service on the same machine.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

import rig


@dataclass(frozen=True, slots=True)
class Sent:
    """What cameras have had acknowledged, until when, and the CPU it took them."""

    mails: int
    ended_at: float  # of time.perf_counter, which is the same clock in all processes
    cpu_s: float


class Cameras:
    """The processes, which wait for `send`."""

    def __init__(self, port: int, mail: bytes, processes: int, sessions: int) -> None:
        context = get_context("spawn")
        self._orders: list[Connection] = []
        self._processes = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, port, mail, sessions, f"{number}"), daemon=True)
            process.start()
            self._orders.append(ours)
            self._processes.append(process)
        for orders in self._orders:
            orders.recv()  # connected

    def send(self, seconds: float) -> tuple[Sent, float]:
        """Let all of them send for a while; return what they sent together, and the seconds until the last 250."""
        started = time.perf_counter()
        for orders in self._orders:
            orders.send(started + seconds)
        found: list[Sent] = [orders.recv() for orders in self._orders]
        ended_at = max(sent.ended_at for sent in found)
        total = Sent(sum(sent.mails for sent in found), ended_at, sum(sent.cpu_s for sent in found))
        return total, ended_at - started

    def close(self) -> None:
        """End the sessions and the processes."""
        for orders in self._orders:
            orders.send(None)
        for process in self._processes:
            process.join()


def _serve(orders: Connection, port: int, mail: bytes, sessions: int, name: str) -> None:
    clients = [rig.Client(port) for _ in range(sessions)]
    names = [f"{name}.{number}" for number in range(sessions)]
    counts = [0] * sessions
    orders.send(None)

    def send(session: int, until: float) -> int:
        before = counts[session]
        while time.perf_counter() < until:
            counts[session] += 1
            number = f"X-Number: {names[session]}.{counts[session]}\r\n".encode("ascii")
            clients[session].send(number + mail)
        return counts[session] - before

    with ThreadPoolExecutor(sessions) as threads:
        while (until := orders.recv()) is not None:
            cpu_s = time.process_time()
            sent = sum(threads.map(send, range(sessions), [until] * sessions))
            orders.send(Sent(sent, time.perf_counter(), time.process_time() - cpu_s))
    for client in clients:
        client.close()
