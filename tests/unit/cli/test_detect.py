"""`camalert detect`: which files, which settings, which words."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from camalert.cli.detect import _show, _wanted, copy_name
from camalert.cli.options import expand
from camalert.config.schema import Camera, Config
from camalert.errors import CamalertError


def _arguments(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"engine": None, "effort": None, "min_score": None, "objects": None, **given})


def test_expand_folder_gives_its_pictures_sorted_and_files_as_named(tmp_path: Path) -> None:
    """Files stay in the order they were named in, folders become their pictures."""
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/c.webp", "deep/thermal.TIFF"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = expand([tmp_path / "notes.txt", tmp_path])

    assert [str(file.relative_to(tmp_path)) for file in found] == [
        "notes.txt",
        "a.PNG",
        "b.jpg",
        "deep/c.webp",
        "deep/thermal.TIFF",
    ]


def test_expand_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    """An empty answer would look like "nobody there"."""
    with pytest.raises(CamalertError, match="contains no picture"):
        expand([tmp_path])


def test_copy_name_keeps_files_of_the_same_name_apart() -> None:
    """Two cameras' 0001.jpg do not overwrite each other."""
    taken: set[str] = set()

    names = [copy_name(Path(name), taken) for name in ("a/1.jpg", "b/1.png", "c/1.jpg", "a/2.jpg")]

    assert names == ["1.jpg", "1-2.jpg", "1-3.jpg", "2.jpg"]


def test_wanted_min_score_goes_before_every_cameras_threshold() -> None:
    """What is asked for on the command line holds for all pictures."""
    config = Config(camera=(Camera(name="a", threshold=0.9),))

    found = _wanted(config, _arguments(min_score=0.3))

    assert found.detector.threshold == 0.3
    assert found.camera[0].threshold == 0.0


def test_wanted_min_score_zero_counts_everybody() -> None:
    """0 is not the configuration's "choose by yourself"."""
    assert 0 < _wanted(Config(), _arguments(min_score=0.0)).detector.threshold < 1e-9


def test_wanted_nothing_changes_nothing() -> None:
    """Without options the configuration holds."""
    config = Config(camera=(Camera(name="a", threshold=0.9, effort="fast"),))

    assert _wanted(config, _arguments()) == config


def test_show_gives_a_line_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """For people: the reason, and what it took."""
    report = {"people": [], "ms": 12.4, "engine": "opencv", "reason": "no person found", "rulings": ["one", "two"]}

    _show("a.jpg", report, argparse.Namespace(json=False, explain=False))
    _show("b.jpg", report, argparse.Namespace(json=False, explain=True))

    first = "no person found  (12 ms, opencv)"
    assert capsys.readouterr().out.splitlines() == [f"a.jpg: {first}", f"b.jpg: {first}", "    one", "    two"]
