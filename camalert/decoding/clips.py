"""Clips: the bytes of a video file become a few pictures of it.

The file is never on a disk and never has a name: FFmpeg opens a descriptor in memory, as the one container that the
first bytes say, and can open nothing else, because a playlist or a reference inside a file would lead it to other files
or into the network.

A clip is read once, from its beginning, so that one without an index or without an end gives what it has. Candidates
are kept on the way; when there are too many, every second one is dropped and the step is doubled. Finally the clip is
divided into as many equal stretches as pictures are wanted, and each gives the candidate with the most motion.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from camalert.decoding.frames import (
    CHANNELS,
    encode_jpeg,
    reduce,
)  # first: it tells OpenCV its limits before that is loaded

# isort: split
import cv2
import numpy as np
import numpy.typing as npt

from camalert.decoding.kinds import HEAD_BYTES, kind_of
from camalert.errors import FrameError
from camalert.ipc.records import CLIPS

# FFmpeg's demuxer for each kind. Forced, because it would otherwise guess anew from what follows the first bytes.
_DEMUXERS = {
    "mp4": "mov", "avi": "avi", "mkv": "matroska", "h264": "h264", "h265": "hevc", "ps": "mpeg", "ts": "mpegts",
    "asf": "asf", "flv": "flv", "dav": "dhav",
}  # fmt: skip
# What cameras send and an FFmpeg may lack; the others are in every OpenCV.
_NO_DECODER = {"av01": "AV1", "vvc1": "H.266", "vvi1": "H.266", "evc1": "EVC", "avs3": "AVS3"}
_FRAMES_AT_ONCE = 6  # that a decoder holds: references, and the one that is converted
_OPTIONS = "input_format;{demuxer}|format_whitelist;{demuxer},mov,matroska|protocol_whitelist;file"

CANDIDATES_PER_PICTURE = 8  # more cost time and found no better pictures
PROBE_FRAMES = 30  # read before it is judged whether the whole clip can be read in time
LARGEST_STEP = 12  # frames, at first: a file with a false length must not hide a person of half a second
SEEKS_PER_PICTURE = 2  # each decodes from the key frame before, often a second of video
QUALITY = 95  # of the pictures: nothing is lost that the video had
LONGEST_MS = 86_400_000.0  # no clip is longer than a day
PREVIEW_PX = 480  # width of a preview
PREVIEW_FRAMES = 48  # of a preview, spread over the clip
PREVIEW_QUALITY = 55
PREVIEW_PAUSE_MS = 1000  # the last frame stays, so that one sees where it ends
_SMALL = (64, 48)  # width, height of what is compared
_MOTION_SHARE = 0.1  # of the cells: a person is a small part of the picture


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pictures, and what they and the work may take."""

    pictures: int
    max_pixels: int  # of a frame, before any is converted
    picture_px: int  # of a picture; larger ones are reduced
    picture_bytes: int  # of a picture's JPEG
    seconds: float  # after which what has been read must do


@dataclass(frozen=True, slots=True)
class _Candidate:
    jpeg: bytes
    small: npt.NDArray[np.float32]
    shape: tuple[int, int]  # height, width in px
    at_ms: float  # in the clip


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip's kind, its frame size in px, its pictures as JPEG files in the order of time, and when each is in it."""

    kind: str
    height_px: int
    width_px: int
    pictures: tuple[bytes, ...]
    at_ms: tuple[float, ...]


def take_pictures(encoded: memoryview | bytes, limits: Limits) -> Clip:
    """Take pictures out of a clip, spread over it, each where there is most motion.

    Args:
        encoded: A whole file of one of the kinds in `CLIPS`, or as much of it as came.
        limits: What pictures and work may take.
    Returns: At least one picture and at most `limits.pictures`, all of the same size.
    Raises: FrameError when it is no clip, has too large frames, or not one frame of it can be decoded.
    """
    data = bytes(encoded)  # our own copy: a view held by an exception's traceback would block closing the memory
    kind = kind_of(data[:HEAD_BYTES])
    if kind not in CLIPS:
        raise FrameError(f"not a clip: {len(data)} bytes that begin with {data[:12].hex(' ') or 'nothing'}")
    try:
        scan = _scan(data, kind, limits)
    except (cv2.error, MemoryError) as error:
        raise FrameError(
            f"the {kind} clip of {len(data)} bytes cannot be read, most likely for want of memory "
            f"(decode.memory_bytes): {error}"
        ) from error
    if not scan.candidates:
        raise FrameError(
            f"not one picture of the {kind} clip of {len(data)} bytes can be decoded: {_cause(scan, limits)}"
        )
    chosen = choose([candidate.small for candidate in scan.candidates], limits.pictures)
    candidates = [scan.candidates[index] for index in chosen]
    return Clip(
        kind,
        scan.height_px,
        scan.width_px,
        tuple(candidate.jpeg for candidate in candidates),
        tuple(candidate.at_ms for candidate in candidates),
    )


def animate(encoded: memoryview | bytes, limits: Limits) -> bytes:
    """Turn a clip into a small moving picture, an animated WebP that every browser shows, as fast as the clip is.

    Args:
        encoded: As in `take_pictures`.
        limits: What the work may take; `pictures` and `picture_px` say nothing here, `picture_bytes` bounds the result.
    Raises: FrameError when it is no clip, or nothing of it can be shown within the limits.
    """
    data = bytes(encoded)
    kind = kind_of(data[:HEAD_BYTES])
    if kind not in CLIPS:
        raise FrameError(f"not a clip: {len(data)} bytes")
    try:
        frames, at_ms = _moving(data, kind, limits)
        if not frames:
            raise FrameError(f"not one picture of the {kind} clip of {len(data)} bytes can be decoded")
        animation = cv2.Animation()
        animation.frames = frames
        pauses = [max(20, round(after - before)) for before, after in itertools.pairwise(at_ms)]
        animation.durations = [*pauses, PREVIEW_PAUSE_MS]
        is_made, made = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, PREVIEW_QUALITY])
    except (cv2.error, MemoryError) as error:
        raise FrameError(f"the {kind} clip of {len(data)} bytes cannot be shown: {error}") from error
    if not is_made or made.size > limits.picture_bytes:
        raise FrameError(
            f"the {kind} clip of {len(data)} bytes gives no preview of at most {limits.picture_bytes} bytes"
        )
    return made.tobytes()


def _moving(data: bytes, kind: str, limits: Limits) -> tuple[list[npt.NDArray[np.uint8]], list[float]]:
    """Read small frames spread over a clip, and when each is in it, in milliseconds."""
    ends_at = time.monotonic() + limits.seconds
    frames: list[npt.NDArray[np.uint8]] = []
    at_ms: list[float] = []
    with _opened(data, kind, limits.seconds) as capture:
        height, width = _whole(capture, cv2.CAP_PROP_FRAME_HEIGHT), _whole(capture, cv2.CAP_PROP_FRAME_WIDTH)
        if height * width > limits.max_pixels:
            raise FrameError(f"{kind} clip of {width}x{height} px exceeds the {limits.max_pixels} px")
        rate = capture.get(cv2.CAP_PROP_FPS)
        frame_ms = 1000 / rate if 1 <= rate <= 240 else 40.0  # also NaN is neither
        step, index = 1, 0
        while time.monotonic() < ends_at and capture.grab():
            if index % step == 0 and (frame := _reduced(capture, limits, frames)) is not None:
                frames.append(frame)
                at_ms.append(index * frame_ms)
            if len(frames) >= 2 * PREVIEW_FRAMES:
                frames, at_ms = frames[::2], at_ms[::2]
                step *= 2
            index += 1
    if len(frames) > PREVIEW_FRAMES:
        frames, at_ms = frames[::2], at_ms[::2]
    return frames, at_ms


def _reduced(
    capture: cv2.VideoCapture, limits: Limits, earlier: Sequence[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8] | None:
    """Convert the frame that was read, as small as a preview is; None when it cannot be."""
    try:
        is_whole, frame = capture.retrieve()
    except cv2.error:
        return None
    if not is_whole or frame is None or frame.ndim != 3 or frame.shape[0] * frame.shape[1] > limits.max_pixels:
        return None
    height, width = frame.shape[:2]
    if earlier:
        size = earlier[0].shape[1], earlier[0].shape[0]
    else:
        scale = min(1.0, PREVIEW_PX / max(width, height))
        size = max(2, round(width * scale)), max(2, round(height * scale))
    return np.ascontiguousarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a clip gave: its frame size, its codec's four letters, and the candidates."""

    height_px: int
    width_px: int
    codec: str
    is_late: bool  # the time was over
    candidates: list[_Candidate]


def _scan(data: bytes, kind: str, limits: Limits) -> _Scan:
    """Read a clip; cv2.error and MemoryError when there is no memory for it."""
    ends_at = time.monotonic() + limits.seconds
    with _opened(data, kind, limits.seconds) as capture:
        height, width = _whole(capture, cv2.CAP_PROP_FRAME_HEIGHT), _whole(capture, cv2.CAP_PROP_FRAME_WIDTH)
        if height * width > limits.max_pixels:
            raise FrameError(
                f"{kind} clip of {width}x{height} px exceeds the {limits.max_pixels} px of decode.max_pixels"
            )
        codec = _whole(capture, cv2.CAP_PROP_FOURCC).to_bytes(4, "little").decode("latin-1").lower()
        candidates = _read(capture, limits, ends_at)
        return _Scan(height, width, codec, time.monotonic() >= ends_at, candidates)


def _cause(scan: _Scan, limits: Limits) -> str:
    """Say why a clip that could be opened gave no picture: its codec, the time, the memory, or its own damage."""
    if name := _NO_DECODER.get(scan.codec):
        return f"it is coded as {name}, for which OpenCV {cv2.__version__} has no decoder; set the camera to H.264"
    if scan.is_late:
        return f"that would have taken longer than {limits.seconds:g} s (half of decode.deadline_seconds)"
    try:
        np.empty((_FRAMES_AT_ONCE, max(1, scan.height_px), max(1, scan.width_px), CHANNELS), np.uint8)
    except MemoryError:
        return f"its {scan.width_px}x{scan.height_px} px need more than decode.memory_bytes"
    return "it is damaged"


def choose(smalls: Sequence[npt.NDArray[np.float32]], number: int) -> list[int]:
    """Choose the one with the most motion of each of `number` equal stretches; all of them when there are fewer.

    Args:
        smalls: Small grey pictures in the order of time, all of one shape.
        number: How many at most.
    """
    changes = [_change(before, after) for before, after in itertools.pairwise(smalls)]
    sides = [changes[max(0, index - 1) : index + 1] for index in range(len(smalls))]
    # Somebody who comes in changes the picture before as much as this one: then the other side decides.
    motion = [(max(side, default=0.0), sum(side) / max(1, len(side))) for side in sides]
    borders = [index * len(smalls) // number for index in range(number + 1)]
    stretches = [range(start, stop) for start, stop in itertools.pairwise(borders) if stop > start]
    return [max(stretch, key=motion.__getitem__) for stretch in stretches]


def _change(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> float:
    """Return how much the most changed cells differ, without what all cells share: a lamp, the exposure."""
    difference = after - before
    moved = np.abs(difference - np.median(difference)).ravel()
    count = max(1, int(moved.size * _MOTION_SHARE))
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
                is_torn = kind == "mp4" and b"moov" not in data
                cause = (
                    "its end is missing, and with it the index (moov) that a camera writes last: it was cut off"
                    if is_torn
                    else f"it is damaged, or holds no video that OpenCV {cv2.__version__} knows"
                )
                raise FrameError(f"{kind} clip of {len(data)} bytes cannot be opened: {cause}")
            yield capture
        finally:
            capture.release()


def _read(capture: cv2.VideoCapture, limits: Limits, ends_at: float) -> list[_Candidate]:
    """Read candidates until the clip or the time ends.

    A clip too long for the time is sampled by seeking instead, as far as its index allows.
    """
    enough = limits.pictures * CANDIDATES_PER_PICTURE
    total = _whole(capture, cv2.CAP_PROP_FRAME_COUNT)
    step = min(max(1, total // enough), LARGEST_STEP)
    candidates: list[_Candidate] = []
    started = time.monotonic()
    index = 0
    while time.monotonic() < ends_at and capture.grab():
        if index % step == 0 and (candidate := _candidate(capture, limits, candidates)):
            candidates.append(candidate)
        if len(candidates) >= 2 * enough:
            candidates = candidates[::2]
            step *= 2
        index += 1
        if index == PROBE_FRAMES and total * (time.monotonic() - started) / index > limits.seconds:
            return candidates + _sample(capture, limits, ends_at, candidates)
    return candidates


def _sample(
    capture: cv2.VideoCapture, limits: Limits, ends_at: float, earlier: Sequence[_Candidate]
) -> list[_Candidate]:
    """Seek to equal distances in the rest of a long clip, and take candidates there."""
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
    frame = reduce(frame, limits.picture_px)
    if earlier and frame.shape[:2] != earlier[0].shape:
        # A clip may change its size on the way; the boxes of all its pictures are in px of one.
        frame = cv2.resize(frame, earlier[0].shape[::-1], interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.resize(frame, _SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    height, width = frame.shape[:2]
    jpeg = encode_jpeg(frame, QUALITY, limits.picture_bytes)
    return _Candidate(jpeg, grey.astype(np.float32), (height, width), _at_ms(capture))


def _at_ms(capture: cv2.VideoCapture) -> float:
    """Return when the frame that was read is in its clip, 0 when the file states nonsense."""
    value = capture.get(cv2.CAP_PROP_POS_MSEC)
    return round(float(value), 1) if 0 < value < LONGEST_MS else 0.0


def _whole(capture: cv2.VideoCapture, prop: int) -> int:
    """Return a property as a whole number, 0 when the file states nonsense."""
    value = capture.get(prop)
    return int(value) if 0 < value < 1 << 31 else 0
