"""What is published: pinned, licensed, the same bytes each time."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import camalert

CHECKOUT = Path(__file__).parents[2]
LOCK = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
SHIPPED_EXTRAS = ("openvino", "fast", "metrics", "review", "notify", "push")


def program(name: str) -> ModuleType:
    """Load a program of the folder `release`."""
    spec = importlib.util.spec_from_file_location(f"release_{name}", CHECKOUT / "release" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_lock_holds_a_fitting_version_of_everything_that_is_shipped() -> None:
    """Who changes a dependency renews the lock: image, package and `make run` install what pyproject.toml asks for."""
    project = tomli.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"]]
    for extra in SHIPPED_EXTRAS:
        asked += project["optional-dependencies"][extra]

    pinned = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.M)}

    for line in asked:
        requirement = Requirement(line)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{line} is not in requirements.lock: make lock"
        assert requirement.specifier.contains(version), f"{line} is pinned to {version}: make lock"


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("Makefile", r"^WISHES := (\S+)$"),
        ("systemd/install.mk", r"^EXTRAS \?= (\S+)$"),
        ("systemd/install", r"^extras=\$\{EXTRAS-(\S+)\}$"),
        ("release/deb/build", r"^extras=\$\{1:-(\S+)\}$"),
        ("release/lock", r"^ +(--extra .+) --output-file"),
        ("Containerfile", r"^ARG EXTRAS=(\S+)$"),
    ],
)
def test_every_way_of_installing_brings_what_the_configuration_offers(file: str, setting: str) -> None:
    """A `[[notify]]` block that works in a checkout works as a service and in a container, where nobody can run pip."""
    (found,) = re.findall(setting, (CHECKOUT / file).read_text(encoding="utf-8"), re.M)
    without = {"openvino", "push"} if file == "Containerfile" else set()  # a smaller image: docs/container.md

    assert set(re.split(r"[, ]", found.replace("--extra ", ""))) == set(SHIPPED_EXTRAS) - without


def test_container_trusts_the_authorities_that_a_browser_does() -> None:
    """A webhook, a mail relay or a broker with TLS is refused by a system without certificates."""
    system = (CHECKOUT / "Containerfile").read_text(encoding="utf-8").split("FROM system AS build")[0]

    assert "ca-certificates" in re.findall(r"install --yes .+$", system, re.M)[0]


def test_lock_has_a_hash_for_each_package_and_names_no_index() -> None:
    """An archive that was exchanged is refused, wherever it comes from."""
    packages = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.M)[1:]

    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in LOCK
    assert not re.search(r"^--", LOCK, re.M)


def test_licences_name_every_pinned_package() -> None:
    """Nobody's licence is left out because its line in the lock looks different."""
    names = program("licences").pinned(LOCK)

    assert len(names) == LOCK.count("==")
    assert {"numpy", "opencv-python-headless", "django"} <= set(names)


def test_source_archives_of_one_commit_are_the_same_bytes(tmp_path: Path) -> None:
    """Order, times, owners and modes of the machine that builds do not show in the archive."""
    normalise = program("normalise").normalise
    archives = []
    for number, (order, mode, owner) in enumerate((("ab", 0o664, "root"), ("ba", 0o644, "somebody"))):
        archive = tmp_path / f"{number}.tar.gz"
        with tarfile.open(archive, "w:gz") as target:
            for name in order:
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.uname, member.mtime = 1, mode, owner, number
                target.addfile(member, io.BytesIO(name.encode()))
        normalise(archive, 1_700_000_000)
        archives.append(archive.read_bytes())

    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "0.tar.gz") as result:
        assert [(member.name, member.mode) for member in result] == [("a", 0o644), ("b", 0o644)]


def test_selected_part_of_the_lock_has_what_an_extra_needs_and_no_more() -> None:
    """An image without OpenVINO carries nothing of it; Django brings what it stands on."""
    project = tomli.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["review"]]
    names = program("licences").pinned(program("selected").selected(LOCK, asked))

    assert {"numpy", "django", "asgiref", "sqlparse", "waitress", "attrs"} <= set(names)
    assert not {"openvino", "openvino-telemetry", "prometheus-client"} & set(names)


def test_every_place_has_the_same_version() -> None:
    """Whoever makes a release changes it everywhere."""
    version = tomli.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    assert camalert.__version__ == version
    assert f"\ncamalert {version}\n" in (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[1] == version  # type: ignore[index]


@pytest.mark.parametrize("name", ["addon", "audit", "dist", "environment", "image", "lock", "prune", "renew", "wheels"])
def test_scripts_of_a_release_are_sound(name: str) -> None:
    """They parse, and git keeps them executable."""
    script = CHECKOUT / "release" / name

    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert os.access(script, os.X_OK)
