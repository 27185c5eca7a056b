"""Measure how well an engine finds people in folders of pictures, what it costs, and show where it is wrong.

A folder holds `manifest.csv` with the columns `file`, `kind` and `has_person` (0 or 1), and may say in `source_repo`
where a picture comes from. A picture counts as found by its best score; the boxes are not compared. Each folder is
reported alone: tune on one, believe another. Ranges are those of 90 in 100 resamplings of the pictures.

    python perf/accuracy.py --dataset DIR [--dataset DIR ...] [--engine openvino] [--effort balanced]

CPU is what the process used in all its threads, so that it means the same on a machine that does other things, too.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from camalert.config.schema import Config, Detector
from camalert.decoding.frames import Frame
from camalert.detection import choice
from camalert.detection.drawing import annotate
from camalert.detection.engines import Council, Picodet, load_engine
from camalert.detection.examiner import Examination, Examiner, examine_file
from camalert.detection.looks import View
from camalert.detection.people import Engine, Person

FALSE_ALARM_RATES = (0.02, 0.05, 0.10)
SHEET_RATE = 0.05  # the working point whose errors the sheet shows
BARE = View(640, 640)  # one pass of PicoDet, to set the time in proportion
RESAMPLINGS, RANGE = 1000, (5, 95)
TILE_WIDTH_PX, TILE_HEIGHT_PX, TITLE_PX, COLUMNS = 320, 240, 18, 6
SHEET_TILES = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One picture, what is in it, and what was said of it."""

    path: Path
    kind: str
    source: str
    has_person: bool
    found: Examination | None = None
    frame: Frame | None = None
    cpu_ms: float = 0.0
    bare_ms: float = 0.0

    @property
    def score(self) -> float:
        """Return the best score said of it."""
        return self.found.best_score if self.found else 0.0


@dataclasses.dataclass(slots=True)
class Timed:
    """An engine whose CPU time is taken."""

    engine: Engine
    cpu_ms: float = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)

    def find(self, frame: Frame, effort: str) -> list[Person]:
        started = time.process_time()
        found = self.engine.find(frame, effort)
        self.cpu_ms = (time.process_time() - started) * 1000
        return found


def main() -> int:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, action="append", help="folder with manifest.csv")
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "opencv", "hog"))
    parser.add_argument("--effort", default="balanced", choices=("fast", "balanced", "thorough"))
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture only")
    parser.add_argument("--sheet", type=Path, help="write the misses and false alarms as one picture")
    arguments = parser.parse_args()

    detector = Detector(engine=arguments.engine, effort=arguments.effort)
    engine = load_engine(choice.candidates(detector)[0], detector)
    engine.complete(arguments.effort)
    if isinstance(engine, Picodet | Council):
        engine.run_pass(np.zeros((640, 640, 3), np.uint8), BARE)  # compiles it
    examiner = Examiner(Timed(engine), Config(detector=detector))
    print(f"engine {engine.name}, model {engine.model(arguments.effort)}, effort {arguments.effort}", end="")
    print(f", in {engine.precision}" if engine.precision else "")
    wrong = []
    for folder in arguments.dataset:
        samples = list(examined(read_manifest(folder)[:: arguments.every], examiner))
        report(folder.name, samples)
        wrong += errors(samples)
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), sheet(wrong[:SHEET_TILES]))
        print(f"{len(wrong[:SHEET_TILES])} errors at {SHEET_RATE:.0%} false alarms drawn into {arguments.sheet}")
    return 0


def read_manifest(folder: Path) -> list[Sample]:
    """Read what is in each picture."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        Sample(folder / row["file"], row["kind"], row.get("source_repo") or "", row["has_person"] == "1")
        for row in rows
    ]


def examined(samples: Sequence[Sample], examiner: Examiner) -> Iterator[Sample]:
    """Examine each picture, with a bare pass at 640x640 in between."""
    timed = examiner.engine
    for number, sample in enumerate(samples, start=1):
        found, frame = examine_file(sample.path, examiner)
        bare_ms = 0.0
        if isinstance(timed.engine, Picodet | Council):
            started = time.process_time()
            timed.engine.run_pass(frame, BARE)
            bare_ms = (time.process_time() - started) * 1000
        if sys.stderr.isatty() or number % 50 == 0 or number == len(samples):
            bar = "#" * round(30 * number / len(samples))
            sys.stderr.write(f"\r[{bar:30}] {number}/{len(samples)}")
        yield dataclasses.replace(sample, found=found, frame=frame, cpu_ms=timed.cpu_ms, bare_ms=bare_ms)
    sys.stderr.write("\n")


def report(name: str, samples: Sequence[Sample]) -> None:
    """Print the figures of a whole folder, of each kind and of each source."""
    people, empty = split(samples)
    print(f"{name}: {len(people)} pictures with people, {len(empty)} without")
    print(f"  AUC {auc(people, empty):.4f} {interval(samples, auc)}")
    for rate in FALSE_ALARM_RATES:
        threshold = threshold_at(empty, rate)
        bounds = interval(samples, lambda people, empty, rate=rate: share_above(people, threshold_at(empty, rate)))
        print(
            f"  recall {share_above(people, threshold):.3f} {bounds} at {rate:.0%} false alarms, above {threshold:.3f}"
        )
    print(
        f"  at the default threshold 0.5: recall {share_above(people, 0.5):.3f}, "
        f"false alarms {share_above(empty, 0.5):.3f}"
    )
    cpu_ms = [sample.cpu_ms for sample in samples]
    bare_ms = statistics.mean(sample.bare_ms for sample in samples)
    print(f"  {statistics.mean(cpu_ms):.1f} ms of CPU a picture, median {statistics.median(cpu_ms):.1f}", end="")
    print(f", {statistics.mean(cpu_ms) / bare_ms:.2f} bare 640x640 passes" if bare_ms else "")
    threshold = threshold_at(empty, SHEET_RATE)
    for title, group_of in (("kind", lambda sample: sample.kind), ("source", lambda sample: sample.source)):
        groups = sorted({group_of(sample) for sample in samples} - {""})
        print(f"  by {title}, at {SHEET_RATE:.0%}:" if groups else f"  no {title} is given")
        for group in groups:
            people, empty = split([sample for sample in samples if group_of(sample) == group])
            found = f"{sum(score > threshold for score in people):3}/{len(people):<3} found" if people else ""
            alarms = f"{sum(score > threshold for score in empty):3}/{len(empty):<3} false alarms" if empty else ""
            print(f"    {group[:48]:48} {found:13}{alarms}")


def interval(samples: Sequence[Sample], figure: Callable[[Sequence[float], Sequence[float]], float]) -> str:
    """Return the range of a figure over pictures drawn again and again, with and without people each by themselves."""
    people, empty = (np.array(scores) for scores in split(samples))
    if not people.size or not empty.size:
        return ""
    random = np.random.default_rng(0)
    figures = [
        figure(random.choice(people, people.size).tolist(), random.choice(empty, empty.size).tolist())
        for _ in range(RESAMPLINGS)
    ]
    low, high = np.percentile(figures, RANGE)
    return f"({low:.3f} to {high:.3f})"


def split(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """Return the scores of the pictures with people and of those without."""
    people = [sample.score for sample in samples if sample.has_person]
    return people, [sample.score for sample in samples if not sample.has_person]


def auc(people: Sequence[float], empty: Sequence[float]) -> float:
    """Return how often a picture with people scores above one without; a tie is half."""
    first, second = np.array(people)[:, None], np.array(empty)[None]
    return float((first > second).mean() + (first == second).mean() / 2) if people and empty else float("nan")


def threshold_at(empty: Sequence[float], rate: float) -> float:
    """Return the lowest score above which at most this share of the empty pictures lies."""
    return sorted(empty, reverse=True)[int(rate * len(empty))] if empty else 0.5


def share_above(scores: Sequence[float], threshold: float) -> float:
    """Return the share of scores above a threshold."""
    return sum(score > threshold for score in scores) / len(scores) if scores else float("nan")


def errors(samples: Sequence[Sample]) -> list[Sample]:
    """Return misses, then false alarms, the worst of each first."""
    threshold = threshold_at([sample.score for sample in samples if not sample.has_person], SHEET_RATE)
    misses = [sample for sample in samples if sample.has_person and sample.score <= threshold]
    alarms = [sample for sample in samples if not sample.has_person and sample.score > threshold]
    misses.sort(key=lambda sample: sample.score)
    return misses + sorted(alarms, key=lambda sample: -sample.score)


def sheet(samples: Sequence[Sample]) -> np.ndarray:
    """Draw pictures side by side, each with its three best boxes, name, kind and score."""
    rows = max(1, -(-len(samples) // COLUMNS))
    canvas = np.zeros((rows * (TILE_HEIGHT_PX + TITLE_PX), COLUMNS * TILE_WIDTH_PX, 3), np.uint8)
    for number, sample in enumerate(samples):
        if sample.found is None or sample.frame is None:
            continue
        best = [ruling.person for ruling in sample.found.rulings[:3]]
        picture = annotate(sample.frame.copy(), best)
        zoom = min(TILE_WIDTH_PX / picture.shape[1], TILE_HEIGHT_PX / picture.shape[0])
        picture = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        row, column = divmod(number, COLUMNS)
        x, y = column * TILE_WIDTH_PX, row * (TILE_HEIGHT_PX + TITLE_PX)
        canvas[y + TITLE_PX : y + TITLE_PX + picture.shape[0], x : x + picture.shape[1]] = picture
        title = f"{'missed' if sample.has_person else 'alarm'} {sample.score:.2f} {sample.path.stem} {sample.kind}"
        cv2.putText(canvas, title, (x + 2, y + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


if __name__ == "__main__":
    sys.exit(main())
