"""`camalert detect` with real processes: answers in order, and a process that dies or hangs costs one answer."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from testing import pictures
from testing.waiting import until

from camalert.__main__ import main
from camalert.cli.examination import Job, Order, WorkerPool
from camalert.config.schema import Config, Decode, Detector
from camalert.detection.choice import EngineChoice
from camalert.errors import EngineError

CONFIG = Config(detector=Detector(engine="opencv", effort="fast"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a person, a cat and something that is no picture."""
    (tmp_path / "person.jpg").write_bytes(pictures.person_jpeg())
    (tmp_path / "cat.jpg").write_bytes(pictures.cat_jpeg())
    (tmp_path / "broken.jpg").write_bytes(b"no picture at all")
    (tmp_path / "config.toml").write_text('[detector]\nengine = "opencv"\neffort = "fast"\n')
    return tmp_path


def test_detect_json_prints_a_line_a_picture_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each picture has its line with people, boxes and scores; a broken one says so and the others go on."""
    names = ["person.jpg", "broken.jpg", "missing.jpg", "cat.jpg"]

    code = main(["detect", *(str(folder / name) for name in names), "--json", "--config", str(folder / "config.toml")])

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1
    assert [Path(line["file"]).name for line in found] == names
    person, broken, missing, cat = found
    assert person["people"][0]["score"] == person["score"] >= 0.5
    x, y, width, height = person["people"][0]["box"]
    assert 0 <= x < x + width <= person["width"]
    assert 0 <= y < y + height <= person["height"]
    assert "not a picture" in broken["error"]
    assert "cannot be read" in missing["error"]
    assert cat["people"] == []
    assert 0 <= cat["score"] < 0.5


def test_detect_damaged_picture_is_told_by_name(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What a library prints about a picture never goes to the terminal raw, but with the picture's name."""
    torn = folder / "torn.jpg"
    torn.write_bytes(pictures.cat_jpeg()[:20_000])

    code = main(["detect", str(torn), "--config", str(folder / "config.toml")])

    printed = capfd.readouterr()
    assert code == 0
    assert printed.out.startswith(f"{torn}: ")
    assert printed.err.startswith(f"camalert: {torn} is damaged: Corrupt JPEG data: premature end of data segment")
    assert printed.err.count("\n") == 1


def test_detect_min_score_counts_from_there_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a threshold nobody reaches, the best score is told all the same."""
    main(["detect", str(folder / "person.jpg"), "--json", "--min-score", "1", "--config", str(folder / "config.toml")])

    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found["people"] == []
    assert found["score"] >= 0.5


def test_detect_out_writes_marked_copies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of each picture that could be read lies in the folder, made when it was not there."""
    marked = folder / "deep" / "marked"

    main(["detect", str(folder), "--out", str(marked), "--config", str(folder / "config.toml")])

    assert sorted(file.name for file in marked.iterdir()) == ["cat.jpg", "person.jpg"]
    assert (marked / "person.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (marked / "person.jpg").read_bytes() != (folder / "person.jpg").read_bytes()
    output = capsys.readouterr()
    assert "person.jpg: 1 person, surest " in output.out
    assert "broken.jpg: not a picture" in output.err


def test_pool_process_killed_on_a_picture_costs_that_answer_only(tmp_path: Path) -> None:
    """A picture that kills its process is reported, and the next ones are examined by a new process."""
    (tmp_path / "person.jpg").write_bytes(pictures.person_jpeg())
    os.mkfifo(tmp_path / "killer.jpg")  # reading it waits until somebody writes, so the moment is certain
    jobs = [Job(str(tmp_path / "killer.jpg")), Job(str(tmp_path / "person.jpg"))]
    reports: dict[int, dict[str, Any]] = {}
    pool = WorkerPool(Order(CONFIG), EngineChoice(("opencv",)), 1)
    reader = threading.Thread(target=lambda: reports.update(pool.results(jobs)))

    reader.start()
    end = until(lambda: _open_for_writing(tmp_path / "killer.jpg"), "the picture being read")
    (child,) = multiprocessing.active_children()
    child.kill()
    reader.join(60)
    os.close(end)

    assert reports[0]["error"] == f"a process was killed by signal {int(signal.SIGKILL)} on it"
    assert len(reports[1]["people"]) == 1


def test_pool_process_that_hangs_is_ended(tmp_path: Path) -> None:
    """A picture that takes too long is reported; nothing waits for ever."""
    os.mkfifo(tmp_path / "endless.jpg")
    config = Config(
        detector=Detector(engine="opencv", effort="fast", deadline_seconds=0.2), decode=Decode(deadline_seconds=0.2)
    )
    pool = WorkerPool(Order(config), EngineChoice(("opencv",)), 1)

    reports = dict(pool.results([Job(str(tmp_path / "endless.jpg"))]))

    assert reports == {0: {"error": "took too long"}}
    assert multiprocessing.active_children() == []


def test_pool_engine_that_fails_gives_way_to_the_next(tmp_path: Path) -> None:
    """`auto` goes on with the next engine when the best one cannot start here."""
    (tmp_path / "person.jpg").write_bytes(pictures.person_jpeg())
    pool = WorkerPool(Order(CONFIG), EngineChoice(("nonsense", "opencv")), 1)

    reports = dict(pool.results([Job(str(tmp_path / "person.jpg"))]))

    assert reports[0]["engine"] == "opencv"


def test_pool_without_any_engine_says_why() -> None:
    """When no engine works, the command ends with the engine's own words."""
    pool = WorkerPool(Order(CONFIG), EngineChoice(("nonsense",)), 1)

    with pytest.raises(EngineError, match=r"the engine nonsense cannot be used here: .*allowed are"):
        list(pool.results([Job("any.jpg")]))


def _open_for_writing(fifo: Path) -> int:
    """Return a descriptor as soon as somebody reads the FIFO, else 0."""
    with contextlib.suppress(OSError):
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    assert errno.ENXIO  # nobody reads it yet
    return 0
