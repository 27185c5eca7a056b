"""Who counts: the rules of a camera, applied to what was found in its picture.

Each ruling comes with a sentence, because "why was this not counted as a person?" is what owners ask most.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from camalert.config import objects
from camalert.config.objects import PERSON, kinds_of
from camalert.config.schema import Area, Camera, Config, Point, Polygon, parse_polygon
from camalert.detection.known import Kind, Place, Recognised
from camalert.detection.people import Person
from camalert.identity import key

DEFAULT_THRESHOLD = 0.5  # what a score means is the same for every engine, see docs/detection.md


class Rule(enum.Enum):
    """What decided about one person or thing found; the values label the boxes of an explained picture."""

    COUNTED = "counted"
    OTHER = "not asked for"
    BELOW_THRESHOLD = "below the threshold"
    SMALL = "too small"
    LARGE = "too large"
    IGNORED = "in an ignored area"
    UNWATCHED = "outside the watched areas"
    KNOWN = "known object"
    STATIC = "static"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of one person or thing found, and why."""

    person: Person
    rule: Rule
    message: str
    look: bytes = b""  # of the box, where it was looked at
    recognised: Recognised | None = None  # what is known there


def camera_of(config: Config, name: str) -> Camera:
    """Return a camera's section, the defaults under that name when it has none; capitals do not matter."""
    for camera in config.camera:
        if key(camera.name) == key(name):
            return camera
    return Camera(name=name)


def threshold_of(config: Config, camera: Camera) -> float:
    """Return the threshold in force for this camera, from 0 to 1."""
    return camera.threshold or config.detector.threshold or DEFAULT_THRESHOLD


def effort_of(config: Config, camera: Camera) -> str:
    """Return the effort in force for this camera."""
    return camera.effort or config.detector.effort


def efforts_of(config: Config) -> tuple[str, ...]:
    """Return every effort that some camera is examined with, the most usual first."""
    of_cameras = (effort_of(config, camera) for camera in config.camera if camera.examine)
    return tuple(dict.fromkeys((config.detector.effort, *of_cameras)))


def objects_of(config: Config, camera: Camera) -> tuple[str, ...]:
    """Return what counts at this camera, as the configuration names it."""
    return camera.objects or config.detector.objects


def asks_for_others(config: Config) -> bool:
    """Tell whether some camera asks for anything but people."""
    asked = [objects_of(config, camera) for camera in config.camera if camera.examine]
    return any(name != PERSON for names in (config.detector.objects, *asked) for name in names)


def judge(
    found: Sequence[Person], camera: Camera, asked: Collection[str], threshold: float, frame_shape: tuple[int, int]
) -> tuple[Ruling, ...]:
    """Rule about each person and thing found, in their order.

    Args:
        asked: What counts, as `objects_of` has it.
        threshold: The one in force, the camera's own already considered.
        frame_shape: Height and width of the frame in px, which the camera's percentages refer to.
    """
    kinds = kinds_of(asked)
    return tuple(
        _rule(person, camera, threshold, frame_shape)
        if person.kind in kinds
        else Ruling(person, Rule.OTHER, f"{person.kind} {_percent(person.score)}")
        for person in found
    )


def with_look(ruling: Ruling, look: bytes, recognised: Recognised | None) -> Ruling:
    """Return the ruling about somebody who counts, after a look at what is known there; see `known`."""
    if recognised is None or recognised.known.counts:
        return replace(ruling, look=look, recognised=recognised)
    is_marked = recognised.known.kind is Kind.MARKED
    what = "somebody marked it as not a person" if is_marked else "static, it has looked the same there for hours"
    message = f"{_percent(ruling.person.score)}: known object {recognised.known.id}, {what}"
    return Ruling(ruling.person, Rule.KNOWN if is_marked else Rule.STATIC, message, look, recognised)


def place_of(person: Person, frame_shape: tuple[int, int]) -> Place:
    """Return the box of a person in shares of the frame."""
    height, width = frame_shape
    return Place(person.x / width, person.y / height, person.width / width, person.height / height)


def explain(rulings: Sequence[Ruling], asked: Sequence[str], threshold: float) -> str:
    """Say in one sentence why people and what else counts were or were not counted; the rulings come best first."""
    counted = [ruling.person for ruling in rulings if ruling.rule is Rule.COUNTED]
    others = [ruling for ruling in rulings if ruling.rule is Rule.OTHER and ruling.person.score >= threshold]
    rest = [ruling for ruling in rulings if ruling.rule not in (Rule.COUNTED, Rule.OTHER)]
    if counted:
        kinds = objects.counted(person.kind for person in counted)
        said = f"{kinds}, surest {_percent(counted[0].score)}, threshold {_percent(threshold)}"
        there = [str(one.recognised.known.id) for one in rulings if one.recognised and one.rule is not Rule.COUNTED]
        said += f", known object {' and '.join(there)} left out" if there else ""
    elif rest:
        left_out = [ruling for ruling in rest if ruling.rule is not Rule.BELOW_THRESHOLD] or rest[:1]
        said = f"no {' or '.join(asked)} counted: " + "; ".join(ruling.message for ruling in left_out[:3])
    else:
        said = f"no {' or '.join(asked)} found"
    return f"{said}; also seen: {', '.join(ruling.message for ruling in others[:3])}" if others else said


def foot_point(person: Person, frame_shape: tuple[int, int]) -> Point:
    """Return where a person stands, in percent of the frame: the lower middle of the box."""
    height, width = frame_shape
    return 100 * (person.x + person.width / 2) / width, 100 * (person.y + person.height) / height


def contains(polygon: Polygon, point: Point) -> bool:
    """Tell whether a point is inside, by the even-odd rule: a ray to the right crosses its edges."""
    x, y = point
    is_inside = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            is_inside = not is_inside
    return is_inside


def _rule(person: Person, camera: Camera, threshold: float, frame_shape: tuple[int, int]) -> Ruling:
    if person.score < threshold:
        return Ruling(person, Rule.BELOW_THRESHOLD, _below(person.score, threshold))
    tall = 100 * person.height / frame_shape[0]
    is_person = person.kind == PERSON
    what = "" if is_person else f"{person.kind} "
    who = f"{what}{_percent(person.score)}, {tall:.0f} % of the picture's height:"
    if is_person and tall < camera.min_person_height_percent:
        return Ruling(person, Rule.SMALL, f"{who} below the minimum of {camera.min_person_height_percent:g} %")
    if is_person and tall > camera.max_person_height_percent:
        return Ruling(person, Rule.LARGE, f"{who} above the maximum of {camera.max_person_height_percent:g} %")
    point = foot_point(person, frame_shape)
    for area in _areas(camera, "ignore"):
        if contains(parse_polygon(area.points), point):
            return Ruling(person, Rule.IGNORED, f"{who} stands in the ignored area {area.name!r}")
    watched = _areas(camera, "watch")
    if watched and not any(contains(parse_polygon(area.points), point) for area in watched):
        return Ruling(person, Rule.UNWATCHED, f"{who} stands outside the watched areas")
    return Ruling(person, Rule.COUNTED, f"{who} counted")


def _below(score: float, threshold: float) -> str:
    """Say that a score is below the threshold, with as many digits as tell the two apart."""
    digits = next((digits for digits in range(3) if _percent(score, digits) != _percent(threshold, digits)), 3)
    return f"{_percent(score, digits)} is below the threshold of {_percent(threshold, digits)}"


def _percent(score: float, digits: int = 0) -> str:
    return f"{100 * score:.{digits}f} %"


def _areas(camera: Camera, rule: str) -> list[Area]:
    return [area for area in camera.area if area.rule == rule]
