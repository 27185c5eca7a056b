"""Profiles: other defaults for a kind of machine, chosen by `service.profile`.

A key with another value than its ordinary default was chosen by the owner, and stays. The file that is installed names
every key with its default, so being named there is no choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from camalert.config.build import shown
from camalert.config.schema import Config

# One core, half a gigabyte: OpenCV runs the network in 65 MB less than OpenVINO and more slowly, one picture at a time
# is examined in one pass, its network leaves memory between alarms, the pool holds two of them and no giant mails, and
# the site runs no image library beside it.
SMALL: Mapping[tuple[str, str], Any] = {
    ("detector", "engine"): "opencv",
    ("detector", "processes"): 1,
    ("detector", "effort"): "fast",
    ("detector", "rest_seconds"): 30.0,
    ("decode", "processes"): 1,
    ("pool", "frame_slots"): 2,
    ("pool", "intake_slots"): 2,
    ("intake", "max_mail_bytes"): 10_485_760,
    ("review", "thumbnails"): 0,
}
PROFILES: Mapping[str, Mapping[tuple[str, str], Any]] = {"normal": {}, "small": SMALL}


def applied(config: Config) -> tuple[Config, list[str]]:
    """Return the configuration with its profile's defaults, and a line for the log for each of them."""
    ordinary, lines = Config(), []
    for (section, key), value in PROFILES[config.service.profile].items():
        table = getattr(config, section)
        if getattr(table, key) == getattr(getattr(ordinary, section), key):
            config = replace(config, **{section: replace(table, **{key: value})})
            lines.append(f'service.profile = "{config.service.profile}" sets {section}.{key} = {shown(value)}')
    return config, lines
