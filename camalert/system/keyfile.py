"""A random key in a file of its owner's, made by whoever needs it first; several processes may at once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

KEY_BYTES = 48
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def key(path: Path) -> str:
    """Return the key in a file, which is made if there is none: base64 of `KEY_BYTES`, readable by its owner only.

    Raises: OSError when it can neither be read nor made; ValueError for what is no text.
    """
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        made = secrets.token_urlsafe(KEY_BYTES)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, _NEW_FILE, 0o600), "w", encoding="ascii") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename it takes nobody else's place
    except FileExistsError:
        return path.read_text(encoding="ascii")
    finally:
        draft.unlink(missing_ok=True)
    return made
