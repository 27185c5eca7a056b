"""The `.env` file of the original system: its five variables and what they mean here.

Pure: reading the file is `configfile`'s work. Only this file is looked at, never the ambient environment: names such as
URL and PORT are too common there to be meant for camalert.

Source: the original's variables are read by python-decouple: lines of `NAME = value`, `#` comments on lines of their
own, one pair of quotes around a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from camalert.environment import Override, parse

KNOWN = ("URL", "PORT", "DEST_DIR", "DATABASE", "LOG_ACTIVE")


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of a `.env` file."""

    name: str
    value: str
    line: int


def read(text: str) -> list[Variable]:
    """Read the variables of a `.env` file; a name that stands twice keeps its last value."""
    found: dict[str, Variable] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = Variable(name.strip(), value, number)
    return list(found.values())


def meaning(variables: list[Variable], file: str) -> tuple[list[Override], list[str]]:
    """Translate the original's variables into keys of the configuration.

    Args:
        variables: What `read` found.
        file: The file's absolute path, for messages and for the folder that relative paths start from.
    Returns: The overrides, and one line for the log for each variable.
    """
    found: list[Override] = []
    notices: list[str] = []
    for variable in variables:
        origin = f"{file} line {variable.line}: {variable.name}"
        override, notice = _translate(variable, origin, str(PurePosixPath(file).parent))
        notices.append(f"{origin} {notice}")
        if override is not None:
            found.append(override)
    return found, notices


def _translate(variable: Variable, origin: str, folder: str) -> tuple[Override | None, str]:
    text = variable.value
    match variable.name:
        case "URL":
            return Override(("smtp", "listen", 0, "host"), text, origin), f'sets smtp.listen[0].host to "{text}"'
        case "PORT":
            port = parse(int, text)
            return Override(("smtp", "listen", 0, "port"), port, origin), f"sets smtp.listen[0].port to {text}"
        case "DATABASE":
            path = str(PurePosixPath(folder) / text)
            return Override(("database", "path"), path, origin), f'sets database.path to "{path}"'
        case "LOG_ACTIVE":
            is_active = parse(bool, text)
            if not isinstance(is_active, bool):
                return None, f'is neither True nor False but "{text}": log.level stays as it is'
            level = "info" if is_active else "warning"
            return Override(("log", "level"), level, origin), f'sets log.level to "{level}"'
        case "DEST_DIR":
            path = str(PurePosixPath(folder) / text)
            return (
                Override(("intake", "folder", "path"), path, origin),
                f'sets intake.folder.path to "{path}"; mails need no folder any more, so pictures that are put there '
                "are taken only when intake.folder.enabled is true",
            )
    return None, "is not a variable of the original system and is not used; configuration belongs into config.toml"
