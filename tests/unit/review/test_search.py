"""What is typed into the search field, as filters, and the filters in words."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camalert.review.search import said, understand
from camalert.review.selection import Album, Selection

NOW = datetime.datetime.fromisoformat("2026-11-29 14:20")  # a Sunday
CAMERAS = ["Garage", "Front door", "Garden gate", "Terrace", "Türe West", ""]
VOCABULARY = (
    "garage front door last this night yesterday monday - to from until 14:00 2pm 28.2. november 3 hours ago % 80"
)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live where clocks are put back."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def words(text: str, now: datetime.datetime = NOW) -> str:
    """Return how a search is understood, in words."""
    found = understand(text, now, CAMERAS, ["dog", "bus"])
    return said(Selection.parse(Album.ALARMS, found.filters), now.date())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Garage yesterday night", "Garage, yesterday 18:00 to today 06:00"),
        ("yesterday 18:00-06:00", "yesterday 18:00 to today 06:00"),
        ("last night", "yesterday 18:00 to today 06:00"),
        ("tonight", "today 18:00 to Monday 30 November 06:00"),
        ("this morning", "today 06:00 to 12:00"),
        ("night", "yesterday 18:00 to today 06:00"),
        ("monday 14:00", "Monday 23 November 14:00 to 15:00"),
        ("14:00", "today 14:00 to 15:00"),
        ("16:00", "yesterday 16:00 to 17:00"),
        ("nov 28 at 3pm", "yesterday 15:00 to 16:00"),
        ("last week", "Monday 16 November to Sunday 22 November"),
        ("this week", "Monday 23 November to today"),
        ("last month", "Thursday 1 October to Saturday 31 October"),
        ("weekend", "yesterday to today"),
        ("last weekend", "Saturday 21 November to Sunday 22 November"),
        ("november 2025", "Saturday 1 November 2025 to Sunday 30 November 2025"),
        ("december", "Monday 1 December 2025 to Wednesday 31 December 2025"),
        ("sunday", "today"),
        ("last sunday", "Sunday 22 November"),
        ("last monday", "Monday 23 November"),
        ("day before yesterday", "Friday 27 November"),
        ("3 days ago", "Thursday 26 November"),
        ("two weeks ago", "Sunday 15 November"),
        ("2 hours ago", "today 12:00 to 13:00"),
        ("last 3 hours", "since today 11:20"),
        ("last 10 minutes", "since today 14:10"),
        ("28.11.", "yesterday"),
        ("29.2.", "Thursday 29 February 2024"),
        ("28/11/2025", "Friday 28 November 2025"),
        ("11/28", "yesterday"),
        ("2026-11-20 to 2026-11-22", "Friday 20 November to Sunday 22 November"),
        ("28 november 14:00 to 29 november 9:00", "yesterday 14:00 to today 09:00"),
        ("monday to friday", "Monday 23 November to Friday 27 November"),
        ("friday to monday", "Friday 20 November to Monday 23 November"),
        ("from 2pm to 4pm yesterday", "yesterday 14:00 to 16:00"),
        ("between 14 and 16", "today 14:00 to 16:00"),
        ("yesterday 2-4pm", "yesterday 14:00 to 16:00"),
        ("22:00 to 06:00", "yesterday 22:00 to today 06:00"),
        ("since monday", "since Monday 23 November"),
        ("after monday", "since Tuesday 24 November"),
        ("until friday", "until Friday 27 November 24:00"),
        ("before friday", "until Thursday 26 November 24:00"),
        ("after 18:00 yesterday", "since yesterday 18:00"),
        ("yesterday before 6", "yesterday 00:00 to 06:00"),
        ("before 6:00", "today 00:00 to 06:00"),
        ("noon", "today 12:00 to 13:00"),
    ],
)
def test_days_and_times(text: str, expected: str) -> None:
    """What people write for a day or a time is one range; what is vague is the latest in the past."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parcel at the front door", "Front door, “parcel”"),
        ("FRONT  DOOR", "Front door"),
        ("gate", "Garden gate"),
        ("türe", "Türe West"),
        ("front garage", "Garage, “front”"),
        ("DHL van yesterday afternoon", "yesterday 12:00 to 18:00, “DHL” and “van”"),
        ("front door person over 80 %", "Front door, with people, 80 % or more"),
        ("terrace nobody today", "Terrace, today, without people"),
        ("false alarms last month", "Thursday 1 October to Saturday 31 October, flagged: not a person"),
        ("flagged as wrong", "flagged as wrong"),
        ("to review today", "today, to review"),
        ("reviewed", "reviewed"),
        ("line crossing - garage", "Garage, “line” and “crossing”"),
        ("31.2.", "“31.2”"),
        ("25:99", "“25:99”"),
        ("2026-99-99", "“2026-99-99”"),
        ("last 9999 years", "“last” and “9999” and “years”"),
        ("show me all alarms", ""),
    ],
)
def test_cameras_and_what_was_found(text: str, expected: str) -> None:
    """Names of cameras, also a word that only one has; what was found; and the words that remain."""
    assert words(text) == expected


def test_objects_are_filters() -> None:
    """What is told apart beside people, in the plural too."""
    assert understand("dogs yesterday", NOW, [], ["dog"]).filters == {"day": "2026-11-28", "object": "dog"}
    assert understand("buses", NOW, [], ["bus"]).filters == {"object": "bus"}


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("garage terrace", "Terrace was left out: one camera at a time."),
        ("last week 14:00", "“14:00” was left out: a time of day needs one day."),
        ("monday tuesday", "A second day or time was left out: a search has one range."),
    ],
)
def test_what_no_filter_says_is_named(text: str, left_out: str) -> None:
    """Nothing is dropped without a word."""
    assert understand(text, NOW, CAMERAS).left_out == (left_out,)


def test_early_in_the_morning_this_night_is_the_one_that_goes_on() -> None:
    """At two in the night, "this night" and a bare "night" began yesterday."""
    early = datetime.datetime.fromisoformat("2026-11-29 02:00")

    assert words("this night", early) == words("night", early) == "yesterday 18:00 to today 06:00"


def test_last_hours_are_hours_when_clocks_change(berlin: None) -> None:
    """Three hours are three hours, also on the night when 02:00 comes twice, or never."""
    twice = datetime.datetime.fromisoformat("2026-10-25 03:30")  # 02:30 UTC
    never = datetime.datetime.fromisoformat("2026-03-29 03:30")  # 01:30 UTC

    assert understand("last 3 hours", twice, []).filters == {"since": "2026-10-25 01:30"}
    assert understand("last 3 hours", never, []).filters == {"since": "2026-03-28 23:30"}


@example("0:00-0:00;YESTERDAY")
@given(st.text() | st.lists(st.sampled_from(VOCABULARY.split()), max_size=12).map(" ".join))
def test_nothing_typed_fails(text: str) -> None:
    """Whatever is typed, the filters are ones that a list takes as they are, and can be said."""
    found = understand(text, NOW, CAMERAS, ["dog"])
    selection = Selection.parse(Album.ALARMS, found.filters)

    for name in ("since", "until", "day", "camera", "outcome"):
        assert getattr(selection, name) == found.filters.get(name, "")
    assert not (selection.since and selection.until) or selection.since < selection.until
    said(selection, NOW.date())
