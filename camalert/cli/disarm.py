"""`camalert disarm`."""

from __future__ import annotations

import argparse

from camalert.cli.switching import add_camera, change
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.ipc.records import SwitchRecord

DESCRIPTION = """\
Send no messages about a camera, or about any. Pictures are received, examined
and kept as before. It stays so until `camalert arm`."""

EXAMPLES = """\
examples:
  camalert disarm
  camalert disarm garage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_camera(parser)


def run(arguments: argparse.Namespace) -> int:
    say(f"no messages are sent about {change(arguments, SwitchRecord('armed', value='off'))}")
    return Exit.OK
