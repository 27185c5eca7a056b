"""`camalert check`: whether the configuration is right, and what would run."""

from __future__ import annotations

import argparse

from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import say
from camalert.errors import Exit

DESCRIPTION = """\
Validate the configuration and show what would run on this machine: processes,
shared memory, database, ports, and the detection engine, which is tried on a
small picture. Nothing is started or changed."""

EXAMPLES = """\
examples:
  camalert check
  camalert check && systemctl reload camalert

Each line begins with ok, note (it would run, but you should know) or WRONG (it
would not run).

exit codes:
  0   it would run
  71  it would not run
  78  the configuration is invalid"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.ipc.spawn import check_size
    from camalert.supervisor.preflight import Level, findings
    from camalert.supervisor.prerequisites import refuse_mistakes

    loaded = configuration(arguments)
    check_size(loaded.config, str(loaded.file))
    refuse_mistakes(loaded)
    say(f"{Level.OK.value:<5} configuration: {loaded.file or 'none, using the defaults'}")
    for notice in loaded.notices:
        say(f"{Level.NOTE.value:<5} configuration: {notice}")
    if loaded.settings.problem:
        say(f"{Level.NOTE.value:<5} settings: {loaded.settings.file} is not used: {loaded.settings.problem}")
    elif loaded.settings.digest:
        say(f"{Level.OK.value:<5} settings: {loaded.settings.file}, which the site writes; `camalert config` shows it")
    is_wrong = False
    for finding in findings(loaded):
        is_wrong |= finding.level is Level.WRONG
        say(f"{finding.level.value:<5} {finding.topic}: {finding.message}")
    return Exit.CANNOT_START if is_wrong else Exit.OK
