"""What the marks of a camera say about its threshold: lowered where somebody was missed, or another one proposed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STEP = 0.05  # that one picture marked *missed a person* lowers a threshold at most
LEAST_SHARE = 0.6  # of the threshold that is left in any case: 0.3 of 0.5
MISSED_MOST = 16  # more cannot lower it further

LOWEST, HIGHEST = 0.2, 0.95  # of what is proposed: beyond lie noise, and those who are hardly ever so sure
LEAST_PICTURES = 8  # that somebody has looked at, before anything is proposed
MISSED_WEIGHT = 3  # a person missed weighs as much as so many false alarms
LEAST_GAIN = 2  # in the same unit: one picture alone changes nothing
MARGIN = 0.01  # from the score that decides


def lowered(base: float, missed: Iterable[float]) -> float:
    """Return a camera's threshold after some people were missed.

    Each of them lowers it by a step at most, and no further than needed to find all that can be found so.

    Args:
        base: The threshold by the configuration.
        missed: The best score in each picture marked *missed a person*.
    """
    least = base * LEAST_SHARE
    reachable = sorted((score for score in missed if least <= score < base), reverse=True)[:MISSED_MOST]
    if not reachable:
        return base
    return max(least, reachable[-1], base - STEP * len(reachable))


@dataclass(frozen=True, slots=True)
class Judged:
    """A picture that somebody has looked at: its best score, and whether there is a person in it."""

    score: float
    has_person: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A threshold for a camera, and what it would have changed among the pictures that somebody has looked at."""

    threshold: float
    instead_of: float
    pictures: int  # looked at
    found: int  # people that were missed and would have been found
    spared: int  # false alarms that would not have been
    lost: int  # people that would have been missed
    added: int  # false alarms that would have been more

    def __str__(self) -> str:
        """Say it in a sentence."""
        changes = [
            f"{count} {noun if count == 1 else nouns} {what}"
            for count, noun, nouns, what in (
                (self.found, "missed person", "missed people", "found"),
                (self.spared, "false alarm", "false alarms", "less"),
                (self.lost, "person", "people", "missed"),
                (self.added, "false alarm", "false alarms", "more"),
            )
            if count
        ]
        return (
            f"{self.threshold:.2f} instead of {self.instead_of:.2f}: of {self.pictures} pictures that were looked at, "
            + ", ".join(changes)
        )


def propose(judged: Sequence[Judged], now: float) -> Proposal | None:
    """Propose a threshold for a camera, None when nothing speaks for another one.

    Args:
        judged: The pictures that somebody has looked at; what known objects explain left out.
        now: The threshold in force.
    """
    if len(judged) < LEAST_PICTURES:
        return None
    kept = _cost(judged, now)
    options = {round(score + side, 2) for one in judged for score in (one.score,) for side in (MARGIN, -MARGIN)}
    # Of equally good ones the nearest: an owner's choice is left alone where it makes no difference.
    best = min(
        (option for option in options if LOWEST <= option <= HIGHEST),
        key=lambda option: (_cost(judged, option), abs(option - now)),
        default=now,
    )
    if kept - _cost(judged, best) < LEAST_GAIN:
        return None
    lower, higher = min(best, now), max(best, now)
    between = [one for one in judged if lower <= one.score < higher]
    people = sum(one.has_person for one in between)
    others = len(between) - people
    is_lower = best < now
    return Proposal(
        threshold=best,
        instead_of=now,
        pictures=len(judged),
        found=people if is_lower else 0,
        spared=0 if is_lower else others,
        lost=0 if is_lower else people,
        added=others if is_lower else 0,
    )


def _cost(judged: Sequence[Judged], threshold: float) -> int:
    """Return how much a threshold gets wrong, in false alarms."""
    return sum(MISSED_WEIGHT if one.has_person else 1 for one in judged if one.has_person != (one.score >= threshold))
