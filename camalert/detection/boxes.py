"""Boxes of several looks at one frame: moved into one frame of reference, matched, and made one score.

Compute layer, arithmetic on small arrays only.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from camalert.detection.people import Person

# (n, 5) float32: x, y, width, height in px of the frame, score from 0 to 1; best first.
Boxes: TypeAlias = npt.NDArray[np.float32]
Scores: TypeAlias = npt.NDArray[np.floating]

SAME = 0.4  # two looks mean the same person when their boxes share this part of their union
PART = 0.8  # a box that lies so far within a better one is a part of the same person

# A box over much of the picture is rarely a person: it is what the network says of leaves, fur and dark rooms. Up to
# this share of the picture nothing is taken off, at the second share and beyond half of the score.
VAGUE_FROM, VAGUE_TO, VAGUE_LOSS = 0.2, 0.7, 0.5


def plausible(boxes: Boxes, frame_shape: tuple[int, int]) -> Boxes:
    """Take from the score of boxes that cover much of the frame."""
    share = boxes[:, 2] * boxes[:, 3] / (frame_shape[0] * frame_shape[1])
    loss = VAGUE_LOSS * np.clip((share - VAGUE_FROM) / (VAGUE_TO - VAGUE_FROM), 0, 1)
    return with_scores(boxes, boxes[:, 4] * (1 - loss))


def calibrated(boxes: Boxes, even: float) -> Boxes:
    """Shift the odds of all scores so that the score `even` becomes 0.5."""
    scores = np.clip(boxes[:, 4], 0, 1)
    return with_scores(boxes, scores / (scores + (1 - scores) * (even / (1 - even))))


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


def distinct(boxes: Boxes) -> Boxes:
    """Keep one box for each person: drop those that a better one overlaps or holds nearly whole."""
    kept: list[int] = []
    common = _common(boxes, boxes)
    area = boxes[:, 2] * boxes[:, 3]
    for index in range(len(boxes)):
        shared = common[index, kept]
        is_same = shared > SAME * (area[index] + area[kept] - shared)
        is_part = shared > PART * area[index]
        if not (is_same | is_part).any():
            kept.append(index)
    return boxes[kept]


def agreement(boxes: Boxes, others: Boxes) -> Scores:
    """Return for each box the score that another look gives the same person, 0 where it sees nobody."""
    if not len(boxes) or not len(others):
        return np.zeros(len(boxes), np.float32)
    best: Scores = np.where(_overlap(boxes, others) > SAME, others[np.newaxis, :, 4], 0).max(axis=1)
    return best


def merged(boxes: Boxes, others: Boxes) -> Boxes:
    """Add the boxes of another look that mean nobody seen so far."""
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


def to_people(boxes: Boxes, frame_shape: tuple[int, int]) -> list[Person]:
    """Turn boxes into people, in whole pixels within the frame."""
    return [_to_person([float(value) for value in box], frame_shape) for box in boxes]


def _to_person(box: list[float], frame_shape: tuple[int, int]) -> Person:
    height, width = frame_shape
    x, y = min(max(0, round(box[0])), width - 1), min(max(0, round(box[1])), height - 1)
    right, bottom = round(box[0] + box[2]), round(box[1] + box[3])
    return Person(x, y, max(1, min(right, width) - x), max(1, min(bottom, height) - y), box[4])


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
