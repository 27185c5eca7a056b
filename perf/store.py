"""How fast mails become durable rows: the writer's way from slot to commit beside plain group commits of the same rows.

    python perf/store.py [--seconds 8] [--bytes 300000] [--group 5] [--dir DIR]

Both sides write into a file of their own in the same state (1000 rows, our triggers, WAL, synchronous=FULL) with
the same number of pictures a commit, in turns, so that a disk that changes its mind meets both. The bound writes only
the row of `alerts_alert`; the writer also the mail, its facts, its place in the queue and the day's counts. The
third row is a writer in a process of its own, asked over its channel as the supervisor asks it.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from camalert import child
from camalert.channel import pair
from camalert.config import Config
from camalert.messages import Ready, Stop, Store, StoreCode, Stored
from camalert.pool import Pool
from camalert.slots import Layout
from camalert.store.batch import Batch
from camalert.store.database import Database
from camalert.store.upkeep import Upkeep
from camalert.words import MailWords, PictureWords

ROWS = 1000
ROUND_S = 0.5
INSERT = "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES (?, ?, ?)"


class Side(ABC):
    """One of the two sides: a database in the common state, and how it commits a group."""

    def __init__(self, config: Config, picture: bytes) -> None:
        self.database = Database(config.database)
        self.database.open()
        while self.database.write(lambda found: _fill(found, picture)):
            pass
        self.database.read(lambda found: found.execute("PRAGMA wal_checkpoint(RESTART)").fetchall())
        self.commit_s: list[float] = []
        self.pictures = 0
        self.busy_s = 0.0

    def run(self, seconds: float) -> None:
        """Commit groups for a while."""
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            self.pictures += self.commit()
            self.commit_s.append(time.perf_counter() - started)
            self.busy_s += self.commit_s[-1]

    @abstractmethod
    def commit(self) -> int:
        """Commit one group and return its pictures."""

    @property
    def rate(self) -> float:
        """Return the pictures a second."""
        return self.pictures / self.busy_s


class Plain(Side):
    """The bound: executemany in one transaction, SQLite's own checkpoints."""

    def __init__(self, config: Config, picture: bytes, group: int) -> None:
        super().__init__(config, picture)
        self.rows = [("a mail", "2026-07-01 12:00:00", picture)] * group
        self.database.read(lambda found: found.execute("PRAGMA wal_autocheckpoint = 1000").fetchall())

    def commit(self) -> int:
        """Commit the rows alone."""
        self.database.write(lambda found: found.executemany(INSERT, self.rows))
        return len(self.rows)


class Ours(Side):
    """The writer's batch, from the intake slots."""

    def __init__(self, config: Config, picture: bytes, group: int, pool: Pool) -> None:
        super().__init__(config, picture)
        self.pool, self.group = pool, group
        self.batch = Batch(config, self.database)
        self.upkeep = Upkeep(config.database, self.database)

    def commit(self) -> int:
        """Commit mails as the writer does, its checkpoints included."""
        stores = [Store(slot, 1, os.urandom(16)) for slot in range(self.group)]
        for store in stores:
            _put_words(self.pool, store.slot, self.pool.layout.picture_bytes)
        done = self.batch.write(self.pool, stores, [], self.database.epoch)
        assert all(kept.code is StoreCode.STORED for kept in done.kept.values()), done.fault
        now = time.monotonic()
        self.upkeep.checkpoint.note(done.written_bytes, now)
        self.upkeep.checkpoint_if_due(now, is_idle=False)
        return self.group


def main() -> None:
    """Measure and print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of measurement for each side (default 8)")
    parser.add_argument("--bytes", type=int, default=300_000, help="of a picture (default 300000)")
    parser.add_argument(
        "--group", type=int, default=5, help="mails a commit (default 5, the small intake slots less one)"
    )
    parser.add_argument(
        "--dir", type=Path, default=None, help="where to put the databases (default: a temporary folder)"
    )
    arguments = parser.parse_args()
    picture = os.urandom(arguments.bytes)
    layout = Layout(arguments.group, arguments.bytes, 2, arguments.bytes, 4096, arguments.bytes)
    pool = Pool.create(f"camalert-perf-{os.getpid()}", layout)
    try:
        with tempfile.TemporaryDirectory(dir=arguments.dir) as directory:
            for slot in layout.intake:
                with pool.encoded(slot) as section:
                    section[: len(picture)] = picture
            plain = Plain(_config(directory, "plain"), picture, arguments.group)
            ours = Ours(_config(directory, "ours"), picture, arguments.group, pool)
            for _ in range(max(1, round(arguments.seconds / ROUND_S))):
                plain.run(ROUND_S)
                ours.run(ROUND_S)
            rate = _process_rate(_config(directory, "ours"), pool, arguments)
            _report(arguments, plain, ours, rate)
    finally:
        pool.close()
        pool.unlink()


def _config(directory: str, name: str) -> Config:
    config = Config()
    return replace(config, database=replace(config.database, path=f"{directory}/{name}.sqlite3", keep_alerts=ROWS))


def _fill(connection: sqlite3.Connection, picture: bytes) -> bool:
    connection.executemany(INSERT, [("a mail", "2026-07-01 12:00:00", picture)] * 50)
    return connection.execute("SELECT count(*) FROM camalert_alert").fetchone()[0] < ROWS


def _put_words(pool: Pool, slot: int, length: int) -> None:
    words = MailWords(
        received_utc=time.time(), subject="Motion detected", camera=f"camera {slot}", event="motion",
        peer="192.168.1.64", helo="camera", sender="camera@home", recipients=("me@home",), digest=os.urandom(16).hex(),
        headers="Received: from camera\r\n" * 20, pictures=(PictureWords(0, length, "jpeg", "snapshot.jpg"),),
    )  # fmt: skip
    pool.write_words(slot, words.encode())


def _process_rate(config: Config, pool: Pool, arguments: argparse.Namespace) -> float:
    """Return the mails a second of a writer process whose intake slots are always full."""
    channel, child_socket = pair()
    orders = child.Orders("writer", "camalert.writer:main", config, os.getpid(), pool.name, pool.layout)
    process = get_context("spawn").Process(target=child.run, args=(orders, child_socket))
    process.start()
    child_socket.close()
    stored, outstanding, is_ready = 0, 0, False
    started = end = time.perf_counter() + 60
    while time.perf_counter() < end or outstanding:
        channel.wait(1.0)
        while (message := channel.receive()) is not None:
            freed = []
            if isinstance(message, Ready):
                is_ready, started = True, time.perf_counter()
                end = started + arguments.seconds
                freed = list(range(arguments.group))
            elif isinstance(message, Stored):
                stored, outstanding, freed = stored + 1, outstanding - 1, [message.slot]
            for slot in freed if time.perf_counter() < end else ():
                _put_words(pool, slot, arguments.bytes)
                channel.send(Store(slot, 1, os.urandom(16)))
                outstanding += 1
    assert is_ready, "the writer did not start"
    seconds = time.perf_counter() - started
    channel.send(Stop())
    process.join(30)
    return stored / seconds


def _report(arguments: argparse.Namespace, plain: Plain, ours: Ours, process_rate: float) -> None:
    sides = [("plain group commits", plain), ("writer, slot to commit", ours)]
    print(f"{arguments.bytes} bytes a picture, {arguments.group} a commit, SQLite {sqlite3.sqlite_version}\n")
    print(f"{'':24} {'pictures/s':>10} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for name, side in sides:
        p50, p99 = statistics.median(side.commit_s) * 1000, statistics.quantiles(side.commit_s, n=100)[98] * 1000
        print(f"{name:24} {side.rate:10.0f} {side.rate / plain.rate:6.2f} {p50:8.2f} {p99:8.2f}")
    print(f"{'writer process':24} {process_rate:10.0f} {process_rate / plain.rate:6.2f}")
    print(
        json.dumps(
            {
                "perf": "store", "bytes": arguments.bytes, "group": arguments.group,
                "sqlite": sqlite3.sqlite_version, "python": sys.version.split()[0],
                "plain_per_s": round(plain.rate, 1), "ours_per_s": round(ours.rate, 1),
                "process_per_s": round(process_rate, 1), "ratio": round(ours.rate / plain.rate, 3),
                "process_ratio": round(process_rate / plain.rate, 3), "target": 0.8,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
