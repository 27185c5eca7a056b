"""`camalert export-model`: write the networks as a repository for inference servers."""

from __future__ import annotations

import argparse
from pathlib import Path

from camalert.cli.terminal import say
from camalert.config.schema import check_model
from camalert.errors import CamalertError, ConfigError, Exit
from camalert.system import rights

DESCRIPTION = """\
Write camalert's networks into a folder that NVIDIA Triton, OpenVINO Model
Server and MLServer can serve. Detectors with engine = "remote" then ask that
server instead of computing themselves. The folder's README.md has the commands
that start each of the three."""

EXAMPLES = """\
examples:
  camalert export-model /srv/camalert-models
  camalert export-model models --effort fast"""

EFFORTS = ("fast", "balanced", "thorough")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to write; the folder is made if it is missing")
    parser.add_argument(
        "--effort",
        action="append",
        choices=EFFORTS,
        help="only what this effort needs; may be given again (default: all three)",
    )
    parser.add_argument(
        "--name",
        default="camalert",
        help="what the models' names begin with; detector.remote.model must say the same (default: camalert)",
    )


def run(arguments: argparse.Namespace) -> int:
    from camalert.detection import export

    try:
        check_model(arguments.name)
    except ConfigError as error:
        raise ConfigError(f"--name: {error}") from error
    written = 0
    rights.become_owner_of(arguments.folder)
    try:
        for name in export.write(arguments.folder, arguments.name, arguments.effort or EFFORTS):
            say(name)
            written += 1
    except OSError as error:
        raise CamalertError(f"{error.filename or arguments.folder} cannot be written: {error.strerror}") from error
    say(f"{written} models written to {arguments.folder}: its README.md says how to serve them")
    return Exit.OK
