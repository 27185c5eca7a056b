"""The council: two networks of different make, asked in turn until a picture is clear, and one verdict out of all.

docs/internals/detection.md has the measurements that the weights come from.

    PicoDet, whole frame ──▶ sure ───────────────────────────────────────▶ verdict
          └──▶ in doubt ──▶ SSD, whole frame ──▶ sure ───────────────────▶ verdict
                                 └──▶ in doubt ──▶ PicoDet, close ───────▶ verdict

Every box that one of them sees is a candidate. Its log-odds are a bias and, of each look so far, a weight times the
log-odds of the score that the look gives to the same place; who sees nobody there speaks against it. The picture is as
clear as its best candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from camalert.decoding.frames import Frame
from camalert.detection.boxes import Scores, agreement, merged, none, plausible, with_scores
from camalert.detection.looks import Boxes, Look, Seen, Size, View, brightening, oriented
from camalert.detection.passes import closely

# Nobody is more certain than this of anything: else one network's blindness would outvote the others.
LEAST, MOST = 0.01, 0.995
SECOND = (300, 300)  # height and width of the SSD's input, which its file fixes
# The SSD hardly sees anybody who is lower than this share of the frame, so that its silence says little about them.
FAR = 0.12
SEEN = 0.05  # a box of at least this score is a candidate
CANDIDATES = 12  # of one look at most


@dataclass(frozen=True, slots=True)
class Stage:
    """What is made of the looks so far."""

    bias: float
    weights: tuple[float, ...]  # PicoDet, SSD, close looks
    doubt: tuple[float, float] = (0.0, 0.0)  # while the best log-odds lie between, the next stage is asked
    far: Stage | None = None  # what else may be made of them for who is far away


@dataclass(frozen=True, slots=True)
class Effort:
    """Which looks are made, and when they are enough."""

    first: Size  # of PicoDet's input
    stages: tuple[Stage, ...]
    close: Size = (0, 0)  # of PicoDet's input for each crop
    crops: int = 0  # at most


# The weights are learned on one set of pictures (325) and measured on another; each bias puts the score at 5 % false
# alarms at 0.5, so that the threshold means the same for every effort and engine. `thorough` is not here: see `passes`.
EFFORTS = {
    "fast": Effort(first=(384, 512), stages=(Stage(0.80, (1.0,)),)),
    "balanced": Effort(
        first=(512, 512),
        stages=(
            Stage(1.84, (2.28,), doubt=(-2.5, 2.4)),
            Stage(3.21, (1.84, 1.23), doubt=(-1.2, 2.0), far=Stage(0.5, (2.0, 0.0))),
            Stage(3.45, (1.30, 0.97, 1.11), far=Stage(1.0, (1.4, 0.0, 1.3))),
        ),
        close=(256, 256),
        crops=2,
    ),
}


@dataclass(frozen=True, slots=True)
class Looks:
    """The networks that are asked."""

    picodet: Look
    ssd: Look


def examine(looks: Looks, frame: Frame, effort: Effort) -> Seen:
    """Ask until it is clear who is in a frame; return everybody, best first, with calibrated scores.

    Other things are those that the first look sees.
    """
    shape = frame.shape[0], frame.shape[1]
    seen = looks.picodet(frame, View(*oriented(effort.first, shape)))
    first = plausible(seen.people, shape)
    candidates = strongest(first)
    odds = log_odds([agreement(candidates, first)], effort.stages[0])
    if is_clear(odds, effort, 1):
        return replace(seen, people=verdict(candidates, odds))
    second = plausible(looks.ssd(frame, View(*SECOND)).people, shape)
    candidates = merged(candidates, strongest(second))
    votes = [agreement(candidates, first), agreement(candidates, second)]
    odds = judged(candidates, votes, effort.stages[1], shape[0])
    if is_clear(odds, effort, 2):
        return replace(seen, people=verdict(candidates, odds))
    view = View(*effort.close, brightening(frame), is_mirrored=True)
    votes.append(closely(looks.picodet, frame, view, candidates, odds, effort.crops))
    return replace(seen, people=verdict(candidates, judged(candidates, votes, effort.stages[2], shape[0])))


def judged(candidates: Boxes, votes: Sequence[Scores], stage: Stage, frame_height: int) -> Scores:
    """Return the log-odds of each candidate: of one who is far away the better of those with and without the SSD."""
    odds = log_odds(votes, stage)
    if stage.far is None:
        return odds
    is_far = candidates[:, 3] < FAR * frame_height
    return np.where(is_far, np.maximum(odds, log_odds(votes, stage.far)), odds)


def log_odds(votes: Sequence[Scores], stage: Stage) -> Scores:
    """Return the log-odds of each candidate.

    Args:
        votes: Of each look in turn, the score that it gives to each candidate.
    """
    odds: Scores = np.full(len(votes[0]), stage.bias)
    for weight, scores in zip(stage.weights, votes, strict=True):
        held = np.clip(scores.astype(np.float64), LEAST, MOST)
        odds = odds + weight * np.log(held / (1 - held))
    return odds


def is_clear(odds: Scores, effort: Effort, asked: int) -> bool:
    """Tell whether the stages asked so far are enough: no stage is left, or the best candidate is beyond doubt."""
    if asked == len(effort.stages):
        return True
    best = float(odds.max()) if len(odds) else -np.inf
    low, high = effort.stages[asked - 1].doubt
    return not low < best < high


def strongest(boxes: Boxes) -> Boxes:
    """Return the boxes of a look that are worth a question."""
    return boxes[boxes[:, 4] >= SEEN][:CANDIDATES]


def verdict(candidates: Boxes, odds: Scores) -> Boxes:
    """Return the candidates with their probabilities, best first."""
    return with_scores(candidates, 1 / (1 + np.exp(-odds))) if len(candidates) else none()
