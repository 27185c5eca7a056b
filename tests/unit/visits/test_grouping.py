"""Visits are those of the pictures sorted by time, whatever the order of their verdicts."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from camalert.config.objects import listed
from camalert.visits.grouping import Sighting, Visit, chosen, join

GAP_S = 90.0

sightings = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=40
).map(
    lambda rows: [
        Sighting(number, "garage", float(at), float(at), people, score / 10, ("person", "dog", "car")[people % 3])
        for number, (at, people, score) in enumerate(rows, 1)
    ]
)


def facts(visit: Visit) -> tuple[object, ...]:
    return (
        visit.began_utc, visit.last_utc, visit.heard_utc, visit.pictures, visit.people, visit.best_alert,
        visit.best_score, visit.objects,
    )  # fmt: skip


def one_by_one(pictures: list[Sighting]) -> list[tuple[object, ...]]:
    """Join pictures in this order, as the writer does; return the visits, earliest first."""
    visits: dict[int, Visit] = {}
    for number, picture in enumerate(pictures, 1):
        near = [visit for visit in visits.values() if visit.is_near(picture.at_utc, GAP_S)]
        joined = join(picture, near)
        for visit in near:
            del visits[visit.id]
        own = joined.id or number
        visits[own] = Visit(own, *(getattr(joined, name) for name in Visit.__slots__[1:]))
    return sorted(facts(visit) for visit in visits.values())


def by_time(pictures: list[Sighting]) -> list[tuple[object, ...]]:
    """Cut the pictures, sorted by time, where a gap is longer than allowed."""
    runs: list[list[Sighting]] = []
    for picture in sorted(pictures, key=lambda found: found.at_utc):
        if not runs or picture.at_utc - runs[-1][-1].at_utc > GAP_S:
            runs.append([])
        runs[-1].append(picture)
    found = []
    for run in runs:
        best = max(run, key=lambda picture: (picture.score, -picture.alert_id))
        heard_utc, people = max(picture.heard_utc for picture in run), max(picture.people for picture in run)
        seen = listed(picture.objects for picture in run)
        found.append((run[0].at_utc, run[-1].at_utc, heard_utc, len(run), people, best.alert_id, best.score, seen))
    return sorted(found)


@given(pictures=sightings, order=st.randoms(use_true_random=False))
def test_visits_are_those_of_the_pictures_sorted_by_time(pictures: list[Sighting], order: random.Random) -> None:
    """Any order of verdicts gives the same visits, with the same counts and the same best picture."""
    shuffled = pictures.copy()
    order.shuffle(shuffled)

    assert one_by_one(shuffled) == by_time(pictures)


def test_picture_between_two_visits_makes_one_of_them() -> None:
    """The visit with more pictures keeps its id."""
    small = Visit(1, "garage", 0, 0, 0, 1, 1, 11, 0.9)
    large = Visit(2, "Garage", 160, 200, 200, 5, 2, 12, 0.7)

    visit = join(Sighting(13, "GARAGE", 80, 300, 1, 0.8), [small, large])

    assert (visit.id, visit.camera, visit.pictures, visit.people) == (2, "Garage", 7, 2)
    assert (visit.began_utc, visit.last_utc, visit.heard_utc) == (0, 200, 300)
    assert (visit.best_alert, visit.best_score) == (11, 0.9)


@given(pictures=sightings, order=st.randoms(use_true_random=False), longest_s=st.integers(60, 1500))
def test_no_visit_is_longer_than_allowed(pictures: list[Sighting], order: random.Random, longest_s: int) -> None:
    """In any order; each picture is in one visit, and visits do not overlap."""
    order.shuffle(pictures)
    visits: list[Visit] = []
    for number, picture in enumerate(pictures, 1):
        near = [visit for visit in visits if visit.is_near(picture.at_utc, GAP_S)]
        own = chosen(picture, near, longest_s)
        visits = [visit for visit in visits if visit not in own]
        visits.append(replace(join(picture, own), id=number))

    assert all(visit.last_utc - visit.began_utc <= longest_s for visit in visits)
    assert sum(visit.pictures for visit in visits) == len(pictures)
    ordered = sorted(visits, key=lambda visit: (visit.began_utc, visit.last_utc))
    assert all(one.last_utc <= other.began_utc for one, other in itertools.pairwise(ordered))


def test_six_hours_in_the_garden_are_six_visits() -> None:
    """One a minute, as they come; a late picture in the midst of the first changes neither."""
    visits: list[Visit] = []
    for number in range(361):
        picture = Sighting(number + 1, "garden", 60.0 * number, 60.0 * number, 1, 0.5)
        near = [visit for visit in visits if visit.is_near(picture.at_utc, GAP_S)]
        own = chosen(picture, near, 3600.0)
        visits = [visit for visit in visits if visit not in own] + [replace(join(picture, own), id=number + 1)]
    late = Sighting(999, "garden", 3599.0, 3599.0, 1, 0.5)

    assert [visit.last_utc - visit.began_utc for visit in visits] == [3600.0] * 5 + [3300.0]
    assert chosen(late, [visit for visit in visits if visit.is_near(3599.0, GAP_S)], 3600.0) == [visits[0]]
