"""Measure what learning a camera's scene spares and what it costs: sequences of a fixed scene with somebody in it.

Each scene has something that is found every time and does not move: a false alarm, or a figure that stands for a
statue, a coat, a poster. Its light, noise and weather change from picture to picture, and the camera shakes by a pixel
or two. Then somebody walks through: elsewhere, beside the thing, in front of it.

    python perf/learning.py [--dataset DIR ...] [--scenes 40] [--pictures 12]

A folder is as for accuracy.py. Without one, scene and walker are made of the picture that camalert ships. Reported are:
the pictures of the thing alone that alarm, before and after one mark, and how many until it is static; the walkers that
count, before and after; the CPU of looking at a picture; and what the picture before (the same camera's, in other
light) would tell of the same boxes.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from camalert.config.schema import Config, Detector
from camalert.decoding import frames
from camalert.decoding.frames import Frame
from camalert.detection import choice, known
from camalert.detection.appearance import look_of
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examiner, examine_file, looked_at
from camalert.detection.known import Kind, Known, Place, Sightings, first_sighting
from camalert.detection.people import Engine, Person
from camalert.detection.rules import Rule, Ruling, place_of
from camalert.detection.weights import shipped_file

THRESHOLD = 0.5
DOUBTFUL = 0.2  # nothing else of such a score is in a scene
SURE = 0.85  # of somebody who is cut out to walk elsewhere
LEAST_PX, MOST_SHARE = 40, 0.4  # of a thing: its height, its share of the frame
HOUR_S = 3600.0
MOMENTS, HOURS = 8, 6.0  # as [learn] has them
BEFORE_WEIGHT = 3.0  # of the likeness to the picture before, beside the log-odds of a score
SAME_BOX = 0.4  # as detection.boxes.SAME
WALKS = ("elsewhere", "beside", "in front")


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """A picture with a thing in it that is found."""

    frame: Frame
    thing: Person
    is_false_alarm: bool
    source: str  # the picture


@dataclasses.dataclass(frozen=True, slots=True)
class Walker:
    """Somebody who is cut out to walk elsewhere."""

    frame: Frame
    source: str


@dataclasses.dataclass(slots=True)
class Tally:
    """What was counted in all scenes."""

    alone: int = 0  # pictures of the thing alone
    alarms: int = 0  # of them, before
    after_mark: int = 0
    after_static: int = 0
    static_in: list[int] = dataclasses.field(default_factory=list)  # pictures until it was, by scene; 0: never
    walkers: dict[str, list[tuple[bool, bool]]] = dataclasses.field(
        default_factory=lambda: {name: [] for name in WALKS}
    )
    look_ms: list[float] = dataclasses.field(default_factory=list)
    # of each box: its score, its likeness to the picture before, whether it is somebody who walks
    boxes: list[tuple[float, float, bool]] = dataclasses.field(default_factory=list)


def main() -> int:
    """Make the sequences, examine them, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, action="append", default=[], help="folder with manifest.csv")
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "opencv"))
    parser.add_argument("--effort", default="balanced", choices=("fast", "balanced", "thorough"))
    parser.add_argument("--scenes", type=int, default=40, help="of each folder at most")
    parser.add_argument("--pictures", type=int, default=12, help="of the thing alone, and of walkers, in each scene")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    detector = Detector(engine=arguments.engine, effort=arguments.effort)
    engine = load_engine(choice.candidates(detector)[0], detector)
    engine.complete(arguments.effort)
    sources = [(folder.name, functools.partial(of_folder, folder)) for folder in arguments.dataset]
    for name, read in sources or [("shipped picture", of_shipped_picture)]:
        scenes, walkers = read(engine, detector, arguments.scenes)
        tally = Tally()
        for number, scene in enumerate(scenes, start=1):
            play(scene, walkers, engine, arguments, tally, np.random.default_rng(arguments.seed * 1000 + number))
            sys.stderr.write(f"\r{name}: scene {number}/{len(scenes)}")
        sys.stderr.write("\n")
        report(name, scenes, tally)
    return 0


# --- where scenes come from -------------------------------------------------------------------------------------------


def of_folder(folder: Path, engine: Engine, detector: Detector, most: int) -> tuple[list[Scene], list[Walker]]:
    """Take false alarms and figures out of a labelled folder, and people who can walk elsewhere."""
    examiner = Examiner(engine, Config(detector=detector))
    false_alarms, figures, walkers = [], [], []
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=1):
        sys.stderr.write(f"\r{folder.name}: picture {number}/{len(rows)}")
        found, frame = examine_file(folder / row["file"], examiner)
        best = found.rulings[0].person if found.rulings else None
        if best is None or best.score < THRESHOLD or best.height < LEAST_PX:
            continue
        if best.width * best.height > MOST_SHARE * frame.shape[0] * frame.shape[1]:
            continue
        if any(ruling.person.score >= DOUBTFUL for ruling in found.rulings[1:]):
            continue  # a scene of several people: what alarms would not be known
        has_person = row["has_person"] == "1"
        (figures if has_person else false_alarms).append(Scene(frame.copy(), best, not has_person, row["file"]))
        if has_person and best.score >= SURE:
            person = frame[best.y : best.y + best.height, best.x : best.x + best.width].copy()
            walkers.append(Walker(person, row["file"]))
    sys.stderr.write("\n")
    step = max(1, len(figures) // max(1, most - len(false_alarms)))
    return [*false_alarms, *figures[::step]][:most], walkers


def of_shipped_picture(engine: Engine, detector: Detector, most: int) -> tuple[list[Scene], list[Walker]]:
    """Put the person of the shipped picture into drawn scenes: she stands still, and mirrored she walks."""
    buffer = bytearray(320 * 320 * frames.CHANNELS)
    decoded = frames.decode_into(shipped_file("astronaut.jpg"), memoryview(buffer), 320 * 320)
    picture = frames.view(memoryview(buffer), decoded.height_px, decoded.width_px)
    person = picture[20:315, 10:215].copy()
    scenes = []
    for number in range(min(most, 12)):
        chance = np.random.default_rng(number)
        frame = _drawn(chance)
        height = int(chance.integers(130, 220))
        width = round(height * person.shape[1] / person.shape[0])
        x, y = int(chance.integers(20, 600 - width)), int(chance.integers(20, 400 - height))
        frame = with_walker(frame, person, (x, y, width, height))
        found = engine.find(frame, detector.effort)
        if found and found[0].score >= THRESHOLD:
            scenes.append(Scene(frame, found[0], is_false_alarm=False, source="drawn"))
    return scenes, [Walker(person[:, ::-1].copy(), "mirrored")]


def _drawn(chance: np.random.Generator) -> Frame:
    """Draw a yard: sky, ground, walls with windows."""
    frame = np.zeros((400, 640, 3), np.uint8)
    frame[:160], frame[160:] = (190, 180, 170), (90, 110, 105)
    for _ in range(8):
        x, y = (int(value) for value in chance.integers(0, (600, 250)))
        wide, tall = (int(value) for value in chance.integers(30, 160, 2))
        colour = tuple(int(value) for value in chance.integers(40, 200, 3))
        cv2.rectangle(frame, (x, y), (x + wide, y + tall), colour, -1)
        cv2.rectangle(frame, (x + 8, y + 8), (x + wide // 2, y + tall // 2), (60, 60, 60), 2)
    return cv2.GaussianBlur(frame, (0, 0), 1.0)


# --- what happens in a scene ------------------------------------------------------------------------------------------


def play(  # noqa: PLR0913, PLR0917 - a scene with all it needs
    scene: Scene,
    walkers: Sequence[Walker],
    engine: Engine,
    arguments: argparse.Namespace,
    tally: Tally,
    chance: np.random.Generator,
) -> None:
    """Play a scene: the thing alone, marked in its first picture; then people who walk through."""
    shape = scene.frame.shape[0], scene.frame.shape[1]
    examine = functools.partial(counted, engine, arguments.effort)
    place = place_of(scene.thing, shape)
    first = changed(scene.frame, chance)
    # What is marked is what counts in that picture and who is uncertain beside it, as on the site.
    seen = [
        place_of(ruling.person, shape)
        for ruling in looked_at(everybody(engine, arguments.effort, first), first, ())
        if ruling.look
    ]
    wheres = seen or [place]
    marked = [Known(number, Kind.MARKED, where, look_of(first, where)) for number, where in enumerate(wheres, start=1)]
    watched: list[tuple[Known, Sightings]] = []
    before, static_in = first, 0
    for number in range(1, arguments.pictures + 1):
        picture = changed(scene.frame, chance)
        rulings = examine(picture)
        tally.alone += 1
        tally.alarms += bool(rulings)
        started = time.process_time()
        after = looked_at(rulings, picture, marked)
        tally.look_ms.append((time.process_time() - started) * 1000)
        tally.after_mark += any(ruling.rule is Rule.COUNTED for ruling in after)
        is_left = _watch(rulings, picture, watched, number * HOUR_S)
        tally.after_static += is_left
        if not static_in and any(seen.is_static(MOMENTS, HOURS) for _, seen in watched):
            static_in = number
        _compare(tally, rulings, picture, before, lambda _box: False)
        before = picture
    tally.static_in.append(static_in)
    # Who stands there cannot walk past as well: pasted upon itself, the thing is what it was.
    others = [walker.frame for walker in walkers if walker.source != scene.source]
    for number in range(arguments.pictures if others else 0):
        walk = WALKS[number % len(WALKS)]
        walker = others[int(chance.integers(len(others)))]
        box = path(walk, scene.thing, walker, shape, chance)
        picture = changed(with_walker(scene.frame, walker, box), chance)
        rulings = examine(picture)
        there = Place(box[0] / shape[1], box[1] / shape[0], box[2] / shape[1], box[3] / shape[0])
        is_walker = functools.partial(_is_walker, there=there, place=place, shape=shape)
        tally.walkers[walk].append(
            (
                any(is_walker(ruling.person) for ruling in rulings),
                any(
                    is_walker(ruling.person)
                    for ruling in looked_at(rulings, picture, marked)
                    if ruling.rule is Rule.COUNTED
                ),
            )
        )
        _compare(tally, rulings, picture, before, is_walker)


def everybody(engine: Engine, effort: str, picture: Frame) -> list[Ruling]:
    """Return who is found in a picture, ruled by score alone."""
    found = sorted(engine.find(picture, effort), key=lambda person: -person.score)
    rules = (Rule.BELOW_THRESHOLD, Rule.COUNTED)
    return [Ruling(person, rules[person.score >= THRESHOLD], "") for person in found]


def counted(engine: Engine, effort: str, picture: Frame) -> list[Ruling]:
    """Return who counts in a picture by score alone."""
    return [ruling for ruling in everybody(engine, effort, picture) if ruling.rule is Rule.COUNTED]


def _is_walker(person: Person, there: Place, place: Place, shape: tuple[int, int]) -> bool:
    """Tell whether a box is the walker's; beside the thing, the box that is rather the thing's is not."""
    own = place_of(person, shape)
    return own.overlap(there) >= max(SAME_BOX, own.overlap(place) if there.overlap(place) < known.SAME_PLACE else 0.0)


def _watch(rulings: Sequence[Ruling], picture: Frame, watched: list[tuple[Known, Sightings]], at_utc: float) -> bool:
    """Do as the writer does with what is found, without any mark; return whether somebody is left who counts."""
    shape, is_left = (picture.shape[0], picture.shape[1]), False
    for ruling in rulings:
        place = place_of(ruling.person, shape)
        there = known.recognise(place, [one for one, _ in watched], functools.partial(look_of, picture))
        if there is None:
            watched.append(
                (Known(len(watched) + 1, Kind.WATCHED, place, look_of(picture, place)), first_sighting(at_utc))
            )
            is_left = True
            continue
        index = there.known.id - 1
        one, seen = watched[index]
        is_left |= not seen.is_static(MOMENTS, HOURS)
        watched[index] = (one, seen.after(at_utc))
    return is_left


def _compare(
    tally: Tally, rulings: Sequence[Ruling], picture: Frame, before: Frame, is_walker: Callable[[Person], bool]
) -> None:
    """Note how much the places of boxes look as they did in the picture before."""
    for ruling in rulings:
        place = place_of(ruling.person, (picture.shape[0], picture.shape[1]))
        likeness = known.likeness(look_of(picture, place), look_of(before, place))
        tally.boxes.append((ruling.person.score, likeness, is_walker(ruling.person)))


def path(
    walk: str, thing: Person, walker: Frame, shape: tuple[int, int], chance: np.random.Generator
) -> tuple[int, int, int, int]:
    """Return where somebody walks, x, y, width, height in px."""
    tall = int(thing.height * chance.uniform(0.85, 1.15))
    wide = max(8, round(tall * walker.shape[1] / walker.shape[0]))
    if walk == "in front":
        tall, wide = thing.height, thing.width
        x = thing.x + thing.width * chance.uniform(-0.12, 0.12)
    elif walk == "beside":
        x = thing.x + chance.choice((-1, 1)) * (thing.width * 0.6 + wide * chance.uniform(0.1, 0.4))
    else:
        x = chance.uniform(0, max(1, shape[1] - wide))
        if abs(x - thing.x) < thing.width + wide:
            x = 0 if thing.x > shape[1] / 2 else shape[1] - wide
    y = thing.y + thing.height - tall
    return int(min(max(0, x), max(0, shape[1] - wide))), int(max(0, y)), wide, tall


def with_walker(frame: Frame, walker: Frame, box: tuple[int, int, int, int]) -> Frame:
    """Put somebody into a frame, with soft edges."""
    x, y, wide, tall = box
    wide, tall = min(wide, frame.shape[1] - x), min(tall, frame.shape[0] - y)
    if wide < 4 or tall < 4:
        return frame.copy()
    person = cv2.resize(walker, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.float32)
    mask = np.zeros((tall, wide), np.float32)
    cv2.ellipse(
        mask, (wide // 2, tall // 2), (max(1, round(wide * 0.46)), max(1, round(tall * 0.49))), 0, 0, 360, 1, -1
    )
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, wide * 0.04))[..., np.newaxis]
    mixed = frame.copy()
    behind = mixed[y : y + tall, x : x + wide].astype(np.float32)
    mixed[y : y + tall, x : x + wide] = (behind * (1 - mask) + person * mask).astype(np.uint8)
    return mixed


def changed(frame: Frame, chance: np.random.Generator) -> Frame:
    """Return a scene in another light: hour, sun, lamp, fog, rain, infrared, noise, a shake, a JPEG's losses."""
    height, width = frame.shape[:2]
    light = 255 * (frame.astype(np.float32) / 255) ** chance.uniform(0.6, 1.7) * chance.uniform(0.6, 1.25)
    slopes = chance.uniform(-0.3, 0.3, 2)
    light *= 1 + slopes[0] * np.linspace(-1, 1, width)[np.newaxis, :, np.newaxis]
    light *= 1 + slopes[1] * np.linspace(-1, 1, height)[:, np.newaxis, np.newaxis]
    if chance.random() < 0.25:
        fog = chance.uniform(0.1, 0.4)
        light = light * (1 - fog) + 200 * fog
    if chance.random() < 0.3:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    if chance.random() < 0.3:
        count, length = height * width // 1500, int(chance.integers(1, 8))
        ys, xs = chance.integers(0, max(1, height - length), count), chance.integers(0, width, count)
        for step in range(length):
            light[ys + step, xs] = light[ys + step, xs] * 0.5 + 110
    light += chance.normal(0, chance.uniform(2, 10), light.shape)
    shift = chance.uniform(-1.5, 1.5, 2)
    moved = cv2.warpAffine(
        np.clip(light, 0, 255).astype(np.uint8), np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), (width, height),
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    jpeg = cv2.imencode(".jpg", moved, [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(45, 90))])[1]
    return cv2.imdecode(jpeg, cv2.IMREAD_COLOR)


# --- what came of it --------------------------------------------------------------------------------------------------


def report(name: str, scenes: Sequence[Scene], tally: Tally) -> None:
    """Print the figures of one source."""
    false_alarms = sum(scene.is_false_alarm for scene in scenes)
    print(
        f"{name}: {len(scenes)} scenes, {false_alarms} with a false alarm, the others with a figure that stands still"
    )
    spared = 1 - tally.after_mark / max(1, tally.alarms)
    print(
        f"  the thing alone: {tally.alarms} of {tally.alone} pictures alarm; after one mark {tally.after_mark}", end=""
    )
    print(f" ({spared:.1%} less); without a mark {tally.after_static}")
    times = [number for number in tally.static_in if number]
    print(f"  static in {len(times)} of {len(scenes)} scenes", end="")
    print(f", after {statistics.median(times):.0f} pictures an hour apart (median)" if times else "")
    lost = found = 0
    for walk, seen in tally.walkers.items():
        was, now = (sum(each[index] for each in seen) for index in (0, 1))
        found, lost = found + was, lost + was - now
        print(f"  walkers {walk}: {was} of {len(seen)} found, {now} after the mark")
    share = lost / max(1, sum(map(len, tally.walkers.values())))
    print(f"  recall of walkers: {share:.4f} less")
    print(f"  looks: {statistics.mean(tally.look_ms):.2f} ms of CPU a picture, at most {max(tally.look_ms):.2f}")
    alone = auc(tally.boxes, lambda box: box[0])
    both = {weight: auc(tally.boxes, lambda box, weight=weight: odds(box[0]) - weight * box[1]) for weight in (1, 3)}
    print(f"  walkers' boxes above the thing's, by score {alone:.3f}", end="")
    print(
        *(f", by score and the picture before (weight {weight}) {value:.3f}" for weight, value in both.items()), sep=""
    )
    figures = {"alarms": tally.alarms, "after_mark": tally.after_mark, "spared": round(spared, 4)}
    print(
        json.dumps(
            {"perf": "learning", "source": name, "scenes": len(scenes), **figures, "recall_lost": round(share, 4)}
        )
    )


def odds(score: float) -> float:
    """Return the log-odds of a score."""
    held = min(max(score, 0.01), 0.995)
    return float(np.log(held / (1 - held)))


def auc(boxes: Sequence[tuple[float, float, bool]], value: Callable[[tuple[float, float, bool]], float]) -> float:
    """Return how often a walker's box has the higher value than one of the thing."""
    walkers = np.array([value(box) for box in boxes if box[2]])
    others = np.array([value(box) for box in boxes if not box[2]])
    if not len(walkers) or not len(others):
        return float("nan")
    return float((walkers[:, np.newaxis] > others).mean() + (walkers[:, np.newaxis] == others).mean() / 2)


if __name__ == "__main__":
    sys.exit(main())
