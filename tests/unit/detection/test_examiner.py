"""The examination of a frame with what is known of its camera; the engine is scripted, the pixels are real."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from camalert.config.schema import Camera, Config, Learn
from camalert.decoding import frames
from camalert.decoding.frames import Frame
from camalert.detection import examiner
from camalert.detection.appearance import look_of
from camalert.detection.examiner import NOTHING, Examination, Examiner, Learned
from camalert.detection.known import Kind, Known
from camalert.detection.people import Person
from camalert.detection.rules import Rule, place_of
from camalert.detection.weights import shipped_file

STATUE = Person(20, 20, 90, 280, 0.8)
NEAR = replace(STATUE, x=24, y=16, score=0.7)  # the box of the same thing is never quite the same
WALKER = Person(190, 30, 100, 280, 0.9)


@dataclass
class Seer:
    """An engine that finds what it is told to."""

    found: list[Person] = field(default_factory=list)
    name: str = "scripted"
    precision: str = ""

    def model(self, effort: str) -> str:
        return effort

    def first_look(self, frame: Frame, effort: str) -> list[Person]:
        return self.people(frame, effort)

    def complete(self, effort: str) -> None:
        """Nothing to prepare."""

    def find(self, _frame: Frame, _effort: str) -> list[Person]:
        return self.found


@pytest.fixture(scope="module")
def scene() -> Frame:
    buffer = bytearray(320 * 320 * frames.CHANNELS)
    decoded = frames.decode_into(shipped_file("astronaut.jpg"), memoryview(buffer), 320 * 320)
    found: Frame = frames.view(memoryview(buffer), decoded.height_px, decoded.width_px).copy()
    return found


def known_in(frame: Frame, person: Person = STATUE, kind: Kind = Kind.MARKED, number: int = 7) -> Known:
    place = place_of(person, (frame.shape[0], frame.shape[1]))
    return Known(number, kind, place, look_of(frame, place))


def examine(frame: Frame, found: list[Person], learned: Learned = NOTHING, config: Config | None = None) -> Examination:
    return Examiner(Seer(found), config or Config()).examine(frame, "yard", learned)


def test_known_object_does_not_count_and_says_so(scene: Frame) -> None:
    """In a darker picture of the same scene, with a box that is not quite the same."""
    dark = (scene * 0.6).astype(np.uint8)

    found = examine(dark, [NEAR], Learned((known_in(scene),)))

    assert found.people == ()
    assert found.rulings[0].rule is Rule.KNOWN
    assert found.reason == "no person counted: 70 %: known object 7, somebody marked it as not a person"
    assert found.best_score == 0.7


def test_static_object_does_not_count_and_says_so(scene: Frame) -> None:
    """Nobody marked it."""
    found = examine(scene, [NEAR], Learned((known_in(scene, kind=Kind.STATIC),)))

    assert found.rulings[0].rule is Rule.STATIC
    assert "static, it has looked the same there for hours" in found.reason


def test_watched_object_counts_and_is_named(scene: Frame) -> None:
    """So the writer learns that it was seen again."""
    found = examine(scene, [NEAR], Learned((known_in(scene, kind=Kind.WATCHED),)))

    assert found.people == (NEAR,)
    assert found.rulings[0].recognised is not None
    assert found.rulings[0].recognised.known.id == 7


def test_person_beside_a_known_object_counts(scene: Frame) -> None:
    """And alone decides what the picture is."""
    found = examine(scene, [WALKER, STATUE], Learned((known_in(scene),)))

    assert found.people == (WALKER,)
    assert found.reason == "1 person, surest 90 %, threshold 50 %, known object 7 left out"


def test_person_in_front_of_a_known_object_counts(scene: Frame) -> None:
    """The place looks otherwise then."""
    hidden = scene.copy()
    hidden[:, :120] = scene[:, 190:310]

    assert examine(hidden, [NEAR], Learned((known_in(scene),))).people == (NEAR,)


def test_boxes_beyond_the_most_count_without_a_look(scene: Frame) -> None:
    """A crowd costs no more than eight looks."""
    crowd = [Person(20 + 10 * number, 20, 40, 120, 0.9) for number in range(12)]

    rulings = examine(scene, crowd).rulings

    assert [bool(ruling.look) for ruling in rulings] == [True] * examiner.MOST_LOOKS + [False] * 4
    assert {ruling.rule for ruling in rulings} == {Rule.COUNTED}


def test_uncertain_beside_somebody_who_counts_get_a_look_and_are_ruled_as_before(scene: Frame) -> None:
    """So that a mark on the picture finds them; a few of them, and none that is known to be no person already."""
    faint = [Person(20 + 8 * number, 20, 60, 200, 0.4 - number / 20) for number in range(7)]

    rulings = examine(scene, [WALKER, *faint]).rulings
    assert [bool(ruling.look) for ruling in rulings[1:]] == [True] * examiner.MOST_UNCERTAIN + [False] * 3
    assert {ruling.rule for ruling in rulings[1:]} == {Rule.BELOW_THRESHOLD}

    weak = replace(STATUE, score=0.4)
    assert examine(scene, [WALKER, weak], Learned((known_in(scene),))).rulings[1].look == b""
    assert examine(scene, [WALKER, replace(weak, score=0.09)]).rulings[1].look == b""


@pytest.mark.parametrize("learned", [NOTHING, "known"])
def test_uncertain_get_no_look_where_nobody_counts(scene: Frame, learned: Learned | str) -> None:
    """Nobody marks such a picture *not a person*."""
    found = [Person(200, 20, 60, 200, 0.4)]
    if learned == "known":
        found, learned = [STATUE, *found], Learned((known_in(scene),))
    assert isinstance(learned, Learned)

    assert examine(scene, found, learned).rulings[-1].look == b""


def test_people_missed_lower_the_threshold_and_the_reason_says_so(scene: Frame) -> None:
    """Unless the owner chose one for the camera, or wants nothing learned."""
    weak = [replace(STATUE, score=0.46)]
    missed = Learned(missed=(0.42,))

    found = examine(scene, weak, missed)
    assert found.people == tuple(weak)
    assert found.reason == "1 person, surest 46 %, threshold 45 % (lowered from 50 % because people were missed)"
    assert examine(scene, weak, missed, Config(learn=Learn(threshold=False))).people == ()
    assert examine(scene, weak, missed, Config(camera=(Camera(name="yard", threshold=0.5),))).people == ()
