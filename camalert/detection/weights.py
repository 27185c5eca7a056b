"""The detector's weights as shipped with the package, checked before use.

Only the detector and command-line processes read them.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from camalert.errors import EngineError

PICODET = "picodet_s_person_512x384.onnx"
PICODET_SHA256 = "79c4170c59e8f200e2740fca6ff2b3abc06d4d7fbde787354f673d5c6597f98d"
TEST_PICTURE = "astronaut.jpg"  # one person, upright, from the waist up


def read_picodet() -> bytes:
    """Return the ONNX file of the person detector.

    Raises: EngineError when it is missing or not the file it should be.
    """
    model = _read(PICODET)
    found = hashlib.sha256(model).hexdigest()
    if found != PICODET_SHA256:
        raise EngineError(f"{PICODET} of {len(model)} bytes has SHA-256 {found}, expected {PICODET_SHA256}: reinstall")
    return model


def read_test_picture() -> bytes:
    """Return the JPEG of the self-test.

    Raises: EngineError when it is missing.
    """
    return _read(TEST_PICTURE)


def _read(name: str) -> bytes:
    try:
        return (resources.files("camalert") / "models" / name).read_bytes()
    except OSError as error:
        raise EngineError(f"{name} cannot be read: {error.strerror}; install camalert again") from error
