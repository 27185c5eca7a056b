"""What the networks have in common: a frame stretched for them, and the many boxes they answer with thinned out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from camalert.decoding.frames import Frame
from camalert.detection.looks import FLOOR, Boxes, View

OVERLAP = 0.6  # two boxes of one look that share more than this part of their union are one person


def shown(frame: Frame, view: View) -> Frame:
    """Stretch a frame to a view's size and mirror it when asked; its gamma is left to the table of the network.

    A large frame is halved first, or far people would fall between the pixels read. Halving by exact means is quick;
    `INTER_AREA` straight to the size takes 5 ms more at two megapixels.
    """
    while frame.shape[0] >= 2 * view.height and frame.shape[1] >= 2 * view.width:
        frame = cv2.resize(frame, (frame.shape[1] // 2, frame.shape[0] // 2), interpolation=cv2.INTER_AREA)
    resized: Frame = cv2.resize(frame, (view.width, view.height), interpolation=cv2.INTER_LINEAR)
    return cv2.flip(resized, 1) if view.is_mirrored else resized


def unmirrored(boxes: Boxes, view: View, frame_width: int) -> Boxes:
    """Move the boxes of a mirrored view to where they lie in the frame."""
    if view.is_mirrored:
        boxes[:, 0] = frame_width - boxes[:, 0] - boxes[:, 2]
    return boxes


def suppressed(boxes: Boxes) -> npt.NDArray[np.intp]:
    """Return which of the boxes that one look has of the same person are kept: the best of each, best first."""
    kept = cv2.dnn.NMSBoxes(boxes[:, :4].tolist(), boxes[:, 4].tolist(), FLOOR, OVERLAP)
    return np.ravel(kept).astype(np.intp)
