"""PicoDet's outputs become boxes: of people, and of other things with what they are."""

import numpy as np

from camalert.detection import picodet
from camalert.detection.looks import View

VIEW = View(64, 64)
CELLS = 64 + 16 + 4 + 1  # of the strides 8, 16, 32 and 64
FRAME = np.zeros((128, 128, 3), np.uint8)
MIDDLE = 64 + 5  # the cell of stride 16 around (24, 24): one of 32 px, as drawn below


def network(quality=1.0, person=0.0, **kinds):
    """Return a network that sees a thing of 32 px in the middle cell, with these class scores."""
    scores, others = np.zeros((1, 1, CELLS), np.float32), np.zeros((1, len(picodet.KINDS), CELLS), np.float32)
    fit, distances = np.full((1, 1, CELLS), quality, np.float32), np.zeros((4, picodet.BINS, CELLS), np.float32)
    distances[:, 1, :] = 50  # surely one stride to each side
    scores[0, 0, MIDDLE] = np.sqrt(person * quality)
    for kind, score in kinds.items():
        others[0, picodet.KINDS.index(kind), MIDDLE] = score
    return lambda blob: picodet.Outputs(scores, distances.reshape(1, 32, CELLS), others, fit)


def test_run_pass_names_the_surest_kind_of_a_box():
    """A score is the root of class times quality, and a box has one name."""
    seen = picodet.run_pass(network(quality=0.5, dog=0.32, cat=0.1, person=0.18), FRAME, VIEW)

    assert seen.kinds == ("dog",)
    assert np.allclose(seen.others, [[16, 16, 64, 64, 0.4]], atol=1e-3)
    assert np.allclose(seen.people, [[16, 16, 64, 64, 0.3]], atol=1e-3)


def test_run_pass_mirrored_or_without_the_outputs_sees_people_alone():
    """Only the first look over a picture looks around."""
    whole = network(dog=0.9, person=0.5)

    mirrored = picodet.run_pass(whole, FRAME, View(64, 64, is_mirrored=True))
    cut = picodet.run_pass(lambda blob: picodet.Outputs(*whole(blob)[:2]), FRAME, VIEW)

    assert (len(mirrored.people), len(mirrored.others)) == (1, 0)
    assert (len(cut.people), len(cut.others)) == (1, 0)
