"""The person detector run by OpenCV's own `cv2.dnn`, present wherever camalert is."""

from __future__ import annotations

import cv2
import numpy as np

from camalert.detection.picodet import Floats, Network
from camalert.errors import EngineError


def load(model: bytes, threads: int) -> Network:
    """Read the network; any input size may follow another.

    Args:
        threads: How many threads OpenCV may use, in this whole process.
    Raises: EngineError when OpenCV refuses the model.
    """
    cv2.setNumThreads(threads)
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    except cv2.error as error:
        raise EngineError(f"OpenCV {cv2.__version__} cannot read the model: {error.err}") from error

    def run(blob: Floats) -> tuple[Floats, Floats]:
        network.setInput(blob, "image")
        scores, distances = network.forward(("scores", "dists"))
        return scores, distances

    return run
