"""Pictures for messages are small enough."""

from __future__ import annotations

import cv2
import numpy as np
from testing.pictures import person_jpeg

from camalert.decoding.headers import read_header
from camalert.notify import picture


def test_picture_that_fits_is_left_as_it_is() -> None:
    """It is not encoded once more."""
    assert picture.fit(person_jpeg(640)) == person_jpeg(640)


def test_picture_that_is_too_large_is_reduced() -> None:
    """In its sides and its bytes; noise is the worst."""
    noise = np.random.default_rng(1).integers(0, 256, (1500, 2600, 3), np.uint8)
    _, large = cv2.imencode(".jpg", noise, (cv2.IMWRITE_JPEG_QUALITY, 95))

    small = picture.fit(large.tobytes())

    header = read_header(small)
    assert len(small) <= picture.MOST_BYTES
    assert max(header.width_px, header.height_px) <= picture.LONGEST_PX
    assert abs(header.width_px / header.height_px - 2600 / 1500) < 0.01


def test_what_is_no_picture_becomes_none() -> None:
    """The message goes without one."""
    assert picture.fit(b"") == b""
    assert picture.fit(b"\xff\xd8\xff nonsense") == b""


def test_sheet_has_the_pictures_in_their_order_within_the_bounds() -> None:
    """Upright and across, one that is none at all, and noise: six places, of which the broken one stays empty."""
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10), (10, 250, 250)]
    shots = []
    for number, colour in enumerate(colours):
        size = (700, 300, 3) if number % 2 else (300, 700, 3)
        _, encoded = cv2.imencode(".jpg", np.full(size, colour, np.uint8))
        shots.append(encoded.tobytes())
    shots.insert(2, b"no picture")
    shots.append(shots[0])

    sheet = picture.sheet(shots)

    header = read_header(sheet)
    assert len(sheet) <= picture.MOST_BYTES
    assert max(header.width_px, header.height_px) <= picture.LONGEST_PX
    seen = cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    height, width = seen.shape[:2]
    middles = [
        seen[round(height * (2 * row + 1) / 6), round(width * (2 * side + 1) / 4)]
        for row in range(3)
        for side in (0, 1)
    ]
    wanted = [*colours[:2], (32, 32, 32), *colours[2:]]
    assert all(
        abs(int(a) - b) < 12
        for middle, colour in zip(middles, wanted, strict=True)
        for a, b in zip(middle, colour, strict=True)
    )


def test_sheet_of_one_is_the_picture_itself() -> None:
    """And of none there is none."""
    assert picture.sheet([person_jpeg(640)]) == person_jpeg(640)
    assert picture.sheet([]) == b""
