"""Read the configuration: defaults, overridden by the site's `settings.toml`, then `config.toml`, `.env`, `CAMALERT_*`.

Every process gets the finished value; only the supervisor and the command line read it. Relative paths start at the
configuration file's folder (in `.env`, at that file's folder), so it does not matter where a command is started.

A variable names its key with two underscores between the steps, an entry of a list of tables by its number:
`CAMALERT_SMTP__LISTEN__0__PORT=2525`. Values are plain text; a list may be written with commas
(`CAMALERT_SMTP__ALLOW=private,203.0.113.0/24`) or, like anything else, as TOML or JSON in brackets. With `_FILE` behind
it a variable names a file that has the value, as containers are given secrets.

settings.toml is in the site's data folder, which the others say; it is never the reason why nothing runs: when it is
spoilt, or wrong together with the others, it is not used, and `LoadedConfig.settings` says why.

`.env` is the original system's: five variables, read as python-decouple does (lines of `NAME = value`, `#` comments on
lines of their own, one pair of quotes around a value). Only the file counts, never the ambient environment: names such
as URL and PORT are too common there to be meant for camalert.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import stat
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import tomli

from camalert.config import profiles, settings_file
from camalert.config.build import (
    KeyPath,
    Problem,
    build,
    dotted,
    keys_of,
    near,
    origin_of,
    shown,
    undotted,
    with_absolute_paths,
)
from camalert.config.checks import contradictions
from camalert.config.schema import PREFIX, Config
from camalert.config.toml_lines import lines_of
from camalert.errors import ConfigError

SYSTEM_FILE = Path("/etc/camalert/config.toml")
MAX_FILE_BYTES = 1_048_576  # a configuration is a few kB; anything larger is the wrong file
FROM_FILE = "_FILE"

_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f", ""})


@dataclass(frozen=True, slots=True)
class Source:
    """The files that a configuration is read from, now and at each reload."""

    file: Path | None = None  # None: ./config.toml, else the system's, else only defaults
    dotenv: Path | None = None  # None: `.env` beside the configuration file, if there is one


@dataclass(frozen=True, slots=True)
class Settings:
    """The site's settings.toml, as far as it counts.

    Attributes:
        file: Where it is, or would be.
        digest: SHA-256 of its text, "" when it is not used.
        problem: Why it is not used, "" when it is or there is none.
    """

    file: Path | None = None
    digest: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, and where it came from."""

    config: Config
    file: Path | None  # the file that was read, None: defaults only
    notices: tuple[str, ...]  # one line each, for the log
    origins: Mapping[KeyPath, str] = field(default_factory=dict)  # of keys that are set somewhere
    settings: Settings = Settings()

    def problem(self, key: str, text: str) -> Problem:
        """Return a mistake in the value of a key, with where it was set."""
        return Problem(origin_of(undotted(key), self.origins) or str(self.file or "defaults"), key, text)


@dataclass(frozen=True, slots=True)
class Override:
    """A value that replaces what the configuration file says."""

    path: KeyPath
    value: Any
    origin: str  # for messages: "environment variable CAMALERT_LOG__LEVEL"


def load(source: Source, ambient: Mapping[str, str], *, refused: str = "") -> LoadedConfig:
    """Read and check the configuration.

    Args:
        source: Which files to read.
        ambient: The environment, normally `os.environ`; only names that start with `CAMALERT_` count.
        refused: Why settings.toml is not to be used, "" when it is.
    Raises: ConfigError with one line for each mistake; settings.toml is never one.
    """
    file = find(source.file)
    folder = (file.parent if file else Path.cwd()).absolute()
    text = _text(file) if file else ""
    raw = _tables(text, file)
    legacy, notices = _from_dotenv(source.dotenv, folder)
    if file is None:
        notices.append(f"no config.toml in {folder} and no {SYSTEM_FILE}: using the defaults")
    named, doubtful = _from_environment(ambient)
    notices += doubtful + [f"{override.origin} sets {dotted(override.path)}" for override in named]
    origins: dict[KeyPath, str] = {path: f"{file}:{line}" for path, line in lines_of(text).items()}
    reading = _Reading(file, folder, tuple(notices), (*legacy, *named))
    plain = reading.built(copy.deepcopy(raw), origins)
    return _with_settings(reading, plain, raw, origins, refused)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is the same for a configuration with and without settings.toml."""

    file: Path | None
    folder: Path
    notices: tuple[str, ...]
    overrides: tuple[Override, ...]

    def built(self, raw: dict[str, Any], origins: Mapping[KeyPath, str]) -> LoadedConfig:
        """Build the configuration of some tables, which are changed, and check it.

        Raises: ConfigError with one line for each mistake.
        """
        problems: list[Problem] = []
        origins = dict(origins)
        for override in self.overrides:
            wrong = _put(raw, Config(), override)
            if wrong:
                problems.append(Problem(override.origin, dotted(override.path), wrong))
            # Lines of the file below this key no longer count.
            origins = {path: line for path, line in origins.items() if path[: len(override.path)] != override.path}
            origins[override.path] = override.origin
        config, found = build(Config, raw, str(self.file or "defaults"), origins)
        problems += found
        if config is None or problems:
            raise _refusal(problems)
        config, lines = profiles.applied(config)
        notices = (*self.notices, *lines)
        loaded = LoadedConfig(with_absolute_paths(config, str(self.folder)), self.file, notices, origins)
        problems = [loaded.problem(key, text) for key, text in contradictions(config)]
        if problems:
            raise _refusal(problems)
        return loaded


def _with_settings(
    reading: _Reading, plain: LoadedConfig, raw: dict[str, Any], origins: Mapping[KeyPath, str], refused: str
) -> LoadedConfig:
    """Return the configuration with what settings.toml adds, or the plain one with the reason why it does not."""
    file = Path(plain.config.review.data_dir) / settings_file.FILE_NAME
    try:
        text = _settings_text(file)
        if text is None:
            return dataclasses.replace(plain, settings=Settings(file))
        if refused:
            raise ConfigError(refused)
        own = _tables(text, file)
        lines = lines_of(text)
        wrong = [
            Problem(f"{file}:{lines.get(path, 1)}", dotted(path), why)
            for path, why in settings_file.foreign(own, plain.config.review.data_dir)
        ]
        if wrong:
            raise _refusal(wrong)
        build_alone(own, str(file), {path: f"{file}:{line}" for path, line in lines.items()})
        tables, paths = settings_file.merged(own, raw)
        added = {
            (*there, *path[len(here) :]): f"{file}:{line}"
            for path, line in lines.items()
            for here, there in paths.items()
            if path[: len(here)] == here and path not in origins
        }
        loaded = reading.built(tables, {**added, **origins})
    except ConfigError as error:
        return dataclasses.replace(plain, settings=Settings(file, problem="; ".join(str(error).splitlines())))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return dataclasses.replace(loaded, settings=Settings(file, digest))


def build_alone(own: dict[str, Any], origin: str, origins: Mapping[KeyPath, str]) -> None:
    """Check the tables of settings.toml by themselves, as what they say counts only where config.toml is silent.

    Raises: ConfigError with one line for each mistake.
    """
    _, problems = build(Config, own, origin, origins)
    if problems:
        raise _refusal(problems)


def _settings_text(file: Path) -> str | None:
    """Return the text of settings.toml, None when there is none.

    The site, which may write its folder, must not make the service wait at a pipe or read elsewhere.

    Raises: ConfigError when it cannot be read.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError("is no regular file")
        return _decoded(stream.read(MAX_FILE_BYTES + 1), file)


def pack(loaded: LoadedConfig) -> dict[str, Any]:
    """Return a configuration as plain values, for another process."""
    return {
        "config": asdict(loaded.config),
        "file": str(loaded.file) if loaded.file else None,
        "notices": loaded.notices,
        "origins": [(path, origin) for path, origin in loaded.origins.items()],
        "settings": [str(loaded.settings.file or ""), loaded.settings.digest, loaded.settings.problem],
    }


def unpack(packed: Mapping[str, Any]) -> LoadedConfig:
    """Return what `pack` was given.

    Raises: ConfigError, KeyError, TypeError or ValueError when it is another release's.
    """
    config, problems = build(Config, packed["config"], "the packed configuration", {})
    if config is None:
        raise _refusal(problems)
    file = Path(packed["file"]) if packed["file"] else None
    origins = {tuple(path): origin for path, origin in packed["origins"]}
    settings, digest, problem = packed["settings"]
    found = Settings(Path(settings) if settings else None, digest, problem)
    return LoadedConfig(config, file, tuple(packed["notices"]), origins, found)


def find(file: Path | None) -> Path | None:
    """Return the file to read: the one named, else ./config.toml, else the system's; None when there is none."""
    if file is not None:
        return file.absolute()
    here = Path("config.toml").absolute()
    return next((candidate for candidate in (here, SYSTEM_FILE) if candidate.is_file()), None)


def _refusal(problems: list[Problem]) -> ConfigError:
    return ConfigError("\n".join(str(problem) for problem in problems))


def _tables(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from error
    except (RecursionError, ValueError) as error:  # nested a thousand deep; numbers of thousands of digits
        raise ConfigError(f"{file}: is not a configuration file: {error}") from error


def _from_dotenv(file: Path | None, folder: Path) -> tuple[list[Override], list[str]]:
    beside = folder / ".env"
    if file is None and not beside.is_file():
        return [], []
    chosen = (file or beside).absolute()
    return original_settings(_text(chosen), str(chosen))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: no such file") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    return _decoded(content, file)


def _decoded(content: bytes, file: Path) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{file}: is too large to be a configuration file (more than {MAX_FILE_BYTES} bytes)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text (byte {error.start})") from error


def _from_environment(environment: Mapping[str, str]) -> tuple[list[Override], list[str]]:
    """Read every `CAMALERT_SECTION__KEY`, and point out other `CAMALERT_` names that look like a mistake.

    Names that lead nowhere are kept: they are then reported like an unknown key in the file.

    Returns: The overrides in the order of their names, and one line for each doubtful name.
    Raises: ConfigError when a file that a `…_FILE` names cannot be read.
    """
    found: list[Override] = []
    doubtful: list[str] = []
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        steps = name.removeprefix(PREFIX).lower().split("__")
        if len(steps) == 1:
            if near(steps[0], [key.replace(".", "_") for key in keys_of(Config)]):
                doubtful.append(f"{name} is not used: write two underscores between section and key")
            continue
        path = _path(steps)
        text, origin = environment[name], f"environment variable {name}"
        if name.endswith(FROM_FILE) and _annotation_at(path) is None:
            path = _path([*steps[:-1], steps[-1].removesuffix(FROM_FILE.lower())])
            file = Path(text).absolute()
            text, origin = _text(file).removesuffix("\n").removesuffix("\r"), f"{file} ({origin})"
        found.append(Override(path, _parsed(_annotation_at(path), text), origin))
    return found, doubtful


def _path(steps: Sequence[str]) -> KeyPath:
    return tuple(int(step) if step.isdecimal() else step for step in steps)


def _annotation_at(path: KeyPath) -> Any:
    """Return the type of the key at a path, None when there is no such key."""
    kind: Any = Config
    for step in path:
        if isinstance(step, int):
            kind = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None
        else:
            kind = typing.get_type_hints(kind).get(step) if dataclasses.is_dataclass(kind) else None
    return kind


def _parsed(annotation: Any, text: str) -> Any:
    """Turn the text of a variable into the value TOML would give; text that does not fit stays text, and is refused."""
    stripped = text.strip()
    if annotation is bool:
        lowered = stripped.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else text
    if annotation in (int, float):
        try:
            return annotation(stripped)
        except ValueError:
            return text
    is_list = typing.get_origin(annotation) is tuple
    if (is_list and stripped.startswith("[")) or (dataclasses.is_dataclass(annotation) and stripped.startswith("{")):
        return _literal(stripped)
    if is_list:
        entry = typing.get_args(annotation)[0]
        return [_parsed(entry, part.strip()) for part in stripped.split(",") if part.strip()]
    return text


def _literal(text: str) -> Any:
    """Read a value written as JSON or TOML."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text


def _put(raw: dict[str, Any], default: Any, override: Override) -> str:
    """Place an override into the raw tables, creating the tables on its way.

    Args:
        raw: The raw tables; changed.
        default: The configuration's default value, for a list of tables that the file does not mention.
        override: What to place.
    Returns: What is wrong, or "".
    """
    place: Any = raw
    for depth, (step, below) in enumerate(zip(override.path, (*override.path[1:], None), strict=True)):
        if isinstance(step, int):
            default = default[step] if isinstance(default, tuple) and step < len(default) else None
            if not isinstance(place, list) or step > len(place):
                have = len(place) if isinstance(place, list) else 0
                return f"has no entry {step}: {dotted(override.path[:depth])} has {have}, counted from 0"
            if step == len(place):
                place.append({})
        else:
            default = getattr(default, step, None)
        if below is None:
            place[step] = override.value
        elif isinstance(below, int):
            place = place.setdefault(step, [dataclasses.asdict(entry) for entry in default or ()])
        else:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        if below is not None and not isinstance(place, (dict, list)):
            return f"cannot be set: {dotted(override.path[: depth + 1])} is {shown(place)} and not a table"
    return ""


def original_settings(text: str, file: str) -> tuple[list[Override], list[str]]:
    """Translate the original system's `.env` into keys of the configuration.

    Args:
        text: Of the file; a variable set twice keeps its last value.
        file: Its absolute path, for messages and for the folder where relative paths start.
    Returns: The overrides, and one line for the log for each variable.
    """
    variables: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        variables[name.strip()] = value, number
    found: list[Override] = []
    notices: list[str] = []
    for name, (value, number) in variables.items():
        origin = f"{file} line {number}: {name}"
        setting, notice = _original_setting(name, value, PurePosixPath(file).parent)
        notices.append(f"{origin} {notice}")
        if setting is not None:
            found.append(Override(*setting, origin))
    return found, notices


def _original_setting(name: str, text: str, folder: PurePosixPath) -> tuple[tuple[KeyPath, Any] | None, str]:
    """Return the path and value that a variable of the original means, and a line for the log."""
    match name:
        case "URL":
            return (("smtp", "listen", 0, "host"), text), f'sets smtp.listen[0].host to "{text}"'
        case "PORT":
            return (("smtp", "listen", 0, "port"), _parsed(int, text)), f"sets smtp.listen[0].port to {text}"
        case "DATABASE":
            path = str(folder / text)
            return (("database", "path"), path), f'sets database.path to "{path}"'
        case "LOG_ACTIVE":
            is_active = _parsed(bool, text)
            if not isinstance(is_active, bool):
                return None, f'is neither True nor False but "{text}": log.level is not changed'
            level = "info" if is_active else "warning"
            return (("log", "level"), level), f'sets log.level to "{level}"'
        case "DEST_DIR":
            path = str(folder / text)
            return (
                (("intake", "folder", "path"), path),
                f'sets intake.folder.path to "{path}"; mails need no folder any more, and pictures put there are taken '
                "only when intake.folder.enabled is true",
            )
    return None, "is not a variable of the original system and is not used; configuration belongs in config.toml"
