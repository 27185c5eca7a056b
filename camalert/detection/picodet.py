"""PicoDet: its weights, what it is shown of a frame, and how its outputs become boxes with scores.

Shared by every engine that runs this network, so that all of them give the same scores. The network was trained by the
authors of PaddleDetection; models/README.md says where it comes from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from camalert.config import objects
from camalert.decoding.frames import Frame
from camalert.detection.boxes import none
from camalert.detection.looks import FLOOR, Boxes, Floats, Prepared, Seen, View
from camalert.detection.networks import shown, suppressed, unmirrored

NAME = "picodet_s_512x384"
FILE = f"{NAME}.onnx"


class Outputs(NamedTuple):
    """What the network says of the n cells of all strides."""

    scores: Floats  # (1, 1, n), of people
    distances: Floats  # (1, 32, n)
    # Of the other kinds, in the order of `KINDS`, (1, 20, n), and how well a cell's box fits, (1, 1, n): the score of a
    # kind is the root of both's product. Only where some camera asks for them.
    others: Floats | None = None
    quality: Floats | None = None


# (1, 3, height, width) in; height and width are multiples of 64 px, the coarsest stride: other sizes would leave a torn
# cell at the right and lower border.
Network: TypeAlias = Callable[[Floats], Outputs]

OUTPUTS = ("scores", "dists", "others", "quality")  # their names in the file, in the order of `Outputs`
KINDS = tuple(objects.GROUP_OF)  # the rows of `others`

STRIDES_PX = (8, 16, 32, 64)
BINS = 8  # each side's distance is a distribution over 0 to 7 strides
MOST_CELLS = 300  # of one pass; a person lights up some 10 of them
MOST_OTHERS = 16  # boxes

# What the training did to each colour: (value / 255 - mean) / deviation.
MEAN_RGB = (0.485, 0.456, 0.406)
DEVIATION_RGB = (0.229, 0.224, 0.225)


def run_pass(network: Network, frame: Frame, view: View, prepared: Prepared | None = None) -> Seen:
    """Run the network once over a frame and return what it sees, in its pixels, best first, the uncertain included.

    Args:
        prepared: Makes the input, where it is not `prepare`'s: a server gets bytes and turns them into numbers itself.
    """
    found = network((prepared or prepare)(frame, view))
    shape = frame.shape[0], frame.shape[1]
    people, _ = decode(found.scores, found.distances, view, shape)
    people = unmirrored(people, view, shape[1])
    if found.others is None or found.quality is None or view.is_mirrored:
        return Seen(people, none())
    scores = np.sqrt(found.others[0].max(axis=0) * found.quality[0, 0])
    boxes, cells = decode(scores, found.distances, view, shape)
    boxes, cells = boxes[:MOST_OTHERS], cells[:MOST_OTHERS]
    rows = found.others[0, :, cells].argmax(axis=1)
    return Seen(people, boxes, tuple(KINDS[row] for row in rows))


def prepare(frame: Frame, view: View) -> Floats:
    """Turn a BGR frame into the network's input (1, 3, height, width), RGB."""
    resized = shown(frame, view)
    blob = np.empty((1, 3, view.height, view.width), np.float32)
    # One table look-up a value does it all: 0.7 ms, where arithmetic on the turned array takes 5.
    for channel, (plane, table) in enumerate(zip(cv2.split(resized), _tables(view.gamma), strict=True)):
        cv2.LUT(plane, table, dst=blob[0, 2 - channel])
    return blob


def decode(
    scores: Floats, distances: Floats, view: View, frame_shape: tuple[int, int]
) -> tuple[Boxes, npt.NDArray[np.intp]]:
    """Turn the network's outputs into boxes in pixels of the frame, best first, one for each person or thing.

    Returns: The boxes, and the cell that each comes from.
    """
    flat = scores.reshape(-1)
    (chosen,) = np.nonzero(flat > FLOOR)
    if not chosen.size:
        return none(), chosen
    if chosen.size > MOST_CELLS:
        chosen = chosen[np.argpartition(flat[chosen], -MOST_CELLS)[-MOST_CELLS:]]
    centres, strides = _cells(view.height, view.width)
    bins = distances.reshape(4, BINS, -1)[:, :, chosen]
    bins = np.exp(bins - bins.max(axis=1, keepdims=True))
    steps = np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1)
    sides = (bins * steps).sum(axis=1) / bins.sum(axis=1) * strides[chosen]  # left, top, right, bottom
    x, y = centres[:, chosen]
    zoom_y, zoom_x = frame_shape[0] / view.height, frame_shape[1] / view.width
    left, right = np.clip((x - sides[0], x + sides[2]), 0, view.width) * zoom_x
    top, bottom = np.clip((y - sides[1], y + sides[3]), 0, view.height) * zoom_y
    boxes = np.stack((left, top, right - left, bottom - top, flat[chosen]), axis=1).astype(np.float32)
    kept = suppressed(boxes)
    return boxes[kept], chosen[kept]


@functools.lru_cache(maxsize=8)
def _tables(gamma: float) -> tuple[Floats, ...]:
    """Return for B, G and R, the order of a frame, what each of the 256 values becomes."""
    values = (np.arange(256) / 255) ** gamma
    return tuple(
        ((values - mean) / deviation).astype(np.float32)
        for mean, deviation in zip(reversed(MEAN_RGB), reversed(DEVIATION_RGB), strict=True)
    )


@functools.lru_cache(maxsize=16)
def _cells(height: int, width: int) -> tuple[Floats, Floats]:
    """Return the centre (2, n) and the stride (n,) of each of the network's cells, in pixels of the input."""
    centres, strides = [], []
    for stride in STRIDES_PX:
        y, x = np.mgrid[0 : height // stride, 0 : width // stride].astype(np.float32)
        centres.append(np.stack((x.ravel(), y.ravel())) * stride + stride / 2)
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres, axis=1), np.concatenate(strides)
