"""Who counts: the rules of a camera, applied to the people found in its picture.

Pure: decides from the configuration and boxes. Each ruling carries its words, because "why was this not counted as a
person?" is what owners ask most.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from camalert.config import Area, Camera, Config
from camalert.detection.people import Person
from camalert.polygon import Point, contains, parse_polygon


class Rule(enum.Enum):
    """Name what decided about one person found."""

    COUNTED = "counted"
    DOUBTFUL = "below the threshold"
    SMALL = "too small"
    LARGE = "too large"
    IGNORED = "in an ignored area"
    UNWATCHED = "outside the watched areas"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of one person found, and why."""

    person: Person
    rule: Rule
    words: str


def camera_of(config: Config, name: str) -> Camera:
    """Return a camera's section, the defaults under that name when it has none; capitals do not matter."""
    for camera in config.camera:
        if camera.name.casefold() == name.casefold():
            return camera
    return Camera(name=name)


def effort_of(config: Config, camera: Camera) -> str:
    """Return how hard this camera's pictures are looked at."""
    return camera.effort or config.detector.effort


def judge(
    people: Sequence[Person], camera: Camera, threshold: float, frame_shape: tuple[int, int]
) -> tuple[Ruling, ...]:
    """Rule about each person found, in their order.

    Args:
        threshold: The one in force, the camera's own already considered.
        frame_shape: Height and width of the frame in px, which the camera's per cent are of.
    """
    return tuple(_rule(person, camera, threshold, frame_shape) for person in people)


def explain(rulings: Sequence[Ruling], best_score: float, threshold: float) -> str:
    """Say in one sentence why people were or were not counted."""
    counted = [ruling for ruling in rulings if ruling.rule is Rule.COUNTED]
    if counted:
        noun = "person" if len(counted) == 1 else "people"
        best = counted[0].person.score
        return f"{len(counted)} {noun} counted: best score {best:.2f}, threshold {threshold:.2f}"
    left_out = [ruling for ruling in rulings if ruling.rule is not Rule.DOUBTFUL]
    if left_out:
        return "nobody counted: " + "; ".join(ruling.words for ruling in left_out[:3])
    if not rulings:
        return f"nobody found: best score {best_score:.2f}, threshold {threshold:.2f}"
    return f"nobody counted: best score {_below(best_score, threshold)}"


def _below(score: float, threshold: float) -> str:
    """Say that a score is below the threshold, with as many digits as tell the two apart."""
    digits = next((digits for digits in (2, 3, 4) if f"{score:.{digits}f}" != f"{threshold:.{digits}f}"), 5)
    return f"{score:.{digits}f} is below the threshold {threshold:.{digits}f}"


def feet(person: Person, frame_shape: tuple[int, int]) -> Point:
    """Return where a person stands, in per cent of the frame: the lower middle of the box."""
    height, width = frame_shape
    return 100 * (person.x + person.width / 2) / width, 100 * (person.y + person.height) / height


def _rule(person: Person, camera: Camera, threshold: float, frame_shape: tuple[int, int]) -> Ruling:
    if person.score < threshold:
        return Ruling(person, Rule.DOUBTFUL, _below(person.score, threshold))
    tall = 100 * person.height / frame_shape[0]
    who = f"{person.score:.2f}, {tall:.0f} % tall,"
    if tall < camera.min_person_height_percent:
        return Ruling(person, Rule.SMALL, f"{who} is smaller than the {camera.min_person_height_percent:g} % allowed")
    if tall > camera.max_person_height_percent:
        return Ruling(person, Rule.LARGE, f"{who} is larger than the {camera.max_person_height_percent:g} % allowed")
    place = feet(person, frame_shape)
    for area in _areas(camera, "ignore"):
        if contains(parse_polygon(area.points), place):
            return Ruling(person, Rule.IGNORED, f"{who} stands in the ignored area {area.name!r}")
    watched = _areas(camera, "watch")
    if watched and not any(contains(parse_polygon(area.points), place) for area in watched):
        return Ruling(person, Rule.UNWATCHED, f"{who} stands outside the watched areas")
    return Ruling(person, Rule.COUNTED, f"{who} is counted")


def _areas(camera: Camera, rule: str) -> list[Area]:
    return [area for area in camera.area if area.rule == rule]
