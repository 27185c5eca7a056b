"""The look of a place: what changes it and what does not. Scenes are drawn; chance has a seed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camalert.decoding import frames
from camalert.decoding.frames import Frame
from camalert.detection.appearance import look_of
from camalert.detection.known import LIKE, LOOK_BYTES, Place, likeness
from camalert.detection.weights import shipped_file

PLACE = Place(0.1, 0.05, 0.6, 0.9)  # of the person in the picture


@pytest.fixture(scope="module")
def scene() -> Frame:
    """A photograph."""
    buffer = bytearray(320 * 320 * frames.CHANNELS)
    decoded = frames.decode_into(shipped_file("astronaut.jpg"), memoryview(buffer), 320 * 320)
    found: Frame = frames.view(memoryview(buffer), decoded.height_px, decoded.width_px).copy()
    return found


def seen(frame: Frame, other: Frame, place: Place = PLACE) -> float:
    return likeness(look_of(frame, place), look_of(other, place))


def test_look_has_its_size_wherever_it_is_taken(scene: Frame) -> None:
    """Also of a place of no width, at the border, or of an even wall."""
    for place in (PLACE, Place(0, 0, 1, 1), Place(1, 1, 0, 0), Place(0.99, 0.99, 0.5, 0.5)):
        assert len(look_of(scene, place)) == LOOK_BYTES
    even = np.full((100, 100, 3), 90, np.uint8)
    assert likeness(look_of(even, PLACE), look_of(scene, PLACE)) == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: cv2.convertScaleAbs(frame, alpha=0.5, beta=10),
        lambda frame: cv2.convertScaleAbs(frame, alpha=1.3),
        lambda frame: (255 * (frame / 255) ** 1.8).astype(np.uint8),
        lambda frame: cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
        lambda frame: cv2.GaussianBlur(frame, (0, 0), 1.5),
        lambda frame: cv2.addWeighted(frame, 0.6, np.full_like(frame, 200), 0.4, 0),
        lambda frame: np.roll(frame, (2, -2), (0, 1)),
        lambda frame: cv2.resize(frame, (200, 200), interpolation=cv2.INTER_AREA),
        lambda frame: np.clip(frame + np.random.default_rng(1).normal(0, 12, frame.shape), 0, 255).astype(np.uint8),
    ],
    ids=["dark", "bright", "gamma", "infrared", "blur", "fog", "shaken", "smaller", "noise"],
)
def test_light_weather_and_noise_leave_a_look_alike(scene: Frame, change: object) -> None:
    """A camera's day and night, and a small picture of the same scene."""
    assert seen(scene, change(scene)) > LIKE  # type: ignore[operator]


def test_another_thing_in_the_place_has_another_look(scene: Frame) -> None:
    """Also the same person turned round, or a step to the side."""
    height, width = scene.shape[:2]
    assert seen(scene, scene[:, ::-1].copy()) < LIKE
    assert seen(scene, np.roll(scene, width // 4, axis=1)) < LIKE
    assert seen(scene, np.roll(scene, height // 4, axis=0)) < LIKE
