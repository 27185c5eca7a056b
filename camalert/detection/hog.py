"""The people detector of the system that camalert replaces: OpenCV's HOG with its default people detector.

Kept for comparison and for owners who tuned their cameras to it; docs/detection.md says how well it does.
"""

from __future__ import annotations

import cv2
import imutils
import numpy as np
from imutils.object_detection import non_max_suppression

from camalert.decoding.frames import Frame
from camalert.detection.choice import HOG_NEEDS
from camalert.detection.people import Person
from camalert.errors import ConfigError

LARGEST_WIDTH_PX = 400
STRIDE_PX = PADDING_PX = 4
ZOOM_STEP = 1.05
OVERLAP = 0.65
# The original counts a weight above 0.3 as a person; the logistic curve through it makes that 0.5, so that the
# threshold means the same here as for the other engines.
PERSON_WEIGHT = 0.3
WEIGHT_SPREAD = 0.25


class Hog:
    """HOG with the original's parameters."""

    name = "hog"
    precision = ""

    def __init__(self) -> None:
        """Prepare the detector.

        Raises: ConfigError when this OpenCV has none.
        """
        if not hasattr(cv2, "HOGDescriptor"):
            raise ConfigError(HOG_NEEDS.format(version=cv2.__version__))
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def model(self, effort: str) -> str:
        """Return the name of the method."""
        del effort
        return "hog default people detector"

    def first_look(self, frame: Frame, effort: str) -> list[Person]:
        """Return everybody found: HOG looks once."""
        return self.find(frame, effort)

    def complete(self, effort: str) -> None:
        """Do nothing: there is nothing to prepare."""

    def find(self, frame: Frame, effort: str) -> list[Person]:
        """Return everybody found, best first; HOG knows one effort only."""
        del effort
        small = imutils.resize(frame, width=min(LARGEST_WIDTH_PX, frame.shape[1]))
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        boxes, weights = self._hog.detectMultiScale(
            grey, winStride=(STRIDE_PX,) * 2, padding=(PADDING_PX,) * 2, scale=ZOOM_STEP
        )
        if not len(boxes):
            return []
        zoom = frame.shape[1] / small.shape[1]
        corners = np.array([(x, y, x + width, y + height) for x, y, width, height in boxes])
        weights = np.ravel(weights)
        kept = non_max_suppression(corners, probs=weights, overlapThresh=OVERLAP)
        found = [_person(box, _weight(box, corners, weights), zoom, frame) for box in kept]
        return sorted(found, key=lambda person: person.score, reverse=True)


def _weight(box: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> float:
    """Find the weight of a box that the suppression kept; it returns boxes alone."""
    return float(weights[(corners == box).all(axis=1)].max())


def _person(box: np.ndarray, weight: float, zoom: float, frame: Frame) -> Person:
    height, width = frame.shape[:2]
    left, right = (min(max(0, round(float(edge) * zoom)), width) for edge in box[[0, 2]])
    top, bottom = (min(max(0, round(float(edge) * zoom)), height) for edge in box[[1, 3]])
    score = 1 / (1 + float(np.exp((PERSON_WEIGHT - weight) / WEIGHT_SPREAD)))
    return Person(left, top, max(1, right - left), max(1, bottom - top), score)
