"""`camalert snooze`."""

from __future__ import annotations

import argparse
import time

from camalert.cli.switching import add_camera, change, seconds_of
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.ipc.records import SwitchRecord

DESCRIPTION = """\
Send no messages about a camera, or about any, for a while. Pictures are
received, examined and kept as before."""

EXAMPLES = """\
examples:
  camalert snooze garage --for 2h
  camalert snooze
  camalert snooze garage --end"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--for", dest="length_s", metavar="TIME", type=seconds_of, default=3600.0, help="30m, 1h, 2d (default: 1h)"
    )
    length.add_argument("--end", action="store_true", help="end it now")
    add_camera(parser)


def run(arguments: argparse.Namespace) -> int:
    until_utc = None if arguments.end else time.time() + arguments.length_s
    whom = change(arguments, SwitchRecord("snooze", until_utc=until_utc))
    if until_utc is None:
        say(f"messages are sent about {whom}")
    else:
        say(f"no messages are sent about {whom} until {time.strftime('%Y-%m-%d %H:%M', time.localtime(until_utc))}")
    return Exit.OK
