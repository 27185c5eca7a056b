"""`camalert init-db`: create the database, or upgrade it."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.system import rights

DESCRIPTION = """\
Create the database, or upgrade an existing one, including the original
system's. No rows are lost, and it is safe to repeat. The service does the same
when it starts."""

EXAMPLES = """\
example:
  camalert init-db --config /etc/camalert/config.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.store import stores

    loaded = configuration(arguments)
    settings = loaded.config.database
    rights.become_owner_of(Path(settings.path), loaded.file)
    existed = bool(settings.url) or Path(settings.path).exists()
    with contextlib.closing(stores.store_of(settings)) as store:
        store.open()
        for warning in store.take_warnings():
            say(f"note: {warning}")
    say(f"{store.place} {'is up to date' if existed else 'was created'}")
    return Exit.OK
