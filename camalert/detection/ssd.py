"""The second opinion: SSD MobileNetV2, trained by Google on Open Images; models/README.md says where it comes from.

Other pictures taught it than taught PicoDet, and it is built otherwise; so it seldom makes the same mistake.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from camalert.decoding.frames import Frame
from camalert.detection.boxes import none
from camalert.detection.looks import FLOOR, Boxes, Floats, Prepared, Seen, Size, View
from camalert.detection.networks import shown, suppressed, unmirrored

NAME = "ssd_mobilenetv2_oidv4"
STRUCTURE, WEIGHTS = f"{NAME}.xml", f"{NAME}.bin"

# (1, 300, 300, 3) in, the codes of the boxes (1, 1917, 4) and the logits of the classes (1, 1917, 24) out.
Network: TypeAlias = Callable[[Floats], tuple[Floats, Floats]]

SIDE_PX = 300  # of the input; written into the file
CLASSES = 24
PERSON = 4  # of them

# The default boxes: six grids, the finest with cells of 16 px. Sizes and distances are shares of the picture.
FINEST_PX, GRIDS = 16, 6
SCALE_FROM, SCALE_STEP, SCALE_END = 0.2, 0.15, 1.0
RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
# What the network was taught to say of a box, in shares of its default box: centres in tenths, logarithms in fifths.
CENTRE_UNIT, SIDE_UNIT = 10, 5


def run_pass(network: Network, frame: Frame, view: View, prepared: Prepared | None = None) -> Seen:
    """Run the network once over a frame and return the people in its pixels, best first, the uncertain included.

    Args:
        prepared: Makes the input, where it is not `prepare`'s: a server gets bytes and turns them into numbers itself.
    """
    codes, logits = network((prepared or prepare)(frame, view))
    boxes = decode(codes[0], logits[0, :, PERSON], (frame.shape[0], frame.shape[1]))
    return Seen(unmirrored(boxes, view, frame.shape[1]), none())


def prepare(frame: Frame, view: View) -> Floats:
    """Turn a BGR frame into the network's input (1, height, width, 3), RGB, -1 to 1."""
    rgb = cv2.cvtColor(shown(frame, view), cv2.COLOR_BGR2RGB)
    blob: Floats = cv2.LUT(rgb, _table(view.gamma))[np.newaxis]
    return blob


def decode(codes: Floats, logits: Floats, frame_shape: Size) -> Boxes:
    """Turn the network's outputs for one class into boxes in pixels of the frame, best first, one for each person."""
    (chosen,) = np.nonzero(logits > np.log(FLOOR / (1 - FLOOR)))
    if not chosen.size:
        return none()
    code, default = codes[chosen], default_boxes()[chosen]
    centre = code[:, :2] / CENTRE_UNIT * default[:, 2:] + default[:, :2]
    side = np.exp(np.minimum(code[:, 2:] / SIDE_UNIT, 3)) * default[:, 2:]
    low, high = np.clip(centre - side / 2, 0, 1), np.clip(centre + side / 2, 0, 1)
    (top, left), (tall, wide) = low.T, (high - low).T
    height, width = frame_shape
    score = 1 / (1 + np.exp(-logits[chosen]))
    boxes = np.stack((left * width, top * height, wide * width, tall * height, score), axis=1).astype(np.float32)
    return boxes[suppressed(boxes)]


@functools.lru_cache(maxsize=1)
def default_boxes() -> Floats:
    """Return centre y, centre x, height and width of each default box, (1917, 4), from 0 to 1.

    Source: Liu et al., SSD: Single Shot MultiBox Detector, section 2.2; the lowest grid has three of them, as in
    TensorFlow's object detection.
    """
    scales = [SCALE_FROM + SCALE_STEP * grid for grid in range(GRIDS)] + [SCALE_END]
    cells, found = -(-SIDE_PX // FINEST_PX), []
    for grid in range(GRIDS):
        if grid == 0:
            shapes = [(SCALE_FROM / 2, 1.0), (SCALE_FROM, 2.0), (SCALE_FROM, 0.5)]
        else:
            between = (scales[grid] * scales[grid + 1]) ** 0.5
            shapes = [*((scales[grid], ratio) for ratio in RATIOS), (between, 1.0)]
        y, x = (np.mgrid[0:cells, 0:cells] + 0.5) / cells
        sides = np.array([(scale / ratio**0.5, scale * ratio**0.5) for scale, ratio in shapes])
        centres = np.repeat(np.stack((y.ravel(), x.ravel()), axis=1), len(shapes), axis=0)
        found.append(np.concatenate((centres, np.tile(sides, (cells * cells, 1))), axis=1))
        cells = -(-cells // 2)
    return np.concatenate(found).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _table(gamma: float) -> Floats:
    """Return what each of the 256 values becomes."""
    return ((np.arange(256) / 255) ** gamma * 2 - 1).astype(np.float32)
