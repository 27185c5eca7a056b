"""Draw people, and what else counts, into a frame: a box and a score each, readable on dark and bright pictures.

`annotate` draws what is stored, `explain` what an owner needs to tune a camera. Sizes follow the frame, so that 160x120
stays legible and eight megapixels do not show hairlines; the person inside a box is never covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from camalert.config.objects import PERSON
from camalert.config.schema import Camera, parse_polygon
from camalert.decoding.frames import Frame
from camalert.detection.people import Person
from camalert.detection.rules import Rule, Ruling

Colour: TypeAlias = tuple[int, int, int]  # BGR

# By confidence: the surer, the warmer. They differ in brightness too, for those who see no red and green.
SURE, LIKELY, UNSURE = (60, 60, 255), (0, 165, 255), (0, 235, 255)
SURE_SCORE, LIKELY_SCORE = 0.85, 0.65
DARK = (0, 0, 0)  # around each line and label: the colour is seen on dark ground, this on bright

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22  # height of the font's capitals at scale 1
LEAST_TEXT_PX = 7  # below it the strokes run into each other

# What `explain` draws: areas, and boxes that do not count.
WATCHED, IGNORED, LEFT_OUT = (120, 220, 60), (80, 80, 230), (190, 190, 190)
SHADE = 0.3  # how much of an area's colour is laid over the picture
WORTH_SHOWING = 0.15  # boxes below this score would hide the picture
MOST_BOXES = 8


def annotate(frame: Frame, people: Sequence[Person]) -> Frame:
    """Draw a box and the score around each person, into this very frame, and return it."""
    for person in reversed(people):  # the best last, on top
        draw_box(frame, person)
    for person in reversed(people):
        _draw_label(frame, person)
    return frame


def explain(frame: Frame, rulings: Sequence[Ruling], camera: Camera) -> Frame:
    """Return a copy of the frame with the camera's areas shaded and everybody found marked, counted or not."""
    drawn = frame.copy()
    height, width = drawn.shape[:2]
    for area in camera.area:
        corners = np.array(parse_polygon(area.points)) * (width, height) / 100
        _shade(drawn, corners.round().astype(np.int32), WATCHED if area.rule == "watch" else IGNORED)
    shown = [ruling for ruling in rulings if ruling.person.score >= WORTH_SHOWING][:MOST_BOXES]
    for ruling in reversed(shown):
        colour = None if ruling.rule is Rule.COUNTED else LEFT_OUT
        draw_box(drawn, ruling.person, colour)
        # The many below the threshold say so by their number alone, or the text would hide the picture.
        is_plain = ruling.rule in (Rule.COUNTED, Rule.BELOW_THRESHOLD)
        _draw_label(drawn, ruling.person, colour, "" if is_plain else f" {ruling.rule.value}")
    return drawn


def colour_of(score: float) -> Colour:
    """Return the colour that says how sure a score is."""
    if score >= SURE_SCORE:
        return SURE
    return LIKELY if score >= LIKELY_SCORE else UNSURE


def draw_box(frame: Frame, person: Person, colour: Colour | None = None) -> None:
    """Draw a person's box around, not over, the person; the colour says the score unless another is given."""
    height, width = frame.shape[:2]
    line = _line_px(frame)
    edge = max(1, line // 3)  # of the dark on both sides of the colour
    around = line + 2 * edge
    # At the frame's border the line stays in the picture, over the outermost pixels.
    left, top = max(around, person.x), max(around, person.y)
    right = min(width - around, person.x + person.width)
    bottom = min(height - around, person.y + person.height)
    for thickness, shade in (
        (around, DARK),
        (edge + line, colour or colour_of(person.score)),
        (edge, DARK),
    ):
        _draw_ring(frame, (left, top, right, bottom), thickness, shade)


def _draw_label(frame: Frame, person: Person, colour: Colour | None = None, suffix: str = "") -> None:
    """Write the score above the box, below it where there is no space, inside it where there is none either."""
    height, width = frame.shape[:2]
    line = _line_px(frame)
    text_px = max(LEAST_TEXT_PX, round(min(height, width) / 40))
    scale, stroke, margin = text_px / _FONT_PX, max(1, round(text_px / 9)), max(2, text_px // 3)
    name = "" if person.kind == PERSON else f"{person.kind} "
    text = f"{name}{round(100 * person.score)}%{suffix}"
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    wide, tall = text_width + 2 * margin, text_height + 2 * margin
    x = min(max(0, person.x - 2 * line), max(0, width - wide))
    y = _label_top(person, tall, line, height)
    frame[y : y + tall, x : x + wide] = DARK
    frame[y + 1 : y + tall - 1, x + 1 : x + wide - 1] = colour or colour_of(person.score)
    origin = x + margin, y + margin + text_height
    cv2.putText(frame, text, origin, _FONT, scale, DARK, stroke, cv2.LINE_AA)


def _shade(frame: Frame, corners: npt.NDArray[np.int32], colour: Colour) -> None:
    """Lay a colour over a polygon, and draw its edge."""
    painted = frame.copy()
    cv2.fillPoly(painted, [corners], colour)
    cv2.addWeighted(painted, SHADE, frame, 1 - SHADE, 0, dst=frame)
    cv2.polylines(frame, [corners], isClosed=True, color=colour, thickness=_line_px(frame))


def _draw_ring(frame: Frame, inside: tuple[int, int, int, int], thickness: int, colour: Colour) -> None:
    """Paint exactly what lies within `thickness` px around a box; OpenCV's own thick lines reach into it."""
    left, top, right, bottom = inside
    outer_left, outer_top = max(0, left - thickness), max(0, top - thickness)
    frame[outer_top:top, outer_left : right + thickness] = colour
    frame[bottom : bottom + thickness, outer_left : right + thickness] = colour
    frame[top:bottom, outer_left:left] = colour
    frame[top:bottom, right : right + thickness] = colour


def _line_px(frame: Frame) -> int:
    shortest_px: int = min(frame.shape[0], frame.shape[1])
    return max(1, round(shortest_px / 300))


def _label_top(person: Person, tall: int, line: int, height: int) -> int:
    # Two lines away is clear of the box with its dark edges.
    above = person.y - 2 * line - tall
    below = person.y + person.height + 2 * line
    if above >= 0:
        return above
    return below if below + tall <= height else max(0, person.y)
