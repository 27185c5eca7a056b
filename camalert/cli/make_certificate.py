"""`camalert make-certificate`: a self-signed certificate for listeners with TLS."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import say
from camalert.errors import Exit
from camalert.system import rights
from camalert.system.certificate import make_certificate

DESCRIPTION = """\
Make a private key and a self-signed certificate for listeners with
tls = "starttls" or "implicit", in the files named by smtp.private_key and
smtp.certificate. Existing files are not overwritten. Needs openssl."""

EXAMPLES = """\
examples:
  camalert make-certificate
  camalert make-certificate --name cams.home.lan --name 192.168.1.5

A camera that verifies certificates must be told to trust this one; most do not
verify."""


TLS_PORT = 1465  # where 465 needs the superuser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        help="name or address that cameras use for this machine; may be repeated (default: its host name)",
    )
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    loaded = configuration(arguments)
    smtp = loaded.config.smtp
    rights.become_owner_of(Path(smtp.private_key), loaded.file)
    names = tuple(arguments.name or [socket.gethostname()])
    make_certificate(Path(smtp.certificate), Path(smtp.private_key), names)
    say(
        f"{smtp.certificate}: certificate for {', '.join(names)}",
        f"{smtp.private_key}: its private key, keep it secret",
    )
    if not any(listen.tls != "none" for listen in smtp.listen):
        say("", f"For cameras with SSL/TLS, add this to {loaded.file or 'config.toml'} and restart camalert:")
        if not any(path[:2] == ("smtp", "listen") for path in loaded.origins):  # a list that is given replaces these
            for listen in smtp.listen:
                say(*_lines(listen.port, listen.tls))
        say(*_lines(TLS_PORT, "implicit"))
    return Exit.OK


def _lines(port: int, tls: str) -> tuple[str, ...]:
    """Return the lines of the configuration for a port."""
    return "", "[[smtp.listen]]", f"port = {port}", f'tls = "{tls}"'
