"""`camalert detect`: people in picture files."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from camalert.cli.options import add_configuration, configuration
from camalert.cli.picturefiles import copy_name, expand
from camalert.cli.progress import Progress
from camalert.config import Config
from camalert.detection.choice import candidates
from camalert.detection.rules import camera_of
from camalert.engines import EngineChoice
from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Find people in picture files, exactly as the service does with the pictures that cameras send. Nothing is stored and no
service needs to run. Folders stand for all pictures in them. Many pictures are examined by several processes."""

EXAMPLES = """\
examples:
  camalert detect garage.jpg
  camalert detect snapshots/ --out marked/            annotated copies, to look at
  camalert detect snapshots/ --json > found.jsonl     one line a picture, for programs
  camalert detect garage.jpg --camera garage --explain    why, in words and as a picture in explained/

--json prints for each picture: file, people (each with box [x, y, width, height] in pixels and score), score (the best
found, even below the threshold), and the size that the boxes refer to. A picture that cannot be read has `error`.

exit codes: 0 all examined, 1 some could not be read, 78 the configuration or the engine is wrong"""

# Loading the engine takes about as long as examining this many pictures, so fewer are not shared out.
PICTURES_A_PROCESS = 8
EXPLAINED_FOLDER = Path("explained")  # where --explain draws unless --out says so
EXPLAINED = 8  # of those found, best first: what follows is noise far below any threshold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("pictures", metavar="PICTURE", nargs="+", type=Path, help="a picture file, or a folder of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object a picture")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write copies with the people marked into this folder")
    parser.add_argument("--min-score", metavar="X", type=_score, help="count people from this score on (0 to 1)")
    parser.add_argument("--camera", metavar="NAME", default="", help="apply the settings of this [[camera]]")
    parser.add_argument(
        "--explain", action="store_true", help="say for each person found which rule decided, and draw it"
    )
    parser.add_argument("--engine", choices=("auto", "openvino", "opencv", "hog"), help="instead of the configured one")
    parser.add_argument("--effort", choices=("fast", "balanced", "thorough"), help="instead of the configured one")
    parser.add_argument("--processes", metavar="N", type=int, default=0, help="how many (default: as many as it pays)")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Examine the pictures and print what was found."""
    from camalert.cli.examination import Order
    from camalert.cli.workforce import Job, Workforce

    config = _wanted(configuration(arguments).config, arguments)
    if arguments.camera and camera_of(config, arguments.camera) not in config.camera:
        sys.stderr.write(f"camalert: no [[camera]] is named {arguments.camera!r}: what holds for all is applied\n")
    files = expand(arguments.pictures)
    taken: set[str] = set()
    folder = arguments.out or (EXPLAINED_FOLDER if arguments.explain else None)
    if folder:
        _make_folder(folder)
    jobs = [Job(str(file), str(folder / copy_name(file, taken)) if folder else "") for file in files]
    cores = len(os.sched_getaffinity(0))
    processes = arguments.processes or max(1, min(cores, len(files) // PICTURES_A_PROCESS))
    workforce = Workforce(
        Order(config, arguments.camera, arguments.explain), EngineChoice(candidates(config.detector)), processes
    )

    reports: dict[int, dict[str, Any]] = {}
    printed, failures = 0, 0
    with Progress(len(jobs), "pictures") as progress:
        for number, report in workforce.results(jobs):
            reports[number] = report
            failures += "error" in report
            progress.advance()
            while printed in reports:  # in the order in which they were named
                progress.clear()
                _show(jobs[printed].file, reports.pop(printed), arguments)
                printed += 1
            progress.draw()
    return Exit.CRASH if failures else Exit.OK


def _score(text: str) -> float:
    score = float(text)
    if not 0 <= score <= 1:
        message = f"{text} is not between 0 and 1"
        raise argparse.ArgumentTypeError(message)
    return score


def _wanted(config: Config, arguments: argparse.Namespace) -> Config:
    """Put what the command line asks for before what the configuration says, for every camera."""
    detector, cameras = config.detector, config.camera
    if arguments.engine:
        detector = dataclasses.replace(detector, engine=arguments.engine)
    if arguments.effort:
        detector = dataclasses.replace(detector, effort=arguments.effort)
        cameras = tuple(dataclasses.replace(camera, effort="") for camera in cameras)
    if arguments.min_score is not None:
        # 0 would mean the engine's own threshold.
        detector = dataclasses.replace(detector, threshold=max(arguments.min_score, sys.float_info.min))
        cameras = tuple(dataclasses.replace(camera, threshold=0.0) for camera in cameras)
    return dataclasses.replace(config, detector=detector, camera=cameras)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CamalertError(f"{folder} cannot be made: {error.strerror}") from error


def _show(file: str, report: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.json:
        if not arguments.explain:
            report.pop("rulings", None)
        print(json.dumps({"file": file, "people": [], "score": 0.0, **report}, ensure_ascii=False), flush=True)
    elif "error" in report:
        text = report["error"] if file in report["error"] else f"{file}: {report['error']}"
        sys.stderr.write(f"camalert: {text}\n")
    else:
        print(f"{file}: {in_words(report)}", flush=True)
        if arguments.explain:
            print("".join(f"    {words}\n" for words in report["rulings"][:EXPLAINED]), end="", flush=True)
    if report.get("complaints") and not arguments.json:
        sys.stderr.write(f"camalert: {file} is damaged: {report['complaints']}\n")


def in_words(report: dict[str, Any]) -> str:
    """Say in a line what a report says."""
    count = len(report["people"])
    took = f"{report['ms']:.0f} ms, {report['engine']}"
    if not count:
        return f"{report['reason']}  ({took})"
    scores = ", ".join(f"{person['score']:.2f}" for person in report["people"])
    return f"{count} {'person' if count == 1 else 'people'}, score {scores}  ({took})"
