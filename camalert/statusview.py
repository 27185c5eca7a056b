"""The status as a person reads it in a terminal, and as one exit code for monitoring.

Pure: status in, lines out.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from camalert.status import DAY_S, STALE_S, CameraStatus, Status, status_words

MIB = 1 << 20


class Health(enum.IntEnum):
    """Say how the service is, as monitoring plugins do with their exit code.

    Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes".
    """

    GOOD = 0
    DEGRADED = 1
    DOWN = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class LastAlarm:
    """One of the latest rows of the database."""

    alert_id: int
    timestamp: str
    camera: str
    subject: str
    outcome: str  # "person", "nobody", "failed", "unexamined", "pending"
    reason: str = ""


def health(status: Status, now_utc: float, *, is_alive: bool) -> tuple[Health, str]:
    """Judge a status that was read at `now_utc`; `is_alive` tells whether its process exists."""
    age_s = now_utc - status.written_utc
    if status.state == "stopped" or not is_alive:
        words = status_words(status) if status.state == "stopped" else "It ended without saying why: see its log"
        return Health.DOWN, f"{words} ({_ago(age_s)})"
    if age_s > STALE_S:
        return Health.DOWN, f"Process {status.pid} is there but has given no sign of life for {_span(age_s)}"
    if status.state != "running" or status.degraded() or status.silent():
        return Health.DEGRADED, status_words(status)
    return Health.GOOD, status_words(status)


def lines(status: Status, now_utc: float, words: str, last: Sequence[LastAlarm]) -> list[str]:
    """Return what `camalert status` prints."""
    head = f"camalert {status.version}" + (f" ({status.name})" if status.name != "camalert" else "")
    return [
        f"{head}: {words}",
        "",
        *_table(_figures(status, now_utc)),
        *_section("processes", ([child.name, child.state, f"pid {child.pid}" if child.pid else "",
                                 f"for {_span(now_utc - child.since_utc)}",
                                 f"{child.restarts} restarts" if child.restarts else "", child.reason]
                                for child in status.children)),
        *_section("cameras", (_camera(camera, now_utc) for camera in status.cameras)),
        *_section("latest alarms", ([str(alarm.alert_id), alarm.timestamp, alarm.camera or "-", alarm.outcome,
                                     alarm.subject, alarm.reason] for alarm in last)),
        *_section("troubles", ([_ago(now_utc - trouble.at_utc), trouble.event, trouble.words]
                               for trouble in status.troubles)),
    ]  # fmt: skip


def camera_lines(status: Status, now_utc: float) -> list[str]:
    """Return what `camalert status --cameras` prints: of each camera the last that was heard, and what went wrong."""
    if not status.cameras:
        return ["no camera has sent a mail yet; docs/cameras.md says how to set one up"]
    heads = ["camera", "", "sign of life", "mail", "picture", "last failure"]
    return _table([heads, *(_camera_times(camera, now_utc) for camera in status.cameras)])


def _figures(status: Status, now_utc: float) -> list[list[str]]:
    return [
        ["running since", f"{_span(now_utc - status.started_utc)}, pid {status.pid}"],
        ["detector", status.engine or "none yet"],
        ["today", f"{status.alerts_today} alarms, {status.detections_today} with people, {status.pending} pending"],
        ["since the start", f"{status.mails} mails with {status.pictures} pictures; {status.examined} examined, "
                            f"{status.persons} with people, {status.failed} failed"],
        ["last minute", f"{status.pictures_per_minute:g} pictures stored, {status.examined_per_minute:g} examined"],
        ["pool", f"{status.slots_used} of {status.slots_total} frame slots in use, "
                 f"{status.pool_bytes / MIB:.0f} MiB shared memory"],
    ]  # fmt: skip


def _camera_times(camera: CameraStatus, now_utc: float) -> list[str]:
    moments = (camera.last_sign_utc, camera.last_mail_utc, camera.last_picture_utc)
    return [
        camera.name, "SILENT" if camera.is_silent else "",
        *(_ago(now_utc - at_utc) if at_utc else "never" for at_utc in moments),
        _failure(camera, now_utc) or "none",
    ]  # fmt: skip


def _camera(camera: CameraStatus, now_utc: float) -> list[str]:
    heard = f"last picture {_ago(now_utc - camera.last_picture_utc)}" if camera.last_picture_utc else "no picture yet"
    if not camera.last_picture_utc and camera.last_mail_utc:
        heard = f"last mail {_ago(now_utc - camera.last_mail_utc)}"
    failure = _failure(camera, now_utc)
    return [camera.name, "SILENT" if camera.is_silent else "", heard, f"failed {failure}" if failure else ""]


def _failure(camera: CameraStatus, now_utc: float) -> str:
    return f"{_ago(now_utc - camera.last_failure_utc)}: {camera.last_failure}" if camera.last_failure_utc else ""


def _section(title: str, rows: Iterable[list[str]]) -> list[str]:
    listed = list(rows)
    return ["", title, *_table(listed)] if listed else []


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width).rstrip()
        for row in rows
    ]


def _ago(seconds: float) -> str:
    return f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    """Write a length of time in the one unit that matters."""
    for unit_s, unit in ((DAY_S, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"
