"""Power loss: whatever got a 250 is on the disk before the 250 is on the wire, in both journal modes.

The disk of a machine whose power fails holds what was synced. Two witnesses: a disk that is simulated from the recorded
calls of a whole service holds every acknowledged mail, wherever the power is cut; and a trace of the writer's system
calls shows what makes a mail's rows durable before the message that makes smtp say 250.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from testing import disk, pictures
from testing.audit import digest
from testing.disk import Call, Disk, Left, Record
from testing.service import ServiceUnderTest

from camalert.ipc.messages import MAX_BYTES, Stored, decode

MakeService = Callable[..., ServiceUnderTest]
JOURNALS = pytest.mark.parametrize("journal", ["wal", "delete"])
MAILS = 12
_SENT = re.compile(r', "((?:\\x[0-9a-f]{2})+)",')
_CALL = re.compile(r"^(?:\[pid +\d+\] )?(?:\d+ +)?(\w+)\((\d+)(?:<([^>]*)>)?")


@JOURNALS
def test_disk_holds_every_acknowledged_mail_wherever_the_power_is_cut(
    make_service: MakeService, tmp_path: Path, journal: str
) -> None:
    """Only what was synced is there for sure; what was not may be there, or some of it."""
    library = disk.build(tmp_path)
    if library is None:
        pytest.skip("there is no C compiler")
    service = make_service(database__journal=journal)
    service.database.parent.mkdir(parents=True)
    log = tmp_path / "calls"
    service.environment = {
        "LD_PRELOAD": str(library),
        "DISKFAULTS_FOLDER": str(service.database.parent),
        "DISKFAULTS_LOG": str(log),
    }
    service.start()
    sent = {}
    for number in range(MAILS):
        picture = pictures.numbered(pictures.unique_jpeg(number), number)
        assert service.send([picture], f"alarm {number}")[0] == 250
        sent[number] = digest(picture)
        with log.open("ab", buffering=0) as file:
            file.write(Record.mark(str(number)).encode())
        if number == MAILS // 2:
            time.sleep(1.5)  # the writer has time to bring the WAL home

    simulated, chance = Disk(service.database.parent), random.Random(3)
    acknowledged: set[str] = set()
    for record in disk.read(log):
        simulated.apply(record)
        if record.call is Call.MARK:
            acknowledged.add(sent[int(record.data)])
        for left in Left if record.call in (Call.MARK, Call.UNLINK) else [Left.NOTHING, Left.SOME][: _often(chance)]:
            found = _rows(simulated.after_the_cut(left, chance), tmp_path / "cut")
            assert acknowledged <= found, f"{left.value}: acknowledged rows are gone"
    assert len(acknowledged) == MAILS


@JOURNALS
def test_writer_syncs_between_the_last_write_and_each_answer(
    make_service: MakeService, tmp_path: Path, journal: str
) -> None:
    """`strace`: the WAL is written and synced, or the journal cut and synced, and then answered."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    service = make_service(database__journal=journal).start()
    trace = tmp_path / "trace"
    # -y shows the file of a descriptor, -xx what is sent in hex, -s all of it.
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-xx", "-s", str(MAX_BYTES),
         "-e", "trace=pwrite64,write,ftruncate,fsync,fdatasync,sendto,sendmsg",
         "-o", str(trace), "-p", str(service.children()["writer"])],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert tracer.stderr is not None
        first = tracer.stderr.readline()
        if "attached" not in first:
            pytest.skip(f"tracing is not allowed here: {first.strip()}")
        for number in range(5):
            assert service.send([pictures.unique_jpeg(number)])[0] == 250
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)

    answers = 0
    is_dirty = has_synced = False
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _CALL.match(line)
        if found is None:
            continue
        call, file = found[1], _unhex(found[3] or "").decode()
        if call in ("pwrite64", "write", "ftruncate") and file.endswith(("-wal", "-journal")):
            is_dirty, has_synced = True, False
        elif call in ("fsync", "fdatasync") and file.endswith(("-wal", "-journal")):
            has_synced, is_dirty = True, False
        elif call in ("sendto", "sendmsg") and _is_answer(line):
            answers += 1
            assert has_synced, f"an answer before the sync: {line}"
            assert not is_dirty, f"an answer with unsynced writes: {line}"
            has_synced = False
    assert answers == 5


def _often(chance: random.Random) -> int:
    """Return how many of two looks are made at a point that is like its neighbours."""
    return chance.choice((0, 0, 0, 0, 0, 0, 0, 1, 2))


def _is_answer(line: str) -> bool:
    """Tell whether a sent datagram, which strace prints in hex, holds a `Stored`."""
    sent = _SENT.search(line)
    return sent is not None and any(isinstance(message, Stored) for message in decode(_unhex(sent[1])))


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _rows(files: dict[str, bytes], folder: Path) -> set[str]:
    """Open the database that is left, as the next start would, and return the digests of its pictures."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / os.path.basename(name)).write_bytes(content)
    database = folder / "alerts.sqlite3"
    if not database.exists():
        return set()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alerts_alert'").fetchone():
            return set()
        return {digest(content) for (content,) in connection.execute("SELECT snapshot FROM alerts_alert")}
