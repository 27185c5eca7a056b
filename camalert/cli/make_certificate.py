"""`camalert make-certificate`: a self-signed certificate for listeners with TLS."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.errors import Exit

DESCRIPTION = """\
Make a key and a self-signed certificate for the listeners with tls = "starttls" or "implicit", into the files that
smtp.certificate and smtp.private_key name. Files that exist are not overwritten. It needs the openssl program."""

EXAMPLES = """\
examples:
  camalert make-certificate
  camalert make-certificate --name cams.home.lan --name 192.168.1.5

A camera that checks certificates must be told to trust this one; most do not check."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        help="a name or address of this machine as cameras know it, any number (default: its host name)",
    )
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make both files."""
    from camalert.smtp.tls import make_certificate

    smtp = configuration(arguments).config.smtp
    names = tuple(arguments.name or [socket.gethostname()])
    make_certificate(Path(smtp.certificate), Path(smtp.private_key), names)
    print(
        f"{smtp.certificate}: certificate for {', '.join(names)}\n{smtp.private_key}: its key, for nobody else's eyes"
    )
    return Exit.OK
