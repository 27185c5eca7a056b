"""The preflight checks behind `camalert check` and a reload: what would run here, and what prevents it.

Each checks one thing of this machine and changes nothing. A running service asks about a new configuration
by `python -m camalert.supervisor.preflight`, another process, which may load engines and databases; the question comes
by stdin, the answer is the last line of stdout, both JSON.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.config.checks import listening
from camalert.config.postgresql import place_of
from camalert.config.schema import Config, Listen, Remote
from camalert.config.sources import LoadedConfig, unpack
from camalert.detection.choice import candidates
from camalert.errors import CamalertError, ConfigError, Exit, StatusError, StoreDamaged, StoreForeign
from camalert.ipc.pool import SHM_DIR, free_bytes
from camalert.notify import channel
from camalert.status import model as status
from camalert.status.model import counted
from camalert.status.text import summary
from camalert.store import driver
from camalert.store.sqlite import opening, schema
from camalert.store.sqlite.opening import translate
from camalert.supervisor import plan, prerequisites
from camalert.system import confinement, limits, ports
from camalert.visits import policy

SOCKET_UNIT = "camalert.socket"
SYSTEMD_S = 10.0
SELF_TEST_S = 120.0  # a slow board needs a few seconds to load an engine
MIB = 1 << 20


class Level(enum.Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"  # it runs, but its owner should know
    WRONG = "WRONG"  # it would not run


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    topic: str
    message: str


@dataclass(frozen=True, slots=True)
class InUse:
    """What the running service holds, and a new configuration may have: shared memory, and ports by host and number."""

    pool_bytes: int = 0
    ports: frozenset[tuple[str, int]] = frozenset()


def findings(loaded: LoadedConfig) -> Iterator[Finding]:
    """Check everything; the slow one, the engine's test, comes last."""
    config = loaded.config
    if not config.smtp.listen:
        yield Finding(Level.NOTE, "SMTP", "no [[smtp.listen]]: pictures come from the folder alone")
    running = _running(config)
    if running is not None:
        yield Finding(Level.NOTE, "service", f"already running as process {running.pid}: {summary(running)}")
    in_use = InUse(running.pool_bytes) if running else InUse()
    yield from _machine(config, in_use)
    yield from _ports(config, running)
    yield from _targets(config)
    yield from _engine(config)


def refusals(loaded: LoadedConfig, in_use: InUse) -> list[str]:
    """Return what prevents a new configuration of the running service, a sentence each."""
    config = loaded.config
    mistakes = [str(loaded.problem(key, message)) for key, message in prerequisites.mistakes(config)]
    if mistakes:
        return mistakes
    found = (*_machine(config, in_use), *_new_ports(config, in_use), *_engine(config))
    return [f"{finding.topic}: {finding.message}" for finding in found if finding.level is Level.WRONG]


def main() -> int:
    """Answer a running service; see `reload.Trial`."""
    question = json.load(sys.stdin)
    loaded = unpack(question["loaded"])
    in_use = InUse(question["pool_bytes"], frozenset((host, port) for host, port in question["ports"]))
    wrong = refusals(loaded, in_use)
    sys.stdout.write(f"\n{json.dumps({'wrong': wrong})}\n")
    return Exit.OK


def _machine(config: Config, in_use: InUse) -> Iterator[Finding]:
    yield from _processes(config, in_use)
    questions: tuple[Callable[[Config], Iterator[Finding]], ...] = (_run_dir, _database, _sqlite, _confinement)
    for question in questions:
        yield from question(config)


def _running(config: Config) -> status.Status | None:
    """Return the status of the instance that runs with this configuration, None when none does."""
    try:
        found = status.read(Path(config.service.run_dir))
    except StatusError:
        return None
    is_fresh = time.time() - found.written_utc < status.STALE_S
    return found if is_fresh and found.state != "stopped" else None


def _processes(config: Config, in_use: InUse) -> Iterator[Finding]:
    cores = limits.cores()
    have = free_bytes() + in_use.pool_bytes
    try:
        shape = plan.make(config, cores, limits.memory_bytes(), have)
        limits.claim_files(len(plan.specs(config, shape)), len(config.smtp.listen), config.smtp.max_connections)
    except CamalertError as error:
        yield Finding(Level.WRONG, "processes", str(error))
        return
    yield Finding(
        Level.OK,
        "processes",
        f"smtp, writer, {counted(shape.decoders, 'decoder')}, {counted(shape.detectors, 'detector')} "
        f"({counted(cores, 'core')} here)",
    )
    need = shape.layout.size_bytes
    message = f"{need / MIB:.0f} MiB of shared memory, {SHM_DIR} has {have / MIB:.0f} MiB free"
    if shape.concession:
        yield Finding(Level.NOTE, "pool", shape.concession)
    if need > have:
        message += "; make it larger (mount -o remount,size=…) or lower pool.frame_slots and pool.frame_max_px"
    yield Finding(Level.OK if need <= have else Level.WRONG, "pool", message)


def _run_dir(config: Config) -> Iterator[Finding]:
    yield _folder("run directory", Path(config.service.run_dir))


def _database(config: Config) -> Iterator[Finding]:
    if config.database.url:
        yield from _server(config)
        return
    path = Path(config.database.path)
    try:
        opening.refuse_network(path)
    except CamalertError as error:
        yield Finding(Level.WRONG, "database", str(error))
        return
    if not path.exists():
        folder = _folder("database", path.parent)
        yield Finding(folder.level, "database", f"{path} will be made" if folder.level is Level.OK else folder.message)
    elif not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        yield Finding(Level.WRONG, "database", f"{path} and its folder must be writable for {_user()}")
    else:
        try:
            with contextlib.closing(opening.open_reader(path)) as reader:
                schema.refuse_unusable(reader)
                alerts = reader.execute("SELECT count(*) FROM alerts_alert").fetchone()[0]
            yield Finding(Level.OK, "database", f"{path}: {counted(alerts, 'alert')}")
        except StoreForeign as error:
            yield Finding(Level.WRONG, "database", f"{path}: {error}")
        except (sqlite3.Error, CamalertError) as error:
            fault = translate(error) if isinstance(error, sqlite3.Error) else error
            is_lasting = isinstance(fault, StoreDamaged) and not config.database.replace_corrupt
            yield Finding(
                Level.WRONG if is_lasting else Level.NOTE, "database", f"{path}: {fault}; `camalert init-db` says more"
            )


def _server(config: Config) -> Iterator[Finding]:
    """Connect as the writer will, and change nothing."""
    if not driver.is_available():
        return  # a prerequisite, and said as such
    from camalert.store.postgresql.store import PostgresqlStore  # noqa: PLC0415 - an extra

    try:
        store = PostgresqlStore(config.database)
        alerts = store.look()
        found = "the tables will be made" if alerts is None else counted(alerts, "alert")
        yield Finding(Level.OK, "database", f"{store.place}: {found}")
    except (ConfigError, StoreForeign) as error:
        yield Finding(Level.WRONG, "database", str(error))
    except CamalertError as error:  # as while a server starts: the service waits for it
        yield Finding(Level.NOTE, "database", f"{place_of(config.database.url)}: {error}")


def _sqlite(config: Config) -> Iterator[Finding]:
    if config.database.url:
        return
    version = sqlite3.sqlite_version_info
    if opening.is_affected((version[0], version[1], version[2])):
        yield Finding(
            Level.NOTE,
            "SQLite",
            f"version {sqlite3.sqlite_version} can damage a database when another program writes during a checkpoint "
            '(rare; fixed in 3.51.3, 3.50.7 and 3.44.6): make backups, or set database.journal = "delete"',
        )


def _new_ports(config: Config, in_use: InUse) -> Iterator[Finding]:
    """Try the ports of optional parts that the running service does not have; it binds those for mails itself."""
    for key, host, port in listening(config):
        if not key.startswith("smtp.") and (host, port) not in in_use.ports:
            yield _port_of(key.partition(".")[0], host, port)


def _ports(config: Config, running: status.Status | None) -> Iterator[Finding]:
    for listen in config.smtp.listen:
        where = f"port {listen.port}" + (f" of {listen.host}" if listen.host else "")
        try:
            ports.bind(listen).close()
        except CamalertError as error:
            is_own = running is not None and _listens(running.pid, listen.port)
            if is_own is None:
                message = (
                    f"{where} is in use, and {_user()} may not see by what: run this as root or as the service's user"
                )
                yield Finding(Level.NOTE, "SMTP", message)
            elif is_own:
                yield Finding(Level.OK, "SMTP", f"{where} is in use by the running service")
            elif listen.port in _ports_of_systemd():
                yield Finding(Level.OK, "SMTP", f"{where} is held by {SOCKET_UNIT}, which hands it to the service")
            else:
                yield Finding(Level.WRONG, "SMTP", str(error))
        else:
            yield Finding(Level.OK, "SMTP", f"{where} is free")
    for section, is_enabled, host, port in (
        ("review", config.review.enabled, config.review.host, config.review.port),
        ("metrics", config.metrics.enabled, config.metrics.host, config.metrics.port),
    ):
        pid = next((child.pid for child in running.children if child.name == section), 0) if running else 0
        is_own = bool(pid) and _listens(pid, port)
        if is_enabled and is_own is not None:
            message = f"port {port} is in use by the running service"
            yield Finding(Level.OK, section, message) if is_own else _port_of(section, host, port)


def _listens(pid: int, port: int) -> bool | None:
    """Tell whether a process listens on a port, None when it is not ours to look at.

    Source: proc(5), net/tcp: local address, state (0A: it listens) and inode are the fields 1, 3 and 9.
    """
    lines = [line.split() for name in ("tcp", "tcp6") for line in _lines(Path(f"/proc/net/{name}"))[1:]]
    found = {f"socket:[{line[9]}]" for line in lines if line[3] == "0A" and int(line[1].rpartition(":")[2], 16) == port}
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it was closed at this moment
                if os.readlink(descriptor) in found:
                    return True
    except FileNotFoundError:
        return False  # the process is gone
    except PermissionError:
        return None
    return False


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").splitlines() if file.exists() else []  # without IPv6 there is no tcp6


def _ports_of_systemd() -> set[int]:
    """Return the ports that systemd keeps open for the service, none where there is no systemd.

    Source: systemctl(1), show; a line is `Listen=[::]:25 (Stream)`.
    """
    command = ["systemctl", "show", SOCKET_UNIT, "--property=ActiveState,Listen"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=SYSTEMD_S, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return set()
    if "ActiveState=active" not in shown.splitlines():
        return set()
    return {int(port) for port in re.findall(r":(\d{1,5}) \(Stream\)", shown)}


def _confinement(config: Config) -> Iterator[Finding]:
    if not config.service.confine:
        yield Finding(Level.NOTE, "confinement", "service.confine = false: each process can do what the service can")
        return
    found = confinement.support()
    if found.gap:
        yield Finding(Level.NOTE, "confinement", found.gap)
    else:
        yield Finding(
            Level.OK, "confinement", f"each process gives up what it does not need (Landlock {found.landlock}, seccomp)"
        )


def _port_of(section: str, host: str, port: int) -> Finding:
    try:
        ports.bind(Listen(host, port)).close()
    except CamalertError as error:
        reason = str(error).partition(":")[0]
        return Finding(
            Level.NOTE, section, f"{reason}; the rest runs without it; free the port or change {section}.port"
        )
    return Finding(Level.OK, section, f"port {port} is free")


def _targets(config: Config) -> Iterator[Finding]:
    """Look at the targets of messages; nothing is sent."""
    known = [camera.name for camera in config.camera]
    for target in config.notify:
        topic = f"notify {target.name}"
        try:
            yield Finding(
                Level.OK, topic, f"{channel.open_channel(target, config.review).address}: {', '.join(target.events)}"
            )
        except ConfigError as error:
            yield Finding(Level.NOTE, topic, f"{error}; the rest runs without it")
        for pattern in (*target.cameras, *target.away_cameras):
            if not any(policy.matches(name, (pattern,)) for name in known):
                yield Finding(Level.NOTE, topic, f"no [[camera]] is called {pattern}; a mail may still name such a one")


def _engine(config: Config) -> Iterator[Finding]:
    """Try each engine in another process: one made for a newer processor crashes."""
    try:
        names = candidates(config.detector)
    except CamalertError as error:
        yield Finding(Level.WRONG, "detector", str(error))
        return
    for name in names:
        started_at = time.monotonic()
        why, precision = _self_test(name, config.detector.remote)
        if not why:
            took_s = time.monotonic() - started_at
            message = f"{name} finds the person of the test picture ({took_s:.1f} s to start)"
            yield Finding(Level.OK, "detector", message + (f", in {precision}" if precision else ""))
            return
        if name == "remote":  # it may answer tomorrow; pictures wait until then
            yield Finding(Level.NOTE, "detector", f"no inference server answers now: {why}")
            return
        yield Finding(Level.NOTE, "detector", f"{name} does not work here: {why}")
    yield Finding(Level.WRONG, "detector", f"no engine works here (tried: {', '.join(names)})")


def _self_test(name: str, servers: Remote) -> tuple[str, str]:
    """Return why an engine cannot be used, an empty text when it can, and what it says of its precision."""
    command = [sys.executable, "-m", "camalert.detection.selftest", name]
    if name == "remote":
        command += [servers.model, *servers.url]
    try:
        ended = subprocess.run(  # noqa: S603 - our own module, the name is one of ours
            command, capture_output=True, text=True, timeout=SELF_TEST_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SELF_TEST_S:.0f} s", ""
    if ended.returncode < 0:
        return f"its process was killed by signal {-ended.returncode}", ""
    if ended.returncode:
        return (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1], ""
    return "", ended.stdout.strip()


def _folder(topic: str, folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        # Asked by doing: the superuser may write where nothing can be made, as in /proc or on a share that is gone.
        with tempfile.TemporaryDirectory(prefix=".camalert-check-", dir=existing):
            pass
    except OSError as error:
        message = f"{folder} cannot be used: nothing can be made in {existing} for {_user()} ({error.strerror})"
        return Finding(Level.WRONG, topic, message)
    return Finding(Level.OK, topic, str(folder) + ("" if existing == folder else " will be made"))


def _user() -> str:
    return f"this user (id {os.geteuid()})"


if __name__ == "__main__":
    sys.exit(main())
