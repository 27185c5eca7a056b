"""Ask the disposable process for a small picture; start it when needed, end it when it is idle, hangs or dies."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

import camalert
from camalert.review.blocks import LENGTH, THUMBNAIL_BYTES

START_S = 15.0  # importing the library on a slow board takes some seconds
WORK_S = 5.0  # a hundred times what a picture needs; others wait meanwhile
IDLE_S = 120.0
PICTURE_BYTES = 64 << 20  # what is larger is no snapshot
WALL_PX = 1 << 27  # OpenCV's own limit, behind the check of a picture's header

log = structlog.get_logger()


class Shrinker:
    """Make small pictures, one at a time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._used_at = 0.0

    def shrink(self, picture: bytes) -> bytes:
        """Return a small JPEG, b"" when the picture cannot be shown."""
        if len(picture) > PICTURE_BYTES:
            return b""
        with self._lock:
            self._used_at = time.monotonic()
            # A process that was there before may have died of anything; of one made for this picture it is to blame.
            for is_blameless in (self._process is not None, False):
                try:
                    return self._ask(picture)
                except (OSError, EOFError) as error:
                    log.warning("small_picture_not_made", bytes=len(picture), error=str(error) or type(error).__name__)
                    self._end()
                    if not is_blameless or isinstance(error, TimeoutError):
                        break
            return b""

    def rest(self) -> None:
        """End the process when it has had nothing to do for a while."""
        with self._lock:
            if self._process and time.monotonic() - self._used_at > IDLE_S:
                self._end()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, picture: bytes) -> bytes:
        process = self._process
        limit_s = WORK_S
        if process is None or process.poll() is not None:
            process = self._process = _start()
            limit_s = START_S
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        deadline = time.monotonic() + limit_s
        _write(process.stdin.fileno(), LENGTH.pack(len(picture)) + picture, deadline)
        source = process.stdout.fileno()
        (length,) = LENGTH.unpack(_read(source, LENGTH.size, deadline))
        if length > THUMBNAIL_BYTES:
            raise OSError(f"an answer of {length} bytes")
        return _read(source, length, deadline)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _start() -> subprocess.Popen[bytes]:
    # Nothing of the environment and the current folder decides what is imported.
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(camalert.__file__).parents[1]),
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(WALL_PX),
        "OPENBLAS_NUM_THREADS": "1",  # else it reserves address space for each core, which the limit would count
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "camalert.review.shrink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        close_fds=True,
    )
    assert process.stdin is not None  # noqa: S101 - a pipe
    os.set_blocking(process.stdin.fileno(), False)
    return process


def _write(target: int, data: bytes, deadline: float) -> None:
    rest = memoryview(data)
    while rest:
        _, writable, _ = select.select((), (target,), (), max(0.0, deadline - time.monotonic()))
        if not writable:
            raise TimeoutError("the picture was not read in time")
        rest = rest[os.write(target, rest) :]


def _read(source: int, length: int, deadline: float) -> bytes:
    found = bytearray()
    while len(found) < length:
        readable, _, _ = select.select((source,), (), (), max(0.0, deadline - time.monotonic()))
        if not readable:
            raise TimeoutError("no answer in time")
        block = os.read(source, length - len(found))
        if not block:
            raise EOFError("the process died of this picture")
        found += block
    return bytes(found)
