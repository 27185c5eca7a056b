"""Boxes of people and how they compare: moved, matched, merged, and made one a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from camalert.config.objects import PERSON
from camalert.detection.looks import Boxes, Size
from camalert.detection.people import Person

Scores: TypeAlias = npt.NDArray[np.floating]

SAME = 0.4  # two looks mean the same person when their boxes share this part of their union
PART = 0.8  # a box that lies so far within a better one is a part of the same person

CROP_SIDE = 1.5  # of a crop, in sides of its box: a person is judged by the surroundings too
SMALLEST_CROP_PX = 64  # below it, enlarging shows no more than blocks

# A box over much of the picture is rarely a person: leaves, fur and dark rooms can look like one. Up to
# the first share of the picture nothing is taken off the score, from the second on half of it.
LARGE_FROM, LARGE_TO, LARGE_LOSS = 0.2, 0.7, 0.5


def none() -> Boxes:
    """Return no boxes."""
    return np.empty((0, 5), np.float32)


def plausible(boxes: Boxes, shape: Size) -> Boxes:
    """Take from the score of boxes that cover much of the frame."""
    share = boxes[:, 2] * boxes[:, 3] / (shape[0] * shape[1])
    loss = LARGE_LOSS * np.clip((share - LARGE_FROM) / (LARGE_TO - LARGE_FROM), 0, 1)
    return with_scores(boxes, boxes[:, 4] * (1 - loss))


def with_scores(boxes: Boxes, scores: Scores) -> Boxes:
    """Return the same boxes with other scores, best first."""
    changed: Boxes = np.concatenate((boxes[:, :4], scores[:, np.newaxis]), axis=1, dtype=np.float32)
    return changed[np.argsort(-scores, kind="stable")]


def shifted(boxes: Boxes, x: int, y: int) -> Boxes:
    """Move the boxes of a part of a frame to where the part lies in it."""
    moved = boxes.copy()
    moved[:, 0] += x
    moved[:, 1] += y
    return moved


def crop_around(box: Boxes, shape: Size) -> tuple[int, int, int, int]:
    """Return the square around a box, left, top, right, bottom, shifted to lie within the frame."""
    height, width = shape
    side = max(CROP_SIDE * float(max(box[2], box[3])), SMALLEST_CROP_PX)
    tall, wide = min(round(side), height), min(round(side), width)
    left = min(max(0, round(float(box[0] + box[2] / 2) - wide / 2)), width - wide)
    top = min(max(0, round(float(box[1] + box[3] / 2) - tall / 2)), height - tall)
    return left, top, left + wide, top + tall


def distinct(boxes: Boxes) -> list[int]:
    """Return which boxes are kept, one for each person: not those that a better one overlaps or holds nearly whole."""
    kept: list[int] = []
    common = _common(boxes, boxes)
    area = boxes[:, 2] * boxes[:, 3]
    for index in range(len(boxes)):
        shared = common[index, kept]
        is_same = shared > SAME * (area[index] + area[kept] - shared)
        is_part = shared > PART * area[index]
        if not (is_same | is_part).any():
            kept.append(index)
    return kept


def agreement(boxes: Boxes, others: Boxes) -> Scores:
    """Return for each box the score that another look gives the same person, 0 where it sees nobody."""
    if not len(boxes) or not len(others):
        return np.zeros(len(boxes), np.float32)
    best: Scores = np.where(_overlap(boxes, others) > SAME, others[np.newaxis, :, 4], 0).max(axis=1)
    return best


def merged(boxes: Boxes, others: Boxes) -> Boxes:
    """Add the boxes of another look that show nobody seen so far."""
    if not len(boxes) or not len(others):
        return boxes if len(boxes) else others
    is_new = (_overlap(others, boxes) <= SAME).all(axis=1)
    both: Boxes = np.concatenate((boxes, others[is_new]))
    return both[np.argsort(-both[:, 4], kind="stable")]


def inside(boxes: Boxes, region: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    """Tell which boxes lie wholly in a region given by left, top, right, bottom."""
    left, top, right, bottom = region
    x, y, width, height = boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3]
    is_within: npt.NDArray[np.bool_] = (
        (x >= left - 1) & (y >= top - 1) & (x + width <= right + 1) & (y + height <= bottom + 1)
    )
    return is_within


def to_people(boxes: Boxes, shape: Size, kinds: Sequence[str] = ()) -> list[Person]:
    """Turn boxes into people, or into things where their kinds are given, in whole pixels within the frame."""
    return [
        _to_person([float(value) for value in box], shape, kind)
        for box, kind in zip(boxes, kinds or [PERSON] * len(boxes), strict=True)
    ]


def _to_person(box: list[float], shape: Size, kind: str) -> Person:
    height, width = shape
    x, y = min(max(0, round(box[0])), width - 1), min(max(0, round(box[1])), height - 1)
    right, bottom = round(box[0] + box[2]), round(box[1] + box[3])
    return Person(x, y, max(1, min(right, width) - x), max(1, min(bottom, height) - y), box[4], kind)


def _overlap(boxes: Boxes, others: Boxes) -> Scores:
    """Return the share of the union that each pair of boxes has in common, (n, m)."""
    common = _common(boxes, others)
    area, other_area = boxes[:, 2] * boxes[:, 3], others[:, 2] * others[:, 3]
    shares: Scores = common / np.maximum(area[:, np.newaxis] + other_area - common, 1e-6)
    return shares


def _common(boxes: Boxes, others: Boxes) -> Scores:
    """Return the area in px that each pair of boxes has in common, (n, m)."""
    first, second = boxes[:, np.newaxis], others[np.newaxis]
    wide = np.minimum(first[..., 0] + first[..., 2], second[..., 0] + second[..., 2]) - np.maximum(
        first[..., 0], second[..., 0]
    )
    tall = np.minimum(first[..., 1] + first[..., 3], second[..., 1] + second[..., 3]) - np.maximum(
        first[..., 1], second[..., 1]
    )
    common: Scores = np.clip(wide, 0, None) * np.clip(tall, 0, None)
    return common
