"""`camalert run`: the service in the foreground."""

from __future__ import annotations

import argparse

from camalert.cli.options import add_configuration, source

DESCRIPTION = """\
Start the service in the foreground: receive alarm mails, keep the pictures, find the people in them.

On a terminal it first shows where to point the cameras, then a line for each thing that happens; elsewhere it writes
JSON lines. Ctrl-C (SIGTERM, SIGINT) finishes what is begun and ends it; a second one does not wait. SIGHUP reads the
configuration again; on a terminal it means that the window was closed, and ends the service."""

EXAMPLES = """\
examples:
  camalert run
  camalert run --config /etc/camalert/config.toml
  CAMALERT_DETECTOR__PROCESSES=4 camalert run

exit codes: 0 stopped as asked, 71 cannot start (port in use, no shared memory, too few open files or processes
allowed, runs already), 78 the configuration is wrong, 69 a part of it failed again and again"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the service to its end."""
    from camalert.startup import main

    return main(source(arguments))
