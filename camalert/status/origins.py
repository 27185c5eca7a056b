"""Where the values in force came from: a file in the run directory, for the site, which may not read config.toml.

It names files, lines and keys, and no value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from camalert.config.build import KeyPath, origin_of
from camalert.config.sources import LoadedConfig

FILE_NAME = "origins.json"
ENVIRONMENT = "environment variable"


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the values came from.

    Attributes:
        file: The configuration file, "" for none.
        settings: The site's settings.toml.
        digest: SHA-256 of its text in force, "" when it is not used.
        problem: Why it is not used.
        keys: Where each key was set, as "FILE:LINE".
    """

    file: str = ""
    settings: str = ""
    digest: str = ""
    problem: str = ""
    keys: Mapping[KeyPath, str] = field(default_factory=dict)

    def fixed(self, path: KeyPath) -> str:
        """Return where a key, or something in it, was set if the site cannot change it, else ""."""
        places = [place for key, place in self.keys.items() if key[: len(path)] == path]
        above = origin_of(path, self.keys) or ""
        if above.startswith(ENVIRONMENT):  # a variable that names a whole block names all keys in it
            places.append(above)
        return next((place for place in places if not self.is_own(place)), "")

    def is_own(self, place: str) -> bool:
        """Tell whether a place is in the site's settings.toml."""
        return bool(self.settings) and place.rpartition(":")[0] == self.settings


def write(folder: Path, loaded: LoadedConfig) -> None:
    """Replace the file in one step.

    Raises: OSError when the folder cannot be written.
    """
    content = {
        "file": str(loaded.file or ""),
        "settings": str(loaded.settings.file or ""),
        "digest": loaded.settings.digest,
        "problem": loaded.settings.problem,
        "keys": list(loaded.origins.items()),
    }
    draft = folder / f".{FILE_NAME}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(content, stream)
    os.replace(draft, folder / FILE_NAME)


def read(folder: Path) -> Origins:
    """Read the file; without a usable one nothing is known."""
    try:
        found = json.loads((folder / FILE_NAME).read_bytes())
        keys = {tuple(path): str(place) for path, place in found["keys"]}
        return Origins(found["file"], found["settings"], found["digest"], found["problem"], keys)
    except (OSError, ValueError, KeyError, TypeError):
        return Origins()
