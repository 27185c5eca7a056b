"""Which engines can be tried, best first, without loading any.

Pure but for the question whether a package is installed; the supervisor imports this module, so it must not import the
image libraries.
"""

from __future__ import annotations

import importlib.util

from camalert.config import Detector
from camalert.errors import ConfigError

ENGINES = ("openvino", "opencv")  # best first, as measured in docs/detection.md; hog only when asked for by name
HOG_NEEDS = (
    "[detector] engine = 'hog': OpenCV {version} no longer has the HOG people detector; "
    "install opencv-python-headless below 5 (pip install 'opencv-python-headless<5') or choose another engine"
)


def candidates(detector: Detector) -> tuple[str, ...]:
    """Return the engines to try in turn until one passes its self-test.

    Raises: ConfigError when the engine named, or for `auto` every one, is not installed.
    """
    if detector.engine == "auto":
        found = tuple(name for name in ENGINES if _missing(name) is None)
        if not found:
            raise ConfigError("[detector] engine = 'auto': " + (_missing("opencv") or "no engine is installed"))
        return found
    missing = _missing(detector.engine)
    if missing is not None:
        raise ConfigError(missing)
    return (detector.engine,)


def _missing(engine: str) -> str | None:
    """Return what must be installed for an engine, None when it is there."""
    if engine == "openvino" and importlib.util.find_spec("openvino") is None:
        return (
            "[detector] engine = 'openvino': OpenVINO is not installed; install it with "
            "pip install 'camalert[openvino]' where it has a wheel, or choose 'auto'"
        )
    if importlib.util.find_spec("cv2") is None:
        return f"[detector] engine = '{engine}': OpenCV is not installed; pip install opencv-python-headless"
    if engine == "hog":
        version = _opencv_version()
        if not version.startswith(("3.", "4.")):
            return HOG_NEEDS.format(version=version)
        if importlib.util.find_spec("imutils") is None:
            return "[detector] engine = 'hog': imutils is not installed; pip install imutils"
    return None


def _opencv_version() -> str:
    """Return the version of the OpenCV package by its metadata; importing cv2 is not allowed here."""
    import importlib.metadata  # noqa: PLC0415 - brings email and zipfile, a tenth of the supervisor's start

    for package in (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "4.0"  # a system package without metadata: HOG's own check decides
