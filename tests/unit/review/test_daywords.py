"""A search in the language of the page finds what the same search in English finds."""

from __future__ import annotations

import datetime

import pytest

from camalert.review.daywords import in_english
from camalert.review.search import understand

NOW = datetime.datetime(2026, 11, 29, 12, 0)  # noqa: DTZ001 - local, as everywhere on the site


@pytest.mark.parametrize(
    ("language", "asked", "english"),
    [
        ("de", "garage gestern abend", "garage yesterday evening"),
        ("de", "Dienstag bis Freitag", "Tuesday to Friday"),
        ("de", "3. März 2026", "3. march 2026"),
        ("de", "Fehlalarme letzte Woche", "false alarms last week"),
        ("de", "heute 14 Uhr", "today 14 o'clock"),
        ("es", "garage ayer noche", "garage yesterday night"),
        ("fr", "garage hier soir", "garage yesterday evening"),
        ("it", "garage ieri sera", "garage yesterday evening"),
        ("nl", "garage gisteravond", "garage yesterday evening"),
        ("pt", "garage ontem à noite", "garage yesterday night"),
        ("pt", "segunda-feira", "monday"),
        ("de", "garage yesterday night", "garage yesterday night"),
    ],
)
def test_words_of_the_language_are_understood(language: str, asked: str, english: str) -> None:
    """Also the example that the search field shows, and English in every language."""
    found = understand(asked, NOW, ["Garage"], (), language)

    assert found == understand(english, NOW, ["Garage"])
    assert found.filters.keys() & {"since", "day", "mark"}
    assert "words" not in found.filters


def test_names_of_cameras_are_no_days() -> None:
    """A camera is taken before any word is read as a day; other words stay."""
    assert understand("Abend", NOW, ["Abend"], (), "de").filters == {"camera": "Abend"}
    assert in_english("Montage am Tor", "de") == "Montage am Tor"
    assert in_english("gestern", "xx") == "gestern"
