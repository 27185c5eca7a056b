"""What the commands arm, disarm, snooze and presence share: which camera is meant, who it is, and the change itself."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import re
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from camalert import identity
from camalert.cli.options import add_configuration, configuration, database_file
from camalert.config.build import near
from camalert.errors import CamalertError, StoreError
from camalert.ipc.records import SwitchRecord

_LENGTH = re.compile(r"(\d{1,5})\s*(m|min|h|d)")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86_400}


def add_camera(parser: argparse.ArgumentParser) -> None:
    """Add the camera, all of them when it is left out, and the configuration."""
    parser.add_argument("camera", metavar="CAMERA", nargs="?", default="", help="one camera (default: all)")
    add_configuration(parser)


def change(arguments: argparse.Namespace, switch: SwitchRecord) -> str:
    """Switch something for the camera of the arguments, or all; return whom it concerns, to be shown.

    Raises: CamalertError for a camera that is not known.
    """
    from camalert.store.sqlite import switching
    from camalert.system import rights

    config = configuration(arguments).config
    database = database_file(config)
    name = str(getattr(arguments, "camera", ""))
    with rights.as_owner_of(database):
        if name:
            known = [camera.name for camera in config.camera] + _cameras(database)
            if identity.key(name) not in {identity.key(other) for other in known}:
                meant = near(name, known)
                raise CamalertError(f"there is no camera {name}" + (f"; did you mean {meant}?" if meant else ""))
        switching.change(database, replace(switch, camera=name, by=_who()), time.time())
    return name or "all cameras"


def _cameras(database: Path) -> list[str]:
    from camalert.store.sqlite.opening import open_reader

    with contextlib.suppress(StoreError, sqlite3.Error), contextlib.closing(open_reader(database)) as connection:
        return [str(name) for (name,) in connection.execute("SELECT name FROM camalert_camera")]
    return []


def _who() -> str:
    with contextlib.suppress(KeyError, OSError):  # a user without a name
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return ""


def seconds_of(text: str) -> float:
    """Read `30m`, `1h` or `2d`, for argparse."""
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write 30m, 1h or 2d")
    return float(int(found[1]) * _SECONDS[found[2]])
