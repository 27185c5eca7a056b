"""A look: how a frame is shown to a network, and what every network answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from camalert.decoding.frames import Frame

# (n, 5) float32: x, y, width, height in px of the frame, score from 0 to 1; best first.
Boxes: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float32]
Size: TypeAlias = tuple[int, int]  # height and width in px

FLOOR = 0.02  # a score below it means nothing; it bounds what is decoded at all

# A frame darker than DARK (mean, 0 to 1) is brightened to it for a further look, though no further than GAMMA_LEAST.
DARK, GAMMA_LEAST = 0.35, 0.45
_SAMPLE_STEP = 4  # every fourth pixel is enough for a mean


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in a frame: people, and of the other things each with what it is."""

    people: Boxes
    others: Boxes
    kinds: tuple[str, ...] = ()  # of each of `others`


@dataclass(frozen=True, slots=True)
class View:
    """How a frame is shown to a network."""

    height: int  # of the input; the frame is stretched to it
    width: int
    gamma: float = 1.0  # below 1 it brightens the dark parts
    is_mirrored: bool = False


class Prepared(Protocol):
    """Turn a frame into a network's input."""

    def __call__(self, frame: Frame, view: View) -> npt.NDArray[Any]:
        """Return the input."""


class Look(Protocol):
    """A network with its decoder."""

    def __call__(self, frame: Frame, view: View) -> Seen:
        """Return what is seen in a frame, in its pixels, best first, the uncertain included."""


def brightening(frame: Frame) -> float:
    """Return the gamma that lifts a dark frame to a mean of `DARK`; 1 for any other."""
    mean = float(frame[::_SAMPLE_STEP, ::_SAMPLE_STEP].mean()) / 255
    if mean >= DARK:
        return 1.0
    # In steps, because each gamma has its own table.
    return max(GAMMA_LEAST, round(math.log(DARK) / math.log(max(mean, 0.02)), 1))


def oriented(size: Size, shape: Size) -> Size:
    """Turn an oblong input for an upright frame."""
    return (size[1], size[0]) if shape[0] > shape[1] else size
