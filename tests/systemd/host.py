"""A machine with a real systemd for the tests: PID 1 in namespaces over a throw-away copy of this machine's files.

Needs root, overlayfs and a cgroup2 hierarchy that can be written to; `boot` says what is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

BOOT = Path(__file__).with_name("boot")
BOOT_S = 60.0
SYSTEMD = Path("/lib/systemd/systemd")
# The system's own Python: a hardened service cannot see one in a home folder.
PYTHON = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.access(path, os.X_OK)), "")
INSTALL = {"PYTHON": PYTHON, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "EXTRAS": "openvino,metrics,review"}
NEEDED = ("unshare", "nsenter", "pivot_root", "systemctl", "journalctl", "systemd-analyze")


class CannotBoot(Exception):
    """Say why this machine cannot run such a test."""


class Host:
    """A booted machine; commands run in it as root."""

    def __init__(self, init_pid: int) -> None:
        self._init_pid = init_pid

    def run(
        self, *command: str, check: bool = True, timeout_s: float = 120, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and return what it printed, both streams in one."""
        # The pid of a service that does not run; kill(1) takes it for the process group of the tests themselves.
        assert command[0] != "kill" or "0" not in command, f"there is no such process: {' '.join(command)}"
        done = subprocess.run(
            ["nsenter", "--target", str(self._init_pid), "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup",
             "--root", "--wdns=/", "--", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                 **(environment or {})},
            check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
        return done

    def python(self, code: str, *arguments: str, user: str = "root", timeout_s: float = 120) -> str:
        """Run Python code inside as a user and return what it printed."""
        return self.run("runuser", "-u", user, "--", PYTHON, "-c", code, *arguments, timeout_s=timeout_s).stdout

    def write(self, path: str, text: str) -> None:
        """Write a file inside, with its folders."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"', "sh", path, text)

    def events(self, *matches: str) -> list[dict[str, str]]:
        """Return the journal's entries of camalert that match `FIELD=value`, with all their fields."""
        lines = self.run("journalctl", "--output=json", "SYSLOG_IDENTIFIER=camalert", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def wait(self, what: str, is_true: Callable[[], object], seconds: float = 30) -> None:
        """Wait until something is true."""
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.1)


def obstacle() -> str | None:
    """Say what is missing for a boot, None when nothing is known to be."""
    if os.geteuid() != 0:
        return "a real systemd needs root"
    if missing := [name for name in (*NEEDED, str(SYSTEMD)) if not shutil.which(name)]:
        return f"a real systemd needs {', '.join(missing)}"
    modules = "import sys, tomllib, venv, ensurepip"  # 3.11 or newer, with python3-venv
    if not PYTHON or subprocess.run([PYTHON, "-c", modules], check=False, capture_output=True).returncode:
        return "to install a service the system needs its own Python 3.11 or newer with its venv module"
    return None


@contextlib.contextmanager
def boot(shown: Mapping[Path, str]) -> Iterator[Host]:
    """Boot a machine for the length of a `with` block.

    Args:
        shown: Folders of this machine and where they are seen inside, writable.
    Raises: CannotBoot with the reason.
    """
    if why_not := obstacle():
        raise CannotBoot(why_not)
    folder = Path(tempfile.mkdtemp(prefix="camalert-host-"))
    with _cgroup() as cgroup, (folder / "log").open("w+") as log:
        (folder / "machine").mkdir()
        pairs = [str(part) for pair in shown.items() for part in pair]
        launcher = subprocess.Popen(
            ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(cgroup),
             "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child",
             "/bin/sh", str(BOOT), str(folder / "machine"), *pairs],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield Host(_await_boot(launcher, folder / "log"))
        finally:
            launcher.send_signal(signal.SIGKILL)  # takes PID 1 along, and PID 1 everything else
            launcher.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _await_boot(launcher: subprocess.Popen[bytes], log: Path) -> int:
    """Return the pid, seen from here, of the machine's PID 1 once it has booted."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    deadline = time.monotonic() + BOOT_S
    while launcher.poll() is None and time.monotonic() < deadline:
        found = children.read_text().split()
        if found:
            host = Host(int(found[0]))
            state = host.run("systemctl", "is-active", "bare.target", check=False).stdout
            if state.strip() == "active":
                return int(found[0])
        time.sleep(0.1)
    raise CannotBoot(f"systemd does not boot in namespaces here: {log.read_text().strip() or 'no word from it'}")


@contextlib.contextmanager
def _cgroup() -> Iterator[Path]:
    """Make a cgroup to boot in, and remove it with all that is left in it."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    hierarchy = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if hierarchy is None:
        raise CannotBoot("a real systemd needs a cgroup2 hierarchy")
    own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    cgroup = hierarchy / own.removeprefix("0::/") / f"camalert-test-{os.getpid()}"
    try:
        cgroup.mkdir()
    except OSError as error:
        raise CannotBoot(f"a real systemd needs a cgroup2 hierarchy it may write to: {error}") from error
    try:
        yield cgroup
    finally:
        (cgroup / "cgroup.kill").write_text("1")
        for _ in range(100):
            with contextlib.suppress(OSError):
                for path in sorted(cgroup.rglob("*"), reverse=True):
                    if path.is_dir():
                        path.rmdir()
                cgroup.rmdir()
                break
            time.sleep(0.1)
