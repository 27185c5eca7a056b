"""Try an engine on a picture that is known: `python -m camalert.detection.selftest ENGINE`.

A wheel can be installed and yet die on an old processor, so this runs in a process of its own: in the
detector before it says that it is ready, and by this command line for `check` and `detect`.
"""

from __future__ import annotations

import sys

from camalert import frames
from camalert.config import Detector
from camalert.detection.engines import load_engine
from camalert.detection.people import Engine
from camalert.detection.weights import read_test_picture
from camalert.errors import CamalertError, ConfigError, EngineError, Exit

SIDE_PX = 320  # of the test picture
LEAST_SCORE = 0.5
# Where the person of the test picture is, in px: left, top, right, bottom; found counts when it covers half of this.
PERSON = (10, 20, 215, 315)


def self_test(engine: Engine, effort: str) -> None:
    """Check that an engine finds the one person of the test picture.

    HOG knows only whole upright figures, so of it no more is asked than an answer.

    Args:
        effort: The one that the engine is warmed up for; any other would have it compile networks for this alone.
    Raises: EngineError when it does not; FrameError when this OpenCV cannot even decode it.
    """
    buffer = bytearray(SIDE_PX * SIDE_PX * frames.CHANNELS)
    decoded = frames.decode_into(read_test_picture(), memoryview(buffer), SIDE_PX * SIDE_PX)
    found = engine.people(frames.view(memoryview(buffer), decoded.height_px, decoded.width_px), effort)
    if engine.name == "hog":
        return
    left, top, right, bottom = PERSON
    for person in found:
        covered = (min(right, person.x + person.width) - max(left, person.x)) * (
            min(bottom, person.y + person.height) - max(top, person.y)
        )
        if person.score >= LEAST_SCORE and covered > (right - left) * (bottom - top) / 2:
            return
    best = found[0].score if found else 0.0
    raise EngineError(
        f"engine {engine.name} does not find the person of the test picture: best score {best:.2f}, "
        f"expected at least {LEAST_SCORE}"
    )


def main(arguments: list[str]) -> int:
    """Load and try the engine named; print why it cannot be used. Returns: an exit code of `errors.Exit`."""
    name = arguments[0] if arguments else "opencv"
    try:
        detector = Detector(engine=name)
        self_test(load_engine(name, detector), detector.effort)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.CONFIG
    except CamalertError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.UNAVAILABLE
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
