"""`camalert review-user`: logins of the review site."""

from __future__ import annotations

import argparse
import getpass
import sys

from camalert.cli.options import add_configuration, configuration
from camalert.errors import CamalertError, Exit
from camalert.review.process import require

DESCRIPTION = """\
Make a login of the review site, or give the one of that name another password. The password is asked for; it is read
from standard input when that is no terminal. It works at once, whether the service runs or not."""

EXAMPLES = """\
examples:
  camalert review-user anna                          a login, or a new password for it
  camalert review-user anna --token "home automation"    a token for a program that asks in her name
  camalert review-user anna --remove                 no login any more; her tokens end with it"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the login's name")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--token", metavar="PROGRAM", help="make a token for a program and print it")
    what.add_argument("--remove", action="store_true", help="remove the login")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked, and say so."""
    require()
    from camalert.review import logins  # an extra, which may not be installed

    config = configuration(arguments).config
    logins.open_site(config)
    name: str = arguments.name
    if arguments.remove:
        logins.remove(name)
        print(f"{name} cannot log in any more")
    elif arguments.token:
        print(logins.token(name, arguments.token))
    else:
        is_new = logins.put(name, _password())
        print(f"{name} can log in" + ("" if is_new else " with the new password; other sessions have ended"))
    return Exit.OK


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("password (at least 10 characters): ")
    if getpass.getpass("once more: ") != first:
        raise CamalertError("these were two different passwords")
    return first
