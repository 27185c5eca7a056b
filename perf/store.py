"""How fast mails become durable rows: from slot to commit, and from camera to 250, beside plain group commits.

    python perf/store.py [--seconds 8] [--group 5] [--processes 2] [--sessions 8] [--dir DIR]

The bound is one bare process that commits the same pictures in groups with nothing else to do. Every side writes into
a file of its own in the same state (1000 rows, our triggers, WAL, synchronous=FULL), in turns, so that a disk that
changes its mind meets all. The bound writes only the row of `alerts_alert`; the writer also the mail, its facts, its
place in the queue and the day's counts. Examinations count as over after each round, for the rows of pending ones are
not removed and the table would grow.

The last row is the whole service with cameras on the same cores, mails of 300 kB with one 1080p picture, to the 250.
They are of a camera with `examine = false`, so that what is measured is the way to the 250 and not the detection.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import statistics
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

import rig
from cameras import Cameras

from camalert.config.schema import Config
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Store, StoreCode
from camalert.ipc.pool import Pool
from camalert.ipc.records import MailRecord, PictureRecord
from camalert.store.batch import Batch
from camalert.store.queue import Queue
from camalert.store.sqlite.store import SqliteStore
from camalert.store.upkeep import Upkeep

ROWS = 1000
ROUND_S = 0.5
SERVICE_ROUND_S = 1.0  # longer, for a round ends when the last session has its 250
TARGET = 0.8
SERVICE_TARGET = 0.5
INSERT = "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES (?, ?, ?)"
ONLY_STORED = {"name": "front", "examine": "false", "match__sender": "camera@"}


class Side(ABC):
    """How a group is committed, and what it took."""

    def __init__(self) -> None:
        self.commit_s: list[float] = []
        self.pictures = 0
        self.busy_s = self.cpu_s = 0.0

    def run(self, seconds: float) -> None:
        """Commit groups for a while."""
        cpu_s = time.process_time()
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            self.pictures += self.commit()
            self.commit_s.append(time.perf_counter() - started)
            self.busy_s += self.commit_s[-1]
        self.cpu_s += time.process_time() - cpu_s

    @abstractmethod
    def commit(self) -> int:
        """Commit one group and return its pictures."""

    @property
    def rate(self) -> float:
        """Return the pictures a second."""
        return self.pictures / self.busy_s


class Plain(Side):
    """The bound: a connection as Python opens it, executemany in one transaction, SQLite's own checkpoints."""

    def __init__(self, config: Config, picture: bytes, group: int) -> None:
        super().__init__()
        self.rows = [("a mail", "2026-07-01 12:00:00", picture)] * group
        _filled(config, picture).close()
        self.connection = sqlite3.connect(config.database.path)

    def commit(self) -> int:
        """Commit the rows alone."""
        with self.connection:
            self.connection.executemany(INSERT, self.rows)
        return len(self.rows)


class Ours(Side):
    """The writer's batch, from the intake slots."""

    def __init__(self, config: Config, picture: bytes, group: int, pool: Pool) -> None:
        super().__init__()
        self.database = _filled(config, picture)
        self.pool, self.group = pool, group
        self.batch = Batch(config, self.database, pool, Queue(pool.layout))
        self.upkeep = Upkeep(config, self.database, lambda *_: None)

    def run(self, seconds: float) -> None:
        """Commit groups for a while, then end their examinations."""
        super().run(seconds)
        self.database.write(lambda found: found.execute("DELETE FROM camalert_pending"))

    def commit(self) -> int:
        """Commit mails as the writer does, its checkpoints included."""
        stores = [Store(slot, 1, os.urandom(16)) for slot in range(self.group)]
        for store in stores:
            _put_words(self.pool, store.slot, self.pool.layout.picture_bytes)
        result = self.batch.write(stores, [], self.database.epoch, lambda _: None)
        assert all(answer.code is StoreCode.STORED for answer in result.answers.values()), result.fault
        self.upkeep.maintain(time.monotonic(), is_idle=False)
        return self.group


class Whole:
    """The service with cameras beside it."""

    def __init__(self, folder: Path, picture: bytes, processes: int, sessions: int) -> None:
        folder.mkdir()
        config = Config()
        path = str(folder / "alerts.sqlite3")
        _filled(replace(config, database=replace(config.database, path=path)), picture).close()
        camera = {f"camera__0__{key}": value for key, value in ONLY_STORED.items()}
        self.service = rig.Service(folder, database__keep_alerts=ROWS, detector__processes=1, **camera)
        self.service.wait_ready(4)
        self.cameras = Cameras(self.service.port, rig.mail(picture), processes, sessions)
        self.cameras.send(SERVICE_ROUND_S)  # warm
        self._before = self.service.costs()
        self.mails = 0
        self.busy_s = self.cameras_cpu_s = 0.0

    def run(self, seconds: float) -> None:
        """Let the cameras send for a while."""
        sent, wall_s = self.cameras.send(seconds)
        self.mails += sent.mails
        self.busy_s += wall_s
        self.cameras_cpu_s += sent.cpu_s

    def close(self) -> None:
        """Stop cameras and service."""
        self.cameras.close()
        self.service.stop()

    def costs(self) -> dict[str, float]:
        """Return what a mail took of each process, in CPU ms."""
        after = self.service.costs()
        spent = {name: after[name].cpu_s - before.cpu_s for name, before in self._before.items()}
        spent["cameras"] = self.cameras_cpu_s
        return {name: round(cpu_s / self.mails * 1000, 2) for name, cpu_s in spent.items()}

    @property
    def rate(self) -> float:
        """Return the mails a second."""
        return self.mails / self.busy_s


def main() -> None:
    """Measure and print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of measurement for each side (default 8)")
    parser.add_argument(
        "--group", type=int, default=5, help="mails a commit (default 5, the small intake slots less one)"
    )
    parser.add_argument("--processes", type=int, default=2, help="of cameras (default 2)")
    parser.add_argument("--sessions", type=int, default=8, help="in each of them (default 8)")
    parser.add_argument(
        "--dir", type=Path, default=None, help="where to put the databases (default: a temporary folder)"
    )
    options = parser.parse_args()
    [picture] = rig.pictures(1, people_share=0)
    layout = Layout(options.group, len(picture), 2, len(picture), 4096, len(picture))
    pool = Pool.create(f"camalert-perf-{os.getpid()}", layout)
    try:
        with tempfile.TemporaryDirectory(dir=options.dir, prefix="camalert-perf-") as directory:
            for slot in layout.intake:
                with pool.encoded(slot) as section:
                    section[: len(picture)] = picture
            plain = Plain(_config(directory, "plain"), picture, options.group)
            ours = Ours(_config(directory, "ours"), picture, options.group, pool)
            with contextlib.closing(
                Whole(Path(directory, "whole"), picture, options.processes, options.sessions)
            ) as whole:
                for _ in range(max(1, round(options.seconds / SERVICE_ROUND_S))):
                    whole.run(SERVICE_ROUND_S)
                    for _ in range(2):
                        plain.run(ROUND_S)
                        ours.run(ROUND_S)
                spent = whole.costs()
            print(f"{len(picture)} bytes a picture, {options.group} a commit, SQLite {sqlite3.sqlite_version}")
            print(f"{options.processes * options.sessions} sessions; CPU ms a mail by process: {spent}\n")
            _report(plain, ours, whole, spent)
    finally:
        pool.close()
        pool.unlink()


def _config(directory: str, name: str) -> Config:
    config = Config()
    return replace(config, database=replace(config.database, path=f"{directory}/{name}.sqlite3", keep_alerts=ROWS))


def _filled(config: Config, picture: bytes) -> SqliteStore:
    """Return an open database in the common state."""
    database = SqliteStore(config.database)
    database.open()
    while database.write(lambda found: _fill(found, picture)):
        pass
    database.read(lambda found: found.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    return database


def _fill(connection: sqlite3.Connection, picture: bytes) -> bool:
    connection.executemany(INSERT, [("a mail", "2026-07-01 12:00:00", picture)] * 50)
    return connection.execute("SELECT count(*) FROM camalert_alert").fetchone()[0] < ROWS


def _put_words(pool: Pool, slot: int, length: int) -> None:
    words = MailRecord(
        received_utc=time.time(), subject="Motion detected", camera=f"camera {slot}", event="motion",
        peer="192.168.1.64", helo="camera", sender="camera@home", recipients=("me@home",), digest=os.urandom(16).hex(),
        headers="Received: from camera\r\n" * 20, pictures=(PictureRecord(0, length, "jpeg", "snapshot.jpg"),),
    )  # fmt: skip
    pool.write_record(slot, words.encode())


def _report(plain: Plain, ours: Ours, whole: Whole, spent: dict[str, float]) -> None:
    rows: list[list[object]] = []
    for name, side in (("plain group commits", plain), ("writer, slot to commit", ours)):
        p50, p99 = statistics.median(side.commit_s), statistics.quantiles(side.commit_s, n=100)[98]
        cpu_ms = side.cpu_s / side.pictures * 1000
        rows.append([name, round(side.rate), side.rate / plain.rate, cpu_ms, p50 * 1000, p99 * 1000])
    cpu_ms = sum(spent.values())
    rows.append(["cameras beside the service, to the 250", round(whole.rate), whole.rate / plain.rate, cpu_ms, "", ""])
    figures = {
        **rig.machine(),
        "sqlite": sqlite3.sqlite_version,
        "plain_per_s": round(plain.rate, 1),
        "ours_per_s": round(ours.rate, 1),
        "service_per_s": round(whole.rate, 1),
        "service_cpu_ms": spent,
        "ratio": round(ours.rate / plain.rate, 3),
        "target": TARGET,
        "service_ratio": round(whole.rate / plain.rate, 3),
        "service_target": SERVICE_TARGET,
    }
    rig.report("store", ["", "pictures/s", "ratio", "CPU ms", "commit p50 ms", "p99 ms"], rows, figures)


if __name__ == "__main__":
    main()
