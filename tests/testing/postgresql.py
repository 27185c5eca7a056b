"""A throw-away PostgreSQL server: made in a folder of its own, run by an unprivileged user, ended with the tests."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from camalert.system.certificate import make_certificate
from testing.waiting import until

_PLACES = "/usr/lib/postgresql"
_databases = itertools.count(1)


def programs() -> Path | None:
    """Return the folder of the server's programs, the newest, None when there is none."""
    found = sorted(Path(_PLACES).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named else None


class Server:
    """A server on a socket in its folder, and on no port."""

    def __init__(self, settings: Sequence[str] = (), *, of: Server | None = None) -> None:
        """Make and start it.

        Args:
            settings: More of its own, `name=value`.
            of: The server that it is a standby of, by streaming replication.
        """
        found = programs()
        assert found is not None
        self._programs = found
        self._user = "postgres" if os.geteuid() == 0 and _exists("postgres") else "nobody"
        # In memory, where a sync costs nothing and another user may look; its name is short, for the socket's.
        self.folder = Path(tempfile.mkdtemp(prefix="camalert-pg-", dir="/dev/shm"))
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        data = f"{self.folder}/data"
        if of is None:
            self._run("initdb", "-D", data, "-U", "camalert", "-A", "trust", "-E", "UTF8", "-N")
        else:
            self._run("pg_basebackup", "-h", str(of.folder), "-U", "camalert", "-D", data, "-R", "-c", "fast")
        self._settings = [
            "listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=40", "shared_buffers=32MB",
            "wal_level=replica", "log_min_messages=fatal", *settings,
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        arguments = [str(self._programs / "postgres"), "-D", f"{self.folder}/data"]
        for setting in self._settings:
            arguments += ["-c", setting]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, **self._as_user()
        )
        log.close()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._answers():
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def serve_tls(self, port: int) -> Path:
        """Serve TLS on a port of 127.0.0.1 from the next start on, for who has a password; return the certificate."""
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        make_certificate(certificate, key, ("127.0.0.1",))
        if os.geteuid() == 0:
            shutil.chown(key, self._user)
        access = self.folder / "data" / "pg_hba.conf"
        others = [line for line in access.read_text().splitlines() if "host" not in line]
        access.write_text("\n".join(["hostssl all all 127.0.0.1/32 scram-sha-256", *others, ""]))
        kept = [setting for setting in self._settings if not setting.startswith("listen_addresses")]
        self._settings = [
            *kept, "listen_addresses=127.0.0.1", f"port={port}", "ssl=on", f"ssl_cert_file={certificate}",
            f"ssl_key_file={key}",
        ]  # fmt: skip
        return certificate

    def stop(self, *, kill: bool = False) -> None:
        """End it: at once without a shutdown, or with one that breaks off what is going on."""
        assert self.process is not None
        if kill:  # the postmaster and all of its processes, as when the machine is gone
            pids = (self.process.pid, *_children(self.process.pid))
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in pids[1:]:  # or a new server would find their shared memory in use
                until(lambda pid=pid: not _is_there(pid), "a process of the server does not end")
        else:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.process = None

    def promote(self) -> None:
        """Let a standby take writes."""
        self._run("pg_ctl", "promote", "-D", f"{self.folder}/data", "-w")

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> str:
        """Make a database and return its URL."""
        name = f"alarms{next(_databases)}"
        self._run("createdb", "-h", str(self.folder), "-U", "camalert", name)
        return f"postgresql://camalert@/{name}?host={self.folder}"

    def _answers(self) -> bool:
        port = next((setting[5:] for setting in self._settings if setting.startswith("port=")), "5432")
        command = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder), "-p", port]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, cwd=self.folder, **self._as_user())
        assert done.returncode == 0, done.stderr.decode()

    def _as_user(self) -> dict[str, object]:
        return {"user": self._user, "extra_groups": ()} if os.geteuid() == 0 else {}


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _is_there(pid: int) -> bool:
    """Tell whether a process is there, and not only its entry that nobody has collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
