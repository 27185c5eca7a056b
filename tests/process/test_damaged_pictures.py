"""A real decoder process and what its libraries print: everything on stderr is an event or a dying process's stack."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from testing import deadly_decoder, hostile, pictures
from testing.clips import make_clip
from testing.waiting import until

from camalert.config.schema import Config
from camalert.decoding.process import DAMAGE_LINES_BURST
from camalert.ipc import child, needs, spawn
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Decode, Decoded, Ready
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord
from camalert.review.shrink import LENGTH, REQUEST, WHOLE

DECODER = "camalert.decoding.process:main"
LAYOUT = Layout(1, 4096, 1, 65_536, frame_bytes=1280 * 720 * 3, largest_bytes=4_000_000)
SLOT = LAYOUT.large_frame
END_S = 20.0


class DecoderRig:
    """A decoder process with a pool of its own; what it prints goes to a file."""

    def __init__(self, target: str, file: Path) -> None:
        self.pool = Pool.create(f"camalert-test-{os.getpid()}", LAYOUT)
        self._file = file
        row = needs.of(needs.DECODER, Config()) if target == DECODER else None  # a double does what no decoder does
        orders = child.Orders("decoder-1", target, Config(), os.getpid(), self.pool.name, LAYOUT, needs=row)
        with file.open("wb") as stream, stderr_in(stream.fileno()):
            self.child = spawn.start(orders)
        self._await(Ready)

    def printed(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def events(self) -> list[dict[str, Any]]:
        """Return the log, of which every line has to be an event."""
        return [json.loads(line) for line in self.printed().splitlines()]

    def ask(self, content: bytes, *, camera: str = "yard", is_clip: bool = False) -> None:
        with self.pool.encoded(SLOT) as encoded:
            encoded[: len(content)] = content
        self.pool.write_record(SLOT, FrameRecord(7, camera=camera).encode())
        self.child.channel.send(Decode(SLOT, 1, len(content), 0, is_clip=is_clip))

    def decode(self, content: bytes, *, camera: str = "yard", is_clip: bool = False) -> Decoded:
        self.ask(content, camera=camera, is_clip=is_clip)
        return self._await(Decoded)

    def words(self) -> FrameRecord:
        return FrameRecord.decode(self.pool.read_record(SLOT))

    def await_end(self) -> None:
        until(lambda: not Path(f"/proc/{self.child.pid}/cmdline").read_bytes(), "the decoder's end", END_S)

    def close(self) -> None:
        self.child.signal(signal.SIGKILL)
        self.child.reap()
        self.pool.close()
        self.pool.unlink()

    def _await(self, kind: type[Any]) -> Any:
        until(lambda: self.child.channel.wait(0.0), kind.__name__)
        message = self.child.channel.receive()
        assert isinstance(message, kind)
        return message


@contextlib.contextmanager
def stderr_in(file: int) -> Iterator[None]:
    """Let a process that is started inside write its stderr into a file."""
    kept = os.dup(2)
    os.dup2(file, 2)
    yield
    os.dup2(kept, 2)
    os.close(kept)


@pytest.fixture
def decoder(tmp_path: Path) -> Iterator[DecoderRig]:
    rig = DecoderRig(DECODER, tmp_path / "log")
    yield rig
    rig.close()


@pytest.fixture
def deadly(tmp_path: Path) -> Iterator[DecoderRig]:
    rig = DecoderRig(f"{deadly_decoder.__name__}:main", tmp_path / "log")
    yield rig
    rig.close()


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(pictures.cat_jpeg())).save(out, kind)
    return out.getvalue()


def test_truncated_jpeg_is_one_event(decoder: DecoderRig) -> None:
    """It is examined as far as it goes, and the log says which picture of which camera came damaged."""
    whole = pictures.cat_jpeg()

    assert not decoder.decode(whole).is_failed
    assert not decoder.decode(whole[: len(whole) // 2]).is_failed

    [event] = decoder.events()
    assert (event["event"], event["level"], event["process"]) == ("picture_damaged", "warning", "decoder-1")
    assert (event["camera"], event["alert_id"], event["suppressed"]) == ("yard", 7, 0)
    assert "this picture came damaged" in event["message"]
    assert "premature end of data segment" in event["message"]


def test_picture_that_cannot_be_read_keeps_the_librarys_words(decoder: DecoderRig) -> None:
    """The reason of the alert says what the library said; the writer logs it."""
    whole = encoded("PNG")

    assert decoder.decode(hostile.flipped(whole, random.Random(1), 20, first=1000)).is_failed

    assert "libpng error" in decoder.words().reason
    assert decoder.printed() == ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_damage_of_any_kind_leaves_only_events(decoder: DecoderRig, kind: str) -> None:
    """Cut off anywhere, or with wrong bits, no picture gets a raw line into the log."""
    chance = random.Random(kind)
    whole = encoded(kind)

    for number in range(12):
        broken = whole[: chance.randrange(100, len(whole))] if number % 2 else hostile.flipped(whole, chance, 20)
        decoder.decode(broken[:4_000_000], camera=f"camera {number}")

    assert {event["event"] for event in decoder.events()} <= {"picture_damaged"}


@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4", "clip.mkv"])
def test_torn_clip_leaves_only_events(decoder: DecoderRig, tmp_path: Path, name: str) -> None:
    """What FFmpeg says of a clip is caught as well, whether the clip can be read or not."""
    whole = make_clip(tmp_path / name, codec="mp4v" if name.endswith("mp4") else "MJPG")

    failed = decoder.decode(whole[: len(whole) * 2 // 3], is_clip=True).is_failed

    found = decoder.events()
    assert [event["event"] for event in found] == ([] if failed else ["picture_damaged"])
    said = decoder.words().reason if failed else found[0]["message"]
    assert ("moov atom not found" if failed else "this clip came damaged") in said


def test_camera_that_sends_nothing_else_is_told_of_now_and_then(decoder: DecoderRig) -> None:
    """A bad connection damages every picture; its lines do not flood the log, and another camera's still come."""
    torn = pictures.cat_jpeg()[:20_000]

    for _ in range(DAMAGE_LINES_BURST + 3):
        decoder.decode(torn)
    decoder.decode(torn, camera="gate")

    cameras = [event["camera"] for event in decoder.events()]
    assert cameras == ["yard"] * DAMAGE_LINES_BURST + ["gate"]


@pytest.mark.parametrize("block", [b"nonsense", b'{"alert_id": 7, "height_px": -1}', b"[" * 60_000])
def test_slot_that_another_process_left_in_disorder_does_not_end_the_decoder(decoder: DecoderRig, block: bytes) -> None:
    """It says so, leaves the verdict to the writer, and goes on."""
    decoder.ask(pictures.cat_jpeg())
    decoder._await(Decoded)
    decoder.pool.write_record(SLOT, block)
    decoder.child.channel.send(Decode(SLOT, 1, 100, 0, is_clip=False))

    assert decoder._await(Decoded).is_failed
    assert decoder.pool.read_record(SLOT) == block
    assert [event["event"] for event in decoder.events()] == ["slot_unreadable"]
    assert not decoder.decode(pictures.cat_jpeg()).is_failed


def test_picture_that_its_clip_does_not_have_fails_in_words(decoder: DecoderRig) -> None:
    """A number that another process made up is no reason to end."""
    decoder.pool.write_record(SLOT, FrameRecord(7, pictures=((0, 10),)).encode())
    decoder.child.channel.send(Decode(SLOT, 1, 100, 5, is_clip=False))

    assert decoder._await(Decoded).is_failed
    assert "no picture 6, only 1" in decoder.words().reason


def test_library_that_prints_without_end_is_cut_short(deadly: DecoderRig) -> None:
    """The decoder goes on, the event is short, and nothing in it can steer a terminal."""
    assert not deadly.decode(pictures.commented(pictures.cat_jpeg(), deadly_decoder.PRINTING)).is_failed
    assert not deadly.decode(pictures.cat_jpeg()).is_failed

    [event] = deadly.events()
    assert "[h264] error while decoding MB" in event["message"]
    assert len(event["message"]) < 800
    assert "\x1b" not in event["message"]


def test_decoder_that_dies_of_a_picture_shows_where(deadly: DecoderRig) -> None:
    """The stacks of a crash in the middle of a picture go to the real stderr."""
    deadly.ask(pictures.commented(pictures.cat_jpeg(), deadly_decoder.DYING))

    deadly.await_end()

    printed = deadly.printed()
    assert "Fatal Python error: Segmentation fault" in printed
    assert "in decode_into" in printed


def test_decoder_that_hangs_in_a_picture_shows_where(deadly: DecoderRig) -> None:
    """SIGABRT, with which the supervisor ends a decoder past its deadline, writes the stacks as well."""
    deadly.ask(pictures.commented(pictures.cat_jpeg(), deadly_decoder.HANGING))
    name = Path(f"/proc/{deadly.child.pid}/comm")
    until(lambda: name.read_bytes().strip() == deadly_decoder.HUNG_NAME, "the decoder to hang")

    deadly.child.signal(signal.SIGABRT)
    deadly.await_end()

    printed = deadly.printed()
    assert "Fatal Python error: Aborted" in printed
    assert "in decode_into" in printed


def test_thumbnail_of_a_damaged_picture_prints_nothing() -> None:
    """The review site shows what there is; the log heard of the damage when the picture came."""
    torn = pictures.cat_jpeg()[:20_000]

    done = subprocess.run(
        [sys.executable, "-m", "camalert.review.shrink"],
        input=REQUEST.pack(len(torn), *WHOLE) + torn,
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert done.stdout[LENGTH.size :].startswith(b"\xff\xd8\xff")
    assert done.stderr == b""
