"""How hard a frame is looked at: one look at the whole, and more where that leaves doubt.

Compute layer. docs/detection.md has the measurements that these plans come from.

    whole frame ──▶ best score clearly high or low ───────────────────────────────▶ done
               └──▶ in doubt ──▶ whole frame, mirrored, brightened when dark ─┐
                            └──▶ the doubtful places alone, enlarged ─────────┴──▶ mean of the looks
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from camalert.detection.boxes import (
    Boxes,
    agreement,
    inside,
    merged,
    plausible,
    shifted,
    with_scores,
)
from camalert.detection.picodet import View
from camalert.frames import Frame

Side: TypeAlias = tuple[int, int]  # height and width of the network's input
Look: TypeAlias = Callable[[Frame, View], Boxes]


@dataclass(frozen=True, slots=True)
class Plan:
    """One effort: which looks are made."""

    first: Side
    even: float  # the network's score that means as much as not: `calibrated` makes 0.5 of it
    doubt: tuple[float, float] | None = None  # best scores between these deserve more looks
    second: Side = (0, 0)  # of the whole frame, mirrored
    close: Side = (0, 0)  # of each doubtful place
    places: int = 0  # how many of those at most


# Measured on 182 surveillance pictures with people and 143 without. "Even" is where 5 in 100 of those without are
# false alarms, so that a threshold of 0.5 is that working point for every effort. The cost is in looks at 640x640.
PLANS = {
    # recall 0.907 at 5 % false alarms, AUC 0.972, cost 0.5
    "fast": Plan(first=(384, 512), even=0.31),
    # recall 0.951 at 5 % false alarms, AUC 0.986, cost 1.2
    "balanced": Plan(first=(512, 512), even=0.285, doubt=(0.1, 0.55), second=(512, 512), close=(256, 256), places=2),
    # recall 0.956 at 5 % false alarms, AUC 0.985, cost 2.5
    "thorough": Plan(first=(640, 640), even=0.315, doubt=(0.05, 0.8), second=(512, 512), close=(384, 384), places=4),
}

CONTEXT = 1.5  # the side of an enlarged place, in sides of its box: a person is judged by what is around too
SMALLEST_PLACE_PX = 64  # below it, enlarging shows no more than blocks

# A frame darker than DARK (mean, 0 to 1) is brightened to it for the second look, though no further than GAMMA_LEAST.
DARK, GAMMA_LEAST = 0.35, 0.45
_SAMPLE_STEP = 4  # every fourth pixel is enough for a mean


def sides(plan: Plan) -> tuple[Side, ...]:
    """Return the input sizes that a plan uses."""
    return tuple(dict.fromkeys(side for side in (plan.first, plan.second, plan.close) if side != (0, 0)))


def examine(look: Look, frame: Frame, plan: Plan) -> Boxes:
    """Look at a frame as hard as the plan says and return everybody found, best first."""
    shape = frame.shape[0], frame.shape[1]
    first = plausible(look(frame, View(*_oriented(plan.first, shape))), shape)
    best = float(first[0, 4]) if len(first) else 0.0
    if plan.doubt is None or not plan.doubt[0] < best < plan.doubt[1]:
        return first
    gamma = brightening(frame)
    second = plausible(look(frame, View(*_oriented(plan.second, shape), gamma, is_mirrored=True)), shape)
    found = merged(first, second)
    found = with_scores(found, (agreement(found, first) + agreement(found, second)) / 2)
    close = np.zeros(len(found), np.float32)
    is_seen = np.zeros(len(found), np.bool_)
    for _ in range(plan.places):
        if is_seen.all():
            break
        region = place(found[int(np.argmin(is_seen))], shape)
        is_covered = inside(found, region)
        close = np.maximum(
            close, np.where(is_covered, agreement(found, _look_close(look, frame, region, plan, gamma)), 0)
        )
        is_seen |= is_covered
    return with_scores(found, (2 * found[:, 4] + close) / 3)


def brightening(frame: Frame) -> float:
    """Return the gamma that lifts a dark frame to a mean of `DARK`; 1 for any other."""
    mean = float(frame[::_SAMPLE_STEP, ::_SAMPLE_STEP].mean()) / 255
    if mean >= DARK:
        return 1.0
    # In steps, because each gamma has its own table.
    return max(GAMMA_LEAST, round(math.log(DARK) / math.log(max(mean, 0.02)), 1))


def place(box: Boxes, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the square around a box, left, top, right, bottom, shifted to lie within the frame."""
    height, width = shape
    side = max(CONTEXT * float(max(box[2], box[3])), SMALLEST_PLACE_PX)
    tall, wide = min(round(side), height), min(round(side), width)
    left = min(max(0, round(float(box[0] + box[2] / 2) - wide / 2)), width - wide)
    top = min(max(0, round(float(box[1] + box[3] / 2) - tall / 2)), height - tall)
    return left, top, left + wide, top + tall


def _look_close(look: Look, frame: Frame, region: tuple[int, int, int, int], plan: Plan, gamma: float) -> Boxes:
    left, top, right, bottom = region
    part = frame[top:bottom, left:right]
    boxes = shifted(look(part, View(*plan.close, gamma, is_mirrored=True)), left, top)
    return plausible(boxes, (frame.shape[0], frame.shape[1]))


def _oriented(side: Side, shape: tuple[int, int]) -> Side:
    """Turn an oblong input for an upright frame."""
    return (side[1], side[0]) if shape[0] > shape[1] else side
