"""`camalert status`: what runs, what waits, what was last."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from pathlib import Path

from camalert import status
from camalert.cli.options import add_configuration, configuration
from camalert.errors import StatusError, StoreError
from camalert.logline import printable
from camalert.statusview import Health, LastAlarm, camera_lines, health, lines
from camalert.store.connection import open_reader

DESCRIPTION = """\
Say how the service is: its processes, its cameras, what waits to be examined and the latest alarms.

It reads the status file that the running service writes, and the database, read-only."""

EXAMPLES = """\
examples:
  camalert status
  camalert status --cameras
  camalert status --json | jq .cameras
  camalert status >/dev/null || notify-the-owner

exit codes, as monitoring plugins have them: 0 all is well, 1 degraded (a process is down, a camera is silent, still
starting), 2 not running, 3 cannot tell (no status file, not readable)"""

LATEST = 5
_LATEST_SQL = """
SELECT alert_id, timestamp, camera, subject,
       coalesce(outcome, CASE WHEN alert_id IN (SELECT alert_id FROM camalert_pending) THEN 'pending' ELSE '' END),
       coalesce(reason, '')
FROM camalert_alert ORDER BY alert_id DESC LIMIT ?"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the status file's contents with the judgement")
    form.add_argument(
        "--cameras", action="store_true",
        help="only the cameras: last sign of life, last mail, last picture, last failure and why",
    )  # fmt: skip
    parser.add_argument(
        "--latest", metavar="N", type=int, default=LATEST, help=f"how many alarms to list (default: {LATEST})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the status and return its judgement."""
    config = configuration(arguments).config
    try:
        found = status.read(Path(config.service.run_dir))
    except StatusError as error:
        if arguments.json:
            _print(json.dumps({"health": Health.UNKNOWN.name.lower(), "words": str(error)}))
        else:
            sys.stderr.write(f"camalert: {error}\n")
        return Health.UNKNOWN
    now_utc = time.time()
    judgement, words = health(found, now_utc, is_alive=Path(f"/proc/{found.pid}").exists())
    if arguments.json:
        facts = {"health": judgement.name.lower(), "words": words, **json.loads(found.encode())}
        _print(json.dumps(facts, ensure_ascii=False, indent=1))
        return judgement
    if arguments.cameras:
        _print("\n".join(printable(line) for line in camera_lines(found, now_utc)))
        return judgement
    latest, complaint = _latest(Path(config.database.path), arguments.latest)
    _print("\n".join(printable(line) for line in lines(found, now_utc, words, latest)))
    if complaint:
        _print(f"\nlatest alarms: {complaint}")
    return judgement


def _latest(path: Path, count: int) -> tuple[list[LastAlarm], str]:
    """Return the newest rows, or in words why there are none."""
    if path.exists() and not os.access(path, os.R_OK):
        return [], f"{path} is not readable for this user: join the group camalert"
    try:
        reader = open_reader(path)
    except StoreError as error:
        return [], str(error)
    try:
        return [LastAlarm(*row) for row in reader.execute(_LATEST_SQL, (count,))], ""
    except sqlite3.Error as error:
        return [], f"{path}: {error}"
    finally:
        reader.close()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
