"""`camalert check`: whether the configuration is right, and what would run."""

from __future__ import annotations

import argparse

from camalert.cli.options import add_configuration, configuration
from camalert.errors import Exit

DESCRIPTION = """\
Read the configuration, say everything that is wrong with it, and what would run on this machine: processes, shared
memory, database, ports, and the detection engine, which is tried on a small picture. Nothing is started or changed."""

EXAMPLES = """\
examples:
  camalert check
  camalert check --config /etc/camalert/config.toml && systemctl reload camalert

Each line says ok, note (it runs, but you should know) or WRONG (it would not run).

exit codes: 0 it would run, 71 it would not, 78 the configuration is wrong"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each thing that was looked at."""
    from camalert.children import check_size
    from camalert.readiness import Level, look

    loaded = configuration(arguments)
    check_size(loaded.config, str(loaded.file))
    print(f"{Level.OK.value:<5} configuration: {loaded.file or 'none, the defaults hold'}")
    for notice in loaded.notices:
        print(f"{Level.NOTE.value:<5} configuration: {notice}")
    is_wrong = False
    for finding in look(loaded.config):
        is_wrong |= finding.level is Level.WRONG
        print(f"{finding.level.value:<5} {finding.topic}: {finding.words}", flush=True)
    return Exit.CANNOT_START if is_wrong else Exit.OK
