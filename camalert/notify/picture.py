"""Make a marked picture small enough for a message, or one sheet of several."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from camalert.decoding.headers import read_header
from camalert.errors import FrameError

LONGEST_PX = 1280
MOST_BYTES = 300_000
READ_BYTES = 33_554_432  # more is no picture of ours
QUALITIES = (85, 75, 65, 50, 35)
MOST_TILES = 6
_COLUMNS = 2
_TILE_PX = (640, 360)
_GAP_PX = 4
_SHADE = 32


def fit(jpeg: bytes) -> bytes:
    """Return a JPEG within `LONGEST_PX` and `MOST_BYTES`, unchanged when it is one, b"" when none can be made."""
    try:
        header = read_header(jpeg)
    except FrameError:
        return b""
    if header.kind == "jpeg" and max(header.width_px, header.height_px) <= LONGEST_PX and len(jpeg) <= MOST_BYTES:
        return jpeg
    import cv2  # noqa: PLC0415 - most pictures fit as they are, and this costs 40 MB
    import numpy as np  # noqa: PLC0415

    cv2.setNumThreads(1)
    try:
        frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        return b"" if frame is None else _encoded(frame)
    except cv2.error:
        return b""


def sheet(jpegs: Sequence[bytes]) -> bytes:
    """Return one JPEG of several, numbered from 1 in their order; one alone as `fit` makes it, b"" for none.

    What cannot be shown leaves its place empty, so that the numbers are right.
    """
    if len(jpegs) < 2:
        return fit(jpegs[0]) if jpegs else b""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    cv2.setNumThreads(1)
    shown = jpegs[:MOST_TILES]
    width, height = _TILE_PX
    rows = -(-len(shown) // _COLUMNS)
    size = (rows * height + (rows - 1) * _GAP_PX, _COLUMNS * width + (_COLUMNS - 1) * _GAP_PX, 3)
    drawn = np.full(size, _SHADE, np.uint8)
    for number, jpeg in enumerate(shown):
        row, column = divmod(number, _COLUMNS)
        top, left = row * (height + _GAP_PX), column * (width + _GAP_PX)
        tile = drawn[top : top + height, left : left + width]
        with contextlib.suppress(cv2.error, FrameError):
            read_header(jpeg)
            frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            if frame is not None:
                share = min(width / frame.shape[1], height / frame.shape[0])
                across, down = max(1, round(frame.shape[1] * share)), max(1, round(frame.shape[0] * share))
                x, y = (width - across) // 2, (height - down) // 2
                tile[y : y + down, x : x + across] = cv2.resize(frame, (across, down), interpolation=cv2.INTER_AREA)
        for colour, line in (((0, 0, 0), 8), ((255, 255, 255), 3)):
            cv2.putText(tile, str(number + 1), (14, 46), cv2.FONT_HERSHEY_SIMPLEX, 1.4, colour, line, cv2.LINE_AA)
    return _encoded(drawn)


def _encoded(frame: Any) -> bytes:
    """Encode a frame as a JPEG within the bounds."""
    import cv2  # noqa: PLC0415

    try:
        longest_px = LONGEST_PX
        while True:
            height, width = frame.shape[:2]
            share = min(1.0, longest_px / max(height, width))
            size = max(1, round(width * share)), max(1, round(height * share))
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if share < 1 else frame
            for quality in QUALITIES:
                _, encoded = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, quality))
                if encoded.size <= MOST_BYTES:
                    return bytes(encoded)
            longest_px //= 2
    except cv2.error:
        return b""
