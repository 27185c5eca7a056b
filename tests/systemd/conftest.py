"""A booted machine with camalert installed on it, once for all tests of this folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

sys.path.insert(0, str(Path(__file__).parent))

import host as machine
from host import INSTALL, PYTHON

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fetch what an installation needs: the booted machine has no network. pip's cache has most of it."""
    project = tomli.loads((CHECKOUT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    needed = [*project["project"]["dependencies"], *extras["openvino"], *extras["metrics"], *extras["review"]]
    needed += [*project["build-system"]["requires"], "wheel"]  # the last for a dependency that comes as source
    folder, venv = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("venv")
    for command in (
        [PYTHON, "-m", "venv", str(venv)],
        [str(venv / "bin/python"), "-m", "pip", "download", "--quiet", "--dest", str(folder), *needed],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            pytest.skip(f"what an installation needs cannot be fetched here: {' '.join(last)}")
    shutil.rmtree(venv)
    return folder


@pytest.fixture(scope="session")
def bare_host(request: pytest.FixtureRequest) -> Iterator[machine.Host]:
    """Boot a machine on which nothing of ours is installed yet."""
    if why_not := machine.obstacle():
        pytest.skip(why_not)
    shown = {CHECKOUT: "/checkout", request.getfixturevalue("wheels"): "/wheels"}
    try:
        with machine.boot(shown) as booted:
            yield booted
    except machine.CannotBoot as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def host(bare_host: machine.Host) -> machine.Host:
    """Return the machine with camalert installed and started by `make install`."""
    bare_host.run("make", "-C", "/checkout", "install", environment=INSTALL, timeout_s=300)
    return bare_host
