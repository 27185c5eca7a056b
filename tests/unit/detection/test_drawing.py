"""The annotated picture marks people without hiding them, at every size."""

import numpy as np
import pytest

from camalert.config.schema import Area, Camera, Config
from camalert.detection.drawing import annotate, colour_of, draw_box, explain
from camalert.detection.examiner import Examiner
from camalert.detection.people import Person


class Seer:
    """An engine that sees two people, one of them below the threshold."""

    name = "opencv"

    def model(self, effort):
        return "seer"

    def find(self, frame, effort):
        return [Person(60, 20, 20, 60, 0.9), Person(5, 5, 20, 60, 0.3)]


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(120, 160), (480, 640), (2160, 3840)])
def test_annotate_leaves_the_person_as_it_was(shade, height, width):
    """Every pixel within the box stays; around it there is both light and dark."""
    frame = np.full((height, width, 3), shade, np.uint8)
    person = Person(width // 3, height // 3, width // 5, height // 2, 0.77)

    annotate(frame, [person])

    inside = frame[person.y : person.y + person.height, person.x : person.x + person.width]
    assert (inside == shade).all()
    edge = frame[person.y + person.height // 2, : person.x]
    assert (edge == 0).all(axis=1).any()
    assert (edge == colour_of(0.77)).all(axis=1).any()


@pytest.mark.parametrize(
    "person",
    [
        Person(0, 0, 160, 120, 0.6),
        Person(0, 0, 20, 20, 0.5),
        Person(140, 100, 20, 20, 1.0),
        Person(50, 0, 20, 120, 0.9),
    ],
)
def test_annotate_at_the_borders_keeps_the_score_in_the_picture(person):
    """The score is drawn above, below or inside, but never lost."""
    boxed, annotated = np.full((2, 120, 160, 3), 128, np.uint8)
    draw_box(boxed, person)

    annotate(annotated, [person])

    assert (boxed != annotated).any(axis=2).sum() > 150


def test_annotate_with_nobody_changes_nothing():
    """An empty list leaves the frame alone."""
    frame = np.full((12, 16, 3), 7, np.uint8)

    assert (annotate(frame, []) == 7).all()


def test_colour_of_says_how_sure():
    """Three steps of confidence have three colours."""
    assert len({colour_of(0.5), colour_of(0.7), colour_of(0.9)}) == 3


def test_explain_shades_the_areas_and_marks_everybody():
    """Areas and both boxes are drawn, on a copy."""
    camera = Camera(name="yard", area=(Area("road", "ignore", "50,0 100,0 100,100 50,100"),))
    frame = np.full((100, 100, 3), 100, np.uint8)
    found = Examiner(Seer(), Config(camera=(camera,))).examine(frame, "yard")

    drawn = explain(frame, found.rulings, camera)

    assert (frame == 100).all()
    assert (drawn[90, 90] != 100).any()
    assert (drawn[90, 10] == 100).all()
    assert (drawn[30, 4] != 100).any()
