"""Examine picture files for the command line in several processes.

Hostile pictures are read there: a process that dies or hangs on one costs that picture's answer, and is replaced. Jobs
and answers are JSON over a pipe, one message each.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from camalert.decoding import frames  # first: it sets OpenCV's limits before that is loaded

# isort: split
from camalert.config.schema import Config
from camalert.decoding.stderr import StderrCapture
from camalert.detection import drawing, rules, selftest
from camalert.detection.choice import EngineChoice
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examination, Examiner, examine_file
from camalert.detection.people import Person
from camalert.errors import CamalertError, EngineError, Exit

START_S = 120.0  # a slow board loads the engine in a tenth of this
MAX_FAILED_STARTS = 3  # with an engine that worked: memory or limits are short
EXIT_S = 5.0  # a process exits as soon as its pipe is closed; then it is killed


@dataclass(frozen=True, slots=True)
class Order:
    """What applies to every picture of one command."""

    config: Config
    camera: str = ""
    is_explaining: bool = False  # copies show areas and rejected boxes too


@dataclass(frozen=True, slots=True)
class Job:
    """A picture to examine, and where the annotated copy goes ("": nowhere)."""

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


class WorkerPool:
    """The processes of one command; use `results` once."""

    def __init__(self, order: Order, engines: EngineChoice, processes: int) -> None:
        """Prepare up to `processes` of them; they start with the first result that is asked for."""
        self._order = order
        self._engines = engines
        self._processes = processes
        self._workers: dict[Connection, _Worker] = {}
        self._waiting: deque[tuple[int, Job]] = deque()
        self._failed_starts = 0
        detector, decode = order.config.detector, order.config.decode
        self._job_s = detector.deadline_seconds + decode.deadline_seconds

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each job's number and report, as they are done; a report is `error`, or what `_report` makes.

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
                self._stop(worker)

    def _open_jobs(self) -> int:
        return len(self._waiting) + sum(worker.number is not None for worker in self._workers.values())

    def _start(self) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        engine = self._engines.name
        process = context.Process(target=run_worker, args=(theirs, self._order, engine), daemon=True)
        process.start()
        theirs.close()
        self._workers[ours] = _Worker(process, ours, engine, time.monotonic() + START_S)

    def _ready(self) -> list[Connection]:
        """Wait for answers and exits until the next deadline; kill processes past their own."""
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
            yield from self._lost(worker)
            return
        if "cannot" in answer:
            worker.complaint = answer["cannot"]  # it exits now
            return
        if "ready" in answer:
            self._engines.prove()
        elif worker.number is not None:
            yield worker.number, answer
        self._assign(worker)

    def _assign(self, worker: _Worker) -> None:
        """Give a worker its next job, or stop it."""
        if not self._waiting:
            self._stop(worker)
            return
        worker.number, job = self._waiting.popleft()
        worker.deadline_at = time.monotonic() + self._job_s
        try:
            worker.pipe.send_bytes(json.dumps({"file": job.file, "copy": job.copy}).encode())
        except (BrokenPipeError, ConnectionResetError):
            # It died between two jobs: its exit is read next, and another process gets this job.
            self._waiting.appendleft((worker.number, job))
            worker.number = None

    def _lost(self, worker: _Worker) -> Iterator[tuple[int, dict[str, Any]]]:
        self._stop(worker)
        code = worker.process.exitcode or 0
        why = worker.complaint or (f"a process was killed by signal {-code} on it" if code < 0 else f"exit code {code}")
        if worker.number is not None:
            yield worker.number, {"error": why}
        elif not self._engines.fall_back(code, worker.engine):
            self._failed_starts += 1
            if not self._engines.is_proven or self._failed_starts > MAX_FAILED_STARTS:
                raise EngineError(f"the engine {worker.engine} cannot be used here: {why}")

    def _stop(self, worker: _Worker) -> None:
        self._workers.pop(worker.pipe, None)
        worker.pipe.close()
        worker.process.join(EXIT_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def run_worker(pipe: Connection, order: Order, engine_name: str) -> None:
    """Report that the engine works, then answer each `{"file", "copy"}` until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    frames.use_threads(1)
    try:
        engine = load_engine(engine_name, order.config.detector, with_others=rules.asks_for_others(order.config))
        selftest.self_test(engine, order.config.detector.effort)
    except CamalertError as error:
        _answer(pipe, {"cannot": str(error)})
        sys.exit(Exit.UNAVAILABLE)
    _answer(pipe, {"ready": engine_name})
    examiner = Examiner(engine, order.config)
    stderr = StderrCapture()
    while True:
        try:
            job = json.loads(pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            return
        try:
            with stderr:
                report = _examine(job["file"], job["copy"], examiner, order)
        except CamalertError as error:
            report = {"error": str(error)}
        _answer(pipe, report | {"damage": stderr.text})


def _examine(file: str, copy: str, examiner: Examiner, order: Order) -> dict[str, Any]:
    found, frame = examine_file(Path(file), examiner, order.camera)
    report = _report(found, frame.shape[0], frame.shape[1])
    if copy:
        if order.is_explaining:
            drawn = drawing.explain(frame, found.rulings, rules.camera_of(order.config, order.camera))
        else:
            drawn = drawing.annotate(frame, found.people)
        jpeg = frames.encode_jpeg(drawn, order.config.detector.jpeg_quality, drawn.nbytes + 65_536)
        try:
            Path(copy).write_bytes(jpeg)
        except OSError as error:
            raise CamalertError(f"{copy} cannot be written: {error.strerror}") from error
    return report


def _boxes(people: Sequence[Person]) -> list[dict[str, Any]]:
    return [
        {"box": [found.x, found.y, found.width, found.height], "score": round(found.score, 4), "kind": found.kind}
        for found in people
    ]


def _report(found: Examination, height: int, width: int) -> dict[str, Any]:
    return {
        "people": _boxes(found.people),
        "others": _boxes(found.others),
        "score": round(found.best_score, 4),
        "threshold": found.threshold,
        "width": width,
        "height": height,
        "engine": found.engine,
        "effort": found.effort,
        "ms": round(found.detect_ms, 1),
        "reason": found.reason,
        "rulings": [ruling.message for ruling in found.rulings],
    }


def _answer(pipe: Connection, report: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(report).encode())
