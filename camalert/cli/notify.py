"""`camalert notify`: where messages go, how that went lately, and a test."""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

from camalert.cli.options import add_configuration, configuration, database_file
from camalert.cli.terminal import say
from camalert.config.build import near
from camalert.config.schema import Config, Notify
from camalert.errors import CamalertError, ConfigError, Exit, StoreError

DESCRIPTION = """\
Show where messages go: the target of each [[notify]] block, when a message was
last sent to it, and what failed. Or send one of them a real message with a
sample picture, and show its answer."""

EXAMPLES = """\
examples:
  camalert notify --list
  camalert notify --test phone

exit codes:
  0   listed, or the test was sent
  1   the test could not be sent, or there is no such target
  78  the configuration is invalid"""

SAMPLE = Path(__file__).parents[1] / "detection" / "models" / "astronaut.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="list all targets")
    what.add_argument("--test", metavar="NAME", help="send a test to one of them")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments).config
    if arguments.list:
        return _list(config)
    for target in config.notify:
        if target.name == arguments.test:
            return _test(target, config)
    names = [target.name for target in config.notify]
    meant = near(arguments.test, names)
    known = (
        f"did you mean {meant}?" if meant else f"there are {', '.join(names)}" if names else "there is no [[notify]]"
    )
    raise CamalertError(f"there is no target {arguments.test}; {known}")


def _list(config: Config) -> int:
    from camalert.notify.channel import open_channel

    found = config.notify
    if not found:
        say("nobody is told of anything: there is no [[notify]] in the configuration (see docs/notifications.md)")
    for target in found:
        try:
            address = str(open_channel(target, config.review).address)
        except ConfigError as error:
            address = f"cannot be used: {error}"
        say(f"{target.name}: {address}")
        say(f"  tells of {', '.join(target.events)}" + (f" during {target.hours}" if target.hours else ""))
        say(f"  {_record(target.name, database_file(config))}")
    return Exit.OK


def _record(name: str, database: Path) -> str:
    """Say how a target has fared."""
    import sqlite3

    from camalert.notify import outbox
    from camalert.store.sqlite.opening import open_reader

    try:
        with contextlib.closing(open_reader(database)) as connection:
            found = outbox.record_of(connection, name)
    except (sqlite3.Error, StoreError):
        return "nothing is known of what was sent: there is no database yet"
    sent = "no message sent yet" if found.sent_utc is None else f"last message sent {_moment(found.sent_utc)}"
    waiting = f", {found.waiting} waiting" if found.waiting else ""
    return f"{sent}{waiting}" + (f"; the last try failed: {found.problem}" if found.problem else "")


def _moment(at_utc: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_utc))


def _test(target: Notify, config: Config) -> int:
    import uuid
    from dataclasses import replace

    from camalert.notify import message, picture
    from camalert.notify.channel import SENT, open_channel

    now_utc = time.time()
    row = message.Row(
        0, str(uuid.uuid4()), message.TEST, "", now_utc, now_utc, message="If you can read this, messages arrive here."
    )
    test = message.compose([row], None, now_utc, None)
    if target.picture:
        test = replace(test, picture=picture.fit(SAMPLE.read_bytes()))
    opened = open_channel(target, config.review)
    began_at = time.monotonic()
    answer = opened.send(test)
    opened.channel.close()
    took_s = time.monotonic() - began_at
    if answer.code == SENT:
        say(
            f"{target.name}: sent to {opened.address} in {took_s:.1f} s"
            + (f" ({answer.reason})" if answer.reason else "")
        )
        return Exit.OK
    say(f"{target.name}: not sent to {opened.address}: {answer.reason}")
    if answer.retry_after_s:
        say(f"  it asks to wait {answer.retry_after_s:.0f} s")
    return Exit.CRASH
