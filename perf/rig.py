"""What the measurements share: pictures and mails of a realistic kind, a running service, and its processes' costs.

The pictures are made from scikit-image's samples (NASA's astronaut, public domain; Chelsea the cat, CC0), blown up to
1080p with grain, so that a JPEG of them is as large as a camera's.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import platform
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PLOTS = ROOT / "perf" / "plots"
PICTURE_BYTES = 215_000  # with base64 and headers a mail of 300 kB


def pictures(count: int, people_share: float = 0.2, seed: int = 1) -> list[bytes]:
    """Return different JPEGs of 1920x1080, a share of them with a person, evenly spread."""
    random = np.random.default_rng(seed)
    every = round(1 / people_share) if people_share else count + 1
    with_person, without = _scene(person=True), _scene(person=False)
    return [_jpeg(with_person if number % every == every - 1 else without, random) for number in range(count)]


def mail(picture: bytes, subject: str = "Motion at gate") -> bytes:
    """Return an alarm mail as cameras build it; each call makes another."""
    boundary = uuid.uuid4().hex
    body = base64.encodebytes(picture).replace(b"\n", b"\r\n")
    head = (
        f"From: camera@home.example\r\nTo: owner@home.example\r\nSubject: {subject}\r\n"
        f"Message-ID: <{uuid.uuid4()}@home.example>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'
        f"--{boundary}\r\nContent-Type: text/plain\r\n\r\nMotion was detected.\r\n"
        f'--{boundary}\r\nContent-Type: image/jpeg; name="snapshot.jpg"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        'Content-Disposition: attachment; filename="snapshot.jpg"\r\n\r\n'
    )
    return head.encode("ascii") + body + f"--{boundary}--\r\n".encode("ascii")


def small_picture() -> bytes:
    """Return a JPEG of 320x180, as a backlog is quickly made of."""
    return _encode(np.asarray(cv2.resize(_scene(person=False), (320, 180)), np.uint8), 70)


class Client:
    """A camera with one open session."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reply = self._socket.makefile("rb")
        self._read()
        self._command("EHLO camera")

    def send(self, data: bytes) -> None:
        """Deliver one mail; return after its 250."""
        self._command("MAIL FROM:<camera@home.example>")
        self._command("RCPT TO:<owner@home.example>")
        self._command("DATA")
        self._socket.sendall(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        self.sent_at = time.perf_counter()  # the last byte is with the kernel
        self._read()

    def close(self) -> None:
        """End the session."""
        self._command("QUIT")
        self._reply.close()
        self._socket.close()

    def _command(self, line: str) -> None:
        self._socket.sendall(line.encode("ascii") + b"\r\n")
        self._read()

    def _read(self) -> None:
        while True:
            line = self._reply.readline()
            if line[3:4] == b" ":
                if line[:1] not in b"23":
                    message = f"refused: {line!r}"
                    raise RuntimeError(message)
                return
            if not line:
                message = "the service closed the session"
                raise RuntimeError(message)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process has used: CPU seconds, and bytes proportional to what it shares (PSS)."""

    cpu_s: float
    pss_bytes: int
    anonymous_bytes: int


class Service:
    """A running camalert in a folder of its own."""

    def __init__(self, folder: Path, more: str = "", **settings: object) -> None:
        self.folder = folder
        self.database = folder / "alerts.sqlite3"
        config = folder / "config.toml"
        config.write_text(
            f'[service]\nrun_dir = "{folder / "run"}"\n[[smtp.listen]]\nhost = "127.0.0.1"\nport = 0\n'
            f'[database]\npath = "{self.database}"\n[review]\nenabled = false\n{more}',
            encoding="utf-8",
        )
        environment = {**os.environ, **{f"CAMALERT_{key.upper()}": str(value) for key, value in settings.items()}}
        self.log_file = folder / "log.jsonl"
        self._log = self.log_file.open("ab")
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "supervisor.py"), "--config", str(config)],
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        self.pids = {"supervisor": self._process.pid}

    def wait_ready(self, children: int) -> float:
        """Wait until this many children are ready; return the seconds since the start."""
        ready: set[str] = set()
        while len(ready) < children:
            if self._process.poll() is not None:
                raise RuntimeError(self.log_file.read_text(encoding="utf-8"))
            for event in self.events():
                if event.get("event") == "child_started":
                    self.pids[event["child"]] = event["pid"]
                elif event.get("event") == "child_ready":
                    ready.add(event["child"])
            time.sleep(0.02)
        return time.monotonic() - self.started_at

    def events(self) -> list[dict[str, object]]:
        """Return the log so far."""
        lines = self.log_file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        started = next(event for event in self.events() if event["event"] == "service_starting")
        return int(str(started["ports"][0]))  # type: ignore[index]

    def costs(self) -> dict[str, Cost]:
        """Return what each process has used so far."""
        return {name: cost(pid) for name, pid in self.pids.items()}

    def pss_bytes(self) -> dict[str, int]:
        """Return the memory of every process of the service, those that its children start included.

        Shared memory counts with what was touched of it.
        """
        names, found, queue = {pid: name for name, pid in self.pids.items()}, {}, [self._process.pid]
        while queue:
            pid = queue.pop()
            name = names.get(pid) or f"other-{pid}"
            with contextlib.suppress(OSError):  # it has exited meanwhile
                for task in Path(f"/proc/{pid}/task").iterdir():
                    queue += map(int, (task / "children").read_text(encoding="ascii").split())
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                found[name] = (
                    next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
                )
        return found

    def wait_examined(self, count: int, limit_s: float = 240.0) -> None:
        """Wait until this many alerts have their verdict; looks seldom, to cost little."""
        deadline = time.monotonic() + limit_s
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as reader:
            statement = "SELECT count(*) FROM camalert_alert WHERE outcome IS NOT NULL"
            while reader.execute(statement).fetchone()[0] < count:
                if time.monotonic() > deadline:
                    message = f"not examined within {limit_s} s"
                    raise RuntimeError(message)
                time.sleep(0.02)

    def pending(self) -> int:
        """Return how many alerts wait for their examination."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as reader:
            return int(reader.execute("SELECT count(*) FROM camalert_pending").fetchone()[0])

    def stop(self) -> None:
        """End the service."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._log.close()


@contextlib.contextmanager
def service(children: int, more: str = "", **settings: object) -> Iterator[Service]:
    """Run a service for the length of a `with` block, with `children` ready; `more` is added to its configuration."""
    with tempfile.TemporaryDirectory(prefix="camalert-perf-") as folder:
        running = Service(Path(folder), more, **settings)
        try:
            running.wait_ready(children)
            yield running
        finally:
            running.stop()


def cost(pid: int) -> Cost:
    """Return what a process has used; see proc(5) stat and smaps_rollup."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    memory: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        key, value, *_ = line.split()
        memory[key.rstrip(":")] = int(value) * 1024
    shared_memory = memory.get("Pss_Shmem", 0)
    return Cost((int(fields[11]) + int(fields[12])) / TICKS, memory["Pss"] - shared_memory, memory["Pss_Anon"])


def seconds_between(first: dict[str, object], last: dict[str, object]) -> float:
    """Return the seconds from one log event to another."""
    stamps = [datetime.fromisoformat(str(event["timestamp"])) for event in (first, last)]
    return (stamps[1] - stamps[0]).total_seconds()


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as aligned text."""
    cells = [list(map(_cell, row)) for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def report(name: str, headings: Sequence[str], rows: Sequence[Sequence[object]], figures: dict[str, object]) -> None:
    """Print a table for people and one JSON line for `perf/results.py`."""
    print(table(headings, rows))
    print(json.dumps({"measure": name, **figures}))


def machine() -> dict[str, object]:
    """Say what the figures were taken on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _scene(*, person: bool) -> npt.NDArray[np.uint8]:
    cat = cv2.cvtColor(skimage.data.chelsea(), cv2.COLOR_RGB2BGR)
    scene = cv2.GaussianBlur(cv2.resize(cat, (1920, 1080), interpolation=cv2.INTER_CUBIC), (0, 0), 6)
    if person:
        astronaut = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
        scene[300:812, 700:1212] = astronaut
    return np.asarray(scene, np.uint8)


def _jpeg(scene: npt.NDArray[np.uint8], random: np.random.Generator) -> bytes:
    """Encode with fresh grain, at the quality that comes nearest to `PICTURE_BYTES`."""
    grain = random.normal(0, 4, (270, 480, 1)).astype(np.float32)
    noisy = np.clip(scene + cv2.resize(grain, (1920, 1080))[..., None], 0, 255).astype(np.uint8)
    low, high = 20, 98
    while low < high:
        quality = (low + high + 1) // 2
        if len(_encode(noisy, quality)) > PICTURE_BYTES:
            high = quality - 1
        else:
            low = quality
    return _encode(noisy, low)


def _encode(frame: npt.NDArray[np.uint8], quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
