"""`camalert detect`: people in picture files."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from camalert.cli.options import add_configuration, add_pictures, configuration, expand
from camalert.cli.terminal import Progress, complain, say, say_json
from camalert.config import objects
from camalert.config.schema import Config, Detector
from camalert.detection.choice import EngineChoice, candidates
from camalert.detection.rules import camera_of
from camalert.errors import Exit
from camalert.system import limits, rights

DESCRIPTION = """\
Find people in picture files, exactly as the service does in cameras' pictures.
Nothing is stored, and the service need not run. A folder means all pictures in
it."""

EXAMPLES = """\
examples:
  camalert detect garage.jpg
  camalert detect snapshots/ --out marked/           copies with people marked
  camalert detect snapshots/ --json > found.jsonl    a line of JSON per picture
  camalert detect yard/ --objects person,animal      count animals, too
  camalert detect garage.jpg --camera garage --explain
                                     why each box counts or not
  camalert detect garage.jpg --explain --out why/    the same, drawn as well

JSON has for each picture: file; people, each with box [x, y, width, height] in
pixels, score and kind ("person", or what else --objects asks for); others, what
else was seen; score, the best of what is asked for, even below the threshold;
width and height of the frame that boxes refer to. A picture that cannot be read
has error.

exit codes:
  0   all pictures were examined
  1   some could not be read, or no engine works here
  78  the configuration is invalid"""

PICTURES_PER_PROCESS = 8  # loading the engine takes about as long as examining this many
EXPLAINED = 8  # of those found, best first: the rest is noise far below any threshold


_CHOICES = {item.name: item.metadata.get("choices", ()) for item in dataclasses.fields(Detector)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_pictures(parser)
    parser.add_argument("--json", action="store_true", help="print a line of JSON per picture")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write copies with people marked into this folder")
    parser.add_argument("--min-score", metavar="X", type=_score, help="count people with at least this score (0 to 1)")
    parser.add_argument("--camera", metavar="NAME", default="", help="apply the settings of this [[camera]]")
    parser.add_argument("--explain", action="store_true", help="show which rule decided about each box; --out draws it")
    parser.add_argument(
        "--objects", metavar="LIST", type=_objects, help='count these: "person,dog", "vehicle", "animal" …'
    )
    parser.add_argument("--engine", choices=_CHOICES["engine"], help="instead of the configured one")
    parser.add_argument("--effort", choices=_CHOICES["effort"], help="instead of the configured one")
    parser.add_argument(
        "--processes", metavar="N", type=int, default=0, help="number of processes (default: automatic)"
    )
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.cli.examination import Job, Order, WorkerPool

    config = _wanted(configuration(arguments).config, arguments)
    if arguments.camera and camera_of(config, arguments.camera) not in config.camera:
        complain(f"no [[camera]] is named {arguments.camera!r}: using the general settings")
    files = expand(arguments.pictures)
    folder = arguments.out
    if folder:
        rights.become_owner_of(folder)
        folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    jobs = [Job(str(file), str(folder / copy_name(file, taken)) if folder else "") for file in files]
    processes = arguments.processes or max(1, min(limits.cores(), len(files) // PICTURES_PER_PROCESS))
    order = Order(config, arguments.camera, arguments.explain)
    pool = WorkerPool(order, EngineChoice(candidates(config.detector)), processes)

    reports: dict[int, dict[str, Any]] = {}
    printed, failures = 0, 0
    progress = Progress("pictures")
    try:
        progress.show(0, len(jobs))
        for done, (number, report) in enumerate(pool.results(jobs), start=1):
            reports[number] = report
            failures += "error" in report
            while printed in reports:  # in the order in which they were named
                progress.clear()
                _show(jobs[printed].file, reports.pop(printed), arguments)
                printed += 1
            progress.show(done, len(jobs))
    finally:
        progress.clear()
    return Exit.CRASH if failures else Exit.OK


def _score(text: str) -> float:
    score = float(text)
    if not 0 <= score <= 1:
        message = f"{text} is not between 0 and 1"
        raise argparse.ArgumentTypeError(message)
    return score


def _objects(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in names if name not in objects.NAMES]:
        message = f"{', '.join(unknown)}: known are {', '.join(objects.NAMES)}"
        raise argparse.ArgumentTypeError(message)
    return names


def _wanted(config: Config, arguments: argparse.Namespace) -> Config:
    """Let the command line's settings override the configuration's, for every camera."""
    detector, cameras = config.detector, config.camera
    if arguments.engine:
        detector = dataclasses.replace(detector, engine=arguments.engine)
    if arguments.effort:
        detector = dataclasses.replace(detector, effort=arguments.effort)
        cameras = tuple(dataclasses.replace(camera, effort="") for camera in cameras)
    if arguments.objects:
        detector = dataclasses.replace(detector, objects=arguments.objects)
        cameras = tuple(dataclasses.replace(camera, objects=()) for camera in cameras)
    if arguments.min_score is not None:
        # 0 would mean the engine's default threshold.
        detector = dataclasses.replace(detector, threshold=max(arguments.min_score, sys.float_info.min))
        cameras = tuple(dataclasses.replace(camera, threshold=0.0) for camera in cameras)
    return dataclasses.replace(config, detector=detector, camera=cameras)


def copy_name(file: Path, taken: set[str]) -> str:
    """Return a name for the JPEG made from a file, and add it to those taken, so that no two are the same."""
    name, number = f"{file.stem}.jpg", 1
    while name in taken:
        number += 1
        name = f"{file.stem}-{number}.jpg"
    taken.add(name)
    return name


def _show(file: str, report: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.json:
        if not arguments.explain:
            report.pop("rulings", None)
        say_json({"file": file, "people": [], "others": [], "score": 0.0, **report})
    elif "error" in report:
        complain(report["error"] if file in report["error"] else f"{file}: {report['error']}")
    else:
        say(f"{file}: {report['reason']}  ({report['ms']:.0f} ms, {report['engine']})")
        if arguments.explain:
            say(*(f"    {ruling}" for ruling in report["rulings"][:EXPLAINED]))
    if report.get("damage") and not arguments.json:
        complain(f"{file} is damaged: {report['damage']}")
