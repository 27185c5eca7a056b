"""Boxes are compared, moved and matched, and made one for each person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.detection import boxes
from camalert.detection.boxes import crop_around
from camalert.detection.looks import brightening


def rows(*found):
    return np.array(found, np.float32).reshape(-1, 5)


NOBODY = rows()
SHAPE = (400, 600)


@pytest.mark.parametrize(("value", "gamma"), [(255, 1.0), (90, 1.0), (60, 0.7), (0, 0.45)])
def test_brightening_lifts_only_the_dark(value, gamma):
    """The gamma comes from the mean and has a limit."""
    assert brightening(np.full((40, 40, 3), value, np.uint8)) == pytest.approx(gamma)


@given(
    st.tuples(st.floats(-50, 650), st.floats(-50, 450), st.floats(1, 700), st.floats(1, 500)),
    st.integers(1, 400), st.integers(1, 600),
)  # fmt: skip
def test_crop_lies_within_the_frame(box, frame_height, frame_width):
    """Whatever the box, the crop is not empty and not outside."""
    left, top, right, bottom = crop_around(rows((*box, 1))[0], (frame_height, frame_width))

    assert 0 <= left < right <= frame_width
    assert 0 <= top < bottom <= frame_height


def test_plausible_halves_the_score_of_a_box_over_everything():
    """A box over a fifth of the picture keeps its score, one over all of it loses half."""
    found = boxes.plausible(rows((0, 0, 600, 400, 0.8), (0, 0, 120, 400, 0.6)), SHAPE)

    assert found[:, 4].tolist() == pytest.approx([0.6, 0.4])


def test_distinct_drops_parts_and_keeps_neighbours():
    """The head within a person is the same person; somebody who stands half behind is not."""
    person, head, neighbour = (100, 100, 60, 200, 0.9), (115, 100, 30, 40, 0.8), (140, 100, 60, 200, 0.7)

    found = rows(person, head, neighbour)[boxes.distinct(rows(person, head, neighbour))]

    assert found[:, 4].tolist() == pytest.approx([0.9, 0.7])


def test_merged_adds_only_what_is_new():
    """The same person in two passes is one box."""
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
