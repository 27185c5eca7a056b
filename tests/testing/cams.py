"""Programs of the original's review site (`cams_site`), on a database of ours."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SITE = Path(__file__).parent / "cams_site"
LIMIT_S = 120.0

RunSite = Callable[..., "subprocess.Popen[str]"]


@contextlib.contextmanager
def site(home: Path, python: str = sys.executable, **settings: str) -> Iterator[RunSite]:
    """Return what starts a program of the site; those that still run are ended with the block.

    Args:
        home: The folder for the site's own database.
        python: The interpreter in whose environment Django is installed.
        settings: What the site is told of the alarms' database, in its variables.
    """
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, options: dict[str, Any] | None = None) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"], "CAMS_HOME": str(home), "CAMS_OPTIONS": json.dumps(options or {}),
            "DJANGO_SETTINGS_MODULE": "settings", **settings,
        }  # fmt: skip
        command = [python, "-W", "ignore", *arguments]
        started.append(
            subprocess.Popen(
                command, cwd=SITE, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a program of the site and return what it printed."""
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, out + err
    return out


def migrate(run_site: RunSite) -> None:
    """Do what the site's owner does after an installation."""
    finish(run_site("-m", "django", "migrate", "--verbosity=0"))
    finish(run_site("-m", "django", "migrate", "--database=alerts", "--verbosity=0"))
