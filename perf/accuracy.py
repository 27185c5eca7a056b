"""Measure how well an engine finds people in a folder of pictures, and show where it is wrong.

The folder holds `manifest.csv` with the columns `file`, `kind` and `has_person` (0 or 1). A picture counts as found by
its best score; the boxes are not compared.

    python perf/accuracy.py --dataset DIR [--engine openvino] [--effort balanced] [--sheet misses.jpg]
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from camalert.annotation import annotate
from camalert.config import Config, Detector
from camalert.detection import choice, picodet
from camalert.detection.engines import Picodet, load_engine
from camalert.detection.examiner import Examiner, FileResult, examine_file
from camalert.detection.people import Engine

FALSE_ALARM_RATES = (0.02, 0.05, 0.10)
SHEET_RATE = 0.05  # the working point whose errors the sheet shows
TILE_WIDTH_PX, TILE_HEIGHT_PX, TITLE_PX, COLUMNS = 320, 240, 18, 6
SHEET_TILES = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One picture, what is in it, and what was said of it."""

    path: Path
    kind: str
    has_person: bool
    result: FileResult | None = None

    @property
    def score(self) -> float:
        """Return the best score said of it."""
        return self.result.score if self.result else 0.0


def main() -> int:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "opencv", "hog"))
    parser.add_argument("--effort", default="balanced", choices=("fast", "balanced", "thorough"))
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture only")
    parser.add_argument("--sheet", type=Path, help="write the misses and false alarms as one picture")
    arguments = parser.parse_args()

    detector = Detector(engine=arguments.engine, effort=arguments.effort)
    engine = load_engine(choice.candidates(detector)[0], detector)
    samples = read_manifest(arguments.dataset)[:: arguments.every]
    bare_ms: list[float] = []
    samples = list(examined(samples, Examiner(engine, Config(detector=detector)), bare_ms))
    report(samples, engine, arguments.effort, bare_ms)
    if arguments.sheet:
        wrong = errors(samples)[:SHEET_TILES]
        cv2.imwrite(str(arguments.sheet), sheet(wrong))
        print(f"{len(wrong)} errors at {SHEET_RATE:.0%} false alarms drawn into {arguments.sheet}")
    return 0


def read_manifest(folder: Path) -> list[Sample]:
    """Read what is in each picture."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Sample(folder / row["file"], row["kind"], row["has_person"] == "1") for row in rows]


def examined(samples: Sequence[Sample], examiner: Examiner, bare_ms: list[float]) -> Iterator[Sample]:
    """Examine each picture, with a bare look at 640x640 in between, to set the time in proportion."""
    for number, sample in enumerate(samples, start=1):
        result = examine_file(sample.path, examiner)
        if isinstance(examiner.engine, Picodet):
            started = time.perf_counter()
            examiner.engine.look(result.frame, picodet.View(640, 640))
            bare_ms.append((time.perf_counter() - started) * 1000)
        if sys.stderr.isatty() or number % 50 == 0 or number == len(samples):
            bar = "#" * round(30 * number / len(samples))
            sys.stderr.write(f"\r[{bar:30}] {number}/{len(samples)}")
        yield dataclasses.replace(sample, result=result)
    sys.stderr.write("\n")


def report(samples: Sequence[Sample], engine: Engine, effort: str, bare_ms: Sequence[float]) -> None:
    """Print the figures of the whole and of each kind."""
    times_ms = [sample.result.examination.detect_ms for sample in samples if sample.result]
    people, empty = split(samples)
    print(f"engine {engine.name}, model {engine.model}, effort {effort}")
    print(f"{len(people)} pictures with people, {len(empty)} without: AUC {auc(people, empty):.4f}")
    for rate in FALSE_ALARM_RATES:
        threshold = threshold_at(empty, rate)
        print(f"  recall {share_above(people, threshold):.3f} at {rate:.0%} false alarms, above {threshold:.3f}")
    print(
        f"  at the default threshold 0.5: recall {share_above(people, 0.5):.3f}, "
        f"false alarms {share_above(empty, 0.5):.3f}"
    )
    print(f"  {statistics.mean(times_ms):.1f} ms a picture, median {statistics.median(times_ms):.1f}", end="")
    print(f", {statistics.mean(times_ms) / statistics.mean(bare_ms):.2f} bare 640x640 looks" if bare_ms else "")
    threshold = threshold_at(empty, SHEET_RATE)
    for kind in sorted({sample.kind for sample in samples}):
        people, empty = split([sample for sample in samples if sample.kind == kind])
        found = f"{sum(score > threshold for score in people):3}/{len(people):<3} found" if people else ""
        alarms = f"{sum(score > threshold for score in empty):3}/{len(empty):<3} false alarms" if empty else ""
        print(f"  {kind:26} {found}{alarms}")


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
        if sample.result is None:
            continue
        best = [ruling.person for ruling in sample.result.examination.rulings[:3]]
        picture = annotate(sample.result.frame.copy(), best)
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
