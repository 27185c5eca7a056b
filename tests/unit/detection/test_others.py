"""Things other than people: which boxes stay, and what their scores mean."""

import numpy as np
import pytest

from camalert.detection import others
from camalert.detection.looks import Seen

SHAPE = (400, 600)


def rows(*found):
    return np.array(found, np.float32).reshape(-1, 5)


def judged(things, kinds, people=()):
    return others.judged(Seen(rows(*people), rows(*things), kinds), SHAPE)


def test_judged_makes_the_working_point_a_half():
    """The score that few pictures without animals reach counts."""
    (dog,) = judged([(10, 20, 30, 40, others.MIDPOINT)], ("dog",))

    assert (dog.kind, dog.x, dog.y, dog.width, dog.height) == ("dog", 10, 20, 30, 40)
    assert dog.score == pytest.approx(0.5)


def test_judged_takes_a_person_for_no_animal_unless_it_is_much_surer():
    """On all fours somebody looks like a dog, too."""
    person = (100, 100, 50, 100, 0.6)

    assert judged([(102, 98, 50, 100, 0.7)], ("dog",), [person]) == []
    assert [thing.kind for thing in judged([(102, 98, 50, 100, 0.8)], ("dog",), [person])] == ["dog"]
    assert [thing.kind for thing in judged([(300, 98, 50, 100, 0.5)], ("dog",), [person])] == ["dog"]


def test_judged_keeps_one_box_a_thing_the_surest_few_and_no_noise():
    """A car that is a truck, too, is one thing; what is hardly there is none."""
    car, truck, noise = (10, 10, 90, 50, 0.8), (12, 10, 90, 50, 0.7), (300, 300, 50, 50, 0.05)
    crowd = [(30 * number, 300, 20, 20, 0.9) for number in range(19)]

    assert [thing.kind for thing in judged([car, truck, noise], ("car", "truck", "cat"))] == ["car"]
    assert len(judged(crowd, ("bird",) * 19)) == others.MOST
