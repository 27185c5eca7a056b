"""Clips for tests: made to order, and the samples beside the repository."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

SHARED = Path(os.environ.get("CAMALERT_SHARED") or Path(__file__).resolve().parents[3] / "shared")
SIZE_PX = (160, 120)  # width, height


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip of the samples, and whether it shows a person."""

    path: Path
    has_person: bool


def samples() -> list[Sample]:
    """Return the sample clips; skips the test without them."""
    manifest = SHARED / "eval" / "clips" / "manifest.csv"
    if not manifest.exists():
        pytest.skip(f"the sample clips are not in {manifest.parent}")
    with manifest.open(encoding="utf-8", newline="") as file:
        return [Sample(SHARED / "eval" / row["file"], row["has_person"] == "1") for row in csv.DictReader(file)]


def frame(number: int, *, shows_ball: bool) -> npt.NDArray[np.uint8]:
    """Return a frame of a grey yard, with a ball that is elsewhere in each."""
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 90, np.uint8)
    picture[60:, :] = 60
    if shows_ball:
        cv2.circle(picture, (20 + number * 7 % 120, 60), 12, (40, 40, 240), -1)
    return picture


def make_clip(path: Path, frames: int = 60, ball: range = range(0), codec: str = "MJPG") -> bytes:
    """Return a clip with a ball in some of its frames; the ending of `path` decides the container."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, SIZE_PX)
    for number in range(frames):
        writer.write(frame(number, shows_ball=number in ball))
    writer.release()
    return path.read_bytes()
