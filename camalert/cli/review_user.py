"""`camalert review-user`: accounts of the review site."""

from __future__ import annotations

import argparse
from pathlib import Path

from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import new_password, say
from camalert.errors import CamalertError, Exit
from camalert.review import settings
from camalert.review.process import require
from camalert.system import networks, rights

MAX_DAYS = 36_500
DESCRIPTION = """\
Create an account for the review site, change its password, or make a token for
a program. The password is asked for; without a terminal it is read from
standard input. Changes apply at once, whether or not the service runs."""

EXAMPLES = """\
examples:
  camalert review-user anna
                        an account, or a new password for it
  camalert review-user ben --role viewer
                        may look, review and mark, but not delete
  camalert review-user anna --token "home automation"
                        a token for a program, read-only, valid for a year
  camalert review-user anna --token backup --scope review --days 0
                        may review and mark, valid forever
  camalert review-user anna --no-second-factor
                        the password alone logs in again: app and codes are lost
  camalert review-user anna --remove
                        remove the account and its tokens"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the account")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--token", metavar="PROGRAM", help="make and print a token for a program")
    parser.add_argument(
        "--role", choices=("owner", "viewer"), help="what the account may do (default for a new one: owner)"
    )
    parser.add_argument("--keep-tokens", action="store_true", help="keep its tokens valid with the new password")
    parser.add_argument(
        "--scope", choices=("read", "review", "admin"), default="read", help="what the token may do (default: read)"
    )
    parser.add_argument("--days", type=int, default=365, help="how long the token is valid (default 365; 0: forever)")
    what.add_argument("--no-second-factor", action="store_true", help="take the account's second factor off")
    what.add_argument("--remove", action="store_true", help="remove the account")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    require()
    loaded = configuration(arguments)
    config = loaded.config
    rights.become_owner_of(Path(config.review.data_dir), loaded.file)
    settings.open_site(config)
    from camalert.review import logins  # only once Django is set up

    name: str = arguments.name
    if arguments.remove:
        logins.remove(name)
        say(f"{name} can no longer log in")
    elif arguments.no_second_factor:
        was_on = logins.no_second_factor(name)
        say(f"{name} logs in with the password alone" + ("" if was_on else " already: no second factor was on"))
    elif arguments.token:
        if not 0 <= arguments.days <= MAX_DAYS:
            raise CamalertError(f"--days must be 0 to {MAX_DAYS}")
        say(logins.token(name, arguments.token, arguments.scope, arguments.days))
    else:
        is_owner = None if arguments.role is None else arguments.role == "owner"
        password = new_password("password (at least 10 characters): ")
        is_new = logins.put(name, password, is_owner=is_owner, keeps_tokens=arguments.keep_tokens)
        ended = "other sessions have ended" if arguments.keep_tokens else "other sessions and all tokens have ended"
        url = networks.site_url(config.review)
        say(f"{name} can log in{f' at {url}' if url else ''}" + ("" if is_new else f" with the new password; {ended}"))
    return Exit.OK
