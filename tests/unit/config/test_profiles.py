"""Profiles: what they change, and what they leave."""

from __future__ import annotations

from pathlib import Path

from camalert.config import profiles
from camalert.config.schema import Config
from camalert.config.sources import Source, load
from camalert.supervisor import plan

CONFIG_FILE = Path(__file__).parents[3] / "config.toml"
MIB = 1 << 20


def test_profile_small_fits_a_board_of_half_a_gigabyte() -> None:
    """The file as it is installed, with every key at its default, and one line changed."""
    loaded = load(Source(file=CONFIG_FILE), {"CAMALERT_SERVICE__PROFILE": "small"})
    shape = plan.make(loaded.config, 4, 512 * MIB)

    assert (shape.detectors, shape.decoders, shape.layout.frame_slots) == (1, 1, 2)
    assert shape.layout.size_bytes < 56 * MIB
    assert (loaded.config.detector.engine, loaded.config.detector.effort) == ("opencv", "fast")
    assert loaded.config.detector.rest_seconds > 0
    assert loaded.config.review.thumbnails == 0
    assert 'service.profile = "small" sets detector.effort = "fast"' in loaded.notices


def test_profile_leaves_what_the_owner_has_set() -> None:
    """A value that is not the ordinary default was meant."""
    ambient = {"CAMALERT_SERVICE__PROFILE": "small", "CAMALERT_DETECTOR__EFFORT": "thorough"}
    loaded = load(Source(file=CONFIG_FILE), ambient)

    assert loaded.config.detector.effort == "thorough"
    assert loaded.config.detector.processes == 1


def test_profile_normal_changes_nothing() -> None:
    """Who has not heard of profiles has none."""
    assert profiles.applied(Config()) == (Config(), [])
