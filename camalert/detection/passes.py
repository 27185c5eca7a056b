"""The passes over a frame: one over the whole, more where that is uncertain, and one box a person out of all of them.

docs/internals/detection.md has the measurements that these plans come from.

    whole frame ──▶ best score clearly high or low ─────────────────────────────▶ done
               └──▶ uncertain ──▶ whole frame, mirrored, brightened when dark ─┐
                             └──▶ crops around uncertain boxes, enlarged ──────┴──▶ mean of the passes
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from camalert.decoding.frames import Frame
from camalert.detection.boxes import Scores, agreement, crop_around, inside, merged, plausible, shifted, with_scores
from camalert.detection.looks import Boxes, Look, Seen, Size, View, brightening, oriented


@dataclass(frozen=True, slots=True)
class Plan:
    """One effort: which passes are made."""

    first: Size  # of the network's input
    midpoint: float  # the network's score that `calibrated` turns into 0.5
    uncertain: tuple[float, float] | None = None  # best scores between these get more passes
    second: Size = (0, 0)  # of the whole frame, mirrored
    close: Size = (0, 0)  # of each crop
    crops: int = 0  # at most


# Measured on 182 surveillance pictures with people and 143 without. The midpoint is the score at 5 % false alarms, so
# that a threshold of 0.5 is that working point for every effort. The cost is in passes at 640x640.
PLANS = {
    # recall 0.907 at 5 % false alarms, AUC 0.972, cost 0.5
    "fast": Plan(first=(384, 512), midpoint=0.31),
    # recall 0.951 at 5 % false alarms, AUC 0.986, cost 1.2
    "balanced": Plan(
        first=(512, 512), midpoint=0.285, uncertain=(0.1, 0.55), second=(512, 512), close=(256, 256), crops=2
    ),
    # recall 0.956 at 5 % false alarms, AUC 0.985, cost 2.6
    "thorough": Plan(
        first=(640, 640), midpoint=0.315, uncertain=(0.05, 0.8), second=(512, 512), close=(384, 384), crops=4
    ),
}


def input_sizes(plan: Plan) -> tuple[Size, ...]:
    """Return the sizes of the network's input that a plan uses."""
    return tuple(dict.fromkeys(size for size in (plan.first, plan.second, plan.close) if size != (0, 0)))


def examine(run_pass: Look, frame: Frame, plan: Plan) -> Seen:
    """Make the passes of a plan over a frame and return what is found, best first, people's scores not yet calibrated.

    Other things are those that the first pass sees.
    """
    shape = frame.shape[0], frame.shape[1]
    seen = run_pass(frame, View(*oriented(plan.first, shape)))
    first = plausible(seen.people, shape)
    best = float(first[0, 4]) if len(first) else 0.0
    if plan.uncertain is None or not plan.uncertain[0] < best < plan.uncertain[1]:
        return replace(seen, people=first)
    gamma = brightening(frame)
    second = plausible(run_pass(frame, View(*oriented(plan.second, shape), gamma, is_mirrored=True)).people, shape)
    found = merged(first, second)
    found = with_scores(found, (agreement(found, first) + agreement(found, second)) / 2)
    close = closely(run_pass, frame, View(*plan.close, gamma, is_mirrored=True), found, found[:, 4], plan.crops)
    return replace(seen, people=with_scores(found, (2 * found[:, 4] + close) / 3))


def closely(  # noqa: PLR0913, PLR0917 - what is looked at, and how
    look: Look, frame: Frame, view: View, candidates: Boxes, order: Scores, crops: int
) -> Scores:
    """Look closely at the best candidates, several at once where they stand together; return their scores there.

    Args:
        view: How each crop is shown to the network.
        candidates: Boxes in the frame.
        order: What makes a candidate the best one, of each.
        crops: How many crops at most.
    """
    shape = frame.shape[0], frame.shape[1]
    scores: Scores = np.zeros(len(candidates), np.float32)
    is_seen = np.zeros(len(candidates), np.bool_)
    for _ in range(crops):
        if is_seen.all():
            break
        best = int(np.argmax(np.where(is_seen, -np.inf, order)))
        left, top, right, bottom = region = crop_around(candidates[best], shape)
        is_covered = inside(candidates, region)
        is_covered[best] = True  # also one larger than the frame leaves room around
        seen = plausible(shifted(look(frame[top:bottom, left:right], view).people, left, top), shape)
        scores = np.maximum(scores, np.where(is_covered, agreement(candidates, seen), 0))
        is_seen |= is_covered
    return scores


def judged(run_pass: Look, frame: Frame, plan: Plan) -> Seen:
    """Return what the passes of a plan find, best first, people with calibrated scores."""
    seen = examine(run_pass, frame, plan)
    return replace(seen, people=calibrated(seen.people, plan.midpoint))


def calibrated(boxes: Boxes, midpoint: float) -> Boxes:
    """Shift the odds of all scores so that the score `midpoint` becomes 0.5."""
    scores = np.clip(boxes[:, 4], 0, 1)
    return with_scores(boxes, scores / (scores + (1 - scores) * (midpoint / (1 - midpoint))))
