"""Who is asked, when that is enough, and what a verdict is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.detection import council
from camalert.detection.boxes import crop_around, shifted
from camalert.detection.council import EFFORTS, Looks
from camalert.detection.looks import Seen


def rows(*found):
    return np.array(found, np.float32).reshape(-1, 5)


NOBODY = rows()
SHAPE = (400, 600)
FRAME = np.full((*SHAPE, 3), 200, np.uint8)
BALANCED = EFFORTS["balanced"]
DOUBTFUL = (100, 100, 50, 100, 0.3)


class Eyes:
    """A look that answers from a list and remembers what it was shown."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.shown = []

    def __call__(self, frame, view):
        self.shown.append((frame.shape[:2], view))
        return Seen(self.answers.pop(0).copy(), NOBODY)


def asked(first, second, effort=BALANCED):
    return council.examine(Looks(first, second), FRAME, effort).people


@pytest.mark.parametrize("answer", [NOBODY, rows((10, 10, 50, 100, 0.06)), rows((10, 10, 50, 100, 0.9))])
def test_examine_when_the_first_is_sure_asks_nobody_else(answer):
    """A clear picture costs one look."""
    first = Eyes(answer)

    found = asked(first, Eyes())

    assert len(first.shown) == 1
    assert [score > 0.5 for score in found[:, 4]] == [score > 0.5 for score in answer[:, 4]]


def test_examine_when_both_agree_looks_no_closer():
    """The second opinion settles what the first doubted."""
    first, second = Eyes(rows(DOUBTFUL)), Eyes(rows((102, 98, 50, 100, 0.95)))

    found = asked(first, second)

    assert (len(first.shown), len(second.shown)) == (1, 1)
    assert found[0, 4] > 0.9


def test_examine_when_both_doubt_looks_closely_with_the_first():
    """Still in doubt, the place itself is shown enlarged and mirrored, and decides."""
    region = crop_around(rows(DOUBTFUL)[0], SHAPE)
    second = (101, 100, 50, 100, 0.4)
    scores = []
    for close in (NOBODY, shifted(rows((100, 100, 50, 100, 0.9)), -region[0], -region[1])):
        first = Eyes(rows(DOUBTFUL), close)
        scores.append(float(asked(first, Eyes(rows(second)))[0, 4]))
        assert first.shown[1][0] == (150, 150)
        assert first.shown[1][1].is_mirrored

    assert scores[0] < 0.3
    assert scores[1] > 0.8


def test_examine_takes_the_second_network_at_its_word_only_so_far():
    """What one of two sees and the other does not, even closely, is no person."""
    first, second = Eyes(rows(DOUBTFUL), NOBODY, NOBODY), Eyes(rows((300, 100, 50, 100, 0.7)))

    found = asked(first, second)

    assert len(found) == 2
    assert found[0, 4] < 0.5


def test_examine_believes_the_silence_of_the_second_less_about_somebody_far_away():
    """It sees nobody who is lower than a tenth of the frame; beside a tall one its silence is an answer."""
    height = SHAPE[0]
    scores = []
    for tall in (council.FAR * height - 1, council.FAR * height + 1):
        box = (100, 100, tall / 2, tall, 0.4)
        region = crop_around(rows(box)[0], SHAPE)
        close = shifted(rows((*box[:4], 0.5)), -region[0], -region[1])
        scores.append(float(asked(Eyes(rows(box), close), Eyes(NOBODY))[0, 4]))

    assert scores[0] > 0.5
    assert scores[1] < 0.3


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=20))
def test_judged_never_takes_from_what_all_together_say(scores):
    """Nobody far away loses by the second network seeing them, and nobody near gains by its silence."""
    votes = [np.array(column, np.float32) for column in zip(*scores, strict=True)]
    stage = BALANCED.stages[2]
    near, far = (rows(*((0, 0, 5, tall, 0.5) for _ in scores)) for tall in (0.13 * 400, 0.11 * 400))
    together = council.log_odds(votes, stage)

    assert (council.judged(near, votes, stage, 400) == together).all()
    assert (council.judged(far, votes, stage, 400) >= together).all()


def test_examine_turns_an_oblong_input_for_an_upright_frame():
    """A frame that is taller than wide is not squeezed into a wide input."""
    first = Eyes(NOBODY)

    council.examine(Looks(first, Eyes()), np.zeros((600, 400, 3), np.uint8), EFFORTS["fast"])

    assert (first.shown[0][1].height, first.shown[0][1].width) == (512, 384)


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=20), st.integers(0, 2), st.floats(0, 1))
def test_log_odds_rise_with_every_look(scores, which, better):
    """Nobody speaks for a person by seeing less, and no vote can silence the others."""
    votes = [np.array(column, np.float32) for column in zip(*scores, strict=True)]
    raised = [np.maximum(vote, np.float32(better)) if look == which else vote for look, vote in enumerate(votes)]
    stage = BALANCED.stages[2]

    before, after = council.log_odds(votes, stage), council.log_odds(raised, stage)

    assert (after >= before - 1e-9).all()
    assert np.isfinite(before).all()


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
def test_every_stage_weighs_every_look_made_so_far(effort):
    """The table fits the order of the questions."""
    assert [len(stage.weights) for stage in effort.stages] == list(range(1, len(effort.stages) + 1))
    assert all(weight > 0 for stage in effort.stages for weight in stage.weights)


def test_is_clear_only_beyond_doubt():
    """Between the two ends of a stage another is asked; with the last stage it ends."""
    for asked, stage in enumerate(BALANCED.stages[:-1], start=1):
        low, high = stage.doubt
        assert not council.is_clear(np.array([-9.0, (low + high) / 2]), BALANCED, asked)
        assert council.is_clear(np.array([low - 1, high]), BALANCED, asked)
        assert council.is_clear(np.array([low]), BALANCED, asked)
        assert council.is_clear(np.empty(0), BALANCED, asked)
    assert council.is_clear(np.array([0.0]), BALANCED, 3)


def test_two_who_agree_need_less_to_be_sure_than_one():
    """The second opinion narrows the doubt."""
    (first_low, first_high), (second_low, second_high) = (stage.doubt for stage in BALANCED.stages[:-1])

    assert first_low < second_low < 0 < second_high < first_high


def test_fast_is_calibrated_as_the_single_network():
    """The same threshold means the same for engine `opencv`."""
    assert council.log_odds([np.array([0.31])], EFFORTS["fast"].stages[0])[0] == pytest.approx(0, abs=0.01)


def test_candidates_of_one_look_are_few():
    """A picture full of faint boxes costs no more than one with a dozen."""
    crowd = rows(*((place * 10, 10, 5, 10, 0.9 - place * 0.02) for place in range(50)))

    assert len(council.strongest(crowd)) == council.CANDIDATES
