"""The examination of one frame: engine, camera rules, verdict and its reason.

Compute layer, in the detector and command-line processes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camalert import frames
from camalert.config import Config
from camalert.detection import rules
from camalert.detection.people import Engine, Person
from camalert.errors import FrameError
from camalert.frames import Frame

# What a score means is the same for every engine, see docs/detection.md.
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in a frame, what of it counts, and why."""

    people: tuple[Person, ...]  # those counted, best first
    rulings: tuple[rules.Ruling, ...]  # everybody found, the doubtful included
    best_score: float  # the best found, counted or not
    threshold: float
    reason: str
    engine: str
    model: str
    effort: str
    detect_ms: float


@dataclass(frozen=True, slots=True)
class FileResult:
    """What was found in a picture file, with the frame it was found in."""

    examination: Examination
    frame: Frame

    @property
    def people(self) -> tuple[Person, ...]:
        """Return those counted, best first."""
        return self.examination.people

    @property
    def score(self) -> float:
        """Return the best score found, even below the threshold."""
        return self.examination.best_score


class Examiner:
    """Examine frames with one engine under one configuration."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self.engine = engine
        self.config = config

    def examine(self, frame: Frame, camera_name: str) -> Examination:
        """Find the people in a frame and rule who of them counts for this camera."""
        started = time.monotonic()
        camera = rules.camera_of(self.config, camera_name)
        effort = rules.effort_of(self.config, camera)
        threshold = camera.threshold or self.config.detector.threshold or DEFAULT_THRESHOLD
        if camera.examine:
            found = self.engine.people(frame, effort)
            rulings = rules.judge(found, camera, threshold, (frame.shape[0], frame.shape[1]))
            best_score = max((person.score for person in found), default=0.0)
            reason = rules.explain(rulings, best_score, threshold)
        else:
            rulings, best_score = (), 0.0
            reason = f"not examined: the pictures of camera {camera.name!r} are only stored"
        return Examination(
            people=tuple(ruling.person for ruling in rulings if ruling.rule is rules.Rule.COUNTED),
            rulings=rulings,
            best_score=best_score,
            threshold=threshold,
            reason=reason,
            engine=self.engine.name,
            model=self.engine.model,
            effort=effort,
            detect_ms=(time.monotonic() - started) * 1000,
        )


def examine_file(path: Path, examiner: Examiner, camera_name: str = "") -> FileResult:
    """Examine a picture file as the service would: decoded into a frame slot's size first.

    Raises: FrameError when it cannot be read or is no picture.
    """
    config = examiner.config
    buffer = np.empty(config.pool.frame_max_px * frames.CHANNELS, np.uint8)
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror}") from error
    decoded = frames.decode_into(encoded, buffer.data, config.decode.max_pixels)
    frame = frames.view(buffer.data, decoded.height_px, decoded.width_px)
    return FileResult(examiner.examine(frame, camera_name), frame)
