"""Covering arrays: few rows in which every pair of values of two factors meets at least once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any


def pairwise(*factors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return rows that hold every pair of values of any two factors.

    Deterministic: each row is, of all combinations, the one that covers the most missing pairs, the first of equal
    ones. For tables of some hundred cells that is quick, and within a few rows of the smallest possible.
    """
    rows: list[tuple[Any, ...]] = []
    candidates = list(itertools.product(*factors))
    missing = {pair for row in candidates for pair in _pairs(row)}
    while missing:
        best = max(candidates, key=lambda row: sum(pair in missing for pair in _pairs(row)))
        rows.append(best)
        missing.difference_update(_pairs(best))
    return rows


def _pairs(row: tuple[Any, ...]) -> list[tuple[tuple[int, Any], tuple[int, Any]]]:
    return list(itertools.combinations(enumerate(row), 2))
