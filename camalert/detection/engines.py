"""Load an engine by name."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from camalert import frames
from camalert.config import Detector
from camalert.detection import looks, opencv_network, openvino_network, picodet
from camalert.detection.boxes import calibrated, distinct, to_people
from camalert.detection.people import Engine, Person
from camalert.detection.weights import PICODET, read_picodet
from camalert.errors import ConfigError
from camalert.frames import Frame


class Picodet:
    """The person detector over any network that runs it."""

    model = PICODET.removesuffix(".onnx")

    def __init__(self, name: str, network: picodet.Network) -> None:
        self.name = name
        self.look = functools.partial(picodet.look, network)

    def warm_up(self, effort: str) -> None:
        """Look at nothing in each size of an effort, so that no alarm waits for the network to be compiled."""
        for height, width in looks.sides(looks.PLANS[effort]):
            self.look(np.zeros((height, width, frames.CHANNELS), np.uint8), picodet.View(height, width))

    def people(self, frame: Frame, effort: str) -> list[Person]:
        """Return everybody found, best first, the doubtful included."""
        plan = looks.PLANS[effort]
        found = calibrated(looks.examine(self.look, frame, plan), plan.even)
        return to_people(distinct(found), (frame.shape[0], frame.shape[1]))


def load_engine(name: str, detector: Detector) -> Engine:
    """Load an engine of `choice.candidates`.

    Raises: EngineError when it cannot be loaded here; ConfigError when there is none of that name, or this OpenCV has
        no HOG.
    """
    cv2.setNumThreads(detector.threads)  # the number of detector processes is the parallelism
    match name:
        case "openvino":
            engine = Picodet(name, openvino_network.load(read_picodet(), detector.threads))
        case "opencv":
            engine = Picodet(name, opencv_network.load(read_picodet(), detector.threads))
        case "hog":
            from camalert.detection import hog  # noqa: PLC0415 - imutils: 80 ms and 8 MB that no other engine needs

            return hog.Hog()
        case _:
            raise ConfigError(f"[detector] engine = {name!r}: allowed are openvino, opencv, hog")
    engine.warm_up(detector.effort)
    return engine
