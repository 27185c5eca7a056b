"""What can be asked for, and how it is written."""

from __future__ import annotations

import pytest

from camalert.config import objects


def test_no_name_is_a_part_of_another() -> None:
    """The site finds a kind in a list by its letters."""
    kinds = (objects.PERSON, *objects.GROUP_OF)
    assert not [(one, other) for one in kinds for other in kinds if one != other and one in other]


def test_kinds_of_opens_groups() -> None:
    """A group stands for its kinds, a kind for itself."""
    assert objects.kinds_of(("person", "bag", "dog")) == {"person", "backpack", "handbag", "suitcase", "dog"}


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (["person"], "1 person"),
        (["person", "dog", "person"], "2 people, 1 dog"),
        (["bus", "bus", "sheep", "sheep"], "2 buses, 2 sheep"),
        ([], ""),
    ],
)
def test_counted_says_how_many(kinds: list[str], said: str) -> None:
    """Plurals are English."""
    assert objects.counted(kinds) == said


@pytest.mark.parametrize(
    ("kinds", "text", "phrase"),
    [
        (["dog", "person", "dog"], "person,dog", "a person and a dog"),
        (["elephant"], "elephant", "an elephant"),
        (["car", "bicycle", "person"], "person,bicycle,car", "a person, a bicycle and a car"),
        (["<b>", ""], "", "a person"),
    ],
)
def test_listed_and_phrase_know_known_kinds_alone(kinds: list[str], text: str, phrase: str) -> None:
    """What somebody has spoilt is left out; nothing at all is a person, as before there was a choice."""
    assert objects.listed(kinds) == text
    assert objects.phrase(text) == phrase
