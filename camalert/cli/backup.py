"""`camalert backup`: a copy of the database while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.cli.progress import Progress
from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Copy the database into a new file while the service runs. The copy is of one moment and complete by itself: to go back
to it, stop the service and put it in the place of the database (and remove the files that end in -wal and -shm)."""

EXAMPLES = """\
examples:
  camalert backup /mnt/usb/alerts-$(date +%F).sqlite3
  camalert backup before-upgrade.sqlite3 --config /etc/camalert/config.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the new file; one that exists is not overwritten")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the copy."""
    from camalert.store.backup import backup

    source = Path(configuration(arguments).config.database.path)
    if not arguments.file.absolute().parent.is_dir():
        raise CamalertError(f"there is no folder {arguments.file.absolute().parent}")
    with Progress(0, "pages") as progress:
        size_bytes = backup(source, arguments.file, progress.reach)
    print(f"{arguments.file}: {size_bytes / 1e6:.1f} MB")
    return Exit.OK
