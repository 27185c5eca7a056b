"""Read the configuration: defaults, then `config.toml`, then `.env`, then `CAMALERT_*`, each before the last.

Every process gets the finished value; only the supervisor and the command line read it. Relative paths start at the
configuration file's folder (in `.env`, at that file's folder), so it does not matter where a command is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from camalert import dotenv, environment
from camalert.config import Config
from camalert.consistency import contradictions
from camalert.errors import ConfigError
from camalert.problems import KeyPath, Problem, dotted
from camalert.validation import build, with_absolute_paths

SYSTEM_FILE = Path("/etc/camalert/config.toml")
MAX_FILE_BYTES = 1_048_576  # a configuration is a few kB; anything larger is the wrong file


@dataclass(frozen=True, slots=True)
class Source:
    """Say where a configuration is read from, so that it can be read again."""

    file: Path | None = None  # None: ./config.toml, else the system's, else only defaults
    dotenv: Path | None = None  # None: `.env` beside the configuration file, if there is one


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and what its owner should know about how it came together."""

    config: Config
    file: Path | None  # the file that was read, None when only defaults hold
    notices: tuple[str, ...]  # one line each, for the log


def load(source: Source, ambient: Mapping[str, str]) -> Loaded:
    """Read and check the configuration.

    Args:
        source: Which files to read.
        ambient: The environment, normally `os.environ`; only names that start with `CAMALERT_` count.
    Raises: ConfigError with one line for each thing that is wrong.
    """
    file = _find(source.file)
    folder = (file.parent if file else Path.cwd()).absolute()
    raw = _tables(file) if file else {}
    legacy, notices = _legacy(source.dotenv, folder)
    named, doubtful = environment.overrides(Config, ambient)
    notices += doubtful + [f"{override.origin} sets {dotted(override.path)}" for override in named]

    origin = str(file) if file else "defaults"
    problems: list[Problem] = []
    origins: dict[KeyPath, str] = {}
    for override in (*legacy, *named):
        wrong = environment.put(raw, Config(), override)
        if wrong:
            problems.append(Problem(override.origin, dotted(override.path), wrong))
        origins[override.path] = override.origin
    config, found = build(Config, raw, origin, origins)
    problems += found
    if config is not None and not problems:
        problems += [Problem(origin, key, text) for key, text in contradictions(config)]
    if config is None or problems:
        raise ConfigError("\n".join(str(problem) for problem in problems))
    if file is None:
        notices.append(f"there is no config.toml in {folder} and no {SYSTEM_FILE}: the defaults hold")
    return Loaded(with_absolute_paths(config, str(folder)), file, tuple(notices))


def _find(file: Path | None) -> Path | None:
    if file is not None:
        return file.absolute()
    here = Path("config.toml").absolute()
    return next((candidate for candidate in (here, SYSTEM_FILE) if candidate.is_file()), None)


def _tables(file: Path) -> dict[str, Any]:
    text = _text(file)
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{file}: this is not TOML: {error}") from error


def _legacy(file: Path | None, folder: Path) -> tuple[list[environment.Override], list[str]]:
    beside = folder / ".env"
    if file is None and not beside.is_file():
        return [], []
    chosen = (file or beside).absolute()
    return dotenv.meaning(dotenv.read(_text(chosen)), str(chosen))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: there is no such file") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{file}: is larger than {MAX_FILE_BYTES} bytes and surely not a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text (byte {error.start})") from error
