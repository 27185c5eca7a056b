"""A real service under test: the real `supervisor.py`, in a folder of its own, with eyes on everything it leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from testing import mails
from testing.waiting import until

ROOT = Path(__file__).resolve().parents[2]
SHM = Path("/dev/shm")
# A test run that is killed takes its services with it, where util-linux has the tool for it.
_WITH_US = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


class ServiceUnderTest:
    """Start, watch, hurt and stop one camalert.

    Args:
        folder: An empty folder for configuration, database and run directory.
        settings: `section__key` = value, as in the environment (`CAMALERT_SECTION__KEY`).
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.database = folder / "var" / "alerts.sqlite3"
        self.run_dir = folder / "run"
        self.log_file = folder / "log.jsonl"
        self.settings: dict[str, object] = {
            "detector__engine": "opencv",
            "detector__processes": 1,
            "detector__effort": "fast",
            "pool__frame_max_px": 1_000_000,
            "review__enabled": "false",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.command = [sys.executable, str(ROOT / "supervisor.py")]
        self.environment: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.toml"
        if not config.exists():
            config.write_text(
                f'[service]\nrun_dir = "{self.run_dir}"\n[[smtp.listen]]\nhost = "127.0.0.1"\nport = 0\n'
                f'[database]\npath = "{self.database}"\n',
                encoding="utf-8",
            )

    def start(self, *, is_ready: bool = True) -> ServiceUnderTest:
        """Start the service and, unless told otherwise, wait until it takes mails."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMALERT_")}
        environment |= self.environment
        environment |= {f"CAMALERT_{key.upper()}": str(value) for key, value in self.settings.items()}
        self._lines_before = len(self.events())
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*_WITH_US, *self.command, "--config", str(self.folder / "config.toml")],
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        if is_ready:
            self.wait_for("service_ready")
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def port(self) -> int:
        """Return the port that the running service listens on."""
        shown = [event for event in self.events(since_start=True) if event.get("event") == "service_starting"]
        return int(str(shown[-1]["ports"][0]).split()[0])

    def events(self, *, since_start: bool = False) -> list[dict[str, Any]]:
        """Return the log so far; a line that is no JSON object is itself an event."""
        if not self.log_file.exists():
            return []
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return [_event(line) for line in (lines[self._lines_before :] if since_start else lines)]

    def find(self, event: str, **facts: object) -> list[dict[str, Any]]:
        """Return the events of this name and these facts since the last start."""
        return [
            found
            for found in self.events(since_start=True)
            if found.get("event") == event and all(found.get(key) == value for key, value in facts.items())
        ]

    def wait_for(self, event: str, *, count: int = 1, limit_s: float = 60.0, **facts: object) -> list[dict[str, Any]]:
        """Wait until an event was logged `count` times since the last start."""

        def found() -> list[dict[str, Any]]:
            if self.process is not None and self.process.poll() is not None and event != "service_stopped":
                message = f"the service ended with {self.process.returncode} before {event}:\n{self.tail()}"
                raise AssertionError(message)
            hits = self.find(event, **facts)
            return hits if len(hits) >= count else []

        return until(found, lambda: f"{count} of {event} {facts}\n{self.tail()}", limit_s)

    def tail(self, lines: int = 25) -> str:
        """Return the end of the log, for a failing test's message."""
        return "\n".join(json.dumps(event) for event in self.events()[-lines:])

    def children(self) -> dict[str, int]:
        """Return the pids of the children that run now, by name."""
        pids: dict[str, int] = {}
        for event in self.events(since_start=True):
            if event.get("event") == "child_started":
                pids[event["child"]] = event["pid"]
            elif event.get("event") == "child_exited":
                pids.pop(event["child"], None)
        return pids

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a child by name; return its pid."""
        pid = self.children()[name]
        os.kill(pid, number)
        return pid

    def send(self, pictures: list[bytes], subject: str = "Motion at gate") -> tuple[int, str]:
        """Deliver one alarm mail."""
        return mails.deliver(self.port, mails.alarm(pictures, subject))

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read from the database."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as connection:
            found = connection.execute(statement, values).fetchall()
        connection.close()
        return found

    def status(self) -> dict[str, Any]:
        """Return the service's own view of itself, {} while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.run_dir / "status.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def is_whole(self) -> bool:
        """Tell whether the service runs and all of its children are ready, with the processes they say."""
        found = self.status()
        children = found.get("children", [])
        return (
            found.get("state") == "running"
            and found.get("pid") == self.pid
            and all(child["state"] == "ready" and _is_alive(child["pid"]) for child in children)
            and {child["pid"] for child in children} == set(self.children().values())
        )

    def wait_whole(self, limit_s: float = 60.0) -> None:
        """Wait until the service runs with all of its children."""
        until(self.is_whole, f"the service is not whole: {self.status().get('children')}\n{self.tail()}", limit_s)

    def descriptors(self, pid: int | None = None) -> int:
        """Return how many descriptors a process has open, the supervisor unless told otherwise."""
        return len(list(Path(f"/proc/{pid or self.pid}/fd").iterdir()))

    def private_bytes(self, pid: int) -> int:
        """Return the memory that a process has for itself: anonymous and resident."""
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        return 0

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.query(f"SELECT count(*) FROM {table}")[0][0])

    def wait_examined(self, limit_s: float = 120.0) -> None:
        """Wait until no examination is pending."""
        until(lambda: self.count("camalert_pending") == 0, lambda: f"pending examinations\n{self.tail()}", limit_s)

    def stop(self, number: signal.Signals = signal.SIGTERM, limit_s: float = 60.0) -> int:
        """Ask the service to end; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(limit_s)

    def close(self) -> None:
        """End the service however it is, and check that it left nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        """Check for processes, segments and temporary files that outlived the service."""
        until(lambda: not self.leftover_processes(), lambda: f"processes left: {self.leftover_processes()}", 20)
        until(lambda: not self.leftover_segments(), lambda: f"segments left: {self.leftover_segments()}", 20)
        strays = [path.name for path in self.run_dir.glob(".*")] if self.run_dir.exists() else []
        assert not strays, f"temporary files left: {strays}"

    def leftover_processes(self) -> list[int]:
        """Return the pids of processes of this service's session that still exist."""
        if self.process is None:
            return []
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text(encoding="latin-1").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found

    def leftover_segments(self) -> list[str]:
        """Return the segments of this service that still exist."""
        return [path.name for path in SHM.glob(f"camalert-*-{self.pid}")] if self.process else []


def _is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _event(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"event": line}
    return found if isinstance(found, dict) else {"event": line}
