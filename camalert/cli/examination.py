"""One process that examines picture files for the command line; started by `workforce`.

Hostile pictures end here: a process that dies on one takes nothing with it but that picture's answer. Orders and
answers are JSON over a pipe, one message each.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from camalert import frames  # first: it tells OpenCV its limits before that is loaded

# isort: split
from camalert import annotation, explanation
from camalert.complaints import Complaints
from camalert.config import Config
from camalert.detection import rules, selftest
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examiner, FileResult, examine_file
from camalert.errors import CamalertError, Exit


@dataclass(frozen=True, slots=True)
class Order:
    """What holds for every picture of one command."""

    config: Config
    camera: str = ""
    is_explaining: bool = False  # copies show the camera's areas and what was left out, not only who counts


def main(pipe: Connection, order: Order, engine_name: str) -> None:
    """Say that the engine works, then answer `{"file", "copy"}` with what is in that picture, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    frames.use_threads(1)
    try:
        engine = load_engine(engine_name, order.config.detector)
        selftest.self_test(engine, order.config.detector.effort)
    except CamalertError as error:
        _answer(pipe, {"cannot": str(error)})
        sys.exit(Exit.UNAVAILABLE)
    _answer(pipe, {"ready": engine_name})
    examiner = Examiner(engine, order.config)
    complaints = Complaints()
    while True:
        try:
            job = json.loads(pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            return
        try:
            with complaints:
                report = _examine(job["file"], job["copy"], examiner, order)
        except CamalertError as error:
            report = {"error": str(error)}
        _answer(pipe, report | {"complaints": complaints.words})


def _examine(file: str, copy: str, examiner: Examiner, order: Order) -> dict[str, Any]:
    result = examine_file(Path(file), examiner, order.camera)
    report = _report(result)
    if copy:
        if order.is_explaining:
            camera = rules.camera_of(order.config, order.camera)
            drawn = explanation.explain(result.frame, result.examination, camera)
        else:
            drawn = annotation.annotate(result.frame, result.people)
        jpeg = frames.encode_jpeg(drawn, order.config.detector.jpeg_quality, drawn.nbytes + 65_536)
        try:
            Path(copy).write_bytes(jpeg)
        except OSError as error:
            raise CamalertError(f"{copy} cannot be written: {error.strerror}") from error
    return report


def _report(result: FileResult) -> dict[str, Any]:
    found, (height, width) = result.examination, result.frame.shape[:2]
    return {
        "people": [
            {"box": [person.x, person.y, person.width, person.height], "score": round(person.score, 4)}
            for person in result.people
        ],
        "score": round(result.score, 4),
        "threshold": found.threshold,
        "width": width,
        "height": height,
        "engine": found.engine,
        "effort": found.effort,
        "ms": round(found.detect_ms, 1),
        "reason": found.reason,
        "rulings": [ruling.words for ruling in found.rulings],
    }


def _answer(pipe: Connection, words: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(words).encode())
