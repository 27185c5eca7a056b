"""config.toml and the dataclasses of the configuration say the same."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import Path
from typing import Any

import pytest
import tomli

from camalert.config.build import build, keys_of, table_of
from camalert.config.schema import Config
from camalert.config.sources import Source, load

CONFIG_FILE = Path(__file__).parents[3] / "config.toml"
# A commented key or table header has no blank behind the "#"; a comment has one.
EXAMPLE = re.compile(r"^#(?=[\[a-z])", re.MULTILINE)
HEADER = re.compile(r"^\[\[?([a-z_.]+)\]\]?")
KEY = re.compile(r"^([a-z_]+) *= ")


def _documented() -> dict[str, list[str]]:
    """Give each key in the file, examples included, with the comment lines right above it."""
    section, comment, found = "", list[str](), dict[str, list[str]]()
    for line in EXAMPLE.sub("", CONFIG_FILE.read_text()).splitlines():
        if header := HEADER.match(line):
            section, comment = header[1], []
        elif match := KEY.match(line):
            found[f"{section}.{match[1]}"], comment = comment, []
        elif line.startswith("#"):
            comment.append(line)
        else:
            comment = []
    return found


def _scalar_keys() -> list[str]:
    return [key for key, (annotation, _) in keys_of(Config).items() if table_of(annotation) is None]


@pytest.mark.parametrize("key", _scalar_keys())
def test_config_toml_key_is_documented(key: str) -> None:
    """Each key that the program knows stands in config.toml, and its comment names the default."""
    comment = " ".join(_documented().get(key, []))

    assert comment, f"config.toml lacks {key}, or a comment right above it"
    assert "default" in comment.lower(), f"the comment above {key} does not say what the default is"


@pytest.mark.parametrize("key", _scalar_keys())
def test_config_toml_comment_names_range_and_choices(key: str) -> None:
    """The comment of a key with choices names each of them."""
    _, metadata = keys_of(Config)[key]

    comment = " ".join(_documented().get(key, []))

    for choice in metadata.get("choices", ()):
        assert f'"{choice}"' in comment, f"the comment above {key} does not name {choice!r}"


def test_config_toml_values_are_the_defaults(tmp_path: Path) -> None:
    """Deleting any key from config.toml changes nothing."""
    copy = tmp_path / "config.toml"
    copy.write_text(CONFIG_FILE.read_text())
    empty = tmp_path / "empty.toml"
    empty.touch()

    assert load(Source(file=copy), {}).config == load(Source(file=empty), {}).config


def test_config_toml_examples_are_valid() -> None:
    """The commented examples work when their "#" is taken away."""
    raw = tomli.loads(EXAMPLE.sub("", CONFIG_FILE.read_text()))

    config, problems = build(Config, raw, "config.toml", {})

    assert problems == []
    assert config is not None


def test_config_toml_has_no_unknown_key() -> None:
    """config.toml documents nothing that the program does not know."""
    assert set(_documented()) <= set(_scalar_keys())


def test_config_defaults_are_within_their_own_limits() -> None:
    """A default that is written down in the file is accepted there (keys that must be set excepted)."""

    def raw(table: Any) -> Any:
        if dataclasses.is_dataclass(table):
            return {item.name: raw(getattr(table, item.name)) for item in dataclasses.fields(table)}
        return [raw(entry) for entry in table] if isinstance(table, tuple) else table

    _, problems = build(Config, raw(Config()), "defaults", {})

    assert problems == []


def test_config_annotations_are_understood() -> None:
    """Every key has a type that validation and environment can read."""
    for key, (annotation, _) in keys_of(Config).items():
        leaf = annotation
        while typing.get_origin(leaf) is tuple:
            leaf = typing.get_args(leaf)[0]
        assert dataclasses.is_dataclass(leaf) or leaf in (bool, int, float, str), f"{key}: {annotation}"
