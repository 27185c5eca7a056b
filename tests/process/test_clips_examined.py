"""Clips on their way through decoder and detector, in a real pool; and what FFmpeg may open of the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from testing.clips import make_clip, samples

from camalert.config.schema import Clip, Config, Decode
from camalert.config.schema import Detector as DetectorSettings
from camalert.decoding import frames
from camalert.decoding.frames import Frame
from camalert.decoding.headers import read_header
from camalert.decoding.process import Decoder
from camalert.detection import process as detector
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examiner
from camalert.detection.people import Person
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Decode as DecodeJob
from camalert.ipc.messages import Decoded, Detect, Outcome
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord

LAYOUT = Layout(1, 4096, 1, 65_536, frame_bytes=1280 * 720 * 3, largest_bytes=4_000_000)
SLOT = LAYOUT.large_frame
CONFIG = Config(clip=Clip(pictures=5), detector=DetectorSettings(effort="fast"))


@dataclass(slots=True)
class ScriptedEngine:
    """Find whom the script says: one score a picture, below 0.5 nobody counts."""

    script: list[float]
    name: str = "scripted"
    precision: str = ""
    asked: list[tuple[int, int]] = field(default_factory=list)

    def model(self, effort: str) -> str:
        del effort
        return "none"

    def first_look(self, frame: Frame, effort: str) -> list[Person]:
        return self.find(frame, effort)

    def complete(self, effort: str) -> None:
        del effort

    def find(self, frame: Frame, effort: str) -> list[Person]:
        del effort
        self.asked.append((frame.shape[0], frame.shape[1]))
        score = self.script[len(self.asked) - 1]
        return [Person(10, 20, 30, 40, score)] if score else []


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool.create(f"camalert-test-{os.getpid()}", LAYOUT)
    yield made
    made.close()
    made.unlink()


def load(pool: Pool, clip: bytes) -> DecodeJob:
    with pool.encoded(SLOT) as encoded:
        encoded[: len(clip)] = clip
    pool.write_record(SLOT, FrameRecord(7, camera="yard").encode())
    return DecodeJob(SLOT, 1, len(clip), 0, is_clip=True)


def words_in(pool: Pool) -> FrameRecord:
    return FrameRecord.decode(pool.read_record(SLOT))


def read(pool: Pool, offset: int, length: int) -> bytes:
    with pool.encoded(SLOT) as encoded:
        return bytes(encoded[offset : offset + length])


def examine(pool: Pool, clip: bytes, examiner: Examiner) -> list[Outcome]:
    """Do all the jobs of a clip as the supervisor gives them."""
    job = load(pool, clip)
    decoder = Decoder(pool, examiner.config)
    answer = decoder.decode(job)
    assert not answer.is_failed
    outcomes = [Outcome(detector.detect(Detect(SLOT, 1), pool, examiner).outcome)]
    for index in range(1, answer.pictures):
        again = decoder.decode(replace(job, index=index, is_clip=False))
        assert not again.is_failed
        assert again.pictures == answer.pictures
        outcomes.append(Outcome(detector.detect(Detect(SLOT, 1), pool, examiner).outcome))
    return outcomes


def test_clip_with_people_keeps_the_surest_picture(pool: Pool, tmp_path: Path) -> None:
    """The words end with the picture of the surest person: its number, its people, its reason, its annotated JPEG."""
    engine = ScriptedEngine([0.6, 0.2, 0.9, 0.0, 0.7])

    outcomes = examine(pool, make_clip(tmp_path / "clip.avi", ball=range(60)), Examiner(engine, CONFIG))

    words = words_in(pool)
    person, nobody = Outcome.PERSON, Outcome.NOBODY
    assert outcomes == [person, nobody, person, nobody, person]
    assert (words.best_index, words.best_score, [found.score for found in words.people]) == (2, 0.9, [0.9])
    assert words.reason == "1 person, surest 90 %, threshold 50 % (clip, picture 3 of 5)"
    assert (words.kind, words.original_width_px, words.original_height_px) == ("avi", 160, 120)
    assert len(words.pictures) == 5
    assert engine.asked == [(120, 160)] * 5
    annotated = read(pool, words.annotated_offset, words.annotated_bytes)
    header = read_header(annotated)
    assert (header.kind, header.width_px) == ("jpeg", 160)


def test_clip_annotated_picture_leaves_the_others_whole(pool: Pool, tmp_path: Path) -> None:
    """The pictures lie back to back, each a whole JPEG, and the annotated one lies behind them."""
    examine(pool, make_clip(tmp_path / "clip.avi"), Examiner(ScriptedEngine([0.9, 0.8, 0.95, 0.7, 0.96]), CONFIG))

    words = words_in(pool)
    end = 0
    for offset, length in words.pictures:
        assert offset == end
        assert read(pool, offset, length).startswith(b"\xff\xd8\xff")
        assert read(pool, offset, length).endswith(b"\xff\xd9")
        end = offset + length
    assert words.annotated_offset == end
    assert words.best_index == 4


def test_clip_without_people_is_shown_by_its_middle(pool: Pool, tmp_path: Path) -> None:
    """The middle picture becomes the snapshot, with the best score seen in any."""
    outcomes = examine(
        pool, make_clip(tmp_path / "clip.avi"), Examiner(ScriptedEngine([0.1, 0.4, 0.3, 0.0, 0.2]), CONFIG)
    )

    words = words_in(pool)
    assert set(outcomes) == {Outcome.NOBODY}
    assert (words.best_index, words.best_score, words.people) == (2, 0.4, ())
    assert words.annotated_bytes == 0
    assert words.reason == "no person counted: 40 % is below the threshold of 50 % (clip, picture 2 of 5)"


def test_clip_that_cannot_be_opened_fails_in_words(pool: Pool) -> None:
    """The decoder answers, and the reason is one for a person."""
    answer = Decoder(pool, CONFIG).decode(load(pool, b"\0\0\0\x18ftypmp42" + bytes(5000)))

    assert answer == Decoded(SLOT, 1, is_failed=True, pictures=0)
    assert "mp4 clip of 5012 bytes cannot be opened" in words_in(pool).reason


def test_picture_in_the_large_slot_is_no_clip(pool: Pool, tmp_path: Path) -> None:
    """A large picture takes the same slot and is one picture."""
    picture = frames.encode_jpeg(frames.view(bytes(640 * 480 * 3), 480, 640), 90, 1_000_000)

    answer = Decoder(pool, CONFIG).decode(replace(load(pool, picture), is_clip=False))

    assert (answer.is_failed, answer.pictures) == (False, 1)
    assert words_in(pool).pictures == ()


def test_samples_people_are_found_and_nobody_else(pool: Pool) -> None:
    """Of the sample clips those with a person are found, and no car, goose or antelope is one."""
    examiner = Examiner(load_engine("opencv", CONFIG.detector), Config(detector=CONFIG.detector))

    found = {sample.path.name: examine(pool, sample.path.read_bytes(), examiner) for sample in samples()}

    people = {sample.path.name for sample in samples() if sample.has_person}
    assert {name for name, outcomes in found.items() if Outcome.PERSON in outcomes} == people


OPENS_A_CLIP = """
import os, resource, sys
from camalert.decoding import clips
from camalert.config.schema import Config
limit = Config().decode.memory_bytes
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
data = open(sys.argv[1], "rb").read()
limits = clips.Limits(6, 64_000_000, 2_100_000, 1_000_000, 10)
clips.take_pictures(data, limits)  # what is loaded at the first use is loaded now
os.access("/the/clip/begins", os.R_OK)
print(len(clips.take_pictures(data, limits).pictures))
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4"])
def test_ffmpeg_opens_the_clip_in_memory_and_nothing_else(tmp_path: Path, name: str) -> None:
    """No other file, no socket; and the decoder's address space is enough."""
    make_clip(tmp_path / name, codec="MJPG" if name.endswith("avi") else "mp4v")
    trace = tmp_path / "trace"
    watched = "trace=open,openat,openat2,access,faccessat,faccessat2,socket,connect,execve"

    done = subprocess.run(
        ["strace", "-f", "-o", str(trace), "-e", watched, sys.executable, "-c", OPENS_A_CLIP, str(tmp_path / name)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.stdout.strip() == "6", done.stderr
    assert done.stderr == ""
    _, _, calls = trace.read_text().partition("/the/clip/begins")
    touched = re.findall(r"^\d+ +(?:open|openat|openat2|socket|connect|execve)\((.*)$", calls, re.MULTILINE)
    assert len(touched) >= 1
    assert [call for call in touched if '"/proc/self/fd/' not in call] == []


def test_take_pictures_without_memory_says_so(tmp_path: Path) -> None:
    """In the smallest address space that may be configured a clip gives its pictures or a reason, and no end."""
    limit = Decode.__dataclass_fields__["memory_bytes"].metadata["low"]
    make_clip(tmp_path / "clip.avi")

    done = subprocess.run(
        [sys.executable, "-c", OPENS_A_CLIP.replace("Config().decode.memory_bytes", str(limit)), tmp_path / "clip.avi"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    assert done.stdout.strip() == "6" or "decode.memory_bytes" in done.stderr.splitlines()[-1]
