"""What would run here, and what stands in its way: the questions behind `camalert check`.

Mechanism: each question looks at one thing of the machine and changes nothing that lasts.
"""

from __future__ import annotations

import contextlib
import enum
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert import descriptors, plan, ports, status
from camalert.config import Config, Listen
from camalert.detection.choice import candidates
from camalert.errors import CamalertError, StatusError
from camalert.store import connection

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives on Linux, no temporary file of ours
SELF_TEST_S = 120.0  # a slow board needs a few seconds to load an engine
MIB = 1 << 20


class Level(enum.Enum):
    """Say how much a finding matters."""

    OK = "ok"
    NOTE = "note"  # it runs, but its owner should know
    WRONG = "WRONG"  # it would not run


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    topic: str
    words: str


def look(config: Config) -> Iterator[Finding]:
    """Ask every question in turn; the slow one, the engine's test, comes last."""
    running = _running(config)
    if running is not None:
        yield Finding(Level.NOTE, "service", f"runs already, as process {running.pid}: {status.status_words(running)}")
    questions: tuple[Callable[[Config], Iterator[Finding]], ...] = (_processes, _run_dir, _database, _sqlite)
    for question in questions:
        yield from question(config)
    yield from _ports(config, running)
    yield from _engine(config)


def _running(config: Config) -> status.Status | None:
    """Return the status of the instance that runs with this configuration, None when none does."""
    try:
        found = status.read(Path(config.service.run_dir))
    except StatusError:
        return None
    is_fresh = time.time() - found.written_utc < status.STALE_S
    return found if is_fresh and found.state != "stopped" else None


def _processes(config: Config) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    try:
        shape = plan.make(config, cores, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        descriptors.claim(len(plan.specs(config, shape)), len(config.smtp.listen), config.smtp.max_connections)
    except CamalertError as error:
        yield Finding(Level.WRONG, "processes", str(error))
        return
    yield Finding(
        Level.OK,
        "processes",
        f"smtp, writer, {_many(shape.decoders, 'decoder')}, {_many(shape.detectors, 'detector')} "
        f"({_many(cores, 'core')} here)",
    )
    need = shape.layout.size_bytes
    room = os.statvfs(SHARED_MEMORY)
    have = room.f_bavail * room.f_frsize
    words = f"{need / MIB:.0f} MiB of shared memory, {SHARED_MEMORY} has {have / MIB:.0f} MiB free"
    if need > have:
        words += "; make it larger (mount -o remount,size=…) or lower pool.frame_slots and pool.frame_max_px"
    yield Finding(Level.OK if need <= have else Level.WRONG, "pool", words)


def _run_dir(config: Config) -> Iterator[Finding]:
    yield _folder("run directory", Path(config.service.run_dir))


def _database(config: Config) -> Iterator[Finding]:
    path = Path(config.database.path)
    try:
        connection.refuse_network(path)
    except CamalertError as error:
        yield Finding(Level.WRONG, "database", str(error))
        return
    if not path.exists():
        folder = _folder("database", path.parent)
        yield Finding(folder.level, "database", f"{path} will be made" if folder.level is Level.OK else folder.words)
    elif not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        yield Finding(Level.WRONG, "database", f"{path} and its folder must be writable for {_user()}")
    else:
        try:
            with contextlib.closing(connection.open_reader(path)) as reader:
                alerts = reader.execute("SELECT count(*) FROM alerts_alert").fetchone()[0]
            yield Finding(Level.OK, "database", f"{path}: {_many(alerts, 'alert')}")
        except (sqlite3.Error, CamalertError) as error:
            yield Finding(Level.NOTE, "database", f"{path}: {error}; `camalert init-db` tells more")


def _sqlite(_config: Config) -> Iterator[Finding]:
    version = sqlite3.sqlite_version_info
    if connection.is_affected((version[0], version[1], version[2])):
        yield Finding(
            Level.NOTE,
            "SQLite",
            f"version {sqlite3.sqlite_version} can damage a database when another program writes during a checkpoint "
            '(rare; fixed in 3.51.3, 3.50.7 and 3.44.6): make backups, or set database.journal = "delete"',
        )


def _ports(config: Config, running: status.Status | None) -> Iterator[Finding]:
    for listen in config.smtp.listen:
        where = f"port {listen.port}" + (f" of {listen.host}" if listen.host else "")
        try:
            ports.bind(listen).close()
        except CamalertError as error:
            if running is not None:
                yield Finding(Level.OK, "SMTP", f"{where} (in use, most likely by the service that runs)")
            else:
                yield Finding(Level.WRONG, "SMTP", str(error))
        else:
            yield Finding(Level.OK, "SMTP", f"{where} is free")
    for section, is_enabled, host, port in (
        ("review", config.review.enabled, config.review.host, config.review.port),
        ("metrics", config.metrics.enabled, config.metrics.host, config.metrics.port),
    ):
        if is_enabled and running is None:
            yield _port_of(section, host, port)


def _port_of(section: str, host: str, port: int) -> Finding:
    try:
        ports.bind(Listen(host, port)).close()
    except CamalertError as error:
        reason = str(error).partition(":")[0]
        return Finding(
            Level.NOTE, section, f"{reason}; the rest runs without it; free the port or change {section}.port"
        )
    return Finding(Level.OK, section, f"port {port} is free")


def _engine(config: Config) -> Iterator[Finding]:
    """Try each engine in a process of its own: one made for a newer processor dies of it."""
    try:
        names = candidates(config.detector)
    except CamalertError as error:
        yield Finding(Level.WRONG, "detector", str(error))
        return
    for name in names:
        started_at = time.monotonic()
        why = _self_test(name)
        if not why:
            took_s = time.monotonic() - started_at
            yield Finding(
                Level.OK, "detector", f"{name} finds the person of the test picture ({took_s:.1f} s to start)"
            )
            return
        yield Finding(Level.NOTE, "detector", f"{name} does not work here: {why}")
    yield Finding(Level.WRONG, "detector", f"no engine works here (tried: {', '.join(names)})")


def _self_test(name: str) -> str:
    """Return why an engine cannot be used, an empty text when it can."""
    command = [sys.executable, "-m", "camalert.detection.selftest", name]
    try:
        ended = subprocess.run(  # noqa: S603 - our own module, the name is one of ours
            command, capture_output=True, text=True, timeout=SELF_TEST_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SELF_TEST_S:.0f} s"
    if ended.returncode < 0:
        return f"its process died of signal {-ended.returncode}"
    return (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1] if ended.returncode else ""


def _folder(topic: str, folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(Level.OK, topic, str(folder) + ("" if existing == folder else " will be made"))
    return Finding(Level.WRONG, topic, f"{folder} cannot be used: {existing} is not writable for {_user()}")


def _user() -> str:
    return f"this user (id {os.geteuid()})"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
