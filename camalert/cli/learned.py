"""`camalert learned`."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from camalert.cli.options import add_configuration, configuration, database_file
from camalert.cli.terminal import say, say_json
from camalert.config.schema import Config
from camalert.errors import CamalertError, Exit

Found = TypeVar("Found")
BUSY_S = 10.0

DESCRIPTION = """\
Show what was learned of the cameras: objects that are found as people and do
not count, because somebody marked them "not a person" or because they do not
move; and the thresholds that the marks propose."""

EXAMPLES = """\
examples:
  camalert learned
  camalert learned garage --json
  camalert learned --forget 12         known object 12 counts again"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("camera", metavar="CAMERA", nargs="?", default="", help="one camera (default: all)")
    parser.add_argument("--forget", metavar="NUMBER", type=int, help="let this known object count again")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    from camalert.store.rows import learned
    from camalert.system import rights

    config = configuration(arguments).config
    database = database_file(config)
    with rights.as_owner_of(database):
        if arguments.forget is not None:
            camera = _write(database, lambda connection: learned.forget(connection, arguments.forget))
            if camera is None:
                raise CamalertError(f"there is no known object {arguments.forget}; `camalert learned` lists them")
            say(f"known object {arguments.forget} of {camera or 'a camera without a name'} counts again")
            return Exit.OK
        _show(config, database, arguments.camera, is_json=arguments.json)
    return Exit.OK


def _show(config: Config, database: Path, camera: str, *, is_json: bool) -> None:
    from camalert.detection import rules, thresholds
    from camalert.store.rows import learned
    from camalert.store.sqlite.opening import open_reader, translated

    with contextlib.closing(open_reader(database)) as connection, translated():
        objects = learned.listed(connection, camera or None)
        seen = connection.execute("SELECT name FROM camalert_camera ORDER BY last_seen_utc DESC LIMIT 200").fetchall()
        names = [camera] if camera else [str(name) for (name,) in seen]
        proposals = {}
        for name in names:
            own = rules.camera_of(config, name)
            base = rules.threshold_of(config, own)
            missed = learned.memory(connection, name, config.learn).missed
            in_force = base if own.threshold else thresholds.lowered(base, missed)
            if found := thresholds.propose(learned.judged(connection, name), in_force):
                proposals[name] = found
    if is_json:
        say_json({
            "known": [
                {
                    "id": one.id, "camera": one.camera, "kind": one.kind, "moments": one.seen.moments,
                    "first_utc": one.seen.first_utc, "last_utc": one.seen.last_utc, "alert_id": one.alert_id or None,
                    "box": [one.place.x, one.place.y, one.place.width, one.place.height],
                }
                for one in objects
            ],
            "thresholds": {name: found.threshold for name, found in proposals.items()},
        })  # fmt: skip
        return
    for one in objects:
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.seen.last_utc))
        why = (
            "does not move" if one.kind == "static" else "marked as not a person" + (f" by {one.by}" if one.by else "")
        )
        moments = f"{one.seen.moments} moment{'' if one.seen.moments == 1 else 's'}"
        say(f"{one.id:>5}  {one.camera or 'unnamed'}: {why}; seen at {moments}, last {last}")
    for name, found in proposals.items():
        say(f"{name or 'unnamed'}: threshold {found}")
    if not objects and not proposals:
        say("nothing was learned yet: everybody who is found counts")


def _write(database: Path, work: Callable[[sqlite3.Connection], Found]) -> Found:
    """Change the database that the service uses too."""
    from camalert.store.sqlite.opening import connect, translated

    with translated(), contextlib.closing(connect(database, "rw", wait_s=BUSY_S)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer's work
        connection.execute("BEGIN IMMEDIATE")
        found = work(connection)
        connection.execute("COMMIT")
    return found
