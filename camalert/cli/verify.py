"""`camalert verify`: check the database for damage."""

from __future__ import annotations

import argparse
from pathlib import Path

from camalert.cli.options import add_configuration, configuration, database_file
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.system import rights

DESCRIPTION = """\
Check the database: the file itself, its tables against each other, and that
every alert was examined, is pending, or says why it failed. Nothing is changed,
and the service may run meanwhile. The whole file is read, which takes time."""

EXAMPLES = """\
examples:
  camalert verify
  camalert verify --database /mnt/usb/alerts-2026-05-04.sqlite3    a backup

exit codes:
  0   the database is sound
  1   it is damaged, or cannot be read
  78  the configuration is invalid"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", metavar="FILE", type=Path, help="check this file instead of the configured one")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.store.sqlite.verify import verify

    path = arguments.database or database_file(configuration(arguments).config)
    rights.become_owner_of(path)
    report = verify(path)
    say(
        f"{path}: {report.alerts} alerts, {report.detections} with people, {report.pending} pending, "
        f"{report.failed} failed"
    )
    for finding in report.findings:
        say(f"{'WRONG' if finding.is_fault else 'note '} {finding.message}")
    say("sound" if report.is_sound else "NOT sound: stop the service, keep a copy of the file, and go back to a backup")
    return Exit.OK if report.is_sound else Exit.CRASH
