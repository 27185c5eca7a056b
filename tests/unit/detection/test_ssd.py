"""The SSD's default boxes and codes: from outputs to boxes in a frame."""

import numpy as np
import pytest

from camalert.detection import council, ssd
from camalert.detection.looks import View

VIEW = View(*council.SECOND)


def outputs(*hits):
    """Return codes and logits that name default boxes: (index, code, logit)."""
    codes, logits = np.zeros((1917, 4), np.float32), np.full(1917, -20, np.float32)
    for index, code, logit in hits:
        codes[index], logits[index] = code, logit
    return codes, logits


def test_default_boxes_are_those_of_six_grids():
    """19, 10, 5, 3, 2 and 1 cells a side, three boxes a cell in the first and six in the others, within reach."""
    found = ssd.default_boxes()

    assert found.shape == (19 * 19 * 3 + (100 + 25 + 9 + 4 + 1) * 6, 4)
    assert found[0].tolist() == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert found[-1].tolist() == pytest.approx([0.5, 0.5, (0.95 * 1.0) ** 0.5, (0.95 * 1.0) ** 0.5])
    assert ((found[:, :2] > 0) & (found[:, :2] < 1)).all()


def test_decode_puts_boxes_in_pixels_of_the_frame():
    """The code is read in tenths and fifths of the default box; the score is the logistic of the logit."""
    centre_y, centre_x, tall, wide = ssd.default_boxes()[600]
    codes, logits = outputs((600, (1.0, -2.0, 5 * np.log(2), 0.0), 2.0))

    found = ssd.decode(codes, logits, (400, 600))

    assert found.shape == (1, 5)
    x, y, width, height, score = found[0]
    assert (height, width) == (pytest.approx(800 * tall, rel=1e-4), pytest.approx(600 * wide, rel=1e-4))
    assert y + height / 2 == pytest.approx(400 * (centre_y + 0.1 * tall), abs=0.01)
    assert x + width / 2 == pytest.approx(600 * (centre_x - 0.2 * wide), abs=0.01)
    assert score == pytest.approx(1 / (1 + np.exp(-2)))


def test_decode_keeps_one_box_a_person_and_stays_in_the_frame():
    """Neighbouring cells mean the same person; a wild code leaves no box outside."""
    codes, logits = outputs((600, (0, 0, 0, 0), 3.0), (600, (0, 0, 0, 0), 2.0), (0, (0, 0, 90, 90), 1.0))

    found = ssd.decode(codes, logits, (400, 600))

    assert len(found) == 2
    assert (found[:, :2] >= 0).all()
    assert (found[:, 0] + found[:, 2] <= 600.01).all()
    assert (found[:, 1] + found[:, 3] <= 400.01).all()


def test_decode_of_nobody_is_empty():
    """No logit above the floor, no box."""
    assert ssd.decode(*outputs(), (400, 600)).shape == (0, 5)


def test_prepare_gives_rgb_from_minus_one_to_one():
    """The colours are turned, black is -1 and white 1."""
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[:, :, 0] = 255  # blue

    blob = ssd.prepare(frame, VIEW)

    assert blob.shape == (1, 300, 300, 3)
    assert blob[0, 150, 150].tolist() == [-1.0, -1.0, 1.0]


def test_run_pass_mirrored_gives_the_place_in_the_frame():
    """What is seen at the left of a mirrored picture stands at the right."""
    codes, logits = outputs((0, (0, 0, 0, 0), 3.0))
    classes = np.full((1, 1917, 24), -20, np.float32)
    classes[0, :, ssd.PERSON] = logits

    found = ssd.run_pass(
        lambda blob: (codes[None], classes), np.zeros((40, 60, 3), np.uint8), View(300, 300, is_mirrored=True)
    )

    assert found.people[0, 0] + found.people[0, 2] / 2 > 50
