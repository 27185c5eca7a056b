"""The Debian package's files: valid shell, and paths that the unit and the programs share."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "release" / "deb"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


@pytest.mark.parametrize("script", SCRIPTS)
def test_package_script_is_valid_and_ends_at_the_first_error(script: str) -> None:
    """dpkg runs these as root, by /bin/sh."""
    text = (PACKAGE / script).read_text(encoding="utf-8")

    assert text.startswith("#!/bin/sh\nset -e\n")
    subprocess.run(["/bin/sh", "-n", PACKAGE / script], check=True)


def test_package_build_finds_what_it_replaces() -> None:
    """The unit's and the configuration's lines that the package changes are still as it expects them."""
    unit = (CHECKOUT / "systemd/camalert.service").read_text(encoding="utf-8")
    config = (CHECKOUT / "config.toml").read_text(encoding="utf-8")

    assert "ExecStart=@PREFIX@/lib/camalert/current/bin/camalert " in unit
    assert re.search(r'^run_dir = "var/run"$', config, re.M)
    assert re.search(r'^path = "var/alerts.sqlite3"$', config, re.M)


def test_package_purge_removes_what_the_unit_makes() -> None:
    """A purge leaves no pictures, no configuration and no run directory behind."""
    unit = (CHECKOUT / "systemd/camalert.service").read_text(encoding="utf-8")
    purge = (PACKAGE / "postrm").read_text(encoding="utf-8")
    for setting, place in (("State", "/var/lib"), ("Runtime", "/run"), ("Configuration", "/etc")):
        for name in re.findall(rf"^{setting}Directory=(\S+)$", unit, re.M):
            assert f"{place}/{name}" in purge
