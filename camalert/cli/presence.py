"""`camalert presence`."""

from __future__ import annotations

import argparse

from camalert.cli.options import add_configuration
from camalert.cli.switching import change
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.ipc.records import SwitchRecord

DESCRIPTION = """\
Say whether somebody is at home. While somebody is, a target gets no messages
about its `away_cameras`."""

EXAMPLES = """\
examples:
  camalert presence away
  camalert presence home"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", choices=("home", "away"), help="home: somebody is there; away: nobody is")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    change(arguments, SwitchRecord("presence", value=arguments.where))
    say("somebody is at home" if arguments.where == "home" else "nobody is at home")
    return Exit.OK
