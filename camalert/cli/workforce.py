"""Examine picture files in several processes; one that dies or hangs costs its picture's answer and is replaced."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from camalert.cli import examination
from camalert.cli.examination import Order
from camalert.engines import EngineChoice
from camalert.errors import EngineError

START_S = 120.0  # a slow board loads the engine within a tenth of this
STILLBORN = 3  # so many processes may die before their first picture, with an engine that worked (memory, limits)
END_S = 5.0  # a process ends at once when its pipe does; then it is killed


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to examine, and where the annotated copy goes ("": nowhere)."""

    file: str
    copy: str = ""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    engine: str
    deadline_at: float
    number: int | None = None  # of the job it has
    complaint: str = ""  # why it could not start


class Workforce:
    """Own the processes of one command; use `results` once."""

    def __init__(self, order: Order, engines: EngineChoice, processes: int) -> None:
        """Prepare for `processes` of them; they start with the first result that is asked for."""
        self._order = order
        self._engines = engines
        self._processes = processes
        self._workers: dict[Connection, _Worker] = {}
        self._waiting: deque[tuple[int, Job]] = deque()
        self._stillborn = 0
        detector, decode = order.config.detector, order.config.decode
        self._job_s = detector.deadline_seconds + decode.deadline_seconds

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each job's number and report, in the order in which they are done.

        A report has `error` when there is no answer; see `examination` for the others.

        Raises: EngineError when no engine works here.
        """
        self._waiting.extend(enumerate(jobs))
        try:
            while self._waiting or self._workers:
                while self._waiting and len(self._workers) < min(self._processes, self._open_jobs()):
                    self._start()
                for pipe in self._ready():
                    yield from self._read(self._workers[pipe])
        finally:
            for worker in list(self._workers.values()):
                self._end(worker)

    def _open_jobs(self) -> int:
        return len(self._waiting) + sum(worker.number is not None for worker in self._workers.values())

    def _start(self) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        engine = self._engines.name
        process = context.Process(target=examination.main, args=(theirs, self._order, engine), daemon=True)
        process.start()
        theirs.close()
        self._workers[ours] = _Worker(process, ours, engine, time.monotonic() + START_S)

    def _ready(self) -> list[Connection]:
        """Wait for answers and ends until the next deadline; kill who has passed its own."""
        now = time.monotonic()
        next_at = min(worker.deadline_at for worker in self._workers.values())
        found = wait(list(self._workers), max(0.0, next_at - now))
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.pipe not in found and worker.deadline_at <= now:
                worker.complaint = "took too long"
                worker.process.kill()
        return [pipe for pipe in found if isinstance(pipe, Connection)]

    def _read(self, worker: _Worker) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            answer = json.loads(worker.pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            yield from self._bury(worker)
            return
        if "cannot" in answer:
            worker.complaint = answer["cannot"]  # its end follows
            return
        if "ready" in answer:
            self._engines.prove()
        elif worker.number is not None:
            yield worker.number, answer
        self._employ(worker)

    def _employ(self, worker: _Worker) -> None:
        """Give a worker its next job, or let it go."""
        if not self._waiting:
            self._end(worker)
            return
        worker.number, job = self._waiting.popleft()
        worker.deadline_at = time.monotonic() + self._job_s
        try:
            worker.pipe.send_bytes(json.dumps({"file": job.file, "copy": job.copy}).encode())
        except (BrokenPipeError, ConnectionResetError):
            # It died between two jobs; its end is read next, and this one goes on with another.
            self._waiting.appendleft((worker.number, job))
            worker.number = None

    def _bury(self, worker: _Worker) -> Iterator[tuple[int, dict[str, Any]]]:
        self._end(worker)
        code = worker.process.exitcode or 0
        why = worker.complaint or (f"a process died of signal {-code} on it" if code < 0 else f"it ended with {code}")
        if worker.number is not None:
            yield worker.number, {"error": why}
        elif not self._engines.fall_back(code, worker.engine):
            self._stillborn += 1
            if not self._engines.is_proven or self._stillborn > STILLBORN:
                raise EngineError(f"the engine {worker.engine} cannot be used here: {why}")

    def _end(self, worker: _Worker) -> None:
        self._workers.pop(worker.pipe, None)
        worker.pipe.close()
        worker.process.join(END_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
