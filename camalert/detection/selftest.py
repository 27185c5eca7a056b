"""Try an engine on a known picture: `python -m camalert.detection.selftest ENGINE`.

An installed wheel may still crash on an old processor, so this runs in a process of its own: in the detector before it
says that it is ready, and by this command line for `check`.
"""

from __future__ import annotations

import sys

from camalert.config.schema import Detector, Remote
from camalert.decoding import frames
from camalert.detection.engines import load_engine
from camalert.detection.people import Engine
from camalert.detection.weights import shipped_file
from camalert.errors import CamalertError, ConfigError, EngineError, Exit

PICTURE = "astronaut.jpg"  # one person, upright, from the waist up
SIDE_PX = 320  # of the picture
LEAST_SCORE = 0.5
# Where the person of the picture is, in px: left, top, right, bottom; found counts when it covers half of this.
PERSON = (10, 20, 215, 315)


def self_test(engine: Engine, effort: str, *, is_complete: bool = False) -> None:
    """Check that an engine finds the one person of the test picture.

    HOG finds only whole upright figures, so it only has to answer.

    Args:
        effort: The one that the engine is warmed up for; any other would make it compile networks for this alone.
        is_complete: Everything that the effort may ask is tried, not only its first look.

    Raises: EngineError when it does not; FrameError when this OpenCV cannot decode the picture.
    """
    buffer = bytearray(SIDE_PX * SIDE_PX * frames.CHANNELS)
    decoded = frames.decode_into(shipped_file(PICTURE), memoryview(buffer), SIDE_PX * SIDE_PX)
    frame = frames.view(memoryview(buffer), decoded.height_px, decoded.width_px)
    found = engine.find(frame, effort) if is_complete else engine.first_look(frame, effort)
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
    """Load and try the engine named; print its precision, or why it cannot be used. Return an exit code."""
    name = arguments[0] if arguments else "opencv"
    try:
        servers = Remote(url=tuple(arguments[2:]), model=arguments[1]) if len(arguments) > 2 else Remote()
        detector = Detector(engine=name, remote=servers)
        engine = load_engine(name, detector)
        engine.complete(detector.effort)
        self_test(engine, detector.effort, is_complete=True)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.CONFIG
    except CamalertError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.UNAVAILABLE
    if engine.precision:
        sys.stdout.write(f"{engine.precision}\n")
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
