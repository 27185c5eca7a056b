"""Options and arguments that several commands share: the configuration, and picture files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from camalert.config.schema import Config
from camalert.config.sources import LoadedConfig, Source, load
from camalert.decoding.kinds import PICTURE_ENDINGS
from camalert.errors import CamalertError


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--env`."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="configuration file (default: ./config.toml, else /etc/camalert/config.toml, else built-in defaults)",
    )
    parser.add_argument(
        "--env",
        metavar="FILE",
        type=Path,
        help=".env file of the original system (default: the one beside the configuration file, if any)",
    )


def source(arguments: argparse.Namespace) -> Source:
    """Return where `--config` and `--env` say that the configuration is."""
    return Source(file=arguments.config, dotenv=arguments.env)


def configuration(arguments: argparse.Namespace) -> LoadedConfig:
    """Read the configuration.

    Raises: ConfigError with all mistakes in it.
    """
    return load(source(arguments), os.environ)


def database_file(config: Config) -> Path:
    """Return the SQLite file, for a command that works on it.

    Raises: CamalertError when the rows are in PostgreSQL.
    """
    if config.database.url:
        raise CamalertError(
            "this command works on a SQLite file, and database.url names a PostgreSQL database: docs/postgresql.md "
            "says what its own tools do instead"
        )
    return Path(config.database.path)


def add_pictures(parser: argparse.ArgumentParser, file: str = "picture file") -> None:
    """Add the picture files that a command is about; `expand` reads them."""
    parser.add_argument("pictures", metavar="PICTURE", nargs="+", type=Path, help=f"{file}, or folder of pictures")


def expand(named: Iterable[Path]) -> list[Path]:
    """Return the files named and, sorted by name, the pictures below the folders named.

    Raises: CamalertError for a folder without any picture.
    """
    files: list[Path] = []
    for path in named:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURE_ENDINGS and file.is_file())
        if not found:
            raise CamalertError(f"{path} contains no picture ({', '.join(PICTURE_ENDINGS)})")
        files += found
    return files
