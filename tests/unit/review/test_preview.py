"""What other settings would have meant for the past."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Area, Camera
from camalert.detection.people import Person
from camalert.review.preview import Past, effect
from camalert.review.selection import MISSED, NOT_A_PERSON

NOW = (Camera(name="Garage"), 0.5)
ROAD = Area("road", "ignore", "0,0 50,0 50,100 0,100")


def _past(number: int, score: float, x: int = 100, height: int = 200, mark: str = "") -> Past:
    person = Person(x, 50, 80, height, score)
    counted = score >= 0.5
    return Past(number, 480, 640, (person,) if counted else (), () if counted else (person,), score, mark)


def test_higher_threshold_says_what_goes_and_that_it_was_wrong() -> None:
    """The sentence that an owner decides by."""
    pictures = [_past(n, 0.9) for n in range(61)] + [_past(n, 0.55, mark=NOT_A_PERSON) for n in range(100, 112)]
    pictures += [_past(200, 0.6)] + [_past(n, 0.1) for n in range(300, 726)]

    found = effect(pictures, NOW, (NOW[0], 0.7))

    assert found.sentence == (
        "Of the last 500 pictures 61 count instead of 74; 12 of the 13 that go were marked not a person."
    )
    assert [past.id for past in found.going] == [*range(100, 112), 200]


def test_lower_threshold_says_what_comes() -> None:
    """Who did not count is kept with the box, so areas and heights hold for him too."""
    pictures = [_past(1, 0.4, mark=MISSED), _past(2, 0.4, x=500), _past(3, 0.3)]
    right = Camera(name="Garage", area=(ROAD,))

    found = effect(pictures, NOW, (right, 0.35))

    assert [past.id for past in found.coming] == [2]
    assert effect(pictures, NOW, (NOW[0], 0.35)).sentence == (
        "Of the last 3 pictures 2 count instead of 0; 1 of the 2 that come was marked missed a person."
    )


def test_areas_and_heights_are_asked() -> None:
    """Feet in an ignored area, somebody too small, somebody too large."""
    pictures = [_past(1, 0.9, x=100), _past(2, 0.9, x=500), _past(3, 0.9, x=500, height=40), _past(4, 0.9, 500, 430)]
    camera = Camera(name="g", area=(ROAD,), min_person_height_percent=20, max_person_height_percent=80)

    found = effect(pictures, NOW, (camera, 0.5))

    assert [past.id for past in found.going] == [1, 3, 4]
    assert [(foot.counts, round(foot.x)) for foot in found.feet] == [(False, 22), (True, 84), (False, 84), (False, 84)]


def test_what_was_not_kept_is_not_known() -> None:
    """An older picture without a counted person has a score and no box."""
    old = Past(1, 480, 640, (), None, 0.4, "")

    assert effect([old], NOW, (NOW[0], 0.3)).unknown == 1
    assert effect([old], NOW, (NOW[0], 0.45)).unknown == 0
    assert "not known" in effect([old], NOW, (NOW[0], 0.3)).sentence


def test_a_picture_without_a_size_and_a_camera_that_is_only_stored_count_nothing() -> None:
    """A row of another program divides nothing by zero."""
    assert effect([Past(1, 0, 0, (Person(0, 0, 1, 1, 0.9),), (), 0.9, "")], NOW, NOW).after == 0
    assert effect([_past(1, 0.9)], NOW, (Camera(name="g", examine=False), 0.5)).after == 0
    assert effect([], NOW, NOW).sentence == "No picture of this camera has been examined yet."


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.2, 1), st.floats(0.2, 1))
def test_counts_agree(scores: list[float], low: float, high: float) -> None:
    """What counts after is what counted before, less what goes, and what comes."""
    found = effect([_past(n, score) for n, score in enumerate(scores)], (NOW[0], low), (NOW[0], high))

    assert found.after == found.before - len(found.going) + len(found.coming)
    assert found.unknown == 0
