"""`camalert init-db`: make the database, or bring it up to date."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.errors import Exit

DESCRIPTION = """\
Make the database with its tables and triggers, or bring an existing one up to date: also one of the original system,
whose rows stay. Nothing is lost by calling it again, and `camalert run` does the same by itself."""

EXAMPLES = """\
example:
  camalert init-db --config /etc/camalert/config.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Open the database once, as the service would."""
    from camalert.store.database import Database

    settings = configuration(arguments).config.database
    existed = Path(settings.path).exists()
    with contextlib.closing(Database(settings)) as database:
        database.open()
        for warning in database.take_warnings():
            print(f"note: {warning}")
    print(f"{settings.path} {'is in order' if existed else 'was made'}")
    return Exit.OK
