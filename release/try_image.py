"""Try an image of buildah's store as Docker would run it by default, on a machine without Docker.

    python3 release/try_image.py IMAGE

In namespaces of its own, with a read-only root, no capabilities, 64 MiB of /dev/shm, 512 MB and one core: it starts, a
mail is sent and its person found, `camalert status` is asked as the healthcheck does, everything that messages need is
looked for, everything is killed and started again, and SIGTERM ends it in time. Needs root; prints what it saw.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SHM = "64m"  # Docker's default
MEMORY_BYTES = 512 << 20
LIMIT_MB = 350
PICTURE = Path(__file__).parents[1] / "camalert/detection/models/astronaut.jpg"
# What a container runtime does, by util-linux: the root bound read-only, the usual file systems, the volume.
ENTER = """
set -eu
root=$1 data=$2 shm=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755,size=1m tmpfs "$root/dev"
for node in null zero full random urandom; do : >"$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o "mode=1777,size=$shm" tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/tmp"
mount --bind "$data" "$root/data"
for controller in memory cpu; do
    if [ -e "/sys/fs/cgroup/$controller/camalert-image" ]; then
        [ -d "$root/sys/fs/cgroup" ] || mount -t tmpfs tmpfs "$root/sys"
        mkdir -p "$root/sys/fs/cgroup/$controller"
        mount --bind "/sys/fs/cgroup/$controller/camalert-image" "$root/sys/fs/cgroup/$controller"
    fi
done
mount -o remount,bind,ro "$root"
ip link set lo up
exec chroot "$root" /usr/bin/setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all \
    /usr/bin/env -i --chdir=/data "$@"
"""


# What a browser does, by what is in the image: the first login, and the pages that show what was found.
PAGES = """
import http.client, re, sys, urllib.parse
jar = {}
def ask(method, path, form=None):
    site = http.client.HTTPConnection("127.0.0.1", 8025, timeout=30)
    headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in jar.items()), "Origin": "http://127.0.0.1:8025"}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    site.request(method, path, urllib.parse.urlencode(form) if form else None, headers)
    answer = site.getresponse()
    for name, value in answer.getheaders():
        if name.lower() == "set-cookie":
            key, _, value = value.partition(";")[0].partition("=")
            jar[key] = value
    return answer.status, answer.read().decode("utf-8", "replace")
_, page = ask("GET", "/setup/")
form = {"csrfmiddlewaretoken": re.search('csrfmiddlewaretoken" value="([^"]+)"', page)[1], "code": sys.argv[1],
        "username": "owner", "password1": "a long sentence 77", "password2": "a long sentence 77"}
assert ask("POST", "/setup/", form)[0] == 302
pages = ("/", "/people/", "/alarms/", "/cameras/", "/status/", "/account/")
found = {path: ask("GET", path) for path in pages}
assert {status for status, _ in found.values()} == {200}, {path: status for path, (status, _) in found.items()}
small = re.search('src="(/people/[0-9]+/thumbnail[^"]*)"', found["/people/"][1])
assert small, found["/people/"][1]
print("a login is made, and", len(pages), "pages are shown")
"""


def run(*command: str) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main(image: str) -> int:
    """Try it; return the exit code."""
    with contextlib.ExitStack() as cleanup:
        container = run("buildah", "from", "--pull-never", image)
        cleanup.callback(run, "buildah", "rm", container)
        root = run("buildah", "mount", container)
        data = Path(tempfile.mkdtemp(prefix="camalert-image-"))
        cleanup.callback(shutil.rmtree, data)
        os.chown(data, 10001, 10001)
        data.chmod(0o2770)
        size_mb = int(run("du", "-sxm", root).split()[0])
        print(f"unpacked: {size_mb} MiB (at most {LIMIT_MB})")
        config = json.loads(run("buildah", "inspect", container))["Docker"]["config"]
        assert config["User"] == "10001:10001", config["User"]
        assert "camalert status" in config["Healthcheck"]["Test"][-1]
        cleanup.enter_context(limits())
        trial = Trial(root, data, config)
        cleanup.callback(trial.kill)
        trial.go()
        is_small = size_mb <= LIMIT_MB or bool(os.environ.get("ANY_SIZE"))
    print("the image does what it should" if is_small else "the image is too large")
    return 0 if is_small else 1


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Make control groups (version 1) for what is tried, if this machine has such; the children join them."""
    made = []
    for controller, settings in (
        ("memory", {"memory.limit_in_bytes": MEMORY_BYTES}),
        ("cpu", {"cpu.cfs_period_us": 100_000, "cpu.cfs_quota_us": 100_000}),
    ):
        folder = Path("/sys/fs/cgroup", controller, "camalert-image")
        if not folder.parent.is_dir():
            print(f"not limited: {controller} (no such control group here)")
            continue
        folder.mkdir(exist_ok=True)
        for name, value in settings.items():
            (folder / name).write_text(str(value))
        made.append(folder)
    try:
        yield
    finally:
        for folder in made:
            until(f"{folder} is empty", lambda folder=folder: not (folder / "cgroup.procs").read_text())
            folder.rmdir()


def until(what: str, is_true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := is_true()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)
    return found


class Trial:
    """One image under trial."""

    def __init__(self, root: str, data: Path, config: dict[str, Any]) -> None:
        self._root, self._data, self._config = root, data, config
        self._log = data / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def go(self) -> None:
        """Go through a container's life."""
        self.start()
        started = self.event("service_starting")
        print(f"started: {started['detectors']} detector, {started['decoders']} decoder, pool of "
              f"{started['pool_bytes'] / (1 << 20):.0f} MiB")  # fmt: skip
        print(f"  {self.event('pool_reduced')['message']}")
        self.find(1)
        until("the healthcheck is content", lambda: self.inside("camalert", "status").returncode in (0, 1))
        print(self.inside("camalert", "status").stdout.splitlines()[0])
        self.reaches_out()
        self.kill()
        print("killed, all of it")
        self.start()
        self.find(2)
        assert self._process
        began = time.monotonic()
        self.tell(signal.SIGTERM)
        code = self._process.wait(timeout=60)
        print(f"SIGTERM: ended with {code} after {time.monotonic() - began:.1f} s")
        assert code == 0, self._log.read_text()[-2000:]

    def start(self) -> None:
        """Start the container and wait until it takes mails."""
        self._log.write_text("")
        join = "".join(
            f"echo $$ >/sys/fs/cgroup/{name}/camalert-image/cgroup.procs; "
            for name in ("memory", "cpu") if Path(f"/sys/fs/cgroup/{name}/camalert-image").is_dir()
        )  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", join + 'exec "$@"', "sh",
                 "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child",
                 "/bin/sh", "-c", ENTER, "sh", self._root, str(self._data), SHM,
                 *self._config["Env"], *self._config["Entrypoint"], *self._config["Cmd"]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until("service_ready", lambda: self.has("service_ready"), 120)

    def events(self) -> list[dict[str, Any]]:
        """Return the events logged since the start."""
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def has(self, name: str) -> bool:
        """Tell whether an event was logged; a container that ended instead ends the trial."""
        if self._process is not None and self._process.poll() is not None:
            raise SystemExit(f"the container ended with {self._process.returncode}:\n{self._log.read_text()}")
        return any(event["event"] == name for event in self.events())

    def event(self, name: str) -> dict[str, Any]:
        """Return the last event of a name."""
        return next(event for event in reversed(self.events()) if event["event"] == name)

    def first_pid(self) -> str:
        """Return the pid, seen from here, of the container's first process."""
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return str(until("the container's first process", children.read_text)).split()[0]

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as its user."""
        return subprocess.run(
            ["nsenter", "--target", self.first_pid(), "--mount", "--pid", "--net", "--ipc", "--root", "--wdns=/data",
             "--setuid=10001", "--setgid=10001", "--", "/usr/bin/env", "-i", *self._config["Env"], *command],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def find(self, number: int) -> None:
        """Send a mail and see its person found."""
        shutil.copy(PICTURE, self._data / "picture.jpg")
        sent = self.inside("camalert", "send", "/data/picture.jpg")
        until("person_found", lambda: self.has("person_found"))
        last = sent.stdout.splitlines()
        assert f"detection {number}" in sent.stdout, sent.stdout + sent.stderr
        print(f"  mail {number}: {next(line.strip() for line in last if 'detection' in line)}")

    def reaches_out(self) -> None:
        """See what is not camalert's own: libraries for messages, authorities to trust, openssl, time zones."""
        code = "import ssl, apprise, paho.mqtt.client; assert ssl.create_default_context().get_ca_certs()"
        python, zone = "/opt/camalert/bin/python", "import time; assert time.tzname == ('CET', 'CEST'), time.tzname"
        for command in (
            (python, "-c", code), ("TZ=Europe/Berlin", python, "-c", zone), ("camalert", "make-certificate")
        ):  # fmt: skip
            ended = self.inside(*command)
            assert ended.returncode == 0, ended.stdout + ended.stderr
        print("  messages go out, times are local, and a certificate is made")
        self.shows_pages()

    def shows_pages(self) -> None:
        """Make the first login of the site and look at its pages."""
        until("the site", lambda: self.has("review_site_ready"))
        looked = self.inside(
            "/opt/camalert/bin/python", "-c", PAGES, str(self.event("review_first_login_pending")["code"])
        )
        assert looked.returncode == 0, looked.stdout + looked.stderr
        print(f"  {looked.stdout.strip()}")

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the container's first process."""
        os.kill(int(self.first_pid()), number)

    def kill(self) -> None:
        """Kill everything in the container."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.tell(signal.SIGKILL)
            self._process.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
