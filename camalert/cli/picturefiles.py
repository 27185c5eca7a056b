"""Picture files named on a command line; folders stand for the pictures in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from camalert.errors import CamalertError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")


def expand(named: Iterable[Path]) -> list[Path]:
    """Return the files named and, in order of their names, the pictures below the folders named.

    Raises: CamalertError for a folder without any picture.
    """
    files: list[Path] = []
    for path in named:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not found:
            raise CamalertError(f"{path} holds no picture ({', '.join(SUFFIXES)})")
        files += found
    return files


def copy_name(file: Path, taken: set[str]) -> str:
    """Return a name for the JPEG made from a file, and note it as taken: files of the same name keep apart."""
    name, number = f"{file.stem}.jpg", 1
    while name in taken:
        number += 1
        name = f"{file.stem}-{number}.jpg"
    taken.add(name)
    return name
