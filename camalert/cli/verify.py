"""`camalert verify`: whether the database is sound."""

from __future__ import annotations

import argparse
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.errors import Exit

DESCRIPTION = """\
Look whether the database is sound: the file itself, its tables against each other, and that every alert is examined,
waits for its examination or says why it failed. Nothing is changed, and the service may run meanwhile. The whole file
is read, so a large one takes its time."""

EXAMPLES = """\
examples:
  camalert verify
  camalert verify --database /mnt/usb/alerts-2026-05-04.sqlite3      a backup

exit codes: 0 sound, 1 not (or it cannot be read), 78 the configuration is wrong"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--database", metavar="FILE", type=Path, help="another file than the configured one")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what was looked at and what was found."""
    from camalert.store.verify import verify

    path = arguments.database or Path(configuration(arguments).config.database.path)
    report = verify(path)
    print(
        f"{path}: {report.alerts} alerts, {report.detections} with people, {report.pending} waiting to be examined, "
        f"{report.failed} that could not be examined"
    )
    for finding in report.findings:
        print(f"{'WRONG' if finding.is_fault else 'note '} {finding.words}")
    print(
        "sound" if report.is_sound else "NOT sound: stop the service, keep a copy of the file, and go back to a backup"
    )
    return Exit.OK if report.is_sound else Exit.CRASH
