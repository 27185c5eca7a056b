"""Thumbnails, made by a disposable process: hostile bytes end there and not in the web server.

Both sides of its pipes. The process is `python -m camalert.review.shrink`: it has no descriptor but its two pipes, a
limit on memory, and is killed with its parent. A request is a length, the part that is wanted, and a picture; an answer
a length and a JPEG; length 0 says that the picture cannot be shown. With `--clips` the requests are clips and the
answers moving pictures (animated WebP). Only these processes load an image library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import camalert
from camalert.errors import FrameError
from camalert.system.confinement import DISPOSABLE, Confinement
from camalert.system.logs import log

LENGTH = struct.Struct(">I")
REQUEST = struct.Struct(">I4f")  # bytes of the picture; of its width and height: left, top, width, height of the part
WHOLE = (0.0, 0.0, 1.0, 1.0)
THUMBNAIL_BYTES = 131_072
START_S = 15.0  # importing the library on a slow board takes some seconds
WORK_S = 3.0  # a hundred times what a thumbnail needs; others wait meanwhile
PICTURE_BYTES = 64 << 20  # what is larger is no snapshot
WALL_PX = 1 << 27  # OpenCV's own limit, behind the check of a picture's header
WIDTH_PX, HEIGHT_PX = 480, 360  # twice what a list shows, for dense screens
BUFFER_PX = 1_600_000  # a JPEG is decoded at the part of its size that fits: enough to shrink from, and little work
MAX_PIXELS = 64_000_000
QUALITY = 72
ADDRESS_SPACE_BYTES = 1 << 31
CLIP_BYTES = 128 << 20
PREVIEW_BYTES = 4 << 20
CLIP_WORK_S = 20.0  # others of its kind wait meanwhile
CLIP_READ_S = 10.0  # of it; what has been read by then is shown
PR_SET_PDEATHSIG = 1  # prctl(2)
CLIPS = "--clips"  # as an argument: it turns clips into moving pictures
FREE = "--free"  # as an argument: the process keeps its rights

Share = tuple[float, float, float, float]  # left, top, width, height as shares of a picture's


class Shrinker:
    """Make thumbnails, for one thread; the process is started when needed and replaced when it hangs."""

    def __init__(self, *, is_confined: bool = True, is_for_clips: bool = False) -> None:
        self._arguments = [*([CLIPS] if is_for_clips else []), *([] if is_confined else [FREE])]
        self._most_bytes = CLIP_BYTES if is_for_clips else PICTURE_BYTES
        self._work_s = CLIP_WORK_S if is_for_clips else WORK_S
        self._answer_bytes = PREVIEW_BYTES if is_for_clips else THUMBNAIL_BYTES
        self._process: subprocess.Popen[bytes] | None = None

    def shrink(self, picture: bytes, part: Share = WHOLE) -> bytes:
        """Return a small JPEG of a part of a picture, b"" when it cannot be shown."""
        if len(picture) > self._most_bytes:
            return b""
        # A process that ran before may have died of anything; one started for this picture died of it.
        for is_blameless in (self._process is not None, False):
            try:
                return self._ask(picture, part)
            except (OSError, EOFError) as error:
                log.warning("thumbnail_failed", bytes=len(picture), message=str(error) or type(error).__name__)
                self.close()
                if not is_blameless or isinstance(error, TimeoutError):
                    break
        return b""

    def _ask(self, picture: bytes, part: Share) -> bytes:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = _start(self._arguments)
            self._exchange(
                process, b"", WHOLE, START_S
            )  # no picture: answered with none as soon as the library is loaded
        return self._exchange(process, picture, part, self._work_s)

    def _exchange(self, process: subprocess.Popen[bytes], picture: bytes, part: Share, limit_s: float) -> bytes:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        deadline = time.monotonic() + limit_s
        _write(process.stdin.fileno(), REQUEST.pack(len(picture), *part) + picture, deadline)
        source = process.stdout.fileno()
        (length,) = LENGTH.unpack(_read(source, LENGTH.size, deadline))
        if length > self._answer_bytes:
            raise OSError(f"an answer of {length} bytes")
        return _read(source, length, deadline)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    # Nothing of the environment and the current folder decides what is imported.
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(camalert.__file__).parents[1]),
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(WALL_PX),
        "OPENBLAS_NUM_THREADS": "1",  # else it reserves address space for each core, which the limit would count
    }
    command = [sys.executable, "-P", "-s", "-m", "camalert.review.shrink"]
    process = subprocess.Popen(  # noqa: S603 - our own module
        [*command, *arguments],
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


def main() -> None:
    """Answer requests until the pipe ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not be taken for an answer
    shrink = _load_for_clips() if CLIPS in sys.argv else _load()
    if FREE not in sys.argv:
        Confinement(DISPOSABLE)
    while True:
        request = _read_request(sys.stdin.buffer)
        if request is None:
            return
        small = shrink(*request)
        answers.write(LENGTH.pack(len(small)) + small)
        answers.flush()


def _read_request(stream: BinaryIO) -> tuple[bytes, Share] | None:
    head = stream.read(REQUEST.size)
    if len(head) < REQUEST.size:
        return None
    length, *part = REQUEST.unpack(head)
    block = stream.read(length)
    return (block, (part[0], part[1], part[2], part[3])) if len(block) == length else None


def _load() -> Callable[[bytes, Share], bytes]:
    """Load the image library and return what shrinks a picture to a JPEG, b"" for what cannot be decoded."""
    from camalert.decoding import frames  # noqa: PLC0415, I001 - sets OpenCV's limits, so before it is loaded
    import cv2  # noqa: PLC0415 - never in the web server

    from camalert.decoding.stderr import StderrCapture  # noqa: PLC0415

    cv2.setNumThreads(1)
    stderr = StderrCapture()  # the decoder logged the damage when the picture came
    buffer = memoryview(bytearray(BUFFER_PX * frames.CHANNELS))

    def shrink(picture: bytes, part: Share) -> bytes:
        with stderr, contextlib.suppress(FrameError):
            decoded = frames.decode_into(picture, buffer, MAX_PIXELS)
            frame = frames.view(buffer, decoded.height_px, decoded.width_px)
            left, top = int(part[0] * decoded.width_px), int(part[1] * decoded.height_px)
            right, bottom = (
                round((part[0] + part[2]) * decoded.width_px),
                round((part[1] + part[3]) * decoded.height_px),
            )
            shown = frame[top : max(top + 1, bottom), left : max(left + 1, right)]
            height_px, width_px = shown.shape[:2]
            scale = min(1.0, max(WIDTH_PX / width_px, HEIGHT_PX / height_px))
            size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
            small = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
            return frames.encode_jpeg(small, QUALITY, THUMBNAIL_BYTES)
        return b""

    return shrink


def _load_for_clips() -> Callable[[bytes, Share], bytes]:
    """Load the image library and return what turns a clip into a moving picture, b"" for what cannot be shown."""
    from camalert.decoding import clips, frames  # noqa: PLC0415, I001 - sets OpenCV's limits, so before it is loaded
    import cv2  # noqa: PLC0415 - never in the web server

    from camalert.decoding.stderr import StderrCapture  # noqa: PLC0415

    cv2.setNumThreads(1)
    stderr = StderrCapture()
    limits = clips.Limits(1, MAX_PIXELS, frames.CHANNELS, PREVIEW_BYTES, CLIP_READ_S)

    def animate(clip: bytes, _part: Share) -> bytes:
        with stderr, contextlib.suppress(FrameError):
            return clips.animate(clip, limits)
        return b""

    return animate


if __name__ == "__main__":
    main()
