"""Draw people into a frame: a box and a score each, readable on dark and bright pictures.

Compute layer. Sizes follow the frame, so that 160x120 stays legible and eight megapixels do not show hairlines; the
person inside a box is never covered.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from camalert.detection.people import Person
from camalert.frames import Frame

# BGR by confidence: the surer, the warmer. All differ from skin, foliage and grey infrared, and from each other in
# brightness too, for those who see no red and green.
SURE, LIKELY, DOUBTFUL = (40, 40, 235), (0, 150, 255), (0, 220, 255)
SURE_SCORE, LIKELY_SCORE = 0.8, 0.6
OUTLINE = (0, 0, 0)  # around the colour, so that the line is seen on bright ground; the colour is seen on dark


def annotate(frame: Frame, people: Sequence[Person]) -> Frame:
    """Draw a box and the score around each person, into this very frame, and return it."""
    for person in reversed(people):  # the best last, on top
        _draw_box(frame, person, colour_of(person.score))
    for person in reversed(people):
        _draw_label(frame, person, colour_of(person.score))
    return frame


def colour_of(score: float) -> tuple[int, int, int]:
    """Return the colour that says how sure a score is."""
    if score >= SURE_SCORE:
        return SURE
    return LIKELY if score >= LIKELY_SCORE else DOUBTFUL


def _thickness(frame: Frame) -> int:
    shortest_px: int = min(frame.shape[0], frame.shape[1])
    return max(1, round(shortest_px / 320))


def _draw_box(frame: Frame, person: Person, colour: tuple[int, int, int]) -> None:
    thickness = _thickness(frame)
    first = person.x, person.y
    last = person.x + person.width - 1, person.y + person.height - 1
    cv2.rectangle(frame, first, last, OUTLINE, thickness * 2 + 1, cv2.LINE_8)
    cv2.rectangle(frame, first, last, colour, thickness, cv2.LINE_8)


def _draw_label(frame: Frame, person: Person, colour: tuple[int, int, int]) -> None:
    """Write the score above the box, below it where there is no room, inside only when the box fills the frame."""
    height, width = frame.shape[:2]
    text = f"{person.score:.2f}".removeprefix("0")
    thickness = _thickness(frame)
    scale = max(0.32, min(height, width) / 900)
    (text_width, text_height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    margin = thickness + 1
    tall, wide = text_height + baseline + margin, text_width + 2 * margin
    x = min(max(0, person.x - thickness), max(0, width - wide))
    top = person.y - tall - thickness
    if top < 0:
        below = person.y + person.height + thickness
        top = below if below + tall <= height else max(0, person.y + thickness)
    cv2.rectangle(frame, (x, top), (x + wide, top + tall), colour, cv2.FILLED)
    origin = x + margin, top + text_height + margin
    cv2.putText(frame, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, OUTLINE, thickness, cv2.LINE_AA)
