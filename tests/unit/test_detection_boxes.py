"""Looks at one frame are brought together: moved, matched, averaged, and made one box for each person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.detection import boxes, looks
from camalert.detection.looks import PLANS, brightening, place


def rows(*found):
    return np.array(found, np.float32).reshape(-1, 5)


NOBODY = rows()
SHAPE = (400, 600)


class Eyes:
    """A look that answers from a list and remembers what it was shown."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.views = []

    def __call__(self, frame, view):
        self.views.append((frame.shape[:2], view))
        return self.answers.pop(0).copy()


@pytest.mark.parametrize("score", [0.05, 0.9])
def test_examine_without_doubt_looks_once(score):
    """A score that is clearly low or high is taken as it is."""
    eyes = Eyes(rows((10, 10, 50, 100, score)))

    found = looks.examine(eyes, np.zeros((*SHAPE, 3), np.uint8), PLANS["balanced"])

    assert found[0, 4] == pytest.approx(score)
    assert len(eyes.views) == 1


def test_examine_in_doubt_averages_three_looks():
    """The score is the mean of both whole looks and the close one."""
    first = rows((100, 100, 50, 100, 0.3))
    second = rows((102, 98, 50, 100, 0.6))
    region = place(first[0], SHAPE)
    close = boxes.shifted(rows((100, 100, 50, 100, 0.9)), -region[0], -region[1])
    eyes = Eyes(first, second, close)

    found = looks.examine(eyes, np.full((*SHAPE, 3), 200, np.uint8), PLANS["balanced"])

    assert found[0, 4] == pytest.approx(0.6)
    assert [view.is_mirrored for _, view in eyes.views] == [False, True, True]
    assert eyes.views[2][0] == (150, 150)


def test_examine_in_doubt_drops_what_only_one_look_sees():
    """A box that no other look confirms keeps a third of its score."""
    eyes = Eyes(rows((100, 100, 50, 100, 0.45)), NOBODY, NOBODY)

    found = looks.examine(eyes, np.full((*SHAPE, 3), 200, np.uint8), PLANS["balanced"])

    assert found[0, 4] == pytest.approx(0.15)


def test_examine_with_nobody_returns_no_boxes():
    """An empty first look is an answer."""
    assert len(looks.examine(Eyes(NOBODY), np.zeros((*SHAPE, 3), np.uint8), PLANS["fast"])) == 0


def test_examine_turns_an_oblong_input_for_an_upright_frame():
    """A frame that is taller than wide is not squeezed into a wide input."""
    eyes = Eyes(NOBODY)

    looks.examine(eyes, np.zeros((600, 400, 3), np.uint8), PLANS["fast"])

    assert (eyes.views[0][1].height, eyes.views[0][1].width) == (512, 384)


@pytest.mark.parametrize(("value", "gamma"), [(255, 1.0), (90, 1.0), (60, 0.7), (0, 0.45)])
def test_brightening_lifts_only_the_dark(value, gamma):
    """The gamma comes from the mean and has a limit."""
    assert brightening(np.full((40, 40, 3), value, np.uint8)) == pytest.approx(gamma)


@given(
    st.tuples(st.floats(-50, 650), st.floats(-50, 450), st.floats(1, 700), st.floats(1, 500)),
    st.integers(1, 400), st.integers(1, 600),
)  # fmt: skip
def test_place_lies_within_the_frame(box, frame_height, frame_width):
    """Whatever the box, the region to look at is not empty and not outside."""
    left, top, right, bottom = place(rows((*box, 1))[0], (frame_height, frame_width))

    assert 0 <= left < right <= frame_width
    assert 0 <= top < bottom <= frame_height


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_calibrated_keeps_the_order(scores):
    """Calibration moves scores and never swaps two of them; the working point becomes one half."""
    found = boxes.calibrated(rows(*((0, 0, 1, 1, score) for score in [*scores, 0.3])), even=0.3)

    assert (np.diff(found[:, 4]) <= 1e-6).all()
    assert ((found[:, 4] >= 0) & (found[:, 4] <= 1)).all()
    assert np.isclose(found[:, 4], 0.5, atol=1e-5).any()


def test_plausible_halves_the_score_of_a_box_over_everything():
    """A box over a fifth of the picture keeps its score, one over all of it loses half."""
    found = boxes.plausible(rows((0, 0, 600, 400, 0.8), (0, 0, 120, 400, 0.6)), SHAPE)

    assert found[:, 4].tolist() == pytest.approx([0.6, 0.4])


def test_distinct_drops_parts_and_keeps_neighbours():
    """The head within a person is the same person; somebody who stands half behind is not."""
    person, head, neighbour = (100, 100, 60, 200, 0.9), (115, 100, 30, 40, 0.8), (140, 100, 60, 200, 0.7)

    found = boxes.distinct(rows(person, head, neighbour))

    assert found[:, 4].tolist() == pytest.approx([0.9, 0.7])


def test_merged_adds_only_what_is_new():
    """The same person in two looks is one box."""
    one, same, other = (0, 0, 50, 100, 0.5), (2, 2, 50, 100, 0.4), (300, 0, 50, 100, 0.6)

    assert len(boxes.merged(rows(one), rows(same, other))) == 2
    assert boxes.merged(NOBODY, rows(one)).shape == (1, 5)
    assert boxes.merged(rows(one), NOBODY).shape == (1, 5)


@given(
    st.lists(st.tuples(*[st.floats(-1000, 1000, width=32)] * 4, st.floats(0, 1, width=32)), max_size=5),
    st.integers(1, 300), st.integers(1, 300),
)  # fmt: skip
def test_to_people_stays_within_the_frame(found, height, width):
    """No person's box leaves the frame or is empty."""
    for person in boxes.to_people(rows(*found), (height, width)):
        assert 0 <= person.x < person.x + person.width <= width
        assert 0 <= person.y < person.y + person.height <= height
