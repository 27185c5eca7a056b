"""`camalert run`: the service in the foreground."""

from __future__ import annotations

import argparse

from camalert.cli.options import add_configuration, source

DESCRIPTION = """\
Run the service in the foreground: receive alarm mail, store the pictures, find
people in them.

On a terminal it first shows where to point the cameras, then a line for each
event; elsewhere it logs JSON lines. Ctrl-C (SIGTERM, SIGINT) finishes work in
progress and stops; a second one stops at once. SIGHUP reloads the configuration
if it is valid; on a terminal it means that the window was closed, and stops the
service."""

EXAMPLES = """\
examples:
  camalert run
  camalert run --config /etc/camalert/config.toml
  CAMALERT_DETECTOR__PROCESSES=4 camalert run

exit codes:
  0   stopped as asked
  69  a vital process kept failing
  71  cannot start: port in use, not enough shared memory, limit of open files
      or processes too low, already running
  78  the configuration is invalid"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.supervisor.start import main

    return main(source(arguments))
