"""The disposable process that makes small pictures: hostile bytes end here and not in the web server.

`python -m camalert.review.shrink`, started by `shrinker`. It has no descriptor but its two pipes, a limit on memory,
and dies with its parent. A request is a length and a picture, an answer a length and a JPEG; length 0 says
that it cannot be shown.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

from camalert import frames  # first: it tells OpenCV its limits before that is loaded

# isort: split
import cv2

from camalert.complaints import Complaints
from camalert.errors import FrameError
from camalert.review.blocks import LENGTH, THUMBNAIL_BYTES, read_block

WIDTH_PX, HEIGHT_PX = 480, 360  # twice what a list shows, for dense screens
BUFFER_PX = 1_600_000  # a JPEG is decoded at the part of its size that fits: enough to shrink from, and little work
MAX_PIXELS = 64_000_000
QUALITY = 72
ADDRESS_SPACE_BYTES = 1 << 31
PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Answer requests until the pipe ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not be taken for an answer
    complaints = Complaints()  # the decoder has told of them when the picture came
    room = memoryview(bytearray(BUFFER_PX * frames.CHANNELS))
    while True:
        picture = read_block(sys.stdin.buffer)
        if picture is None:
            return
        with complaints:
            small = _shrink(picture, room)
        answers.write(LENGTH.pack(len(small)) + small)
        answers.flush()


def _shrink(picture: bytes, room: memoryview) -> bytes:
    try:
        decoded = frames.decode_into(picture, room, MAX_PIXELS)
        frame = frames.view(room, decoded.height_px, decoded.width_px)
        scale = min(1.0, max(WIDTH_PX / decoded.width_px, HEIGHT_PX / decoded.height_px))
        size = max(1, round(decoded.width_px * scale)), max(1, round(decoded.height_px * scale))
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        return frames.encode_jpeg(small, QUALITY, THUMBNAIL_BYTES)
    except FrameError:
        return b""


if __name__ == "__main__":
    main()
