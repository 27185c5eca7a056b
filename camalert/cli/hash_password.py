"""`camalert hash-password`: a password as the configuration keeps it."""

from __future__ import annotations

import argparse
import getpass
import sys

from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Ask for a password and print it hashed, as it stands in the configuration for a camera's login. The password itself is
never shown or stored. It is read from standard input when that is no terminal."""

EXAMPLES = """\
example:
  camalert hash-password

and with what it prints, in config.toml:
  [smtp.auth]
  accept = "users"
  [[smtp.auth.user]]
  name = "garage"
  password = "scrypt:…"

By default any login is accepted: only who is in the local network can send at all, and many cameras send their
password in the clear."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options: a password on the command line would be seen by everybody on the machine."""


def run(_arguments: argparse.Namespace) -> int:
    """Ask and print."""
    from camalert.smtp.passwords import hashed

    password = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CamalertError("the password is empty")
    print(hashed(password))
    return Exit.OK


def _ask() -> str:
    first = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != first:
        raise CamalertError("these were two different passwords")
    return first
