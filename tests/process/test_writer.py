"""A writer in a process of its own, asked over its channel as the supervisor asks it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TypeVar

import pytest
from testing.storerig import JPEG, LAYOUT, SlotFiller

from camalert.config.schema import Config
from camalert.errors import ChannelClosed, Exit
from camalert.ipc import child, needs
from camalert.ipc.channel import ParentChannel, pair
from camalert.ipc.messages import (
    Held,
    Lend,
    Loaded,
    Message,
    Outcome,
    Ping,
    Pong,
    Ready,
    Stop,
    Store,
    StoreCode,
    Stored,
)
from camalert.ipc.pool import Pool
from camalert.store.sqlite.verify import verify
from camalert.store.sqlite.wal import Courtesy, WalIndex

LIMIT_S = 60.0
Kind = TypeVar("Kind", bound=Message)


class WriterProcess:
    """Start, ask and end a writer."""

    def __init__(self, config: Config, pool: Pool) -> None:
        self.channel: ParentChannel
        self.channel, child_socket = pair()
        row = needs.of(needs.WRITER, config)
        orders = child.Orders(
            "writer", "camalert.store.process:main", config, os.getpid(), pool.name, pool.layout, needs=row
        )
        self.process: SpawnProcess = get_context("spawn").Process(target=child.run, args=(orders, child_socket))
        self.process.start()
        child_socket.close()

    def ask(self, *messages: Message) -> None:
        for message in messages:
            self.channel.send(message)

    def wait_for(self, kind: type[Kind]) -> Kind:
        """Return the next message of a kind; others are dropped."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            self.channel.wait(1.0)
            message = self.channel.receive()
            if isinstance(message, kind):
                return message
        raise AssertionError(f"no {kind.__name__} came")

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self.channel.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config()
    return replace(config, database=replace(config.database, path=str(tmp_path / "alerts.sqlite3"), busy_seconds=1.0))


@pytest.fixture
def filler() -> Iterator[SlotFiller]:
    filler = SlotFiller(LAYOUT)
    yield filler
    filler.close()


@pytest.fixture
def writers(config: Config, filler: SlotFiller) -> Iterator[list[WriterProcess]]:
    """Hold the writers of a test; the first is running."""
    made = [WriterProcess(config, filler.pool)]
    made[0].wait_for(Ready)
    yield made
    for writer in made:
        writer.end()


def rows(config: Config, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(config.database.path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_writer_killed_after_its_commit_leaves_the_rows_to_its_successor(
    config: Config, filler: SlotFiller, writers: list[WriterProcess]
) -> None:
    """SIGKILL at any moment: repeated Stores are answered with their ids, once, and pending work is found again."""
    stores = [filler.put_mail(JPEG, slot=slot) for slot in range(3)]
    writers[0].ask(*stores)
    writers[0].wait_for(Stored)  # of one at least; the others may be committed or not
    writers[0].process.kill()
    writers[0].process.join()

    writers.append(WriterProcess(config, filler.pool))
    writers[1].wait_for(Ready)
    writers[1].ask(*stores)
    answers = [writers[1].wait_for(Stored) for _ in stores]

    assert [answer.code for answer in answers] == [StoreCode.STORED] * 3
    assert sorted(answer.first_id for answer in answers) == [1, 2, 3]
    assert rows(config, "SELECT id, snapshot FROM alerts_alert") == [(1, JPEG), (2, JPEG), (3, JPEG)]
    writers[1].ask(Held(0, 1, 1), *filler.lend(3))
    assert {writers[1].wait_for(Loaded).alert_id for _ in range(2)} == {2, 3}


@pytest.mark.parametrize("way", ["stop", "sigterm"])
def test_writer_asked_to_stop_answers_what_it_has_first(
    config: Config, filler: SlotFiller, writers: list[WriterProcess], way: str
) -> None:
    """The last batch is committed and answered, the WAL is brought home, the exit code is 0."""
    (writer,) = writers
    writer.ask(filler.put_mail(JPEG), Ping(1))
    if way == "stop":
        writer.ask(Stop())
    else:
        writer.wait_for(Pong)
        assert writer.process.pid is not None
        os.kill(writer.process.pid, signal.SIGTERM)

    if way == "stop":
        assert writer.wait_for(Stored).code == StoreCode.STORED
    writer.process.join(LIMIT_S)

    assert writer.process.exitcode == Exit.OK
    assert not Path(f"{config.database.path}-wal").exists()
    assert rows(config, "SELECT count(*) FROM alerts_alert") == [(1,)]


def test_writer_without_a_supervisor_ends(writers: list[WriterProcess]) -> None:
    """The end of the channel is the end of the work."""
    (writer,) = writers
    writer.channel.close()

    writer.process.join(LIMIT_S)

    assert writer.process.exitcode == Exit.OK


def test_writer_on_a_damaged_database_exits_with_the_configuration_s_code(config: Config, filler: SlotFiller) -> None:
    """Only the owner can decide; the supervisor does not try again and again."""
    Path(config.database.path).write_bytes(b"no database " * 1000)

    writer = WriterProcess(config, filler.pool)
    try:
        with pytest.raises(ChannelClosed):
            writer.wait_for(Ready)
        writer.process.join(LIMIT_S)
        assert writer.process.exitcode == Exit.CONFIG
    finally:
        writer.end()


def test_verdicts_and_mails_of_two_runs_leave_a_sound_database(
    config: Config, filler: SlotFiller, writers: list[WriterProcess]
) -> None:
    """Mail, verdict, restart, mail: nothing is left over in any table."""
    for number in range(2):
        writer = writers[-1]
        writer.ask(*filler.lend(1), filler.put_mail(JPEG, slot=number))
        writer.ask(filler.conclusion(writer.wait_for(Loaded), Outcome.PERSON), Ping(1))
        writer.wait_for(Pong)
        writer.process.kill()
        writer.process.join()
        writers.append(WriterProcess(config, filler.pool))
        writers[-1].wait_for(Ready)

    report = verify(Path(config.database.path))

    assert report.is_sound, report.findings
    assert report.alerts == 2


HOLD_A_READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM alerts_alert").fetchone()
print("reading", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("done", flush=True)
sys.stdin.readline()
"""


def test_courtesy_waits_while_another_program_reads(
    config: Config, writers: list[WriterProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the read locks of other processes, for as long as they hold them, and only for a moment."""
    assert writers
    reader = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_READ, config.database.path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdin is not None
    assert reader.stdout is not None
    index = WalIndex(Path(config.database.path))
    polite = Courtesy(index)
    try:
        index.begin()
        assert reader.stdout.readline() == "reading\n"
        assert index.is_read
        polite.wait()
        assert polite._not_before > 0, "the reader was not seen"
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "done\n"
        assert not index.is_read
    finally:
        index.end()
        reader.kill()
        reader.communicate()


def test_store_and_lend_in_one_batch_load_the_picture_at_once(filler: SlotFiller, writers: list[WriterProcess]) -> None:
    """Loaded comes before Stored, so the picture is read from the intake slot while it is still there."""
    (writer,) = writers
    lend: Lend = filler.lend(1)[0]
    store: Store = filler.put_mail(JPEG)
    writer.ask(lend, store)

    loaded = writer.wait_for(Loaded)

    assert (loaded.slot, loaded.generation, loaded.is_live) == (lend.slot, lend.generation, True)
    assert writer.wait_for(Stored).mail_id == store.mail_id
