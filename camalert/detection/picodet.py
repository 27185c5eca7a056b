"""PicoDet: a frame becomes the network's input, its outputs become people.

Shared by every engine that runs this network, so that all of them give the same scores. The network was trained by the
authors of PaddleDetection; models/README.md says where it comes from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from camalert.detection.people import Person
from camalert.frames import Frame

Floats: TypeAlias = npt.NDArray[np.float32]
# (1, 3, height, width) in, scores (1, 1, n) and distances (1, 32, n) out; height and width are multiples of STEP_PX.
Network: TypeAlias = Callable[[Floats], tuple[Floats, Floats]]

STEP_PX = 64  # the coarsest stride; other sizes would leave a torn cell at the right and lower border
STRIDES_PX = (8, 16, 32, 64)
BINS = 8  # each side's distance is a distribution over 0 to 7 strides
FLOOR = 0.05  # below it a box means nothing; it bounds what is decoded at all
OVERLAP = 0.6  # two boxes that share more than this part of their union are one person

# The training's normalisation of RGB, (value / 255 - mean) / deviation, as one multiplication and one addition.
_MEAN = np.array((0.485, 0.456, 0.406), np.float32).reshape(3, 1, 1)
_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32).reshape(3, 1, 1)
_SCALE = 1 / (255 * _DEVIATION)
_SHIFT = -_MEAN / _DEVIATION


def look(network: Network, frame: Frame, height: int, width: int) -> list[Person]:
    """Look at a whole frame, stretched to the input size, and return everybody found, best first."""
    scores, distances = network(prepare(frame, height, width))
    return decode(scores, distances, (height, width), (frame.shape[0], frame.shape[1]))


def prepare(frame: Frame, height: int, width: int) -> Floats:
    """Turn a BGR frame into the network's input (1, 3, height, width)."""
    is_shrunk = frame.shape[0] * frame.shape[1] > height * width
    resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if is_shrunk else cv2.INTER_LINEAR)
    planes = resized[:, :, ::-1].transpose(2, 0, 1)
    blob: Floats = np.multiply(planes, _SCALE, dtype=np.float32)
    blob += _SHIFT
    return blob[np.newaxis]


def decode(
    scores: Floats, distances: Floats, input_shape: tuple[int, int], frame_shape: tuple[int, int]
) -> list[Person]:
    """Turn the network's outputs into people in pixels of the frame, best first, one box for each."""
    flat = scores.reshape(-1)
    (chosen,) = np.nonzero(flat > FLOOR)
    if not chosen.size:
        return []
    centres, strides = _cells(*input_shape)
    bins = distances.reshape(4, BINS, -1)[:, :, chosen]
    bins = np.exp(bins - bins.max(axis=1, keepdims=True))
    steps = np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1)
    sides = (bins * steps).sum(axis=1) / bins.sum(axis=1) * strides[chosen]  # left, top, right, bottom
    x, y = centres[:, chosen]
    zoom_y, zoom_x = frame_shape[0] / input_shape[0], frame_shape[1] / input_shape[1]
    left, right = np.clip((x - sides[0], x + sides[2]), 0, input_shape[1]) * zoom_x
    top, bottom = np.clip((y - sides[1], y + sides[3]), 0, input_shape[0]) * zoom_y
    boxes = np.stack((left, top, right - left, bottom - top), axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), flat[chosen].tolist(), FLOOR, OVERLAP)
    return [_person(boxes[index], float(flat[chosen[index]]), frame_shape) for index in np.ravel(kept)]


def _person(box: Floats, score: float, frame_shape: tuple[int, int]) -> Person:
    x, y = min(int(box[0]), frame_shape[1] - 1), min(int(box[1]), frame_shape[0] - 1)
    width = min(max(1, round(float(box[2]))), frame_shape[1] - x)
    height = min(max(1, round(float(box[3]))), frame_shape[0] - y)
    return Person(x, y, width, height, min(1.0, score))


@functools.lru_cache(maxsize=16)
def _cells(height: int, width: int) -> tuple[Floats, Floats]:
    """Return the centre (2, n) and the stride (n,) of each of the network's cells, in pixels of the input."""
    centres, strides = [], []
    for stride in STRIDES_PX:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        centres.append(np.stack((x.ravel(), y.ravel())) * stride + stride / 2)
        strides.append(np.full(rows * columns, stride, np.float32))
    return np.concatenate(centres, axis=1), np.concatenate(strides)
