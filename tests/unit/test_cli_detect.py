"""`camalert detect`: which files, which settings, which words."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from camalert.cli.detect import _wanted, in_words
from camalert.cli.picturefiles import copy_name, expand
from camalert.config import Camera, Config
from camalert.errors import CamalertError


def _arguments(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"engine": None, "effort": None, "min_score": None, **given})


def test_expand_folder_gives_its_pictures_sorted_and_files_as_named(tmp_path: Path) -> None:
    """Files stay in the order they were named in, folders become their pictures."""
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = expand([tmp_path / "notes.txt", tmp_path])

    assert [str(file.relative_to(tmp_path)) for file in found] == ["notes.txt", "a.PNG", "b.jpg", "deep/c.webp"]


def test_expand_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    """An empty answer would look like "nobody there"."""
    with pytest.raises(CamalertError, match="holds no picture"):
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


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([], "nobody found: why  (12 ms, opencv)"),
        ([0.9], "1 person, score 0.90  (12 ms, opencv)"),
        ([0.9, 0.6], "2 people, score 0.90, 0.60  (12 ms, opencv)"),
    ],
)
def test_in_words_says_who_was_found(scores: list[float], words: str) -> None:
    """One line a picture, for people."""
    report = {
        "people": [{"box": [0, 0, 1, 1], "score": score} for score in scores],
        "ms": 12.4,
        "engine": "opencv",
        "reason": "nobody found: why",
    }

    assert in_words(report) == words
