"""What is wrong with a configuration is said in words, all of it at once."""

from __future__ import annotations

from typing import Any

import pytest

from camalert.config.build import build
from camalert.config.schema import Config


def _complaints(raw: dict[str, Any]) -> list[str]:
    config, problems = build(Config, raw, "config.toml", {})
    assert (config is None) == bool(problems)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (
            {"intake": {"wait_seconds": 0}},
            "config.toml: intake.wait_seconds = 0 must be a number from 1 to 300 s",
        ),
        (
            {"smtp": {"listen": [{"port": 70000}]}},
            "config.toml: smtp.listen[0].port = 70000 must be a whole number from 0 to 65535",
        ),
        (
            {"smtp": {"listen": [{}, {"port": "587"}]}},
            'config.toml: smtp.listen[1].port = "587" must be a whole number from 0 to 65535',
        ),
        (
            {"detector": {"processes": True}},
            "config.toml: detector.processes = true must be a whole number from 0 to 256",
        ),
        (
            {"detector": {"processes": 2.5}},
            "config.toml: detector.processes = 2.5 must be a whole number from 0 to 256",
        ),
        (
            {"detector": {"threshold": float("nan")}},
            "config.toml: detector.threshold = nan must be a number from 0.0 to 1.0",
        ),
        (
            {"detector": {"engine": "openvine"}},
            'config.toml: detector.engine = "openvine" must be one of "auto", "openvino", "opencv", "hog", "remote"; '
            'did you mean "openvino"?',
        ),
        (
            {"camera": [{"examine": "yes"}]},
            'config.toml: camera[0].examine = "yes" must be true or false',
        ),
        (
            {"smtp": {"hostname": 5}},
            "config.toml: smtp.hostname = 5 must be text in quotes",
        ),
        (
            {"smtp": {"hostname": ""}},
            'config.toml: smtp.hostname = "" is invalid: write a name such as "camalert" or "cams.home.arpa": '
            "letters, digits, dots and hyphens",
        ),
        (
            {"smtp": {"allow": "private"}},
            'config.toml: smtp.allow = "private" must be a list in brackets, such as ["one", "two"]',
        ),
        (
            {"smtp": {"allow": ["private", 7]}},
            "config.toml: smtp.allow[1] = 7 must be text in quotes",
        ),
        (
            {"smtp": {"listen": {"port": 1}}},
            "config.toml: smtp.listen is a list of tables: write [[smtp.listen]] with double brackets",
        ),
        (
            {"log": "info"},
            'config.toml: log = "info" must be a table: write [log] above its keys',
        ),
        (
            {"detector": {"proceses": 2}},
            "config.toml: detector.proceses is not a key; did you mean processes?",
        ),
        (
            {"detektor": {"processes": 2}},
            "config.toml: detektor is not a section; did you mean detector?",
        ),
        (
            {"log": {"zzz": 1}},
            "config.toml: log.zzz is not a key; known here: format, level",
        ),
        (
            {"camera": [{"area": [{"name": "road"}]}]},
            "config.toml: camera[0].area[0].points is missing and has no default",
        ),
    ],
)
def test_build_wrong_value_names_key_value_and_what_is_allowed(raw: dict[str, Any], complaint: str) -> None:
    """One wrong thing gives one line that an owner can act on."""
    assert _complaints(raw) == [complaint]


def test_build_wrong_polygon_gives_the_words_of_its_own_check() -> None:
    """A key with a check of its own is reported with that check's words."""
    (complaint,) = _complaints({"camera": [{"area": [{"points": "1,2"}]}]})

    assert complaint.startswith('config.toml: camera[0].area[0].points = "1,2" is invalid: ')


def test_build_several_wrong_values_reports_all_of_them() -> None:
    """Nobody has to repair a file one error at a time."""
    raw = {"log": {"level": "loud"}, "pool": {"frame_slots": -1}, "smtp": {"listen": [{"prot": 1, "tls": "ssl"}]}}

    assert len(_complaints(raw)) == 4


def test_build_value_of_other_origin_names_that_origin() -> None:
    """A wrong value from the environment is not blamed on the file."""
    raw = {"log": {"level": "loud"}, "smtp": {"listen": [{"port": -1}]}}

    _, problems = build(Config, raw, "config.toml", {("log", "level"): "variable X", ("smtp", "listen"): "variable Y"})

    assert sorted(problem.origin for problem in problems) == ["variable X", "variable Y"]


def test_build_whole_number_for_a_number_is_taken_as_such() -> None:
    """`wait_seconds = 30` is as good as `30.0`."""
    config, _ = build(Config, {"intake": {"wait_seconds": 30}}, "config.toml", {})

    assert config is not None
    assert type(config.intake.wait_seconds) is float


def test_build_long_value_is_cut_in_the_message() -> None:
    """A pasted file does not bury the message."""
    (complaint,) = _complaints({"log": {"level": "x" * 10_000}})

    assert len(complaint) < 250
