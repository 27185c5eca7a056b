"""Install, upgrade, remove and purge the Debian package on a machine with a real systemd and no network.

    .venv/bin/python release/deb/try.py dist/camalert_VERSION_ARCHITECTURE.deb [EARLIER.deb]

Begin with the package of an earlier version, if there is one, and upgrade to this one; then upgrade to a later one,
which is this one with another version and configuration. The machine is a throw-away copy of this one, as in
tests/systemd. Needs root; prints what it saw.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "tests/systemd"))

import host as machine  # noqa: E402 - found by the line above

CONFIG = "/etc/camalert/config.toml"
LINE = "# the owner's own line"
PLACES = ("/etc/camalert", "/var/lib/camalert", "/run/camalert", "/usr/lib/camalert", "/usr/bin/camalert",
          "/lib/systemd/system/camalert.service", "/usr/lib/sysusers.d/camalert.conf", "/usr/share/doc/camalert",
          "/etc/systemd/system/multi-user.target.wants/camalert.service")  # fmt: skip


def next_version(package: Path, folder: Path) -> Path:
    """Make the package that an upgrade would bring: a higher version, and another default configuration."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 9:"))
    config = tree / "etc/camalert/config.toml"
    config.write_text(config.read_text() + "\n# a line of the next version\n")
    upgraded = folder / "next.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, upgraded], check=True, stdout=subprocess.DEVNULL
    )
    return upgraded


def main(package: Path, earlier: Path | None = None) -> None:
    """Go through the life of an installation."""
    with tempfile.TemporaryDirectory(dir=CHECKOUT / "build") as name:
        folder = Path(name)
        (folder / "this.deb").hardlink_to(package)
        if earlier:
            shutil.copy(earlier, folder / "earlier.deb")
        next_version(package, folder)
        picture = CHECKOUT / "camalert/detection/models"
        with machine.boot({folder: "/packages", picture: "/pictures"}) as host:
            live(host, has_earlier=bool(earlier))


def live(host: machine.Host, *, has_earlier: bool) -> None:
    """Install, use, upgrade, remove, purge."""
    host.run("rm", "-f", "/usr/sbin/policy-rc.d")
    host.run("ip", "link", "set", "lo", "up")
    before = users(host)

    found = 0
    if has_earlier:
        host.run("dpkg", "--install", "/packages/earlier.deb", timeout_s=300)
        is_active(host)
        find(host, found := found + 1)
        print(f"installed {version(host)}: {host.show('camalert', 'StatusText')}")
    host.run("dpkg", "--force-confdef", "--force-confold", "--install", "/packages/this.deb", timeout_s=300)
    is_active(host)
    assert host.run("stat", "-c", "%U:%G %a", CONFIG).stdout.split() == ["root:camalert", "640"]
    assert host.run("systemctl", "is-enabled", "camalert").stdout.strip() == "enabled"
    print(f"installed {version(host)}: {host.show('camalert', 'StatusText')}")
    find(host, found := found + 1)
    print(
        host.run("systemd-analyze", "security", "--no-pager", "camalert", check=False).stdout.splitlines()[-1].strip()
    )

    host.run("sh", "-c", f'echo "{LINE}" >>{CONFIG}')
    old = host.show("camalert", "MainPID")
    host.run("dpkg", "--force-confold", "--install", "/packages/next.deb", timeout_s=300)
    is_active(host)
    assert host.show("camalert", "MainPID") != old, "the upgrade left the old program running"
    assert LINE in host.run("cat", CONFIG).stdout
    host.run("test", "-e", f"{CONFIG}.dpkg-dist")
    find(host, found := found + 1)
    print("upgraded: the configuration is the owner's, the pictures are there, the new program runs")

    host.run("dpkg", "--remove", "camalert")
    assert host.run("systemctl", "is-active", "camalert", check=False).stdout.strip() == "inactive"
    for place in ("/usr/lib/camalert", "/usr/bin/camalert", "/lib/systemd/system/camalert.service"):
        assert host.run("test", "-e", place, check=False).returncode, f"{place} is left after removal"
    host.run("test", "-s", "/var/lib/camalert/alerts.sqlite3")
    assert LINE in host.run("cat", CONFIG).stdout
    print("removed: configuration and pictures stay")

    host.run("dpkg", "--force-confold", "--install", "/packages/this.deb", timeout_s=300)
    is_active(host)
    find(host, found + 1)
    host.run("dpkg", "--purge", "camalert")
    left = [place for place in PLACES if host.run("test", "-e", place, check=False).returncode == 0]
    assert not left, f"left after the purge: {left}"
    assert users(host) == before
    print("purged: nothing is left")


def version(host: machine.Host) -> str:
    """Return the version that is installed."""
    return host.run("dpkg-query", "--show", "--showformat", "${Version}", "camalert").stdout


def users(host: machine.Host) -> str:
    """Return all users and groups."""
    return host.run("sh", "-c", "getent passwd; getent group").stdout


def is_active(host: machine.Host) -> None:
    """Wait until the service runs."""
    try:
        host.wait("camalert.service is active", lambda: host.show("camalert", "ActiveState") == "active", 60)
    except AssertionError:
        print(host.run("journalctl", "--no-pager", "--lines=30", check=False).stdout)
        raise


def find(host: machine.Host, number: int) -> None:
    """Send a mail and see its person found."""
    sent = host.run("camalert", "send", "/pictures/astronaut.jpg")
    assert f"as detection {number}" in sent.stdout, sent.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(Path, sys.argv[2:]))
