"""Passes over one frame: how many are made, and how they are averaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.detection import passes
from camalert.detection.boxes import crop_around, shifted
from camalert.detection.looks import Seen
from camalert.detection.passes import PLANS


def rows(*found):
    return np.array(found, np.float32).reshape(-1, 5)


NOBODY = rows()
SHAPE = (400, 600)


class Eyes:
    """A pass that answers from a list and remembers what it was shown."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.views = []

    def __call__(self, frame, view):
        self.views.append((frame.shape[:2], view))
        return Seen(self.answers.pop(0).copy(), NOBODY)


@pytest.mark.parametrize("score", [0.05, 0.9])
def test_examine_when_certain_makes_one_pass(score):
    """A score that is clearly low or high is taken as it is."""
    eyes = Eyes(rows((10, 10, 50, 100, score)))

    found = passes.examine(eyes, np.zeros((*SHAPE, 3), np.uint8), PLANS["balanced"]).people

    assert found[0, 4] == pytest.approx(score)
    assert len(eyes.views) == 1


def test_examine_when_uncertain_averages_three_passes():
    """The score is the mean of both whole passes and the close one."""
    first = rows((100, 100, 50, 100, 0.3))
    second = rows((102, 98, 50, 100, 0.6))
    region = crop_around(first[0], SHAPE)
    close = shifted(rows((100, 100, 50, 100, 0.9)), -region[0], -region[1])
    eyes = Eyes(first, second, close)

    found = passes.examine(eyes, np.full((*SHAPE, 3), 200, np.uint8), PLANS["balanced"]).people

    assert found[0, 4] == pytest.approx(0.6)
    assert [view.is_mirrored for _, view in eyes.views] == [False, True, True]
    assert eyes.views[2][0] == (150, 150)


def test_examine_when_uncertain_drops_what_only_one_pass_sees():
    """A box that no other pass confirms keeps a third of its score."""
    eyes = Eyes(rows((100, 100, 50, 100, 0.45)), NOBODY, NOBODY)

    found = passes.examine(eyes, np.full((*SHAPE, 3), 200, np.uint8), PLANS["balanced"]).people

    assert found[0, 4] == pytest.approx(0.15)


def test_examine_with_nobody_returns_no_boxes():
    """An empty first pass is an answer."""
    assert len(passes.examine(Eyes(NOBODY), np.zeros((*SHAPE, 3), np.uint8), PLANS["fast"]).people) == 0


def test_examine_turns_an_oblong_input_for_an_upright_frame():
    """A frame that is taller than wide is not squeezed into a wide input."""
    eyes = Eyes(NOBODY)

    passes.examine(eyes, np.zeros((600, 400, 3), np.uint8), PLANS["fast"])

    assert (eyes.views[0][1].height, eyes.views[0][1].width) == (512, 384)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_calibrated_keeps_the_order(scores):
    """Calibration moves scores and never swaps two of them; the working point becomes one half."""
    found = passes.calibrated(rows(*((0, 0, 1, 1, score) for score in [*scores, 0.3])), midpoint=0.3)

    assert (np.diff(found[:, 4]) <= 1e-6).all()
    assert ((found[:, 4] >= 0) & (found[:, 4] <= 1)).all()
    assert np.isclose(found[:, 4], 0.5, atol=1e-5).any()
