"""`camalert hash-password`: a camera's password as the configuration keeps it."""

from __future__ import annotations

import argparse

from camalert.cli.terminal import new_password, say
from camalert.errors import CamalertError, Exit

DESCRIPTION = """\
Ask for a password and print its hash, for a camera's login in the
configuration. The password is neither shown nor stored. Without a terminal it
is read from standard input."""

EXAMPLES = """\
example:
  camalert hash-password

Put the hash into config.toml:
  [smtp.auth]
  accept = "users"
  [[smtp.auth.user]]
  name = "garage"
  password = "scrypt:…"

By default any login is accepted: only the local network can send, and many
cameras send their password unencrypted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options: every user of the machine could read a password on the command line."""


def run(_arguments: argparse.Namespace) -> int:
    from camalert.intake.smtp.passwords import hash_password

    password = new_password("password: ")
    if not password:
        raise CamalertError("the password is empty")
    say(hash_password(password))
    return Exit.OK
