"""`camalert cameras`: which there are, and what the owner says of their names."""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

from camalert import identity
from camalert.cli.options import add_configuration, configuration, database_file
from camalert.cli.terminal import say
from camalert.config.build import near
from camalert.config.schema import Config
from camalert.errors import CamalertError, Exit, StatusError, StoreError, StoreRefused
from camalert.status import model as status
from camalert.store import cameras
from camalert.store.cameras import Change
from camalert.store.sqlite.opening import open_reader, translated
from camalert.system import rights

DESCRIPTION = """\
List the cameras, or say what they are called:

  list               the cameras that mailed, and the names they had (default)
  rename OLD NEW     call a camera otherwise
  merge A INTO       make one camera of two: what A sent and sends is INTO's
  forget NAME        a camera that is gone: no longer listed, nor reported as
                     silent; it comes back with its next mail

What is stored follows, switches too, and so do later mails that give the old
name. The service need not be restarted. Capitals and blanks do not matter. A
name in a [[camera]] block is changed there first. To undo a renaming, rename
again. A camera without a [[camera]] block is forgotten by itself after 30 days
of silence."""

EXAMPLES = """\
examples:
  camalert cameras
  camalert cameras rename "IPC 3" Garage
  camalert cameras merge 192.168.1.20 Garage
  camalert cameras forget Cellar

exit codes:
  0   done
  1   there is no such camera, or its name cannot be changed so
  78  the configuration is invalid"""

_NAMES = {"list": (), "rename": ("OLD", "NEW"), "merge": ("A", "INTO"), "forget": ("NAME",)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=tuple(_NAMES), nargs="?", default="list", help="what to do (default: list)")
    parser.add_argument("names", metavar="NAME", nargs="*", help="names of cameras, as listed")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    wanted = _NAMES[arguments.what]
    names = [str(name) for name in arguments.names]
    if arguments.what == "merge" and len(names) == 3 and names[1].casefold() == "into":
        del names[1]
    if len(names) != len(wanted):
        usage = " ".join((arguments.what, *wanted))
        raise CamalertError(f"write `camalert cameras {usage}`, with quotes around a name that has blanks")
    config = configuration(arguments).config
    database = database_file(config)
    if arguments.what == "list":
        return _list(database)
    heard = _heard(Path(config.service.run_dir))
    try:
        with rights.as_owner_of(database):
            say(*_change(config, arguments.what, names, heard))
    except StoreRefused as error:
        known = [name for name in dict.fromkeys((*heard, *_known(database))) if identity.key(name)]
        is_unknown = identity.key(names[0]) not in {identity.key(name) for name in known}
        meant = near(names[0], known) if is_unknown and "called" not in str(error) else ""
        raise CamalertError(f"{error}{f'; did you mean {meant}?' if meant else ''}") from error
    return Exit.OK


def _change(config: Config, what: str, names: list[str], heard: list[str]) -> list[str]:
    """Do what is wanted; return what is said of it."""
    now_utc = time.time()
    match what, names:
        case "rename", [old, new]:
            return _said(old, "is called", cameras.rename(config, old, new, now_utc))
        case "merge", [old, into]:
            return _said(old, "is", cameras.merge(config, old, into, now_utc))
        case _, [name, *_]:
            cameras.forget(config, name, now_utc, also=heard)
            return [f"{name} is forgotten until its next mail"]
    return []


def _said(old: str, verb: str, change: Change) -> list[str]:
    return [
        f"{old} {verb} {change.name} from now on, in {status.counted(change.pictures, 'stored picture')} too",
        *change.remarks,
    ]


def _list(database: Path) -> int:
    found = _read(database)
    if not found:
        say("no camera has mailed yet")
    for camera in found:
        also = f"; calls itself {', '.join(camera.also)}" if camera.also else ""
        seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(camera.seen_utc))
        say(f"{camera.name}: {status.counted(camera.mails, 'mail')}, last seen {seen}{also}")
    return Exit.OK


def _known(database: Path) -> list[str]:
    """Return the cameras that the database knows, none when it cannot be read."""
    try:
        return [camera.name for camera in _read(database)]
    except StoreError:
        return []


def _read(database: Path) -> list[cameras.Known]:
    with rights.as_owner_of(database), contextlib.closing(open_reader(database)) as connection, translated():
        return cameras.known(connection)


def _heard(folder: Path) -> list[str]:
    """Return the cameras in the service's status, if there is one."""
    try:
        with rights.as_owner_of(folder):
            return [camera.name for camera in status.read(folder).cameras]
    except StatusError:
        return []
