"""Every acknowledged mail survives a crash after any single failed call: the cells of that matrix, done and judged.

A cell is a run of `diskdriver.py` in which one call fails. Then the power is cut at each point of the run, and what the
disk has is opened: it must be sound and hold every mail that had its 250 by then.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from testing import disk
from testing.disk import Call, Disk, Left
from testing.diskdriver import MAILS, picture

DATABASE = "alerts.sqlite3"
JOURNALS = ("wal", "delete")
SOME_OF = 25  # of so many points of a run, one is looked at with all, and one with some of what was not synced


@dataclass(frozen=True, slots=True)
class Cell:
    """One call that fails: the `nth` of a kind on files whose path has an ending, from the start or after it."""

    journal: str
    call: Call
    nth: int
    error: int = errno.EIO
    is_short: bool = False  # half is written, then the rest is refused
    ending: str = ""
    is_killed: bool = False  # the writer is killed after the turn in which it failed, and a new one goes on
    at_start: bool = False

    def __str__(self) -> str:
        """Name the cell."""
        where = f" on *{self.ending}" if self.ending else ""
        how = f"{errno.errorcode[self.error]}{' after half of it' if self.is_short else ''}"
        rest = f"{', writer killed' if self.is_killed else ''}{', at the start' if self.at_start else ''}"
        return f"{self.journal}: {self.call.name.lower()} {self.nth}{where}: {how}{rest}"


FAULTS = (  # and how many such calls a run has at most
    (Call.WRITE, errno.EIO, False, 850),
    (Call.WRITE, errno.ENOSPC, True, 850),
    (Call.SYNC, errno.EIO, False, 80),
    (Call.TRUNCATE, errno.EIO, False, 8),
    (Call.UNLINK, errno.EIO, False, 17),
    (Call.OPEN, errno.EMFILE, False, 50),
)


def cells(step: int, last: int) -> Iterator[Cell]:
    """Return the cells whose failing call is every `step`-th of its kind, up to the `last`."""
    for journal in JOURNALS:
        for at_start in (False, True):
            for is_killed in (False, True):
                for kind, (call, error, is_short, most) in enumerate(FAULTS):
                    # Shifted from kind to kind, so that a coarse step does not look at the same moments only.
                    for nth in range(1 + (kind + is_killed) % step, min(last, most) + 1, step):
                        yield Cell(journal, call, nth, error, is_short, "", is_killed, at_start)


class Driver:
    """The process in which the cells are done."""

    def __init__(self, library: Path, errors: Path) -> None:
        tests = Path(__file__).parents[1]
        self._errors = errors.open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "testing.diskdriver"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, cwd=tests,
            env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(tests)},
        )  # fmt: skip

    def run(self, cell: Cell, folder: Path) -> tuple[Path, int]:
        """Do one cell in a new folder; return its log and the exit code of the last process."""
        work = folder / "work"
        work.mkdir(parents=True)
        log = folder / "log"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({**asdict(cell), "folder": str(work), "log": str(log)}), file=self._process.stdin, flush=True)
        return log, int(json.loads(self._process.stdout.readline())["code"])

    def close(self) -> str:
        """End the process and return what it wrote of its own failures."""
        self._process.communicate(timeout=60)
        with self._errors as file:
            file.seek(0)
            return file.read()


class Judge:
    """Look at what the disk holds at each point of a run."""

    def __init__(self, folder: Path, log: Path, seed: int) -> None:
        self._scratch = folder / "cut"
        self._scratch.mkdir()
        self._disk = Disk(folder / "work")
        self._log = log
        self._chance = random.Random(seed)
        self._seen: dict[bytes, frozenset[int] | str] = {}  # by digest of all files
        self._durable: tuple[int, frozenset[int] | str] = (-1, frozenset())  # after so many syncs
        self.cuts = 0

    def problems(self) -> Iterator[str]:
        """Cut the power at each point; return what is wrong, each once."""
        acknowledged: set[int] = set()
        is_over = False
        for record in disk.read(self._log):
            self._disk.apply(record)
            if record.call is Call.MARK:
                word, _, number = record.data.decode().rpartition(" ")
                if word == "250":
                    acknowledged.add(int(number))
                is_over = is_over or word == "calls"
            yield from self._cut(Left.NOTHING, acknowledged)
            if not self._chance.randrange(SOME_OF):
                yield from self._cut(Left.ALL, acknowledged)
            if not self._chance.randrange(SOME_OF):
                yield from self._cut(Left.SOME, acknowledged)
        if is_over and len(acknowledged) < MAILS:
            yield f"only {sorted(acknowledged)} of {MAILS} mails were taken in the end"

    def _cut(self, left: Left, acknowledged: Iterable[int]) -> Iterator[str]:
        self.cuts += 1
        if left is not Left.NOTHING:
            found = self._look(left)
        elif self._durable[0] == self._disk.syncs:
            found = self._durable[1]
        else:
            found = self._look(left)
            self._durable = self._disk.syncs, found
        if isinstance(found, str):
            yield f"power cut, {left.value}: {found}"
        elif missing := set(acknowledged) - found:
            yield f"power cut, {left.value}: mails {sorted(missing)} had a 250 and are gone"

    def _look(self, left: Left) -> frozenset[int] | str:
        files = self._disk.after_the_cut(left, self._chance)
        digest = hashlib.blake2b()
        for name, content in sorted(files.items()):
            digest.update(f"{name} {len(content)} ".encode())
            digest.update(content)
        if digest.digest() not in self._seen:
            self._seen[digest.digest()] = self._open(files)
        return self._seen[digest.digest()]

    def _open(self, files: dict[str, bytes]) -> frozenset[int] | str:
        """Open the database that is left; return the numbers of its pictures, or what is wrong with it."""
        for old in self._scratch.iterdir():
            old.unlink()
        for name, content in files.items():
            (self._scratch / Path(name).name).write_bytes(content)
        database = self._scratch / DATABASE
        if not database.exists():
            return frozenset()
        with closing(sqlite3.connect(database)) as connection:
            try:
                connection.execute("PRAGMA synchronous = OFF")  # of this copy
                found = connection.execute("PRAGMA integrity_check").fetchall()
                if found != [("ok",)]:
                    return f"damaged: {found[:3]}"
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alerts_alert'").fetchone():
                    return frozenset()
                rows = connection.execute("SELECT snapshot FROM alerts_alert").fetchall()
            except sqlite3.Error as error:
                return f"cannot be read: {error}"
        numbers = [int.from_bytes(content[2:4], "big") for (content,) in rows]
        if [content for (content,) in rows] != [picture(number) for number in numbers]:
            return "a picture is not what was sent"
        if len(numbers) != len(set(numbers)):
            return f"stored twice: {sorted(numbers)}"
        return frozenset(numbers)


def run(chosen: Sequence[Cell], library: Path, folder: Path) -> tuple[list[str], int]:
    """Do and judge cells; return in words what is wrong, and how often the power was cut."""
    driver = Driver(library, folder / "errors")
    found = []
    cuts = 0
    for number, cell in enumerate(chosen):
        place = folder / f"cell-{number}"
        log, code = driver.run(cell, place)
        judge = Judge(place, log, number)
        found += [f"{cell}: {words}" for words in dict.fromkeys(judge.problems())]
        cuts += judge.cuts
        if code:
            found.append(f"{cell}: the writer ended with {code}")
        if not found:
            _remove(place)
    words = driver.close()
    if any("the writer ended" in problem for problem in found):
        found.append(words[-4000:])
    return found, cuts


def _remove(place: Path) -> None:
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.rmdir()
