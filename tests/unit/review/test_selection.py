"""What a list shows, from the query of an address."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.review.selection import MAX_ID, Album, Cursor, Selection, parse_ids


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live where clocks are put back."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


QUERY = {
    "camera": "Garage & Co", "score": "70", "review": "new", "mark": "not a person",
    "since": "2026-11-22 06:30", "until": "2026-11-23 00:00", "words": "line Türe", "asked": "garage sunday",
}  # fmt: skip


def test_selection_survives_its_own_address() -> None:
    """What is written into an address is read from it again."""
    selection = Selection.parse(Album.ALARMS, QUERY | {"outcome": "person"})

    assert Selection.parse(Album.ALARMS, dict(parse_qsl(selection.query()))) == selection
    assert selection.query(until="").count("=") == len(QUERY)


def test_day_takes_the_place_of_a_range() -> None:
    """Who picks a day in a list that has a range gets that day."""
    assert Selection.parse(Album.ALARMS, QUERY | {"day": "2026-11-20"}).since == ""


@given(st.dictionaries(st.sampled_from([*QUERY, "day", "outcome", "before"]), st.text()))
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


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-22 25:00", "2026-02-30 10:00", "0001-01-01 00:00", "now", "٢"])
def test_moment_that_is_none_selects_nothing(text: str) -> None:
    """A typed address may say anything."""
    assert Selection.parse(Album.PEOPLE, {"since": text, "until": text}) == Selection(Album.PEOPLE)


def test_moment_is_read_as_browsers_write_it() -> None:
    """A field for date and time separates them by a T."""
    assert Selection.parse(Album.PEOPLE, {"since": "2026-11-22T06:30"}).since == "2026-11-22 06:30"


def test_range_in_seconds_loses_nothing_of_an_hour_that_comes_twice(berlin: None) -> None:
    """On the night when clocks are put back it begins in the first 02:00 and ends after the second."""
    selection = Selection(Album.PEOPLE, since="2026-10-25 02:00", until="2026-10-25 03:00")

    assert selection.since_utc == 1792886400.0  # 00:00 UTC
    assert selection.until_utc == 1792893600.0  # 02:00 UTC
    assert (
        Selection(Album.PEOPLE, day="2026-10-25").until_utc - 25 * 3600
        == Selection(  # type: ignore[operator]
            Album.PEOPLE, day="2026-10-25"
        ).since_utc
    )
    assert Selection(Album.PEOPLE).since_utc is Selection(Album.PEOPLE).until_utc is None
    assert Selection(Album.PEOPLE, since="9998-12-31 10:00").since_utc > 4e9  # type: ignore[operator]
