"""A real child that, once it is confined, tries what somebody who took it over would try, and tells what worked."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import importlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from camalert.intake.smtp.readers import parent
from camalert.ipc import needs
from camalert.ipc.child import Context
from camalert.ipc.needs import kind_of

PROGRAMS = {
    needs.WRITER: "camalert.store.process",
    needs.SMTP: "camalert.intake.smtp.process",
    needs.READER: "camalert.intake.smtp.readers.process",
    needs.FOLDER: "camalert.intake.folder.process",
    needs.DECODER: "camalert.decoding.process",
    needs.DETECTOR: "camalert.detection.process",
    needs.METRICS: "camalert.status.process",
    needs.REVIEW: "camalert.review.process",
    needs.NOTIFIER: "camalert.notify.process",
}
ACCEPT4, UNSHARE, PTRACE, IO_URING_SETUP, INOTIFY_INIT1, IOPRIO_SET = (
    (288, 272, 101, 425, 294, 251) if os.uname().machine == "x86_64" else (242, 97, 117, 425, 26, 30)
)
CLONE_NEWUSER = 0x1000_0000
SECRETS = {
    "a camera's login": "scrypt:4096:8:4:kVzbitr4d5ZAV72Mofmn3A==:uz9xkks7qexQ6j8D+k/z3g7CfHUN2lb19O9vXaE8jRw=",
    "a target": "webhook+http://u:token@127.0.0.1:9/",
}


@dataclass(frozen=True)
class Places:
    """The folder of a test, and what lies in it."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "database" / "alerts.sqlite3"

    @property
    def drop(self) -> Path:
        return self.root / "drop"

    @property
    def site(self) -> Path:
        return self.root / "site"

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    @property
    def socket(self) -> Path:
        return self.root / "outside.socket"

    @property
    def stranger(self) -> int:
        """Return the number of a process that is none of the child's."""
        return int((self.root / "stranger").read_text())

    @property
    def port(self) -> int:
        """Return a port that is listened on."""
        return int((self.root / "port").read_text())

    @property
    def segment(self) -> str:
        return (self.root / "segment").read_text()


def main(context: Context) -> int:
    """Run the child of this name."""
    kind = kind_of(context.name)
    parent.TARGET = f"{__name__}:main"
    watch(kind, Places(Path(context.config.service.run_dir).parent))
    found: int = importlib.import_module(PROGRAMS[kind]).main(context)
    return found


def watch(kind: str, places: Places) -> None:
    """Have the child try everything as soon as it is confined."""
    stranger, port, segment = places.stranger, places.port, places.segment
    report = os.open(places.root / f"{kind}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    real = Context.confine

    def confine(context: Context) -> object:
        made = real(context)
        could = attempt(places, stranger, port, segment) + known(context)
        os.write(report, json.dumps(could).encode() + b"\n")
        os.close(report)
        return made

    Context.confine = confine  # type: ignore[method-assign, assignment]


def attempt(places: Places, stranger: int, port: int, segment: str) -> list[str]:
    """Try everything; return the names of what worked."""
    found = []
    for name, deed in _deeds(places, stranger, port, segment).items():
        with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
            deed()
            found.append(name)
    return sorted(found)


def known(context: Context) -> list[str]:
    """Return which secrets of the configuration lie in the child's memory."""
    memory = f"{context.config} {os.environ} {Path('/proc/self/environ').read_bytes()!r}"
    return [f"know {what}" for what, secret in SECRETS.items() if secret in memory]


def _deeds(places: Places, stranger: int, port: int, segment: str) -> dict[str, Callable[[], object]]:
    program = Path(parent.__file__)
    return {
        # files read
        "read program": lambda: _read(program),
        "read database": lambda: _read(places.database),
        "read key of the site": lambda: _read(places.site / "secret-key"),
        "read key of TLS": lambda: _read(places.root / "tls" / "key.pem"),
        "read configuration": lambda: _read(places.root / "config.toml"),
        "read picture in the folder": lambda: _read(places.drop / "there.txt"),
        "read status": lambda: _read(places.run_dir / "status.json"),
        "read users": lambda: _read(Path("/etc/passwd")),
        "read memory of others": lambda: _read(Path(f"/proc/{os.getppid()}/mem"), at=id(None)),
        "read frames by name": lambda: _read(Path("/dev/shm") / segment),
        # files written
        "write database": lambda: _write(places.database),
        "make a file beside the database": lambda: _make(places.database.parent),
        "make a file of the site": lambda: _make(places.site),
        "make a file in the folder": lambda: _make(places.drop),
        "move a file to the rejected": lambda: _move(places.drop),
        "write what is being read": lambda: _write(places.run_dir / needs.JOURNAL),
        "write frames by name": lambda: _write(Path("/dev/shm") / segment),
        "make a file in the run directory": lambda: _make(places.run_dir),
        "make a file anywhere": lambda: _make(places.root),
        "let SQLite make a temporary file": _spill,
        "make a temporary file": lambda: _make(Path("/tmp")),
        "change the program": lambda: _write(program),
        "empty by reading": lambda: os.close(os.open(places.root / "victim", os.O_RDONLY | os.O_TRUNC)),
        "change rights": lambda: places.database.chmod(0o660),
        "change times": lambda: os.utime(places.database),
        "cut": lambda: os.truncate(places.database, places.database.stat().st_size),
        "link": lambda: _link(places),
        # network
        "connect": lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close(),
        "connect locally": functools.partial(_connect_locally, places),
        "listen": _listen,
        "send a datagram": functools.partial(_send_datagram, port),
        "accept": lambda: _call(ACCEPT4, -1, 0, 0, 0),  # of no socket: it is refused as such, or for what it is
        # processes
        "run a program": lambda: subprocess.run(["/bin/true"], check=True, timeout=20),
        "run Python": lambda: subprocess.run([sys.executable, "-c", ""], check=True, timeout=20),
        "fork": _fork,
        "start a thread": _thread,
        # signals and other processes
        "signal itself": lambda: os.kill(os.getpid(), 0),
        "signal its parent": lambda: os.kill(os.getppid(), 0),
        "signal a stranger": lambda: os.kill(stranger, signal.SIGCONT),
        "signal a stranger by a descriptor": functools.partial(_own, stranger),
        "watch a folder": lambda: _call(INOTIFY_INIT1, 0),
        "trace": lambda: _call(PTRACE, 16, stranger, 0, 0),
        "choose a stranger's processor": lambda: os.sched_setaffinity(stranger, {0}),
        "slow a stranger down": lambda: os.sched_setscheduler(stranger, os.SCHED_IDLE, os.sched_param(0)),
        "slow a stranger's files down": lambda: _call(IOPRIO_SET, 1, stranger, 3 << 13),
        "put a stranger last": lambda: os.setpriority(os.PRIO_PROCESS, stranger, 19),
        "limit a stranger": lambda: resource.prlimit(stranger, resource.RLIMIT_CORE, (0, 0)),
        # the rest
        "enter a namespace": lambda: _call(UNSHARE, CLONE_NEWUSER),
        "use io_uring": lambda: _call(IO_URING_SETUP, 0, 0),
        "raise a limit": functools.partial(_limit, resource.RLIMIT_NOFILE),
        "leave a core": functools.partial(_limit, resource.RLIMIT_CORE),
    }


def _read(path: Path, at: int = 0) -> None:
    with path.open("rb") as file:
        file.seek(at)
        assert file.read(1)


def _write(path: Path) -> None:
    path.open("r+b").close()


def _make(folder: Path) -> None:
    path = folder / f"made-by-{os.getpid()}"
    path.touch()
    path.unlink()


def _move(folder: Path) -> None:
    path = folder / "moved"
    path.touch()
    (folder / "rejected").mkdir(exist_ok=True)
    path.rename(folder / "rejected" / "moved").unlink()


def _spill() -> None:
    if "sqlite3" not in sys.modules:
        raise PermissionError("this child loads no SQLite")
    import sqlite3  # noqa: PLC0415 - where the child has loaded it, by its own order

    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("PRAGMA cache_size = 1")
            connection.execute(
                "CREATE TEMP TABLE large AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                " WHERE i < 200) SELECT randomblob(10000) FROM n"
            )
        except sqlite3.Error as error:
            raise PermissionError(str(error)) from error


def _link(places: Places) -> None:
    for folder in (places.database.parent, places.drop, places.site):
        with contextlib.suppress(OSError):
            (folder / "link").symlink_to("/etc")
            (folder / "link").unlink()
            return
    raise PermissionError("no link anywhere")


def _connect_locally(places: Places) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(places.socket))


def _listen() -> None:
    socket.create_server(("127.0.0.1", 0)).close()


def _send_datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"picture", ("127.0.0.1", port))


def _fork() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _own(pid: int) -> None:
    ours, theirs = os.pipe()
    try:
        fcntl.fcntl(ours, fcntl.F_SETOWN, pid)
    finally:
        os.close(ours)
        os.close(theirs)


def _thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def _limit(what: int) -> None:
    soft, hard = resource.getrlimit(what)
    if what == resource.RLIMIT_CORE and 0 <= hard <= 1:
        raise PermissionError("no core")
    resource.setrlimit(what, (soft, hard))


def _call(number: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *map(ctypes.c_long, arguments)) < 0 and ctypes.get_errno() in (1, 13, 38):
        raise PermissionError(number)
