"""Change single values in the text of a configuration file; comments, order and everything else stay.

Pure. It knows the plain layout of `config.toml`: a key on a line of its own below its section's header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from camalert.problems import KeyPath

Value = str | int | float | bool


def put(text: str, path: KeyPath, value: Value) -> str:
    """Return the text with one key set.

    Args:
        text: The file.
        path: Sections, then the key; 0 stands for the first block of a list: `("smtp", "listen", 0, "port")`.
        value: The new value.
    """
    section = ".".join(step for step in path[:-1] if isinstance(step, str))
    brackets = ("[[", "]]") if any(isinstance(step, int) for step in path) else ("[", "]")
    header = f"{brackets[0]}{section}{brackets[1]}"
    line = f"{path[-1]} = {json.dumps(value, ensure_ascii=False)}"
    lines = text.splitlines()
    if header not in lines:
        return "\n".join([*lines, "", header, line]) + "\n"
    start = lines.index(header) + 1
    end = _next_header(lines, start)
    of_key = re.compile(rf"{re.escape(str(path[-1]))}\s*=")
    found = next((number for number in range(start, end) if of_key.match(lines[number])), None)
    if found is None:
        lines.insert(start, line)
    else:
        lines[found : _value_end(lines, found)] = [line]
    return "\n".join(lines) + "\n"


def put_all(text: str, changes: Iterable[tuple[KeyPath, Value]]) -> str:
    """Return the text with several keys set."""
    for path, value in changes:
        text = put(text, path, value)
    return text


def _next_header(lines: list[str], start: int) -> int:
    return next((number for number in range(start, len(lines)) if lines[number].startswith("[")), len(lines))


def _value_end(lines: list[str], start: int) -> int:
    """Return the line behind a value, which may be a list over several lines."""
    depth = 0
    for number in range(start, len(lines)):
        bare = re.sub(r'"(\\.|[^"\\])*"|#.*', "", lines[number])
        depth += bare.count("[") - bare.count("]")
        if depth <= 0:
            return number + 1
    return len(lines)
