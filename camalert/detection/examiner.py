"""The examination of one frame: engine, camera rules, verdict and its reason.

In the detector and command-line processes.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camalert.config.schema import Config
from camalert.decoding import frames
from camalert.decoding.frames import Frame
from camalert.detection import known, rules, thresholds
from camalert.detection.appearance import look_of
from camalert.detection.people import Engine, Person
from camalert.errors import FrameError

MOST_LOOKS = 8  # boxes of a picture that are compared with what is known; a look takes 0.2 to 0.4 ms
# Of whom the network doubts, in a picture in which somebody counts: in another light they may count, and whoever marks
# the picture *not a person* says it of them as well.
UNCERTAIN_SCORE, MOST_UNCERTAIN = 0.1, 4


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of a camera beside its configuration."""

    known: tuple[known.Known, ...] = ()
    missed: tuple[float, ...] = ()  # the best scores of pictures in which somebody was missed


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in a frame, what of it counts, and why."""

    people: tuple[Person, ...]  # those counted, best first
    others: tuple[Person, ...]  # what the camera does not ask for, best first
    rulings: tuple[rules.Ruling, ...]  # everybody and everything found, the uncertain included
    best_score: float  # the best of what the camera asks for, counted or not
    threshold: float
    reason: str
    engine: str
    model: str
    effort: str
    detect_ms: float


NOTHING = Learned()


class Examiner:
    """Examine frames with one engine under one configuration."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self.engine = engine
        self.config = config

    def examine(self, frame: Frame, camera_name: str, learned: Learned = NOTHING) -> Examination:
        """Find what is in a frame and rule what of it counts for this camera."""
        started = time.monotonic()
        camera = rules.camera_of(self.config, camera_name)
        effort = rules.effort_of(self.config, camera)
        threshold = base = rules.threshold_of(self.config, camera)
        if self.config.learn.threshold and not camera.threshold:
            threshold = thresholds.lowered(base, learned.missed)
        if camera.examine:
            asked = rules.objects_of(self.config, camera)
            found = sorted(self.engine.find(frame, effort), key=lambda person: -person.score)
            rulings = rules.judge(found, camera, asked, threshold, (frame.shape[0], frame.shape[1]))
            rulings = looked_at(rulings, frame, learned.known)
            reason = rules.explain(rulings, asked, threshold)
            if threshold < base:
                reason += f" (lowered from {100 * base:.0f} % because people were missed)"
        else:
            rulings = ()
            reason = f"not examined: the pictures of camera {camera.name!r} are only stored"
        return Examination(
            people=tuple(ruling.person for ruling in rulings if ruling.rule is rules.Rule.COUNTED),
            others=tuple(ruling.person for ruling in rulings if ruling.rule is rules.Rule.OTHER),
            rulings=rulings,
            best_score=max(
                (ruling.person.score for ruling in rulings if ruling.rule is not rules.Rule.OTHER), default=0.0
            ),
            threshold=threshold,
            reason=reason,
            engine=self.engine.name,
            model=self.engine.model(effort),
            effort=effort,
            detect_ms=(time.monotonic() - started) * 1000,
        )


def looked_at(
    rulings: Sequence[rules.Ruling], frame: Frame, objects: Sequence[known.Known]
) -> tuple[rules.Ruling, ...]:
    """Compare those who count with what is known of the camera; return all rulings.

    The uncertain beside them get a look as well, for a mark to find; it changes nothing of how they are ruled.
    """
    shape = frame.shape[0], frame.shape[1]
    look_at = functools.cache(functools.partial(look_of, frame))

    def with_look(ruling: rules.Ruling) -> rules.Ruling:
        place = rules.place_of(ruling.person, shape)
        there = known.recognise(place, objects, look_at)
        if ruling.rule is rules.Rule.COUNTED:
            return rules.with_look(ruling, look_at(place), there)
        return ruling if there and not there.known.counts else dataclasses.replace(ruling, look=look_at(place))

    judged = list(rulings)
    for index in [index for index, ruling in enumerate(rulings) if ruling.rule is rules.Rule.COUNTED][:MOST_LOOKS]:
        judged[index] = with_look(rulings[index])
    if any(ruling.rule is rules.Rule.COUNTED for ruling in judged):
        for index in [index for index, ruling in enumerate(rulings) if _is_uncertain(ruling)][:MOST_UNCERTAIN]:
            judged[index] = with_look(rulings[index])
    return tuple(judged)


def _is_uncertain(ruling: rules.Ruling) -> bool:
    return ruling.rule is rules.Rule.BELOW_THRESHOLD and ruling.person.score >= UNCERTAIN_SCORE


def examine_file(path: Path, examiner: Examiner, camera_name: str = "") -> tuple[Examination, Frame]:
    """Examine a picture file as the service would: decoded into a frame slot's size first.

    Returns: What was found, and the frame that it was found in.
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
    return examiner.examine(frame, camera_name), frame
