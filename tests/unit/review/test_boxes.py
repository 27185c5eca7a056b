"""The part of a picture that a list shows: its people, whatever the boxes say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.review.boxes import LEAST, SHAPE, Box, Part, around, middle, read

SIDES = st.integers(1, 8000)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.builds(Box, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.just(0.5)), max_size=5), SIDES, SIDES)
def test_part_is_always_inside_the_picture(boxes: list[Box], width_px: int, height_px: int) -> None:
    """Whatever stands in a row, in the shape of the list's pictures as far as the picture allows."""
    part = around(boxes, width_px, height_px)
    if part is None:
        return
    assert part.x >= 0
    assert part.y >= 0
    assert part.width > 0
    assert part.height > 0
    assert part.x + part.width <= width_px * 1.000001
    assert part.y + part.height <= height_px * 1.000001
    assert part.width / part.height == pytest.approx(SHAPE)


@given(st.data(), st.integers(200, 4000), st.integers(200, 4000))
def test_head_is_never_cut(data: st.DataObject, width_px: int, height_px: int) -> None:
    """The top of a person is in the part, however tall the person is."""
    width, height = data.draw(st.integers(5, width_px // 3)), data.draw(st.integers(5, height_px))
    x, y = data.draw(st.integers(0, width_px - width)), data.draw(st.integers(0, height_px - height))
    part = around([Box(x, y, width, height, 0.9)], width_px, height_px)
    assert part is not None
    assert part.y <= y <= part.y + part.height
    assert part.x <= x + width / 2 <= part.x + part.width


def test_small_person_is_shown_larger_with_the_surroundings() -> None:
    """Somebody at the back of the garden is seen; the place is, too."""
    part = around([Box(900, 500, 20, 50, 0.6)], 1920, 1080)
    assert part is not None
    assert part.width == pytest.approx(1920 * LEAST)
    assert part.x < 900 < part.x + part.width


@pytest.mark.parametrize("people", [None, "", "[", "[1]", "{}", '[{"x": 1}]', '[{"x": "a"}]', "[" * 100_000, "null"])
def test_damaged_facts_have_no_boxes(people: str | None) -> None:
    """Another program may have written the row."""
    assert read(people) == ()


def test_boxes_are_read_up_to_a_bound() -> None:
    """A row with a million people costs no page."""
    person = {"x": 1, "y": 2, "width": 3, "height": 4, "score": 0.999}
    found = read(json.dumps([person] * 1000))
    assert len(found) == 50
    assert found[0].percent == 99


@pytest.mark.parametrize(
    ("width_px", "height_px", "part"),
    [(1920, 1080, Part(96, 0, 1728, 1080)), (640, 480, Part(0, 40, 640, 400)), (1600, 1000, Part(0, 0, 1600, 1000))],
)
def test_middle_is_what_a_browser_shows_of_a_whole_picture(width_px: int, height_px: int, part: Part) -> None:
    """`object-fit: cover` cuts both ends of the longer side, and the boxes are drawn over what is left."""
    assert middle(width_px, height_px) == part
