"""A clip gives pictures that are spread over it and show where it moves, whatever state it is in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing.clips import SIZE_PX, make_clip

from camalert import clips
from camalert.errors import FrameError

LIMITS = clips.Limits(pictures=6, max_pixels=4_000_000, room_px=2_100_000, picture_bytes=500_000, seconds=30)


def shown(picture: bytes) -> npt.NDArray[np.uint8]:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)


def has_ball(picture: bytes) -> bool:
    blue, _, red = cv2.split(shown(picture).astype(np.int16))
    return bool(np.count_nonzero(red - blue > 80) > 50)


def small(level: float) -> npt.NDArray[np.float32]:
    return np.full((48, 64), level, np.float32)


@given(st.lists(st.integers(0, 255), max_size=40), st.integers(1, 12))
def test_choose_any_clip_gives_one_of_each_stretch(levels: list[int], number: int) -> None:
    """As many as asked for or as there are, in the order of time, one of each equal stretch."""
    chosen = clips.choose([small(level) for level in levels], number)

    assert len(chosen) == min(number, len(levels))
    assert chosen == sorted(set(chosen))
    for place, index in enumerate(chosen):
        if len(levels) >= number:
            assert place * len(levels) // number <= index < (place + 1) * len(levels) // number


def test_choose_brief_movement_is_not_missed() -> None:
    """Somebody seen in one of fifty pictures is in the choice; a lamp that goes on is no movement."""
    smalls = [small(90 if index < 30 else 140) for index in range(50)]
    smalls[23][20:30, 30:34] += 80

    chosen = clips.choose(smalls, 5)

    assert set(chosen) & {22, 23, 24}
    assert chosen[2] in (22, 23, 24)


def test_take_pictures_clip_gives_the_number_asked_for(tmp_path: Path) -> None:
    """Six JPEG files of one size, and one of them shows what passed for half a second."""
    clip = clips.take_pictures(make_clip(tmp_path / "clip.avi", ball=range(41, 46)), LIMITS)

    assert clip.kind == "avi"
    assert (clip.width_px, clip.height_px) == SIZE_PX
    assert [shown(picture).shape for picture in clip.pictures] == [(SIZE_PX[1], SIZE_PX[0], 3)] * 6
    assert any(has_ball(picture) for picture in clip.pictures)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_take_pictures_short_clip_gives_what_it_has(tmp_path: Path, frames: int) -> None:
    """A clip of a moment gives its few frames."""
    clip = clips.take_pictures(make_clip(tmp_path / "clip.avi", frames=frames), LIMITS)

    assert len(clip.pictures) == min(frames, LIMITS.pictures)


def test_take_pictures_long_clip_is_thinned_evenly(tmp_path: Path) -> None:
    """However long it is, memory holds a bounded number of candidates, and the end counts like the beginning."""
    data = make_clip(tmp_path / "clip.avi", frames=900, ball=range(880, 900))

    clip = clips.take_pictures(data, replace(LIMITS, pictures=3))

    assert [has_ball(picture) for picture in clip.pictures] == [False, False, True]


def test_take_pictures_without_time_visits_the_rest(tmp_path: Path) -> None:
    """A clip that cannot be read in its time is looked into at equal distances, as far as there is time."""
    data = make_clip(tmp_path / "clip.avi", frames=600)

    clip = clips.take_pictures(data, replace(LIMITS, seconds=0.05))

    assert 1 <= len(clip.pictures) <= LIMITS.pictures


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_take_pictures_torn_avi_gives_what_came(tmp_path: Path, share: float) -> None:
    """Without its end an AVI has no index; what came is looked at."""
    data = make_clip(tmp_path / "clip.avi")

    clip = clips.take_pictures(data[: int(len(data) * share)], LIMITS)

    assert len(clip.pictures) == LIMITS.pictures


def test_take_pictures_torn_mp4_says_so(tmp_path: Path) -> None:
    """An MP4 whose end, with the index, is missing cannot be opened, and the reason is in words."""
    data = make_clip(tmp_path / "clip.mp4", codec="mp4v")

    with pytest.raises(FrameError, match="its end is missing"):
        clips.take_pictures(data[: len(data) * 2 // 3], LIMITS)


@pytest.mark.parametrize("codec", ["mp4v", "MJPG"])
def test_take_pictures_mp4_and_mkv_are_read(tmp_path: Path, codec: str) -> None:
    """The other two containers work as well."""
    name = "clip.mp4" if codec == "mp4v" else "clip.mkv"

    clip = clips.take_pictures(make_clip(tmp_path / name, codec=codec), LIMITS)

    assert clip.kind == name[-3:]
    assert len(clip.pictures) == LIMITS.pictures


def test_take_pictures_held_sideways_is_turned(tmp_path: Path) -> None:
    """A clip that says it is to be turned by 90 degrees is shown upright."""
    data = make_clip(tmp_path / "clip.mp4", ball=range(60), codec="mp4v")
    upright = b"".join(number.to_bytes(4, "big") for number in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    turned = b"".join(
        number.to_bytes(4, "big") for number in (0, 0x10000, 0, 0xFFFF0000, 0, 0, SIZE_PX[1] << 16, 0, 0x40000000)
    )
    track = data.index(b"tkhd")
    matrix = data.index(upright, track)

    clip = clips.take_pictures(data[:matrix] + turned + data[matrix + len(turned) :], LIMITS)

    assert (clip.height_px, clip.width_px) == SIZE_PX
    assert shown(clip.pictures[0]).shape == (*SIZE_PX, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xe0 a picture",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x00\x00\x01\xba MPEG program stream",
    ],
)
def test_take_pictures_what_is_no_clip_reaches_no_decoder(data: bytes) -> None:
    """Playlists and other files are refused by their first bytes."""
    with pytest.raises(FrameError, match="not a clip"):
        clips.take_pictures(data, LIMITS)


@pytest.mark.parametrize("head", [b"\0\0\0\x18ftypmp42", b"RIFF\xff\xff\0\0AVI LIST", b"\x1aE\xdf\xa3\x01"])
def test_take_pictures_damaged_clip_says_so(head: bytes) -> None:
    """A clip's beginning with nonsense behind it ends in words."""
    with pytest.raises(FrameError, match="clip of"):
        clips.take_pictures(head + bytes(range(256)) * 20, LIMITS)


def test_take_pictures_too_large_frames_are_refused(tmp_path: Path) -> None:
    """The limit of pixels holds for clips."""
    data = make_clip(tmp_path / "clip.avi", frames=3)

    with pytest.raises(FrameError, match="160x120 px exceeds the 10000 px"):
        clips.take_pictures(data, replace(LIMITS, max_pixels=10_000))


def test_take_pictures_fit_their_room(tmp_path: Path) -> None:
    """A picture is made as small as the slot wants it."""
    clip = clips.take_pictures(make_clip(tmp_path / "clip.avi"), replace(LIMITS, room_px=5_000, picture_bytes=900))

    for picture in clip.pictures:
        height, width = shown(picture).shape[:2]
        assert height * width <= 5_000
        assert len(picture) <= 900
