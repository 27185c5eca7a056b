"""`camalert compact`: give unused space of the database back to the disk."""

from __future__ import annotations

import argparse

from camalert.cli.options import add_configuration, configuration, database_file
from camalert.cli.terminal import redraw, say
from camalert.errors import Exit
from camalert.system import rights

DESCRIPTION = """\
Rewrite the database as small as its rows allow, and let it shrink automatically
from then on. A database created by camalert does so anyway; this is for the
original system's, or after deleting much. Stop the service, and any other
program that has it open, first. It temporarily needs free disk space of twice
the file's size."""

EXAMPLES = """\
example:
  systemctl stop camalert
  camalert compact
  systemctl start camalert"""

SIGN = "|/-\\"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.store.sqlite.compact import compact

    loaded = configuration(arguments)
    path = database_file(loaded.config)
    rights.become_owner_of(path, loaded.file)
    turns = 0

    def alive() -> None:
        nonlocal turns
        turns += 1
        redraw(f"{SIGN[turns % len(SIGN)]} compacting {path.name}")

    before, after = compact(path, alive)
    redraw("")
    say(f"{path}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    return Exit.OK
