"""The folder itself: look, read, remove, set aside.

Mechanism. Others may write into the folder, so every step is taken from an open directory, never follows a symbolic
link, never waits for a pipe, and looks at what it has opened rather than at what it asked for.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from camalert.folder.rules import Sighting

REJECTED = "rejected"  # sub-folder for what is no picture
MOST_FILES = 10_000  # of one look; the others come when these are gone
EMPTY_FOLDER_S = 3600.0  # after which an empty sub-folder is removed: some cameras make one for every minute
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FileChanged(Exception):
    """Say that a file is not any more what was seen of it."""


@dataclass(slots=True)
class Look:
    """What lies in the folder: regular files, and other things that have the names of files."""

    files: list[Sighting] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class WatchedFolder:
    """A folder and its sub-folders down to a depth. Every method may raise OSError."""

    def __init__(self, root: str, depth: int) -> None:
        self._root = root
        self._depth = depth

    def look(self) -> Look:
        """Look at everything once."""
        os.makedirs(self._root, exist_ok=True)
        found = Look()
        with _opened(os.open(self._root, _DIRECTORY)) as root:
            self._walk(root, "", self._depth, found)
        return found

    def read_into(self, seen: Sighting, view: memoryview) -> None:
        """Read a file of exactly the size that was seen to the start of a buffer.

        Raises: FileChanged when it is not as it was seen, before or after the reading.
        """
        with self._parent(seen.path) as (parent, name), _opened(_open_file(name, parent)) as file:
            _expect(seen, os.fstat(file))
            done = 0
            while done < seen.size_bytes:
                with view[done : seen.size_bytes] as rest:
                    count = os.readv(file, [rest])
                if not count:
                    break
                done += count
            _expect(seen, os.fstat(file))
            if done != seen.size_bytes:
                raise FileChanged(seen.path)

    def read(self, seen: Sighting, limit_bytes: int) -> bytes:
        """Read the beginning of a file.

        Raises: FileChanged when it is not as it was seen.
        """
        with self._parent(seen.path) as (parent, name), _opened(_open_file(name, parent)) as file:
            _expect(seen, os.fstat(file))
            return os.read(file, limit_bytes)

    def remove(self, seen: Sighting) -> None:
        """Remove a file, unless another one has taken its place."""
        with self._parent(seen.path) as (parent, name):
            if _is_seen(seen, os.stat(name, dir_fd=parent, follow_symlinks=False)):
                os.unlink(name, dir_fd=parent)

    def reject(self, seen: Sighting) -> str:
        """Move a file into the folder of rejected ones; return its path there."""
        with self._parent(seen.path) as (parent, name), _opened(os.open(self._root, _DIRECTORY)) as root:
            with contextlib.suppress(FileExistsError):
                os.mkdir(REJECTED, dir_fd=root)
            with _opened(os.open(REJECTED, _DIRECTORY | os.O_NOFOLLOW, dir_fd=root)) as rejected:
                free = next(name for name in _numbered(name) if not _exists(name, rejected))
                os.rename(name, free, src_dir_fd=parent, dst_dir_fd=rejected)
        return f"{REJECTED}/{free}"

    def _walk(self, folder: int, above: str, depth: int, found: Look) -> None:
        with os.scandir(folder) as listing:
            entries = list(itertools.islice(listing, MOST_FILES))
        for entry in entries:
            path = f"{above}{entry.name}"
            if len(found.files) >= MOST_FILES or entry.name.startswith(".") or path == REJECTED:
                continue
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                if entry.is_dir(follow_symlinks=False):
                    if depth:
                        self._enter(folder, path, depth, found)
                elif entry.is_file(follow_symlinks=False):
                    found.files.append(_sighting(path, entry.stat(follow_symlinks=False)))
                else:
                    found.others.append(path)

    def _enter(self, parent: int, path: str, depth: int, found: Look) -> None:
        name = PurePosixPath(path).name
        before = len(found.files)
        try:
            opened = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        except PermissionError:
            found.others.append(path)
            return
        with _opened(opened) as folder:
            self._walk(folder, f"{path}/", depth - 1, found)
            is_old = time.time() - os.fstat(folder).st_mtime > EMPTY_FOLDER_S
        # A camera's own folder stays; those below it, of a day or an hour, go when they are empty.
        if is_old and len(found.files) == before and "/" in path:
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=parent)

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the directory that a file lies in, step by step."""
        *folders, name = PurePosixPath(path).parts
        with contextlib.ExitStack() as opened:
            folder = opened.enter_context(_opened(os.open(self._root, _DIRECTORY)))
            for part in folders:
                folder = opened.enter_context(_opened(os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)))
            yield folder, name


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_file(name: str, parent: int) -> int:
    return os.open(name, _FILE, dir_fd=parent)


def _sighting(path: str, status: os.stat_result) -> Sighting:
    return Sighting(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime)


def _is_seen(seen: Sighting, status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and _sighting(seen.path, status) == seen


def _expect(seen: Sighting, status: os.stat_result) -> None:
    if not _is_seen(seen, status):
        raise FileChanged(seen.path)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _numbered(name: str) -> Iterator[str]:
    """Yield a name, then the same with a number before its ending."""
    yield name
    path = PurePosixPath(name)
    for number in itertools.count(2):
        yield f"{path.stem}-{number}{path.suffix}"
