"""Which engine the detectors run: the best one installed that proves itself.

The supervisor imports this module, so it loads no engine and no image library; it only asks whether a package is
installed.
"""

from __future__ import annotations

import importlib.util
import signal
from dataclasses import dataclass

from camalert.config.schema import Detector
from camalert.errors import ConfigError, Exit

ENGINES = (
    "openvino",
    "opencv",
)  # best first, as measured in docs/internals/detection.md; hog only when asked for by name
HOG_NEEDS = (
    "[detector] engine = 'hog': OpenCV {version} as installed has no HOG people detector, which left its main modules "
    "with version 5; install version 4 with pip install 'camalert[hog]' (the other engines work with it, too) or "
    "choose 'auto'"
)
# Exit codes that tell of the machine or of us, not of the engine.
_NOT_THE_ENGINE = (-signal.SIGKILL, -signal.SIGTERM, Exit.OK, Exit.CANNOT_START)


def candidates(detector: Detector) -> tuple[str, ...]:
    """Return the engines to try in turn until one passes its self-test.

    Raises: ConfigError when the engine named, or for `auto` every one, is not installed.
    """
    if detector.engine == "auto":
        found = tuple(name for name in ENGINES if _missing(name) is None)
        if not found:
            raise ConfigError("[detector] engine = 'auto': " + (_missing("opencv") or "no engine is installed"))
        return found
    if detector.engine == "remote" and not detector.remote.url:
        raise ConfigError(
            "[detector] engine = 'remote' needs a server: write [detector.remote] url = \"grpc://host:8001\""
        )
    missing = _missing(detector.engine)
    if missing is not None:
        raise ConfigError(missing)
    return (detector.engine,)


@dataclass(slots=True)
class EngineChoice:
    """The candidates, the one in use first.

    A detector tests its engine on a small picture before it says `Ready`. When a detector crashes while starting a
    candidate that has never become ready (a wheel built for a newer processor: SIGILL), the next candidate takes its
    place. So it does when detectors became ready and then crashed on one picture after the other; an engine that was
    ready once stays as the last candidate, because the cause may have been another.
    """

    candidates: tuple[str, ...]
    is_proven: bool = False

    @property
    def name(self) -> str:
        """The engine in use, as in the configuration."""
        return self.candidates[0]

    def prove(self) -> None:
        """Note that a detector became ready with the engine in use: a later crash at start does not change it."""
        self.is_proven = True

    def fall_back(self, code: int, failed: str, *, is_blamed: bool = False) -> bool:
        """Note that a detector with engine `failed` exited with `code`.

        Args:
            is_blamed: It crashed on a picture, as others did before it; else it crashed while starting.

        Returns: Whether the engine in use now is another than the one that failed.
        """
        if code in _NOT_THE_ENGINE:
            return False
        if failed == self.name and len(self.candidates) > 1 and (is_blamed or not self.is_proven):
            kept = (failed,) if self.is_proven else ()
            self.candidates, self.is_proven = (*self.candidates[1:], *kept), False
        return failed != self.name


def _missing(engine: str) -> str | None:
    """Return what must be installed for an engine, None when it is there."""
    if engine == "openvino" and importlib.util.find_spec("openvino") is None:
        return (
            "[detector] engine = 'openvino': OpenVINO is not installed; install it with "
            "pip install 'camalert[openvino]' where it has a wheel, or choose 'auto'"
        )
    if engine == "remote" and importlib.util.find_spec("tritonclient") is None:
        return "[detector] engine = 'remote': its client is not installed; pip install 'camalert[remote]'"
    if importlib.util.find_spec("cv2") is None:
        return f"[detector] engine = '{engine}': OpenCV is not installed; pip install opencv-python-headless"
    if engine == "hog":
        package, version = _opencv()
        if not version.startswith(("3.", "4.")) and "contrib" not in package:
            return HOG_NEEDS.format(version=version)
        if importlib.util.find_spec("imutils") is None:
            return "[detector] engine = 'hog': imutils is not installed; pip install imutils"
    return None


def _opencv() -> tuple[str, str]:
    """Return name and version of the OpenCV package by its metadata; importing cv2 is not allowed here."""
    import importlib.metadata  # noqa: PLC0415 - brings email and zipfile, a tenth of the supervisor's start

    for package in (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ):
        try:
            return package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "", "4.0"  # a system package without metadata: HOG's own check decides
