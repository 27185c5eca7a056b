"""`camalert import --from-original DIR`: take over from the original system."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from camalert.cli import import_apply, import_plan
from camalert.cli.terminal import say
from camalert.config.sources import SYSTEM_FILE
from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Take over from the original system: its address and port, and its database with
all rows, which cams continues to use.

It shows what it will do and asks first. Then it stops and disables the
original's two services, which hold the port, backs up the database, changes
/etc/camalert/config.toml, and starts camalert."""

EXAMPLES = """\
examples:
  sudo camalert import --from-original /home/pi/mailserver
  sudo camalert import --from-original /home/pi/mailserver --move

With --move the database goes to /var/lib/camalert and a link takes its place;
otherwise it stays where it is. To use the original's settings without the
systemd service: camalert run --env /home/pi/mailserver/.env"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from-original", metavar="DIR", type=Path, required=True, help="folder of the original system, with its .env"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=SYSTEM_FILE,
        help="configuration to change (default: %(default)s)",
    )
    parser.add_argument("--move", action="store_true", help=f"move the database to {import_plan.STATE}")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    plan = import_plan.make(arguments.from_original, arguments.config, stamp, is_move=arguments.move)
    say(*plan.lines())
    if not arguments.yes and not _is_agreed():
        say("Nothing was changed.")
        return Exit.OK
    import_apply.carry_out(plan)
    if import_apply.start():
        say("camalert is running. To see how it is: camalert status")
    else:
        say("systemd does not run here: nothing was started")
    if plan.units:
        say(f"To go back: systemctl disable --now camalert; systemctl enable --now {' '.join(plan.units)}")
    return Exit.OK


def _is_agreed() -> bool:
    if not sys.stdin.isatty():
        raise CamalertError("no terminal to ask: add --yes")
    return input("Do this? [y/N] ").strip().lower() in ("y", "yes")
