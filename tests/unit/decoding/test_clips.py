"""A clip gives pictures that are spread over it and show where it moves, whatever state it is in."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from testing.clips import SIZE_PX, make_clip, raw_h264

from camalert.decoding import clips
from camalert.errors import FrameError

LIMITS = clips.Limits(pictures=6, max_pixels=4_000_000, picture_px=2_100_000, picture_bytes=500_000, seconds=30)


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


def test_take_pictures_without_time_samples_the_rest(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [
        ("clip.ts", "mp4v", "ts"), ("clip.m2ts", "mp4v", "ts"), ("clip.mpg", "MPG2", "ps"), ("clip.flv", "FLV1", "flv"),
        ("clip.wmv", "WMV2", "asf"),
    ],
)  # fmt: skip
def test_take_pictures_of_recorders_and_old_cameras_are_read(tmp_path: Path, name: str, codec: str, kind: str) -> None:
    """Streams of MPEG, FLV and ASF give pictures, told by their bytes."""
    clip = clips.take_pictures(make_clip(tmp_path / name, codec=codec), LIMITS)

    assert (clip.kind, clip.width_px, clip.height_px) == (kind, *SIZE_PX)
    assert len(clip.pictures) == LIMITS.pictures


HXVS = b"HXVS" + bytes(12) + b"HXVF" + bytes(12)
XIONGMAI = b"\0\0\x01\xfc\x02\x14\x14\x0e" + bytes(8)
HIKVISION = b"IMKH\x01\x01\0\0\x02\0\0\0" + bytes(28)


@pytest.mark.parametrize("header", [b"", HXVS, XIONGMAI])
def test_take_pictures_of_raw_h264_are_read(header: bytes) -> None:
    """Without any container, and behind the headers that two makers put before it."""
    clip = clips.take_pictures(header + raw_h264(4), LIMITS)

    assert (clip.kind, clip.width_px, clip.height_px, len(clip.pictures)) == ("h264", 160, 112, 4)


def test_take_pictures_behind_hikvisions_header_are_read(tmp_path: Path) -> None:
    """A program stream with 40 bytes before it, which cameras call .mp4."""
    clip = clips.take_pictures(HIKVISION + make_clip(tmp_path / "clip.mpg", codec="MPG2"), LIMITS)

    assert (clip.kind, len(clip.pictures)) == ("ps", LIMITS.pictures)


def test_take_pictures_of_a_codec_without_decoder_names_it(tmp_path: Path) -> None:
    """The reason is the codec, not damage, and says what to set."""
    data = make_clip(tmp_path / "clip.mp4", codec="mp4v")
    data = data.replace(b"mp4v", b"av01").replace(b"esds", b"av1C")

    with pytest.raises(FrameError, match=r"coded as AV1, for which OpenCV .* has no decoder; set the camera to H\.264"):
        clips.take_pictures(data, LIMITS)


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
        b"HLS is no stream of raw video",
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


def test_take_pictures_fit_their_space(tmp_path: Path) -> None:
    """A picture is made as small as the slot wants it."""
    clip = clips.take_pictures(make_clip(tmp_path / "clip.avi"), replace(LIMITS, picture_px=5_000, picture_bytes=900))

    for picture in clip.pictures:
        height, width = shown(picture).shape[:2]
        assert height * width <= 5_000
        assert len(picture) <= 900


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "MJPG"), ("mp4", "mp4v"), ("mkv", "MJPG"), ("h264", "")])
def test_every_kind_of_clip_has_a_moving_preview(tmp_path: Path, suffix: str, codec: str) -> None:
    """Small, moving, and in the one form that every browser shows."""
    clip = make_clip(tmp_path / f"clip.{suffix}", ball=range(60), codec=codec) if codec else raw_h264()
    made = clips.animate(clip, LIMITS)
    assert (made[:4], made[8:12]) == (b"RIFF", b"WEBP")
    moving = Image.open(io.BytesIO(made))
    assert 2 <= moving.n_frames <= clips.PREVIEW_FRAMES
    assert max(moving.size) <= clips.PREVIEW_PX


def test_preview_stays_within_its_limits(tmp_path: Path) -> None:
    """Of a long clip some pictures in its own time; too large a result, too large frames and no clip are refused."""
    clip = make_clip(tmp_path / "long.avi", frames=300, ball=range(300))
    moving = Image.open(io.BytesIO(clips.animate(clip, LIMITS)))
    assert clips.PREVIEW_FRAMES // 2 <= moving.n_frames <= clips.PREVIEW_FRAMES
    durations = []
    for number in range(moving.n_frames - 1):
        moving.seek(number)
        moving.load()
        durations.append(moving.info["duration"])
    assert len({*durations}) == 1, "it runs evenly, as the clip does"
    for limits in (replace(LIMITS, picture_bytes=100), replace(LIMITS, max_pixels=100), replace(LIMITS, seconds=0.0)):
        with pytest.raises(FrameError):
            clips.animate(clip, limits)
    with pytest.raises(FrameError, match="not a clip"):
        clips.animate(b"\xff\xd8\xff\xe0 no clip", LIMITS)
