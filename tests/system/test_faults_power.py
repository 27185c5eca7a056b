"""Power loss: whatever got a 250 is on the disk before the 250 is on the wire.

The disk of a machine whose power fails holds what was synced. Two witnesses: a copy of database and WAL, made at random
moments while the writer stands still, opens with every acknowledged row; and a trace of the writer's system calls shows
a sync between the last write of a mail's rows and the message that makes smtp say 250.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from testing import mails, pictures
from testing.audit import Record, digest
from testing.service import ServiceUnderTest
from testing.waiting import until

from camalert.messages import Stored
from camalert.wire import MAX_BYTES, decode

MakeService = Callable[..., ServiceUnderTest]
COPIES = 25
_SENT = re.compile(r', "((?:\\x[0-9a-f]{2})+)",')
_CALL = re.compile(r"^(?:\[pid +\d+\] )?(?:\d+ +)?(\w+)\((\d+)(?:<([^>]*)>)?")


def test_copy_at_any_moment_opens_with_every_acknowledged_row(make_service: MakeService, tmp_path: Path) -> None:
    """Database and WAL as they lie there, without the shared index that a power cut would not leave either."""
    service = make_service().start()
    record = Record()
    is_over = threading.Event()
    camera = threading.Thread(target=_send_on, args=(service, record, is_over))
    camera.start()
    chance = random.Random(5)
    writer = service.children()["writer"]
    try:
        for number in range(COPIES):
            is_over.wait(chance.random() * 0.15)
            os.kill(writer, signal.SIGSTOP)
            try:
                until(lambda: _state(writer) == "T", "the writer does not stand still")
                wanted = [mail.digests[0] for mail in record.mails if mail.is_acknowledged]
                copy = tmp_path / f"copy-{number}.sqlite3"
                for suffix in ("", "-wal"):
                    shutil.copyfile(f"{service.database}{suffix}", f"{copy}{suffix}")
            finally:
                os.kill(writer, signal.SIGCONT)
            assert set(wanted) <= _rows(copy), f"copy {number} lacks acknowledged rows"
    finally:
        is_over.set()
        camera.join()
    assert record.acknowledged > COPIES


def test_writer_syncs_between_the_last_write_and_each_answer(make_service: MakeService, tmp_path: Path) -> None:
    """`strace` of the writer: write to the WAL, fdatasync of the WAL, and only then the answer."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    service = make_service().start()
    trace = tmp_path / "trace"
    # -y shows the file of a descriptor, -xx what is sent in hex, -s all of it.
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-xx", "-s", str(MAX_BYTES),
         "-e", "trace=pwrite64,write,fsync,fdatasync,sendto,sendmsg",
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
        call, _, file = found.groups()
        file = _unhex(file or "").decode()
        if call in ("pwrite64", "write") and file.endswith("-wal"):
            is_dirty, has_synced = True, False
        elif call in ("fsync", "fdatasync") and file.endswith("-wal"):
            has_synced, is_dirty = True, False
        elif call in ("sendto", "sendmsg") and _is_answer(line):
            answers += 1
            assert has_synced, f"an answer before the sync: {line}"
            assert not is_dirty, f"an answer with unsynced writes: {line}"
            has_synced = False
    assert answers == 5


def _is_answer(line: str) -> bool:
    """Tell whether a sent datagram, which strace prints in hex, holds a `Stored`."""
    sent = _SENT.search(line)
    return sent is not None and any(isinstance(message, Stored) for message in decode(_unhex(sent[1])))


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _send_on(service: ServiceUnderTest, record: Record, is_over: threading.Event) -> None:
    port = service.port
    number = 0
    while not is_over.is_set():
        number += 1
        picture = pictures.numbered(pictures.unique_jpeg(number), number)
        sent = record.sent(f"alarm {number}", [picture])
        sent.is_acknowledged = mails.deliver(port, mails.alarm([picture], sent.subject))[0] == 250


def _rows(database: Path) -> set[str]:
    connection = sqlite3.connect(database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {digest(content) for (content,) in connection.execute("SELECT snapshot FROM alerts_alert")}
    finally:
        connection.close()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()[0]
