"""Clips: the bytes of a video file become a few pictures of it.

Compute layer, in the decoder process. The file is never on a disk and never has a name: FFmpeg opens a descriptor in
memory, as the one container that the first bytes say, and can open nothing else, because a playlist or a reference
inside a file would lead it to other files or into the network.

A clip is read once, from its beginning, so that one without an index or without an end gives what it has. Candidates
are kept on the way; when there are too many, every second one is dropped and the step is doubled. At the end each of as
many equal stretches as pictures are wanted gives its liveliest candidate.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from camalert.frames import encode_jpeg, reduce  # first: it tells OpenCV its limits before that is loaded

# isort: split
import cv2
import numpy as np
import numpy.typing as npt

from camalert.errors import FrameError
from camalert.mail.magic import CLIPS, HEAD_BYTES, kind_of

# FFmpeg's demuxer for each kind. Forced, because it would otherwise guess anew from what follows the first bytes.
_DEMUXERS = {"mp4": "mov", "avi": "avi", "mkv": "matroska"}
_OPTIONS = "input_format;{demuxer}|format_whitelist;{demuxer},mov,matroska|protocol_whitelist;file"

CANDIDATES_PER_PICTURE = 8  # more cost time and found no better pictures
PROBE_FRAMES = 30  # read before it is judged whether the whole clip can be read in time
LARGEST_STEP = 12  # frames, at first: a file that lies about its length must not hide a person of half a second
SEEKS_PER_PICTURE = 2  # each decodes from the key frame before, often a second of video
QUALITY = 95  # of the pictures: nothing is lost that the video had
_SMALL = (64, 48)  # width, height of what is compared
_LIVELY_SHARE = 0.1  # of the cells: a person is a small part of the picture


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pictures, and what they and the work may take."""

    pictures: int
    max_pixels: int  # of a frame, before any is converted
    room_px: int  # of a picture; larger ones are reduced
    picture_bytes: int  # of a picture's JPEG
    seconds: float  # after which what has been read must do


@dataclass(frozen=True, slots=True)
class _Candidate:
    jpeg: bytes
    small: npt.NDArray[np.float32]
    shape: tuple[int, int]  # height, width in px


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip's kind, its frame size in px, and its pictures as JPEG files in the order of time."""

    kind: str
    height_px: int
    width_px: int
    pictures: tuple[bytes, ...]


def take_pictures(encoded: memoryview | bytes, limits: Limits) -> Clip:
    """Take pictures out of a clip, spread over it and each where it moves most.

    Args:
        encoded: A whole MP4 or MOV, AVI, MKV or WebM file, or as much of it as came.
        limits: What pictures and work may take.
    Returns: At least one picture and at most `limits.pictures`, all of the same size.
    Raises: FrameError when it is no clip, has too large frames, or not one frame of it can be decoded.
    """
    data = bytes(encoded)  # our own copy: a view held by an exception's traceback would block closing the memory
    kind = kind_of(data[:HEAD_BYTES])
    if kind not in CLIPS:
        raise FrameError(f"not a clip: {len(data)} bytes that begin with {data[:12].hex(' ') or 'nothing'}")
    try:
        height, width, candidates = _look_through(data, kind, limits)
    except (cv2.error, MemoryError) as error:
        raise FrameError(
            f"the {kind} clip of {len(data)} bytes cannot be looked through, most likely for want of memory "
            f"(decode.memory_bytes): {error}"
        ) from error
    if not candidates:
        raise FrameError(
            f"not one picture of the {kind} clip of {len(data)} bytes can be decoded: it is damaged, or its "
            f"{width}x{height} px need more than decode.memory_bytes or {limits.seconds:g} s"
        )
    chosen = choose([candidate.small for candidate in candidates], limits.pictures)
    return Clip(kind, height, width, tuple(candidates[index].jpeg for index in chosen))


def _look_through(data: bytes, kind: str, limits: Limits) -> tuple[int, int, list[_Candidate]]:
    """Return a clip's height, width and candidates; cv2.error and MemoryError when there is no memory for it."""
    ends_at = time.monotonic() + limits.seconds
    with _opened(data, kind, limits.seconds) as capture:
        height, width = _whole(capture, cv2.CAP_PROP_FRAME_HEIGHT), _whole(capture, cv2.CAP_PROP_FRAME_WIDTH)
        if height * width > limits.max_pixels:
            raise FrameError(
                f"{kind} clip of {width}x{height} px exceeds the {limits.max_pixels} px of decode.max_pixels"
            )
        return height, width, _read(capture, limits, ends_at)


def choose(smalls: Sequence[npt.NDArray[np.float32]], number: int) -> list[int]:
    """Choose the liveliest of each of `number` equal stretches; all of them when there are fewer.

    Args:
        smalls: Small grey pictures in the order of time, all of one shape.
        number: How many at most.
    """
    changes = [_change(before, after) for before, after in itertools.pairwise(smalls)]
    sides = [changes[max(0, index - 1) : index + 1] for index in range(len(smalls))]
    # Somebody who comes in changes what was before as much as what is: then the other side decides.
    lively = [(max(side, default=0.0), sum(side) / max(1, len(side))) for side in sides]
    borders = [index * len(smalls) // number for index in range(number + 1)]
    stretches = [range(start, stop) for start, stop in itertools.pairwise(borders) if stop > start]
    return [max(stretch, key=lively.__getitem__) for stretch in stretches]


def _change(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> float:
    """Return how much the most changed cells differ, without what all have in common: a lamp, the exposure."""
    difference = after - before
    moved = np.abs(difference - np.median(difference)).ravel()
    count = max(1, int(moved.size * _LIVELY_SHARE))
    return float(np.partition(moved, -count)[-count:].mean())


@contextlib.contextmanager
def _opened(data: bytes, kind: str, seconds: float) -> Iterator[cv2.VideoCapture]:
    """Let FFmpeg open a clip in memory, and nothing else.

    Source: OpenCV's cap_ffmpeg_impl.hpp for the environment variables, ffmpeg-protocols(1) for the white lists.
    """
    timeout_ms = int(seconds * 1000)
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _OPTIONS.format(demuxer=_DEMUXERS[kind])  # read at each opening
    with open(os.memfd_create("clip"), "wb", buffering=0) as file:
        file.write(data)
        # One thread: the number of decoders is the parallelism, and each thread takes address space.
        settings = [
            cv2.CAP_PROP_N_THREADS, 1,
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms,
        ]  # fmt: skip
        capture = cv2.VideoCapture(f"/proc/self/fd/{file.fileno()}", cv2.CAP_FFMPEG, settings)
        try:
            if not capture.isOpened():
                raise FrameError(
                    f"{kind} clip of {len(data)} bytes cannot be opened: it is damaged, its end is missing, or it "
                    f"holds no video that OpenCV {cv2.__version__} knows"
                )
            yield capture
        finally:
            capture.release()


def _read(capture: cv2.VideoCapture, limits: Limits, ends_at: float) -> list[_Candidate]:
    """Read candidates until the clip or the time ends.

    A clip too long to be read in its time is visited at equal distances instead, as far as its index allows.
    """
    room = limits.pictures * CANDIDATES_PER_PICTURE
    total = _whole(capture, cv2.CAP_PROP_FRAME_COUNT)
    step = min(max(1, total // room), LARGEST_STEP)
    candidates: list[_Candidate] = []
    started = time.monotonic()
    index = 0
    while time.monotonic() < ends_at and capture.grab():
        if index % step == 0 and (candidate := _candidate(capture, limits, candidates)):
            candidates.append(candidate)
        if len(candidates) >= 2 * room:
            candidates = candidates[::2]
            step *= 2
        index += 1
        if index == PROBE_FRAMES and total * (time.monotonic() - started) / index > limits.seconds:
            return candidates + _visit(capture, limits, ends_at, candidates)
    return candidates


def _visit(
    capture: cv2.VideoCapture, limits: Limits, ends_at: float, earlier: Sequence[_Candidate]
) -> list[_Candidate]:
    """Take candidates at equal distances from the rest of a long clip."""
    total = _whole(capture, cv2.CAP_PROP_FRAME_COUNT)
    seeks = limits.pictures * SEEKS_PER_PICTURE
    found: list[_Candidate] = []
    for number in range(1, seeks + 1):
        capture.set(cv2.CAP_PROP_POS_FRAMES, total * number // (seeks + 1))
        if time.monotonic() >= ends_at or not capture.grab():
            break
        if candidate := _candidate(capture, limits, earlier):
            found.append(candidate)
    return found


def _candidate(capture: cv2.VideoCapture, limits: Limits, earlier: Sequence[_Candidate]) -> _Candidate | None:
    """Convert the frame that was read, in the size of the earlier ones; None when it cannot be."""
    try:
        is_whole, frame = capture.retrieve()
    except cv2.error:
        return None  # no memory for a frame of this size, most likely
    if not is_whole or frame is None or frame.ndim != 3 or frame.shape[0] * frame.shape[1] > limits.max_pixels:
        return None
    frame = reduce(frame, limits.room_px)
    if earlier and frame.shape[:2] != earlier[0].shape:
        # A clip may change its size on the way; the boxes of all its pictures are in px of one.
        frame = cv2.resize(frame, earlier[0].shape[::-1], interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.resize(frame, _SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    height, width = frame.shape[:2]
    return _Candidate(encode_jpeg(frame, QUALITY, limits.picture_bytes), grey.astype(np.float32), (height, width))


def _whole(capture: cv2.VideoCapture, prop: int) -> int:
    """Return a property as a whole number, 0 when the file states nonsense."""
    value = capture.get(prop)
    return int(value) if 0 < value < 1 << 31 else 0
