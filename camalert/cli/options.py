"""The options that most commands share: which configuration to read."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from camalert.configfile import Loaded, Source, load


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--env`."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="the configuration file (default: ./config.toml, else /etc/camalert/config.toml, else the defaults)",
    )
    parser.add_argument(
        "--env",
        metavar="FILE",
        type=Path,
        help="a .env file of the original system (default: the one beside the configuration file, if there is one)",
    )


def source(arguments: argparse.Namespace) -> Source:
    """Return where the configuration is to be read from."""
    return Source(file=arguments.config, dotenv=arguments.env)


def configuration(arguments: argparse.Namespace) -> Loaded:
    """Read the configuration.

    Raises: ConfigError with everything that is wrong with it.
    """
    return load(source(arguments), os.environ)
