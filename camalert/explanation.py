"""Show why people in a picture were or were not counted: the camera's areas, every box, and the rule that decided.

Compute layer, for the command line. `annotate` draws what is stored; this draws what an owner needs to tune a camera.
"""

from __future__ import annotations

import numpy as np

from camalert.annotation import draw_box, draw_label, shade
from camalert.config import Camera
from camalert.detection.examiner import Examination
from camalert.detection.rules import Rule
from camalert.frames import Frame
from camalert.polygon import parse_polygon

WATCHED, IGNORED = (120, 220, 60), (80, 80, 230)  # BGR
LEFT_OUT = (190, 190, 190)  # of a box that does not count
WORTH_SHOWING = 0.15  # boxes below this score would hide the picture
MOST_BOXES = 8
SHADE = 0.3  # how much of an area's colour is laid over the picture


def explain(frame: Frame, examination: Examination, camera: Camera) -> Frame:
    """Return a copy of the frame with the areas shaded and everybody found marked, counted or not."""
    drawn = frame.copy()
    height, width = drawn.shape[:2]
    for area in camera.area:
        corners = np.array(parse_polygon(area.points)) * (width, height) / 100
        shade(drawn, corners.round().astype(np.int32), WATCHED if area.rule == "watch" else IGNORED, SHADE)
    shown = [ruling for ruling in examination.rulings if ruling.person.score >= WORTH_SHOWING][:MOST_BOXES]
    for ruling in reversed(shown):
        colour = None if ruling.rule is Rule.COUNTED else LEFT_OUT
        draw_box(drawn, ruling.person, colour)
        # The many below the threshold say so by their number alone, or the words would hide the picture.
        is_plain = ruling.rule in (Rule.COUNTED, Rule.DOUBTFUL)
        draw_label(drawn, ruling.person, colour, "" if is_plain else f" {ruling.rule.value}")
    return drawn
