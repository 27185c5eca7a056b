"""A disk, simulated from what a process did to the files of a folder: what is on it when the power fails.

`diskfaults.c` records the calls, in their order. The disk has for sure what was synced: pages of files by `fsync` of
the file, names by `fsync` of the folder. What was not may be there or not. A sync that failed leaves the pages that it
was to write in the page cache, marked clean: a later sync does not write them. Source: fsync(2); "Can applications
recover from fsync failures?" (Rebello and others, 2020), on ext4, XFS and btrfs.
"""

from __future__ import annotations

import enum
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("diskfaults.c")
PAGE_BYTES = 4096
HEAD = struct.Struct("<BBHiiqI")


class Call(enum.IntEnum):
    """Name the calls as `diskfaults.c` does."""

    OPEN = 1
    CLOSE = 2
    WRITE = 3
    TRUNCATE = 4
    SYNC = 5
    UNLINK = 6
    RENAME = 7
    MARK = 8


@dataclass(frozen=True, slots=True)
class Record:
    """One call: `number` is an offset, a length or flags; `data` what was written, a new name, or a mark's text."""

    call: Call
    has_succeeded: bool
    name: str
    process: int
    file: int
    number: int
    data: bytes

    @classmethod
    def mark(cls, text: str) -> Record:
        """Return a mark; `encode` makes what can be appended to a log from outside."""
        return cls(Call.MARK, True, "", 0, -1, 0, text.encode())

    def encode(self) -> bytes:
        """Return the record as it stands in a log."""
        name = self.name.encode()
        head = HEAD.pack(self.call, self.has_succeeded, len(name), self.process, self.file, self.number, len(self.data))
        return head + name + self.data


class Left(enum.Enum):
    """Say what becomes of what was never synced."""

    NOTHING = "nothing of it is on the disk"
    ALL = "all of it is"
    SOME = "some of it is"


def build(folder: Path) -> Path | None:
    """Compile the library into a folder; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "libdiskfaults.so"
    subprocess.run(
        [compiler, "-std=gnu11", "-O1", "-fPIC", "-shared", "-o", str(library), str(SOURCE), "-ldl"], check=True
    )
    return library


def read(log: Path) -> Iterator[Record]:
    """Read a log; a record that its process did not finish is left out."""
    content = log.read_bytes()
    at = 0
    while at + HEAD.size <= len(content):
        call, has_succeeded, name_bytes, process, file, number, data_bytes = HEAD.unpack_from(content, at)
        end = at + HEAD.size + name_bytes + data_bytes
        if end > len(content):
            return
        name = content[at + HEAD.size : at + HEAD.size + name_bytes].decode()
        yield Record(Call(call), bool(has_succeeded), name, process, file, number, content[end - data_bytes : end])
        at = end


@dataclass(slots=True)
class _File:
    """A file as every program sees it, as the disk has it, and the pages in which they may differ."""

    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)

    def write(self, offset: int, data: bytes) -> None:
        if len(self.cached) < offset + len(data):
            self.cached.extend(bytes(offset + len(data) - len(self.cached)))
        self.cached[offset : offset + len(data)] = data
        self.dirty.update(range(offset // PAGE_BYTES, (offset + len(data) - 1) // PAGE_BYTES + 1))

    def truncate(self, length: int) -> None:
        del self.cached[length:]
        self.cached.extend(bytes(length - len(self.cached)))
        self.dirty = {page for page in self.dirty if page * PAGE_BYTES < length}

    def sync(self) -> None:
        self.durable = self._with(self.dirty, len(self.cached))
        self.dirty.clear()

    def fail(self) -> None:
        self.dirty.clear()

    def after_the_cut(self, left: Left, chance: random.Random) -> bytes:
        if left is Left.NOTHING:
            return bytes(self.durable)
        if left is Left.ALL:
            return bytes(self._with(self.dirty, len(self.cached)))
        pages = {page for page in sorted(self.dirty) if chance.random() < 0.5}
        grown = max((min((page + 1) * PAGE_BYTES, len(self.cached)) for page in pages), default=0)
        return bytes(self._with(pages, chance.choice((len(self.cached), max(len(self.durable), grown)))))

    def _with(self, pages: set[int], length: int) -> bytearray:
        found = bytearray(self.durable[:length])
        found.extend(bytes(length - len(found)))
        for page in pages:
            begin, end = page * PAGE_BYTES, min((page + 1) * PAGE_BYTES, length)
            if begin < end:
                found[begin:end] = self.cached[begin:end]
        return found


class Disk:
    """The files of one folder, as records make them."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._cached: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._pending: list[tuple[str, _File | None]] = []  # names given and taken since the folder's last sync
        self._open: dict[tuple[int, int], _File | None] = {}  # by process and descriptor; None: the folder
        self.syncs = 0  # that succeeded: what is on the disk for sure changes with nothing else

    def apply(self, record: Record) -> None:
        """Let one call have its effect."""
        self.syncs += record.call is Call.SYNC and record.has_succeeded
        opened = record.process, record.file
        found = self._open.get(opened)
        match record.call:
            case Call.OPEN:
                self._open[opened] = self._opened(record)
            case Call.CLOSE:
                self._open.pop(opened, None)
            case Call.WRITE if found:
                found.write(record.number, record.data)
            case Call.TRUNCATE if found:
                found.truncate(record.number)
            case Call.SYNC if found:
                found.sync() if record.has_succeeded else found.fail()
            case Call.SYNC if opened in self._open and record.has_succeeded:
                self._durable = dict(self._cached)
                self._pending.clear()
            case Call.UNLINK:
                self._name(record.name, None)
            case Call.RENAME:
                moved = self._cached[record.name]
                self._name(record.name, None)
                self._name(record.data.decode(), moved)

    def after_the_cut(self, left: Left, chance: random.Random) -> dict[str, bytes]:
        """Return the files that are found when the power is back, by name."""
        names = dict(self._cached if left is Left.ALL else self._durable)
        if left is Left.SOME:
            for name, file in self._pending[: chance.randint(0, len(self._pending))]:  # a folder's changes keep order
                _set(names, name, file)
        return {name: file.after_the_cut(left, chance) for name, file in names.items()}

    def _opened(self, record: Record) -> _File | None:
        if record.name.rstrip("/") == self._folder:
            return None
        file = self._cached.get(record.name)
        if file is None:
            file = _File()
            self._name(record.name, file)
        if record.number & os.O_TRUNC:
            file.truncate(0)
        return file

    def _name(self, name: str, file: _File | None) -> None:
        _set(self._cached, name, file)
        self._pending.append((name, file))


def _set(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file
