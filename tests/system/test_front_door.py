"""The front door: what somebody meets who types `make run` on a machine where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from testing.service import ROOT

OLD = "3.9.2"


def _fake_python(folder: Path, names: list[str], body: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)


def _make_venv(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return subprocess.run(
        [ROOT / ".ci" / "venv", folder, ""],
        env={**inherited, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_venv_with_an_old_python_only_says_what_to_install(tmp_path: Path) -> None:
    """The line names the version that is there, the one that is needed, and two ways out."""
    refuse = f'case "$*" in *version_info*) exit 1;; *) echo {OLD};; esac'
    _fake_python(tmp_path / "bin", ["python3", "python3.11", "python3.12", "python3.13"], refuse)

    done = _make_venv(tmp_path / "venv", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert f"Python 3.11 or newer is needed, and python3 is {OLD}" in done.stderr
    assert "PYTHON=/path/to/python" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_venv_without_the_venv_module_names_the_package(tmp_path: Path) -> None:
    """Debian's python3 comes without it; the line is the command to type."""
    without = f'case "$*" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac'
    _fake_python(tmp_path / "bin", ["python3"], without)

    done = _make_venv(tmp_path / "venv", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_venv_with_a_wrong_python_variable_says_so(tmp_path: Path) -> None:
    """A PYTHON that does not run is not silently replaced by another one."""
    done = _make_venv(tmp_path / "venv", PYTHON="/nonexistent/python")

    assert done.returncode == 1
    assert "PYTHON=/nonexistent/python does not run" in done.stderr


def test_venv_never_removes_a_folder_that_is_something_else(tmp_path: Path) -> None:
    """A folder of that name with other things in it stays as it is."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "precious").write_text("mine")

    done = _make_venv(tmp_path / "venv", PYTHON=sys.executable)

    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert (tmp_path / "venv" / "precious").read_text() == "mine"


def test_venv_without_network_says_so(tmp_path: Path) -> None:
    """No package index in reach ends in one line that says what to look at."""
    done = _make_venv(
        tmp_path / "venv",
        PYTHON=sys.executable,
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path),
    )

    assert done.returncode == 1
    assert "the Python package index cannot be reached" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_make_help_lists_the_ways_in() -> None:
    """`make` alone shows what there is."""
    done = subprocess.run(["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    for target in ("run", "test", "check"):
        assert any(line.split()[0] == target for line in done.stdout.splitlines()), done.stdout


@pytest.mark.parametrize("name", ["run", "venv", "versions"])
def test_ci_scripts_are_sound_bash(name: str) -> None:
    """The scripts parse, and git keeps them executable."""
    done = subprocess.run(["bash", "-n", ROOT / ".ci" / name], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert os.access(ROOT / ".ci" / name, os.X_OK)
