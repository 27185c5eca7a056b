"""A decoder's work on thousands of broken pictures, in a process of its own: `python -m testing.decode_many`.

Prints one JSON object: how many were decoded, how many were refused in words, and what else was raised.
"""

from __future__ import annotations

import collections
import json
import random
import resource
import sys
from collections.abc import Iterator

import cv2
import numpy as np

from camalert.decoding import frames
from camalert.errors import FrameError
from testing import hostile

ADDRESS_SPACE_BYTES = 2 << 30  # as the decoder's
ROOM_PX = 320 * 240
MAX_PIXELS = 4_000_000
SIZE = (64, 48)  # width, height in px: small, so that there are few bytes to cut at
UNTOUCHED = 7


def sample(kind: str) -> bytes:
    """Return a small picture of a kind."""
    chance = np.random.default_rng(1)
    coarse = chance.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    _, encoded = cv2.imencode(f".{kind}", cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC))
    return encoded.tobytes()


def truncations(kind: str) -> Iterator[bytes]:
    """Yield every beginning of a sample."""
    whole = sample(kind)
    for length in range(len(whole)):
        yield whole[:length]


def flips(kind: str, count: int) -> Iterator[bytes]:
    """Yield samples of which one to forty bits have flipped, the header's too."""
    chance = random.Random(kind)
    whole = sample(kind)
    for _ in range(count):
        yield hostile.flipped(whole, chance, chance.choice((1, 1, 2, 5, 40)), first=0)


def main(arguments: list[str]) -> None:
    """Decode all truncations and so many flips of a kind."""
    kind, count = arguments[0], int(arguments[1])
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    found: collections.Counter[str] = collections.Counter()
    out = bytearray([UNTOUCHED]) * (ROOM_PX * frames.CHANNELS)
    for content in (*truncations(kind), *flips(kind, count)):
        try:
            decoded = frames.decode_into(content, memoryview(out), MAX_PIXELS)
        except FrameError as error:
            found["refused" if str(error) else "refused without words"] += 1
        except MemoryError:
            found["out of memory"] += 1
        else:
            found["decoded"] += 1
            assert 0 < decoded.width_px * decoded.height_px <= ROOM_PX
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
