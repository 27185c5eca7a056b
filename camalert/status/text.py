"""The status as text for a person, and as one exit code for monitoring."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from camalert.status.model import DAY_S, STALE_S, CameraStatus, ChildStatus, Status, counted

MIB = 1 << 20
LINE_CHARS = 120  # of an alarm


class Health(enum.IntEnum):
    """How the service is, with the exit codes of monitoring plugins.

    Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes".
    """

    GOOD = 0
    DEGRADED = 1
    DOWN = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """How many rows of a kind are kept, and how many are added."""

    what: str
    rows: int
    keep: int | None  # None: a trigger of another program decides
    oldest: str  # a time, "" when there is none
    per_day: float  # of the last days


@dataclass(frozen=True, slots=True)
class KeptBytes:
    """How large the database is, and how large it may become; 0 for any size."""

    used: int
    limit: int


def kept_lines(kept: Sequence[Kept], size: KeptBytes) -> list[str]:
    """Say how far back the alarms go, and how far they will at the rate of the last days."""
    found = []
    for each in kept:
        line = f"{each.what}: {each.rows}" + (f" of at most {each.keep}" if each.keep is not None else "")
        line += f", the oldest from {each.oldest}" if each.oldest else ""
        if each.keep is not None and each.per_day:
            line += f"; at {each.per_day:.0f} a day enough for {_span(each.keep / each.per_day * DAY_S)}"
        found.append(line)
    line = f"{size.used / MIB:.0f} MiB" + (f" of at most {size.limit / MIB:.0f} MiB" if size.limit else "")
    alarms = kept[0] if kept else None
    if size.limit and alarms and alarms.rows and alarms.per_day:
        days = size.limit / (size.used / alarms.rows * alarms.per_day)
        if alarms.keep is None or days < alarms.keep / alarms.per_day:
            line += f"; at this rate enough for {_span(days * DAY_S)}: the size limit removes old alarms first"
    return [*found, line]


def summary(status: Status) -> str:
    """Say in one line how the service is and what it has done today, for `systemctl status`."""
    alarms = counted(status.alerts_today, "alarm")
    counts = f"{alarms} received today, {status.detections_today} with people, {status.pending} pending"
    return _condition(status, f"Running: {counts}", counts)


def health(status: Status, now_utc: float, *, is_alive: bool) -> tuple[Health, str]:
    """Judge a status that was read at `now_utc`; `is_alive` tells whether its process exists."""
    age_s = now_utc - status.written_utc
    since = f"unning for {_span(now_utc - status.since_utc)}"
    message = _condition(status, f"R{since}", f"r{since}")
    if status.state == "stopped":
        return Health.DOWN, f"{message} ({_ago(age_s)})"
    if not is_alive:
        return Health.DOWN, f"Exited unexpectedly: see its log ({_ago(age_s)})"
    if age_s > STALE_S:
        return Health.DOWN, f"Process {status.pid} exists but has not updated its status for {_span(age_s)}"
    if status.state != "running" or status.degraded() or status.silent():
        return Health.DEGRADED, message
    return Health.GOOD, message


def _condition(status: Status, running: str, degraded: str) -> str:
    """Say how the service is; the arguments are for one that runs well, and to add to what is wrong."""
    problems, silent = status.degraded(), status.silent()
    unready = ", ".join(child.name for child in status.children if child.state in ("starting", "down"))
    match status.state:
        case "starting":
            return f"Starting, waiting for {unready or 'nothing more'}"
        case "running":
            parts = ["Degraded: " + "; ".join(problems), degraded] if problems else [running]
            if unready and not problems:
                parts.append(f"still starting: {unready}")
            if silent:
                days = (status.written_utc - min(camera.last_seen_utc for camera in silent)) / DAY_S
                parts.append(
                    f"silent: {', '.join(camera.name for camera in silent)} (up to {counted(round(days), 'day')})"
                )
            return "; ".join(parts)
        case "reloading":
            return "Reloading: finishing what has begun, then starting with the new configuration; new mails wait"
        case "draining":
            return "Stopping: accepting no more mails, finishing what has begun"
        case state:
            return ("Stopping" if state == "stopping" else "Stopped") + (f": {status.reason}" if status.reason else "")


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database adds to the status."""

    latest: Sequence[Sequence[object]] = ()  # the latest alarms' id, time, camera, outcome, subject and reason
    kept: Sequence[str] = ()  # from `kept_lines`
    told: Sequence[Sequence[str]] = ()  # how each target of messages has fared, and what is switched
    complaint: str = ""  # why these cannot be read


NOTHING_STORED = Stored()


def lines(status: Status, now_utc: float, message: str, stored: Stored = NOTHING_STORED) -> list[str]:
    """Return what `camalert status` prints.

    Args:
        status: As it was read.
        now_utc: The present time.
        message: From `health`.
        stored: What the database adds.
    """
    supervisor = ChildStatus("supervisor", status.state, status.pid, since_utc=status.started_utc)
    alarms = [[str(cell or "-") for cell in row[:-1]] + [str(row[-1])] for row in stored.latest]
    problems = [[_ago(now_utc - found.at_utc), found.event, found.message] for found in status.problems]
    return [
        f"camalert {status.version}: {message}",
        "",
        *_table(_figures(status)),
        *_section("processes", [_process(child, now_utc) for child in (supervisor, *status.children)]),
        *_section("cameras", [_camera(camera, now_utc) for camera in status.cameras]),
        *(_cut(line) for line in _section("latest alarms", alarms)),
        *(_cut(line) for line in _section("messages", [list(row) for row in stored.told])),
        *_section("kept", [[line] for line in stored.kept]),
        *_section("problems", problems),
    ]


def camera_lines(status: Status, now_utc: float) -> list[str]:
    """Return what `camalert status --cameras` prints."""
    if not status.cameras:
        return ["no camera has sent a mail yet; docs/cameras.md says how to set one up"]
    heads = ["camera", "", "last seen", "mail", "picture", "address", "clock", "last failure"]
    return _table([heads, *(_camera_times(camera, now_utc) for camera in status.cameras)])


def _figures(status: Status) -> list[list[str]]:
    return [
        ["detector", status.engine or "none yet"],
        ["today", f"{counted(status.alerts_today, 'alarm')}, {status.detections_today} with people "
                  f"in {counted(status.visits_today, 'visit')}, {status.pending} pending"],
        ["since the start", f"{counted(status.mails, 'mail')} with {counted(status.pictures, 'picture')}; "
                            f"{status.examined} examined, {status.persons} with people, {status.failed} failed"],
        ["last minute", f"{counted(round(status.pictures_per_minute), 'picture')} stored, "
                        f"{status.examined_per_minute:.0f} examined"],
        ["pool", f"{status.slots_used} of {status.slots_total} frame slots in use, "
                 f"{status.pool_bytes / MIB:.0f} MiB shared memory"],
    ]  # fmt: skip


def _process(child: ChildStatus, now_utc: float) -> list[str]:
    return [
        child.name, child.state, f"pid {child.pid}" if child.pid else "", f"for {_span(now_utc - child.since_utc)}",
        counted(child.restarts, "restart") if child.restarts else "", child.reason,
    ]  # fmt: skip


def _camera_times(camera: CameraStatus, now_utc: float) -> list[str]:
    moments = (camera.last_seen_utc, camera.last_mail_utc, camera.last_picture_utc)
    return [
        camera.name, "SILENT" if camera.is_silent else "",
        *(_ago(now_utc - at_utc) if at_utc else "never" for at_utc in moments),
        _address(camera, now_utc), camera.clock, _failure(camera, now_utc) or "none",
    ]  # fmt: skip


def _camera(camera: CameraStatus, now_utc: float) -> list[str]:
    last = f"last picture {_ago(now_utc - camera.last_picture_utc)}" if camera.last_picture_utc else "no picture yet"
    if not camera.last_picture_utc and camera.last_mail_utc:
        last = f"last mail {_ago(now_utc - camera.last_mail_utc)}"
    failure = _failure(camera, now_utc)
    elsewhere = f"ALSO FROM {camera.other_address}" if camera.other_address else ""
    clock = f"CLOCK {camera.clock}" if camera.clock else ""
    return [
        camera.name, "SILENT" if camera.is_silent else "", last, elsewhere, clock,
        f"failed {failure}" if failure else "",
    ]  # fmt: skip


def _address(camera: CameraStatus, now_utc: float) -> str:
    if not camera.other_address:
        return camera.address
    return f"{camera.address}, ALSO FROM {camera.other_address} for {_span(now_utc - camera.other_since_utc)}"


def _failure(camera: CameraStatus, now_utc: float) -> str:
    return f"{_ago(now_utc - camera.last_failure_utc)}: {camera.last_failure}" if camera.last_failure_utc else ""


def _section(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    return ["", title, *_table(rows)] if rows else []


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width).rstrip()
        for row in rows
    ]


def _cut(line: str) -> str:
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 1]}…"


def _ago(seconds: float) -> str:
    return f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    """Write a length of time in the one unit that matters."""
    for unit_s, unit in ((DAY_S, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return counted(max(0, round(seconds)), "second")
