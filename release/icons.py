"""Draw the application's icons from the shape of review/icon.svg, for what takes no SVG: phones and app launchers.

    python release/icons.py

They are committed: whoever installs camalert draws nothing. Sizes: web.dev, "Add a web app manifest"; the safe zone of
a maskable icon is the middle 80 %, w3c.github.io/manifest, "Icon masks".
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

TARGET = Path(__file__).parents[1] / "camalert" / "review" / "static" / "review"
GROUND = (0x73, 0x5F, 0x0F)  # BGR of #0f5f73
SHARPNESS = 8  # drawn so many times as large, for smooth edges
# The camera: body, lens and bracket, in units of a 24 x 24 drawing.
BODY = ((3, 8.5), (14.5, 5), (16.2, 10.4), (4.7, 14))
LENS = ((16.6, 7.6), (19.8, 6.6), (20.8, 9.8), (17.6, 10.8))
BRACKET = (
    (8.5, 13.2), (8.5, 17), (4, 17), (4, 19), (8.5, 19),
    *((8.5 + 2 * np.sin(turn), 17 + 2 * np.cos(turn)) for turn in np.linspace(0, np.pi / 2, 16)),
    (10.5, 12.6),
)  # fmt: skip


def draw(size_px: int, share: float, *, corner: float) -> np.ndarray:
    """Return the icon as BGRA.

    Args:
        size_px: Width and height.
        share: How much of the width the drawing takes.
        corner: Radius of the corners as a share of the width; 0 fills the square.
    """
    large = size_px * SHARPNESS
    ground = np.zeros((large, large), np.uint8)
    radius = int(corner * large)
    cv2.rectangle(ground, (radius, 0), (large - radius, large), 255, -1)
    cv2.rectangle(ground, (0, radius), (large, large - radius), 255, -1)
    for x in (radius, large - 1 - radius):
        for y in (radius, large - 1 - radius):
            cv2.circle(ground, (x, y), radius, 255, -1)
    shape = np.zeros((large, large), np.uint8)
    unit = large * share / 24
    for points in (BODY, LENS, BRACKET):
        corners = (np.array(points) - (12, 12)) * unit + large / 2
        cv2.fillPoly(shape, [corners.round().astype(np.int32)], 255)
    image = np.zeros((large, large, 4), np.uint8)
    image[:, :, :3] = np.where(shape[:, :, None] > 0, 255, np.array(GROUND, np.uint8))
    image[:, :, 3] = ground
    return cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Draw them all."""
    for name, image in (
        ("icon-192", draw(192, 0.75, corner=0.22)), ("icon-512", draw(512, 0.75, corner=0.22)),
        ("icon-maskable-512", draw(512, 0.6, corner=0)), ("icon-apple-180", draw(180, 0.66, corner=0)),
    ):  # fmt: skip
        cv2.imwrite(str(TARGET / f"{name}.png"), image, (cv2.IMWRITE_PNG_COMPRESSION, 9))


if __name__ == "__main__":
    main()
