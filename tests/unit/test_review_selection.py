"""What a list shows, from the query of an address."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.review.selection import MAX_ID, Album, Cursor, Selection, parse_ids

QUERY = {"camera": "Garage & Co", "day": "2026-11-22", "score": "70", "review": "new", "mark": "not a person"}


def test_selection_survives_its_own_address() -> None:
    """What is written into an address is read from it again."""
    selection = Selection.parse(Album.ALARMS, QUERY | {"outcome": "person"})

    assert Selection.parse(Album.ALARMS, dict(parse_qsl(selection.query()))) == selection


@given(st.dictionaries(st.sampled_from([*QUERY, "outcome", "before"]), st.text()))
def test_selection_takes_anything(query: dict[str, str]) -> None:
    """An address may say what it likes: what makes no sense is left out."""
    for album in Album:
        selection = Selection.parse(album, query)
        assert 0 <= selection.score <= 100
        if selection.day:
            assert selection.day_after > selection.day


@given(st.text())
def test_cursor_takes_anything(text: str) -> None:
    """A place in a list is a time and an id, or none."""
    cursor = Cursor.parse(text)

    assert cursor is None or 0 <= cursor.id <= MAX_ID


def test_cursor_is_read_as_it_is_written() -> None:
    """The link to older pictures leads to the right place."""
    cursor = Cursor("2026-11-22 10:00:00.123456", 17)

    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["²~5", "2026~٣", "2026-11-22 10:00:00~", "2026'; DROP TABLE x~1", "~-1"])
def test_cursor_refuses_what_is_none(text: str) -> None:
    """Digits of other scripts and pieces of SQL are no place."""
    assert Cursor.parse(text) is None


def test_ids_are_read_once_each_and_bounded() -> None:
    """Doubles, nonsense and numbers beyond SQLite's are left out."""
    assert parse_ids("3,5,3,x,-1,,²," + "9" * 30 + ",8", 3) == [3, 5, 8]


def test_outcome_belongs_to_all_alarms() -> None:
    """Among people there is nothing to choose."""
    assert Selection.parse(Album.PEOPLE, {"outcome": "failed"}).outcome == ""


def test_day_beside_the_last_day_is_none() -> None:
    """The calendar ends somewhere."""
    assert Selection(Album.PEOPLE, day="9999-12-30").beside(5) is None
    assert Selection(Album.PEOPLE).beside(1) is None
