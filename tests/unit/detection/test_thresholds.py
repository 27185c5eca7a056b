"""What marks say about a threshold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.detection import thresholds
from camalert.detection.thresholds import Judged, lowered, propose

scores = st.floats(0, 1)
judged = st.lists(st.builds(Judged, scores, st.booleans()), max_size=40)


def test_one_person_missed_lowers_a_threshold_by_a_step() -> None:
    """And several by several, as far as they need."""
    assert lowered(0.5, [0.31]) == pytest.approx(0.45)
    assert lowered(0.5, [0.31, 0.31]) == pytest.approx(0.40)
    assert lowered(0.5, [0.47]) == pytest.approx(0.47)


def test_who_cannot_be_found_so_lowers_nothing() -> None:
    """A score of 0.05 would cost a hundred false alarms; one above the threshold has another reason."""
    assert lowered(0.5, []) == 0.5
    assert lowered(0.5, [0.05, 0.8]) == 0.5


@given(st.floats(0.01, 1), st.lists(scores, max_size=40))
def test_lowered_never_goes_below_its_bound(base: float, missed: list[float]) -> None:
    """Whatever is marked, and it is never raised."""
    assert base * thresholds.LEAST_SHARE <= lowered(base, missed) <= base


@given(st.floats(0.01, 1), st.lists(scores, max_size=10), scores)
def test_another_person_missed_never_raises_a_threshold(base: float, missed: list[float], one: float) -> None:
    """Each mark says: look for more."""
    assert lowered(base, [*missed, one]) <= lowered(base, missed) + 1e-9


def test_false_alarms_below_all_people_propose_a_higher_threshold() -> None:
    """With what it would have changed."""
    seen = [Judged(0.55, has_person=False)] * 5 + [Judged(0.9, has_person=True)] * 5

    found = propose(seen, 0.5)

    assert found is not None
    assert 0.55 < found.threshold < 0.9
    assert (found.spared, found.found, found.lost, found.added) == (5, 0, 0, 0)
    assert str(found) == "0.56 instead of 0.50: of 10 pictures that were looked at, 5 false alarms less"


def test_people_missed_propose_a_lower_threshold() -> None:
    """A person weighs as much as three false alarms."""
    seen = [Judged(0.35, has_person=True)] * 2 + [Judged(0.4, has_person=False)] + [Judged(0.9, has_person=True)] * 6

    found = propose(seen, 0.5)

    assert found is not None
    assert found.threshold <= 0.35
    assert (found.found, found.added) == (2, 1)


def test_few_pictures_or_a_threshold_that_is_right_propose_nothing() -> None:
    """One picture alone changes nothing."""
    right = [Judged(0.1, has_person=False)] * 5 + [Judged(0.9, has_person=True)] * 5

    assert propose(right, 0.5) is None
    assert propose([Judged(0.55, has_person=False)] * 7, 0.5) is None
    assert propose([*right, Judged(0.55, has_person=False)], 0.5) is None


@given(judged, st.floats(0.01, 1))
def test_proposal_gets_less_wrong_than_what_is_in_force(seen: list[Judged], now: float) -> None:
    """And its counts are of pictures that were looked at."""
    found = propose(seen, now)

    if found is not None:
        assert thresholds.LOWEST <= found.threshold <= thresholds.HIGHEST
        gain = thresholds.MISSED_WEIGHT * (found.found - found.lost) + found.spared - found.added
        assert gain >= thresholds.LEAST_GAIN
        assert found.found + found.spared + found.lost + found.added <= len(seen)
