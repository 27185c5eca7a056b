"""`camalert status`: processes, cameras, pending pictures and the latest alarms."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import time
from pathlib import Path

from camalert import identity
from camalert.cli.options import add_configuration, configuration
from camalert.cli.terminal import complain, say, say_json
from camalert.config.schema import Config, Database
from camalert.errors import StatusError, StoreError
from camalert.notify import outbox
from camalert.status import model as status
from camalert.status.text import Health, Kept, KeptBytes, Stored, camera_lines, health, kept_lines, lines
from camalert.store import filesystem
from camalert.store.rows import switches
from camalert.store.sqlite import space
from camalert.store.sqlite.opening import open_reader
from camalert.system import rights
from camalert.visits import policy

DESCRIPTION = """\
Show the service's processes and cameras, what is pending, and the latest
alarms, from the running service's status file and the database."""

EXAMPLES = """\
examples:
  camalert status
  camalert status --cameras
  camalert status --json | jq .cameras
  camalert status >/dev/null || notify-the-owner

exit codes, as for monitoring plugins:
  0   all is well
  1   degraded: a process is down, a camera is silent, or it is starting
  2   not running
  3   unknown: no status file, or not readable"""

LATEST = 5
_LATEST_SQL = """
SELECT alert_id, timestamp, coalesce(camera, ''),
       coalesce(outcome, CASE WHEN alert_id IN (SELECT alert_id FROM camalert_pending) THEN 'pending' ELSE '' END),
       subject, coalesce(reason, '')
FROM camalert_alert ORDER BY alert_id DESC LIMIT ?"""
_KEPT_SQL = """
WITH rate AS (SELECT coalesce(1.0 * sum(alerts) / count(DISTINCT day), 0) AS alerts,
                     coalesce(1.0 * sum(detections) / count(DISTINCT day), 0) AS detections
              FROM camalert_day WHERE day >= date('now', '-7 days'))
SELECT 'alarms', rows, keep, coalesce((SELECT min(timestamp) FROM camalert_alert), ''), alerts
FROM camalert_rows, rate WHERE name = 'alerts_alert' UNION ALL
SELECT 'pictures with people', rows, keep, coalesce((SELECT min(timestamp) FROM camalert_detect), ''), detections
FROM camalert_rows, rate WHERE name = 'alerts_detect'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configuration(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument(
        "--cameras", action="store_true",
        help="only the cameras: when last seen, last mail, last picture, last failure and why",
    )  # fmt: skip
    parser.add_argument(
        "--latest", metavar="N", type=int, default=LATEST, help=f"how many alarms to list (default: {LATEST})"
    )


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments).config
    try:
        with rights.as_owner_of(Path(config.service.run_dir)):
            found = status.read(Path(config.service.run_dir))
    except StatusError as error:
        if arguments.json:
            say_json({"health": Health.UNKNOWN.name.lower(), "message": str(error)})
        else:
            complain(str(error))
        return Health.UNKNOWN
    now_utc = time.time()
    judgement, message = health(found, now_utc, is_alive=Path(f"/proc/{found.pid}").exists())
    if arguments.json:
        facts = {"health": judgement.name.lower(), "message": message, **json.loads(found.encode())}
        say_json(facts, indent=1)
        return judgement
    if arguments.cameras:
        say(*camera_lines(found, now_utc))
        return judgement
    rights.become_owner_of(Path(config.database.path))
    stored = _stored(config, arguments.latest, now_utc)
    say(*lines(found, now_utc, message, stored))
    if stored.complaint:
        say("", f"latest alarms: {stored.complaint}")
    return judgement


def _stored(config: Config, count: int, now_utc: float) -> Stored:
    """Return what the database has to say."""
    if config.database.url:
        return Stored(complaint="they are in PostgreSQL, which this command does not read")
    path = Path(config.database.path)
    try:
        is_readable = not path.exists() or os.access(path, os.R_OK)
    except PermissionError:  # the folder already
        is_readable = False
    if not is_readable:
        return Stored(complaint=f"{path} is not readable by this user: join the group camalert")
    try:
        reader = open_reader(path)
    except StoreError as error:
        return Stored(complaint=str(error))
    try:
        latest = reader.execute(_LATEST_SQL, (count,)).fetchall()
        return Stored(latest, _kept(reader, config.database), _told(reader, config, now_utc))
    except sqlite3.Error as error:
        return Stored(complaint=f"{path}: {error}")
    finally:
        reader.close()


def _told(reader: sqlite3.Connection, config: Config, now_utc: float) -> list[list[str]]:
    """Return how each target of messages has fared, and what is switched."""
    rows = []
    for target in config.notify:
        record = outbox.record_of(reader, target.name)
        sent = "nothing sent yet" if record.sent_utc is None else f"last sent {_moment(record.sent_utc)}"
        rows.append([target.name, sent, f"{record.waiting} waiting" if record.waiting else "", record.problem])
    if not rows:
        return []
    switched = switches.read(reader, now_utc)
    names = {identity.key(name): str(name) for (name,) in reader.execute("SELECT name FROM camalert_camera")}
    rule = _switched(switched, "", now_utc)
    rows.append(["all cameras", rule, "", ""])
    apart = sorted({*switched.armed, *switched.snoozed} - {""})
    rows += [
        [names.get(camera, camera), own, "", ""]
        for camera in apart
        if (own := _switched(switched, camera, now_utc)) != rule
    ]
    is_home = switched.presence == policy.HOME
    if is_home or any(target.away_cameras for target in config.notify):
        rows.append(["at home", "somebody" if is_home else "nobody", "", ""])
    return rows


def _switched(switched: policy.Switches, camera: str, now_utc: float) -> str:
    """Return what holds for a camera, "" for all."""
    states = [] if switched.is_armed(camera) else ["disarmed"]
    if snooze := switched.snooze_of(camera, now_utc):
        states.append(f"snoozed until {_moment(snooze[0])}" + (f" by {snooze[1]}" if snooze[1] else ""))
    return ", ".join(states) or "armed"


def _moment(utc_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(utc_s))


def _kept(reader: sqlite3.Connection, settings: Database) -> list[str]:
    used_bytes = space.used_bytes(reader)
    limits = [settings.keep_bytes] if settings.keep_bytes else []
    if settings.keep_disk_percent:
        free_bytes = filesystem.free_bytes(Path(settings.path).parent)
        share_bytes = filesystem.share_bytes(settings.keep_disk_percent, space.file_bytes(reader), free_bytes)
        limits.append(max(share_bytes, used_bytes))
    size = KeptBytes(used_bytes, min(limits, default=0))
    return kept_lines([Kept(*row) for row in reader.execute(_KEPT_SQL)], size)
