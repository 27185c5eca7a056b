"""The files of the folder `models`, each with its checksum: models/README.md says where they come from."""

from __future__ import annotations

import hashlib
from importlib import resources

from camalert.errors import EngineError

SHA256 = {
    "picodet_s_512x384.onnx": "9b03bde5098eb0843cec6a67e7b36b68faa5ef46a98354553f82fde767fee5c2",
    "ssd_mobilenetv2_oidv4.xml": "b52658f8fcf1eaad758f7232c0c338a89137aacc84aa475dd4cfd29e519d668a",
    "ssd_mobilenetv2_oidv4.bin": "b38b6c501bcf700866a6c0acfc5579154b72669ccb89c62518b78381386d9fdb",
}


def shipped_file(name: str) -> bytes:
    """Return a file of the folder.

    Raises: EngineError when it is missing.
    """
    try:
        return (resources.files("camalert.detection") / "models" / name).read_bytes()
    except OSError as error:
        raise EngineError(f"{name} cannot be read: {error.strerror}; install camalert again") from error


def read(name: str) -> bytes:
    """Return the weights or the structure of a network.

    Raises: EngineError when the file is missing or not the one it should be.
    """
    content = shipped_file(name)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise EngineError(f"{name} of {len(content)} bytes has SHA-256 {found}, expected {SHA256[name]}: reinstall")
    return content
