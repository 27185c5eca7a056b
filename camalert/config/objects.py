"""What a camera can ask for: people, and the other things that the network knows, each by itself or as a group."""

from __future__ import annotations

from collections.abc import Iterable

PERSON = "person"
GROUPS = {
    "vehicle": ("bicycle", "car", "motorcycle", "bus", "train", "truck", "boat"),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    "bag": ("backpack", "handbag", "suitcase"),
}
GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
NAMES = (PERSON, *GROUPS, *GROUP_OF)
_PLURALS = {PERSON: "people", "bus": "buses", "sheep": "sheep"}


def kinds_of(names: Iterable[str]) -> frozenset[str]:
    """Return the kinds that names of kinds and of groups stand for."""
    return frozenset(kind for name in names for kind in GROUPS.get(name, (name,)))


def counted(kinds: Iterable[str]) -> str:
    """Say how many of each kind there are, in their order: "2 people, 1 dog"."""
    numbers: dict[str, int] = {}
    for kind in kinds:
        numbers[kind] = numbers.get(kind, 0) + 1
    return ", ".join(
        f"{number} {kind if number == 1 else _PLURALS.get(kind, kind + 's')}" for kind, number in numbers.items()
    )


def listed(kinds: Iterable[str]) -> str:
    """Write kinds as the database has them: each once, in the order of `NAMES`, joined by commas."""
    found = set(kinds)
    return ",".join(name for name in NAMES if name in found)


def phrase(text: str) -> str:
    """Turn what `listed` wrote into words: "a person and a dog"; "" stays a person, as before there was a choice."""
    kinds = [kind for kind in text.split(",") if kind in NAMES] or [PERSON]
    names = [("an " if kind[0] in "aeiou" else "a ") + kind for kind in kinds]
    return " and ".join((", ".join(names[:-1]), names[-1]) if len(names) > 1 else names)
