"""What is known of a scene: places, looks, sightings, and who makes room."""

from __future__ import annotations

import base64
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.detection import known
from camalert.detection.known import LOOK_BYTES, Kind, Known, Place, Sightings, first_sighting

HOUR_S = 3600.0
shares = st.floats(0, 1, width=32)
places = st.builds(Place, shares, shares, shares, shares)
looks = st.binary(min_size=LOOK_BYTES, max_size=LOOK_BYTES)
objects = st.builds(
    Known, st.integers(1, 1 << 62), st.sampled_from(Kind), places, looks, st.floats(0.0625, 1, width=32)
)  # fmt: skip


def look(seed: int) -> bytes:
    """Return a look unlike that of any other seed."""
    return random.Random(seed).randbytes(LOOK_BYTES)


HERE = Place(0.4, 0.3, 0.1, 0.4)
THERE = Place(0.7, 0.3, 0.1, 0.4)


def statue(kind: Kind = Kind.MARKED, number: int = 1, seed: int = 1, place: Place = HERE) -> Known:
    return Known(number, kind, place, look(seed))


def test_object_in_its_place_with_its_look_is_recognised() -> None:
    """The box of a thing differs a little from picture to picture; its place is looked at, not the box."""
    asked: list[Place] = []

    def look_at(place: Place) -> bytes:
        asked.append(place)
        return look(1)

    found = known.recognise(Place(0.41, 0.31, 0.1, 0.38), [statue()], look_at)

    assert found is not None
    assert (found.known.id, found.likeness) == (1, pytest.approx(1.0))
    assert asked == [HERE]


def test_person_in_front_of_an_object_counts() -> None:
    """The place is the same, the look is not."""
    assert known.recognise(HERE, [statue()], lambda _: look(2)) is None


def test_person_beside_an_object_counts_and_costs_no_look() -> None:
    """Another place is another thing, whatever it looks like."""

    def refuse(place: Place) -> bytes:
        raise AssertionError(place)

    assert known.recognise(THERE, [statue()], refuse) is None


def test_part_of_an_object_is_the_object_while_nothing_there_has_changed() -> None:
    """Half of the box, or half as much again; somebody who stands in a part of the place changes more than that."""
    half = Place(HERE.x, HERE.y, HERE.width, HERE.height * 0.45)
    assert known.NEAR_PLACE < HERE.overlap(half) < known.SAME_PLACE
    changed = bytearray(look(1))
    changed[:20] = bytes(20)  # a corner of the place
    assert known.LIKE < known.likeness(look(1), bytes(changed)) < 0.97

    assert known.recognise(half, [statue()], lambda _: look(1)) is not None
    strict = replace(statue(), needs=0.97)
    assert known.recognise(half, [strict], lambda _: bytes(changed)) is None
    changed[20:40] = bytes(20)
    assert known.likeness(look(1), bytes(changed)) < known.UNCHANGED
    assert known.recognise(half, [statue()], lambda _: bytes(changed)) is None
    assert known.recognise(HERE, [statue()], lambda _: bytes(changed)) is not None


def test_what_somebody_said_goes_before_what_was_seen() -> None:
    """An object that is watched and was marked is marked."""
    watched, marked = statue(Kind.WATCHED, 1), statue(Kind.MARKED, 2)

    found = known.recognise(HERE, [watched, marked], lambda _: look(1))

    assert found is not None
    assert found.known is marked


def test_sightings_of_one_moment_are_one() -> None:
    """A visit of twenty pictures says no more than one of them about what stays."""
    seen = first_sighting(0.0)
    for number in range(20):
        seen = seen.after(number * 5.0)

    assert (seen.moments, seen.last_utc) == (1, 95.0)


def test_what_was_seen_often_over_hours_is_static() -> None:
    """Neither a person who waits for an hour, nor one who stands there twice a day."""
    seen = first_sighting(0.0)
    for number in range(1, 8):
        assert not seen.is_static(8, 6.0)
        seen = seen.after(number * HOUR_S)
    assert seen.is_static(8, 6.0)

    hurried = first_sighting(0.0)
    for number in range(1, 20):
        hurried = hurried.after(number * known.MOMENT_S)
    assert hurried.moments == 20
    assert not hurried.is_static(8, 6.0)
    assert not first_sighting(0.0).after(48 * HOUR_S).is_static(8, 6.0)


def test_nothing_is_static_when_nobody_wants_it() -> None:
    """`static_sightings = 0` switches it off."""
    assert not Sightings(0.0, 1e6, 1000, 1e6).is_static(0, 1.0)


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_sightings_in_any_order_never_run_ahead(times: list[float]) -> None:
    """Late pictures and clocks that are set back add no moments and no hours that were not there."""
    seen = first_sighting(times[0]) if times else first_sighting(0.0)
    for at_utc in times[1:]:
        before = seen
        seen = seen.after(at_utc)
        assert seen.moments - before.moments in (0, 1)
        assert seen.last_utc >= before.last_utc
        assert seen.first_utc == before.first_utc
    assert seen.moments <= 1 + (seen.moment_utc - seen.first_utc) / known.MOMENT_S


@given(places, places)
def test_overlap_is_the_same_both_ways_and_a_share(one: Place, other: Place) -> None:
    """Whatever the boxes, also of no width."""
    assert 0 <= one.overlap(other) <= 1 + 1e-6
    assert one.overlap(other) == pytest.approx(other.overlap(one))


@given(looks, looks)
def test_likeness_is_the_same_both_ways_and_a_cosine(one: bytes, other: bytes) -> None:
    """Whatever the looks, also of an even wall."""
    assert -1.001 <= known.likeness(one, other) <= 1.001
    assert known.likeness(one, other) == known.likeness(other, one)
    assert known.likeness(one, one) == pytest.approx(1.0 if any(one) else 0.0)


@given(st.lists(objects, max_size=60))
def test_objects_travel_as_one_text(found: list[Known]) -> None:
    """What is packed is what is unpacked, up to what a record may have."""
    back = known.unpacked(known.packed(found))

    assert len(back) == min(len(found), known.MOST_OF_RECORD)
    for one, other in zip(back, found, strict=False):
        assert (one.id, one.kind, one.place, one.look) == (other.id, other.kind, other.place, other.look)
        assert one.needs == pytest.approx(other.needs)


@given(st.one_of(st.text(max_size=400), st.binary(max_size=400).map(lambda some: base64.b64encode(some).decode())))
def test_any_text_is_unpacked_to_sound_objects_or_none(text: str) -> None:
    """A process that a picture has taken over writes what it likes; a damaged text makes nobody disappear."""
    for one in known.unpacked(text):
        assert 0 <= one.place.x <= 1
        assert 0 <= one.place.height <= 1
        assert 0 < one.needs <= 1
    assert known.read(text) == b"" or len(known.read(text)) == LOOK_BYTES


@given(looks)
def test_looks_travel_as_text(found: bytes) -> None:
    """As they stand in a row."""
    assert known.read(known.written(found)) == found


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 9), st.floats(0, 1e6)), max_size=40), st.integers(1, 20))
def test_room_is_made_for_exactly_one(rows: list[tuple[int, int, float]], most: int) -> None:
    """Those seen at one moment go before those that stay."""
    gone = known.giving_way(rows, most)

    assert len(gone) == max(0, len(rows) - most + 1)


def test_passers_by_push_out_nothing_that_stays() -> None:
    """However long ago that was seen."""
    rows = [(1, 5, 0.0), (2, 1, 100.0), (3, 1, 50.0), (4, 2, 10.0)]

    assert known.giving_way(rows, 3) == [3, 2]


@given(st.floats(0.01, 1), st.floats(-1, 1))
def test_doubt_asks_for_more_and_never_for_the_impossible(needs: float, seen: float) -> None:
    """An object in whose place somebody was missed must be more alike than it was there."""
    after = known.stricter(needs, seen)

    assert after <= known.STRICTEST
    assert after >= min(needs, known.STRICTEST)
    assert after > seen or after == known.STRICTEST
