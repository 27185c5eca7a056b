"""Where the people in a picture are, and the part of it that shows them best in a list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from camalert.config.objects import NAMES, PERSON

MOST = 50  # boxes of a picture that are read
SHAPE = 16 / 10  # width to height of a picture in a list
LEAST = 0.42  # of the picture's width or height: what is cut closer shows no surroundings, and few pixels
MARGIN = 0.35  # of the people's size, around them


@dataclass(frozen=True, slots=True)
class Box:
    """A person or thing found: a box in pixels of the examined picture, a score from 0 to 1, and what it is."""

    x: float
    y: float
    width: float
    height: float
    score: float
    kind: str = PERSON

    @property
    def percent(self) -> int:
        """Return the score in percent, at most 99: no detection is certain."""
        return min(99, round(self.score * 100))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the examined picture, in its pixels."""

    x: float
    y: float
    width: float
    height: float


def read(people: str | None) -> tuple[Box, ...]:
    """Return the boxes in the facts' JSON, none when it is damaged."""
    try:
        found = json.loads(people or "[]")
        return tuple(_box(person) for person in found[:MOST])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _box(person: dict[str, Any]) -> Box:
    x, y, width, height, score = (float(person[name]) for name in ("x", "y", "width", "height", "score"))
    kind = str(person.get("kind"))
    return Box(x, y, width, height, score, kind if kind in NAMES else PERSON)


def around(boxes: Sequence[Box], width_px: float, height_px: float) -> Part | None:
    """Return the part of a picture that shows its people, in the shape of a list's pictures; None for no people.

    All of them when they fit; else the heads, which are at the top.

    Args:
        boxes: In pixels of the examined picture; those outside of it are left out.
        width_px: The examined picture's width, above 0.
        height_px: Its height, above 0.
    """
    inside = [box for box in boxes if _is_inside(box, width_px, height_px)]
    if not inside or width_px <= 0 or height_px <= 0:
        return None
    left, top = min(box.x for box in inside), min(box.y for box in inside)
    right, bottom = max(box.x + box.width for box in inside), max(box.y + box.height for box in inside)
    wide = max((right - left) * (1 + MARGIN), LEAST * width_px)
    high = max((bottom - top) * (1 + MARGIN), LEAST * height_px)
    wide, high = max(wide, high * SHAPE), max(high, wide / SHAPE)
    scale = min(1.0, width_px / wide, height_px / high)
    wide, high = wide * scale, high * scale
    x = min(max(0.0, (left + right - wide) / 2), width_px - wide)
    # Centred when they fit with a margin, else with a little space above the highest head.
    y = (top + bottom - high) / 2 if bottom - top <= high else top - 0.05 * high
    return Part(x, min(max(0.0, y), height_px - high), wide, high)


def middle(width_px: float, height_px: float) -> Part:
    """Return the part of a whole picture that the shape of a list's pictures leaves of it, cut by the browser."""
    wide, high = min(width_px, height_px * SHAPE), min(height_px, width_px / SHAPE)
    return Part((width_px - wide) / 2, (height_px - high) / 2, wide, high)


def _is_inside(box: Box, width_px: float, height_px: float) -> bool:
    # Written so that a NaN is outside.
    return (
        0 < box.width <= width_px * 2
        and 0 < box.height <= height_px * 2
        and -box.width < box.x < width_px
        and -box.height < box.y < height_px
    )
