"""Polygons in per cent of a picture: read from the configuration, asked whether a point lies inside.

Pure. Per cent, because one camera sends several sizes and the detector sees a reduced frame.
"""

from __future__ import annotations

import math
from typing import TypeAlias

from camalert.errors import ConfigError

Point: TypeAlias = tuple[float, float]  # x, y in per cent from the upper left
Polygon: TypeAlias = tuple[Point, ...]

CORNERS = range(3, 65)  # fewer enclose nothing; more is a mistake and would cost time for each person


def parse_polygon(text: str) -> Polygon:
    """Read corners such as `0,0 40,0 40,25.5 0,30`, in per cent of the picture's width and height.

    Raises: ConfigError when they are not such pairs, outside 0 to 100, or not 3 to 64 in number.
    """
    corners = tuple(_parse_corner(pair, text) for pair in text.split())
    if len(corners) not in CORNERS:
        raise ConfigError(f"{text!r} has {len(corners)} corners, allowed are {CORNERS.start} to {CORNERS.stop - 1}")
    return corners


def contains(polygon: Polygon, point: Point) -> bool:
    """Tell whether a point lies inside, by the even-odd rule: a ray to the right crosses its edges."""
    x, y = point
    is_inside = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            is_inside = not is_inside
    return is_inside


def _parse_corner(pair: str, text: str) -> Point:
    try:
        x, y = (float(number) for number in pair.split(","))
    except ValueError as error:
        raise ConfigError(f"{pair!r} in {text!r} is not a corner; write x,y in per cent, such as 40,25.5") from error
    if not all(math.isfinite(value) and 0 <= value <= 100 for value in (x, y)):
        raise ConfigError(f"{pair!r} in {text!r} lies outside the picture; allowed are 0 to 100 per cent")
    return x, y
