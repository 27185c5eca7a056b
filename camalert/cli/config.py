"""`camalert config`: the values in force, and the file and line that each comes from."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import say
from camalert.config.build import KeyPath, dotted, keys_of, near, origin_of, shown, undotted
from camalert.config.schema import Config
from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Show the configuration in force: each key that is set somewhere, its value, and
where it is set. config.toml wins over settings.toml, which the review site
writes; variables of the environment win over both."""

EXAMPLES = """\
examples:
  camalert config
  camalert config camera
                        what is set below one key
  camalert config --all review
                        the defaults as well
  camalert config --json"""

DEFAULT = "default"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", nargs="?", default="", help="show only this key and those below it")
    parser.add_argument("--all", action="store_true", help="show the keys with their defaults too")
    parser.add_argument("--json", action="store_true", help="print a JSON list of key, value and origin")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    loaded = configuration(arguments)
    below = undotted(arguments.key)
    if below and not any(isinstance(step, int) for step in below) and arguments.key not in keys_of(Config):
        meant = near(arguments.key, keys_of(Config))
        raise CamalertError(f"there is no key {arguments.key}" + (f"; did you mean {meant}?" if meant else ""))
    found = [
        (dotted(path), value, origin_of(path, loaded.origins) or DEFAULT)
        for path, value in _values(loaded.config, ())
        if path[: len(below)] == below
    ]
    found = [row for row in found if arguments.all or row[2] != DEFAULT]
    if arguments.json:
        say(json.dumps([{"key": key, "value": value, "origin": origin} for key, value, origin in found], indent=2))
        return Exit.OK
    for key, value, origin in found:
        say(f"{key} = {shown(value)}   ({origin})")
    if not found:
        say("nothing is set: the defaults apply")
    if loaded.settings.problem:
        say(f"{loaded.settings.file} is not used: {loaded.settings.problem}")
    return Exit.OK


def _values(table: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every key of a table and those below it with its value; secrets are hidden."""
    for item in dataclasses.fields(table):
        value = getattr(table, item.name)
        below = (*path, item.name)
        if dataclasses.is_dataclass(value):
            yield from _values(value, below)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for number, entry in enumerate(value):
                yield from _values(entry, (*below, number))
        else:
            yield below, "(hidden)" if item.metadata.get("secret") and value else value
