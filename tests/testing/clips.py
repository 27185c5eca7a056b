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


def raw_h264(frames: int = 4) -> bytes:
    """Return H.264 without a container: key frames of one grey each, 160x112 px, as samples without compression.

    Source: ITU-T H.264 7.3.2 (parameter sets), 7.3.3 (slice header), 7.3.5 (I_PCM) and Annex B.
    """
    zero, one, two = "1", "010", "011"  # codes of Exp-Golomb
    sps = f"{66:08b}{0:08b}{30:08b}" + zero + zero + two + zero + "0" + "0001010" + "00111" + "1100"
    pps = zero + zero + "00" + zero + zero + zero + "000" + zero + zero + zero + "100"
    units = [b"\x67" + _bits(sps + "1"), b"\x68" + _bits(pps + "1")]
    for number in range(frames):
        slice_header = zero + "0001000" + zero + "0000" + (zero if number % 2 else one) + "00" + zero + one
        picture = b"\x65"
        for macroblock in range(10 * 7):
            start = (slice_header if not macroblock else "") + "000011010"
            picture += _bits(start) + bytes((60 + 20 * (number % 8),)) * 384
        units.append(picture + b"\x80")
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def _bits(code: str) -> bytes:
    """Return bits as bytes, filled up with zeros."""
    return int(code.ljust(-(-len(code) // 8) * 8, "0"), 2).to_bytes(-(-len(code) // 8), "big")
