"""`camalert backup`: a copy of the database while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from camalert.cli.options import add_configuration, configuration, database_file
from camalert.cli.terminal import Progress, say
from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Copy the database into a new file while the service runs. The copy is complete
and consistent. To restore it, stop the service, remove the database's files
ending in -wal, -shm and -journal, and put the copy in its place."""

EXAMPLES = """\
examples:
  camalert backup /mnt/usb/alerts-$(date +%F).sqlite3
  camalert backup before-upgrade.sqlite3 --config /etc/camalert/config.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="new file; an existing one is not overwritten")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.store.sqlite.backup import backup

    source = database_file(configuration(arguments).config)
    if not arguments.file.absolute().parent.is_dir():
        raise CamalertError(f"there is no folder {arguments.file.absolute().parent}")
    progress = Progress("pages")
    try:
        size_bytes = backup(source, arguments.file, progress.show)
    finally:
        progress.clear()
    say(f"{arguments.file}: {size_bytes / 1e6:.1f} MB")
    return Exit.OK
