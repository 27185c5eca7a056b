"""`camalert compact`: give unused space of the database back to the disk."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.errors import Exit

DESCRIPTION = """\
Write the database anew, as small as its rows are, and able to shrink by itself from then on. A database that camalert
made does so anyway; this is for one of the original system, or after much was deleted. Stop the service and the review
site first. It needs twice the file's size of free space for a while."""

EXAMPLES = """\
example:
  systemctl stop camalert && camalert compact --config /etc/camalert/config.toml; systemctl start camalert"""

SIGN = "|/-\\"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compact, and say what it gained."""
    from camalert.store.compact import compact

    path = Path(configuration(arguments).config.database.path)
    is_terminal, turns = sys.stderr.isatty(), 0

    def alive() -> None:
        nonlocal turns
        if is_terminal:
            turns += 1
            sys.stderr.write(f"\r\x1b[K{SIGN[turns % len(SIGN)]} compacting {path.name}")

    before, after = compact(path, alive)
    if is_terminal:
        sys.stderr.write("\r\x1b[K")
    print(f"{path}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    return Exit.OK
