"""Print the part of requirements.lock that some extras need.

    python release/selected.py fast,review <requirements.lock

pip-compile writes beside each package who asked for it; what only other packages asked for stays with them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_NAME = re.compile(r"^[A-Za-z0-9._-]+")
_VIA = re.compile(r"#(?: +via)? +([a-z0-9._-]+)", re.IGNORECASE)


def canonical(name: str) -> str:
    """Return a package's name as the index compares it. Source: the specification of name normalisation, PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def selected(lock: str, asked: list[str]) -> str:
    """Return the entries of the packages asked for, and of those that they need.

    Args:
        lock: As pip-compile writes it.
        asked: Requirements, such as `numpy>=1.26`.
    """
    entries = {canonical(name): text for name, text in _entries(lock)}
    wanted = {canonical(match[0]) for line in asked if (match := _NAME.match(line))}
    before = 0
    while len(wanted) != before:
        before = len(wanted)
        wanted |= {name for name, text in entries.items() if wanted & set(map(canonical, _VIA.findall(text)))}
    return "".join(text for name, text in entries.items() if name in wanted)


def _entries(lock: str) -> list[tuple[str, str]]:
    starts = [(match.start(), match[1]) for match in _PACKAGE.finditer(lock)]
    ends = [start for start, _ in starts[1:]] + [len(lock)]
    return [(name, lock[start:end]) for (start, name), end in zip(starts, ends, strict=True)]


def main(extras: str) -> None:
    """Print what the extras, separated by commas, need."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = list(project["dependencies"])
    for extra in filter(None, extras.split(",")):
        asked += project["optional-dependencies"][extra]
    sys.stdout.write(selected(sys.stdin.read(), asked))


if __name__ == "__main__":
    main(sys.argv[1])
