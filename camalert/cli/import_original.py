"""`camalert import --from-original DIR`: take over from the original system."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from camalert import handover, takeover
from camalert.configfile import SYSTEM_FILE
from camalert.errors import CamalertError, Exit
from camalert.takeover import Takeover

DESCRIPTION = """\
Take over from the original system: its address and port, and its database with all rows, which cams goes on using.

It says what it will do and asks first. Then it stops and disables the original's two services, which hold the port,
copies the database as a backup, changes /etc/camalert/config.toml, and starts camalert."""

EXAMPLES = """\
examples:
  sudo camalert import --from-original /home/pi/mailserver
  sudo camalert import --from-original /home/pi/mailserver --move

--move brings the database to /var/lib/camalert and leaves a link in its old place; without it the database stays where
it is. Without the systemd service: camalert run --env /home/pi/mailserver/.env"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--from-original", metavar="DIR", type=Path, required=True, help="the original's folder, with its .env"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, default=SYSTEM_FILE, help=f"default: {SYSTEM_FILE}")
    parser.add_argument("--move", action="store_true", help=f"bring the database to {takeover.STATE}")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Say what will be done, ask, and do it."""
    plan = _plan(arguments)
    for line in plan.lines():
        print(line)
    if not arguments.yes and not _is_agreed():
        print("Nothing was changed.")
        return Exit.OK
    handover.carry_out(plan)
    if handover.start():
        print("camalert runs. How it is: camalert status")
    else:
        print("systemd does not run here: nothing was started")
    if plan.units:
        print(f"To go back: systemctl disable --now camalert; systemctl enable --now {' '.join(plan.units)}")
    return Exit.OK


def _plan(arguments: argparse.Namespace) -> Takeover:
    """Look at everything before anything is changed.

    Raises: CamalertError with what stands in the way.
    """
    original = takeover.find(arguments.from_original)
    rows = handover.count_rows(original.database)
    if os.geteuid() != 0:
        raise CamalertError("this changes services and files of the system: run it with sudo")
    if not arguments.config.exists() or not handover.has_group():
        raise CamalertError(
            f"camalert is not installed as a service (no {arguments.config}): first `sudo make install`"
        )
    database = takeover.STATE / "alerts.sqlite3" if arguments.move else original.database
    refusal = takeover.refusal(original.database)
    if refusal and not arguments.move:
        raise CamalertError(refusal)
    if arguments.move and database.exists():
        raise CamalertError(
            f"{database} exists already: stop camalert and move it away with its -wal and -shm, or leave out --move"
        )
    return Takeover(
        original=original,
        rows=rows,
        units=handover.known_units(),
        database=database,
        group=handover.group_of(original.database),
        config_file=arguments.config,
        config_text=handover.new_configuration(arguments.config, original, database),
        stamp=time.strftime("%Y%m%d-%H%M%S"),
    )


def _is_agreed() -> bool:
    if not sys.stdin.isatty():
        raise CamalertError("there is nobody to ask: add --yes")
    return input("Do this? [y/N] ").strip().lower() in ("y", "yes")
