"""What the kernel tells of a file beside its bytes: which one it is, how it looks, and whether others hold locks on it.

Asking takes no lock. Source: stat(2); fcntl(2), F_GETLK, which names no lock of the asking process.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit file offsets


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from every other one, None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def looks(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody repairs or replaces a file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def is_locked(file: int, first: int, count: int) -> bool:
    """Tell whether another process holds a lock on any of `count` bytes of an open file, from `first` on."""
    asked = LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first, count, 0)
    found = LOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return bool(found[0] != fcntl.F_UNLCK)
