"""`camalert arm`."""

from __future__ import annotations

import argparse

from camalert.cli.switching import add_camera, change
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.ipc.records import SwitchRecord

DESCRIPTION = """\
Send messages about a camera again, or about all."""

EXAMPLES = """\
examples:
  camalert arm
  camalert arm garage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_camera(parser)


def run(arguments: argparse.Namespace) -> int:
    say(f"messages are sent about {change(arguments, SwitchRecord('armed', value='on'))}")
    return Exit.OK
