"""The folder itself: scan, read, remove, reject.

Others may write into the folder, so every step starts from an open directory, never follows a symbolic link, never
waits for a pipe, and checks what it has opened rather than what it asked for.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from camalert.intake.folder.rules import FileState, ending_of, is_wanted, text_paths

REJECTED = "rejected"  # sub-folder for what is no picture
MOST_FILES = 10_000  # pictures and clips of one scan; the others come when these are gone
MOST_ENDINGS = 30  # told apart in one scan
MOST_SKIPPED = 100  # named in one scan, each a line of the log
EMPTY_FOLDER_S = 3600.0  # after which an empty sub-folder is removed: some cameras make one for every minute
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FileChanged(Exception):
    """A file is no longer as it was seen."""


@dataclass(slots=True)
class Scan:
    """What is in the folder: pictures and clips with the texts beside them, and what is skipped.

    `skipped` are path and reason of what only the owner can change. `strays` counts files of other kinds, such as a
    camera's index, by their ending; those of too many endings together. `stray` is one of them.
    """

    files: list[FileState] = field(default_factory=list)
    wanted: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    strays: collections.Counter[str] = field(default_factory=collections.Counter)
    stray: str = ""

    def count_stray(self, path: str, count: int = 1) -> None:
        """Count a file that stays where it is, or with -1 take one back."""
        ending = ending_of(path)
        self.strays[ending if ending in self.strays or len(self.strays) < MOST_ENDINGS else ""] += count
        self.stray = path if count > 0 else self.stray

    def skip(self, path: str, reason: str) -> None:
        """Note what is skipped, up to a number that a person reads."""
        if len(self.skipped) < MOST_SKIPPED:
            self.skipped.append((path, reason))


class WatchedFolder:
    """A folder and its sub-folders down to a depth. Every method may raise OSError."""

    def __init__(self, root: str, depth: int) -> None:
        self._root = root
        self._depth = depth

    def make(self) -> None:
        """Make the folder, if that is possible; a scan says why when it is not."""
        with contextlib.suppress(OSError):
            os.makedirs(self._root, exist_ok=True)

    def scan(self) -> Scan:
        """List everything once, and remove old empty sub-folders; the folder itself is made when it is missing."""
        os.makedirs(self._root, exist_ok=True)
        found = Scan()
        with _opened(os.open(self._root, _DIRECTORY)) as root:
            self._walk(root, "", self._depth, found)
        return found

    def read_into(self, file: FileState, view: memoryview) -> None:
        """Read a file of exactly the size that was seen to the start of a buffer.

        Raises: FileChanged when it is not as it was seen, before or after the reading.
        """
        with self._parent(file.path) as (parent, name), _opened(os.open(name, _FILE, dir_fd=parent)) as descriptor:
            _expect(file, os.fstat(descriptor))
            done = 0
            while done < file.size_bytes:
                with view[done : file.size_bytes] as rest:
                    count = os.readv(descriptor, [rest])
                if not count:
                    break
                done += count
            _expect(file, os.fstat(descriptor))
            if done != file.size_bytes:
                raise FileChanged(file.path)

    def read(self, file: FileState, limit_bytes: int) -> bytes:
        """Read the beginning of a file.

        Raises: FileChanged when it is not as it was seen.
        """
        with self._parent(file.path) as (parent, name), _opened(os.open(name, _FILE, dir_fd=parent)) as descriptor:
            _expect(file, os.fstat(descriptor))
            return os.read(descriptor, limit_bytes)

    def remove(self, file: FileState) -> None:
        """Remove a file, unless another one has taken its place."""
        with self._parent(file.path) as (parent, name):
            if _is_unchanged(file, os.stat(name, dir_fd=parent, follow_symlinks=False)):
                os.unlink(name, dir_fd=parent)

    def reject(self, file: FileState) -> str:
        """Move a file into the folder of rejected ones; return its path there."""
        with self._parent(file.path) as (parent, name), _opened(os.open(self._root, _DIRECTORY)) as root:
            with contextlib.suppress(FileExistsError):
                os.mkdir(REJECTED, dir_fd=root)
            with _opened(os.open(REJECTED, _DIRECTORY | os.O_NOFOLLOW, dir_fd=root)) as rejected:
                free = next(name for name in _numbered(name) if not _exists(name, rejected))
                os.rename(name, free, src_dir_fd=parent, dst_dir_fd=rejected)
        return f"{REJECTED}/{free}"

    def _walk(self, folder: int, above: str, depth: int, found: Scan) -> None:
        """List one folder, however many files are in it: those of other kinds are only counted."""
        with os.scandir(folder) as listing:
            for entry in listing:
                path = f"{above}{entry.name}"
                if entry.name.startswith(".") or path == REJECTED:
                    continue
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    if entry.is_dir(follow_symlinks=False):
                        self._enter(folder, path, depth, found)
                    elif not entry.is_file(follow_symlinks=False):
                        found.skip(path, "neither a file nor a folder; links are not followed")
                    elif not is_wanted(entry.name):
                        found.count_stray(path)
                    elif found.wanted < MOST_FILES:
                        self._take(folder, path, entry.stat(follow_symlinks=False), found)

    def _take(self, folder: int, path: str, status: os.stat_result, found: Scan) -> None:
        """Note a picture or clip, and its text, which is then no stray."""
        if status.st_nlink != 1:
            found.skip(path, f"has {status.st_nlink} names (hard links), and may be another user's file")
            return
        found.files.append(_state(path, status))
        found.wanted += 1
        for text in text_paths(path):
            with contextlib.suppress(FileNotFoundError):
                beside = os.stat(PurePosixPath(text).name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(beside.st_mode) and beside.st_nlink == 1:
                    found.files.append(_state(text, beside))
                    found.count_stray(text, -1)

    def _enter(self, parent: int, path: str, depth: int, found: Scan) -> None:
        if not depth:
            found.skip(path, "is deeper than intake.folder.depth")
            return
        name = PurePosixPath(path).name
        before = len(found.files)
        try:
            opened = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        except PermissionError:
            found.skip(path, "cannot be entered; allow camalert to enter it")
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
        """Open the directory of a file, step by step."""
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


def _state(path: str, status: os.stat_result) -> FileState:
    return FileState(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime)


def _is_unchanged(file: FileState, status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and _state(file.path, status) == file


def _expect(file: FileState, status: os.stat_result) -> None:
    if not _is_unchanged(file, status):
        raise FileChanged(file.path)


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
