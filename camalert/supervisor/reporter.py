"""What the supervisor reports: to systemd, to the status file, and to the log about silent cameras.

Everything here is cheap, done every `TURN_S`, and never holds the loop up.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

from camalert import __version__
from camalert.config import schema as config
from camalert.errors import ProtocolError, StatusError
from camalert.ipc.messages import Counted, Happened, Outcome
from camalert.ipc.records import EventRecord, NamesRecord, NoteRecord
from camalert.status import model as status
from camalert.status.model import ChildStatus, MailActivity, Status
from camalert.status.text import summary
from camalert.status.tracker import AddressChange, CameraNews, ClockOff, Forgotten, Silence, StatusTracker
from camalert.supervisor.dispatch import NAMES_BEGIN, Dispatch
from camalert.supervisor.lifecycle import RELOADING, Lifecycle, Phase
from camalert.supervisor.stages import WRITER
from camalert.system import sdnotify
from camalert.system.logs import log

TURN_S = 2.0  # how often the status is updated; every second it took a tenth of the supervisor's time (measured)
MAX_NOTES = 200  # that wait to be read
MAX_HAPPENED = 256  # as many cameras may fall silent at once
STOP_S = 90.0  # what the children may take after the drain: their grace, then SIGABRT and SIGKILL
_PROBLEM_LEVELS = ("warning", "error")
_PROBLEM_CHARS = 200  # of the database's problem in the status line


class Reporter:
    """Keep the status of the service and show it.

    Attributes:
        tracker: The status.
        is_feeding: Whether systemd's watchdog is fed; not when a child outlives SIGKILL.
    """

    def __init__(self, settings: config.Config, pool_bytes: int, slots_total: int) -> None:
        now, now_utc = time.monotonic(), time.time()
        self._folder = Path(settings.service.run_dir)
        start = Status(
            version=__version__,
            pid=os.getpid(),
            written_utc=now_utc,
            started_utc=now_utc,
            state=Phase.STARTING.value,
            since_utc=now_utc,
            pool_bytes=pool_bytes,
            slots_total=slots_total,
        )
        self.tracker = StatusTracker(start, settings.status, settings.camera, now)
        with contextlib.suppress(StatusError):  # the first run has none
            self.tracker.cameras.restore(status.read(self._folder).cameras, now, now_utc)
        self.is_feeding = True
        self._watchdog_s = sdnotify.watchdog_interval_s()
        self._fed_at = now
        self._turn_at = now
        self._misconfigured: dict[str, str] = {}
        self._notes: list[tuple[str, bytes, float]] = []
        self._facts: Status | None = None  # what the file holds
        self._written_at = now
        self._shown = ("", "")  # the state and the summary shown last
        self._examination_problem = ""
        self._happened: list[Happened] = []

    def take_happened(self) -> list[Happened]:
        """Return what may be worth telling since the last call."""
        happened, self._happened = self._happened, []
        return happened

    def _happens(self, kind: str, camera: str, message: str) -> None:
        if len(self._happened) < MAX_HAPPENED:
            self._happened.append(Happened(EventRecord(kind, time.time(), camera, message).encode()))

    def next_at(self) -> float:
        """Return when `turn` wants to be called again at the latest."""
        return self._turn_at

    def note(self, child: str, text: bytes) -> None:
        """Queue a child's note about a camera or a client; it is read before the status is next shown."""
        self._notes.append((child, text, time.monotonic()))
        if len(self._notes) >= MAX_NOTES:
            self._read_notes()

    def _read_notes(self) -> None:
        """Read the notes together: one at a time, between other work, each would cost several times as much."""
        notes, self._notes = self._notes, []
        for child, text, now in notes:
            if child == WRITER and text.startswith(NAMES_BEGIN):
                self._take_names(text, now)
            else:
                self._read_note(child, text, now)

    def _read_note(self, child: str, text: bytes, now: float) -> None:
        try:
            note = NoteRecord.decode(text)
        except ProtocolError as error:
            log.warning("note_unreadable", child=child, bytes=len(text), message=str(error))
            return
        if note.event == "camera_known":
            self.tracker.cameras.restore([_known(note)], now, time.time())
            return
        if note.event == "child_misconfigured":
            self._misconfigured[child] = note.message
        if note.event == "database_unusable":
            if not self.tracker.database_problem:
                self._happens("trouble", "", f"Alarms cannot be stored: {note.message}")
            self.tracker.database_problem = note.message[:_PROBLEM_CHARS]
        elif note.event == "database_recovered":
            if self.tracker.database_problem:
                self._happens("well", "", "Alarms can be stored again.")
            self.tracker.database_problem = ""
        camera, peer, message = note.camera, note.peer, note.message
        if peer:
            activity = MailActivity(0.0, note.event, peer, camera, message, note.pictures, note.clips, note.is_failure)
            self.tracker.activity(activity, now)
        if note.is_failure:
            self._report(self.tracker.cameras.failed(camera, peer, message, now))
        elif camera or peer:
            self._report(self.tracker.cameras.mailed(camera, peer, note.pictures + note.clips, now))
            if note.clock_off_s is not None:
                self._report(self.tracker.cameras.timed(camera, peer, note.clock_off_s, now))
        if note.level in _PROBLEM_LEVELS:
            self.tracker.problem(note.event, message, now)

    def _take_names(self, text: bytes, now: float) -> None:
        """Call cameras in the status what the owner calls them, and forget those that he has."""
        try:
            record = NamesRecord.decode(text)
        except ProtocolError as error:
            log.warning("note_unreadable", child=WRITER, bytes=len(text), message=str(error))
            return
        now_utc = time.time()
        renamed = {item.known_as: item.name for item in record.names if item.name}
        for old, new in self.tracker.cameras.learn_renamed(renamed, is_first=record.is_first):
            log.info("camera_renamed", camera=new, before=old)
        for item in record.names:
            if item.name:
                continue
            if self.tracker.cameras.forget(item.known_as, now - max(0.0, now_utc - item.changed_utc)):
                log.info("camera_forgotten", camera=item.known_as, message="as its owner asked")

    def misconfigured(self, child: str) -> str:
        """Return what a child that exited said of its configuration, "" when it said nothing."""
        self._read_notes()
        return self._misconfigured.pop(child, "")

    def database_usable(self) -> None:
        """Clear the database's problem: alarms can be stored."""
        self._read_notes()  # older ones may say otherwise
        self.tracker.database_problem = ""

    def warn(self, event: str, message: str) -> None:
        """Keep a warning or an error for the status."""
        self.tracker.problem(event, message, time.monotonic())

    def count(self, figures: Counted) -> None:
        """Take the writer's figures."""
        self.tracker.counted = figures

    def stored(self, pictures: int) -> None:
        """Count a stored mail."""
        self.tracker.stored(pictures, time.monotonic())

    def examined(self, outcome: int) -> None:
        """Count a concluded examination."""
        is_failed = outcome not in (Outcome.PERSON, Outcome.NOBODY)
        self.tracker.examined(time.monotonic(), is_person=outcome == Outcome.PERSON, is_failed=is_failed)

    def announce_ready(self) -> None:
        """Tell systemd that alarms are taken in."""
        sdnotify.notify(sdnotify.READY)

    def announce_starting(self, ready_s: float) -> None:
        """Tell systemd that the start takes longer, at most so long from now on."""
        sdnotify.notify(sdnotify.extend_timeout(ready_s))

    def announce_reloading(self) -> None:
        """Tell systemd that a new configuration is being taken."""
        sdnotify.notify(sdnotify.reloading())

    def announce_stopping(self, drain_s: float) -> None:
        """Tell systemd that the service ends, and how long that may take."""
        sdnotify.notify(sdnotify.STOPPING, sdnotify.extend_timeout(drain_s + STOP_S))

    def turn(self, lifecycle: Lifecycle, dispatch: Dispatch, pids: dict[str, int], engine: str, now: float) -> None:
        """Feed the watchdog and, every `TURN_S` and with each phase, show what has changed."""
        if self._watchdog_s and self.is_feeding and now - self._fed_at >= self._watchdog_s / 2:
            self._fed_at = now
            sdnotify.notify(sdnotify.WATCHDOG)
        self._report_examination(dispatch.problem, engine, now)
        is_phase_new = lifecycle.shown_state != self._shown[0]
        if now < self._turn_at and not is_phase_new:
            return
        self._read_notes()
        self._turn_at = now + min(TURN_S, (self._watchdog_s or TURN_S) / 2)
        self.tracker.phase(lifecycle.shown_state, now, lifecycle.reason)
        self.tracker.engine = engine
        self.tracker.slots_used = dispatch.in_flight
        for child in lifecycle.children.values():
            name = child.spec.name
            reason = "" if child.state.value == "ready" else child.reason
            self.tracker.child(
                ChildStatus(name, child.state.value, pids.get(name, 0), child.restarts, 0.0, reason), now
            )
        for news in self.tracker.cameras.new_silences(now):
            self._report(news)
        self._show(lifecycle.shown_state, now)

    def _report_examination(self, problem: str, engine: str, now: float) -> None:
        """Say once when pictures can no longer be examined, and once when they can again."""
        if problem == self._examination_problem:
            return
        self._examination_problem = problem
        self.tracker.examination_problem = problem
        if problem:
            log.error("examination_blocked", message=problem, engine=engine)
            self._happens("trouble", "", f"Pictures cannot be examined: {problem}")
            self.tracker.problem("examination_blocked", problem, now)
        else:
            log.info("examination_resumed", engine=engine)
            self._happens("well", "", "Pictures can be examined again.")

    def close(self) -> None:
        """Show the last state: the service has stopped, or begins again in a moment."""
        self._read_notes()
        state = RELOADING if self._shown[0] == RELOADING else Phase.STOPPED.value
        self._show(state, time.monotonic())

    def _show(self, state: str, now: float) -> None:
        shown = self.tracker.render(now, time.time())
        text = summary(shown)
        if (state, text) != self._shown:
            sdnotify.notify(sdnotify.status(text))
        self._shown = (state, text)
        facts = replace(shown, written_utc=0.0)
        if facts == self._facts and now - self._written_at < status.WRITE_AT_LEAST_S:
            return
        self._facts, self._written_at = facts, now
        try:
            status.write(self._folder, shown)
        except OSError as error:
            log.warning("status_write_failed", folder=str(self._folder), message=str(error))

    def _report(self, news: CameraNews | None) -> None:
        match news:
            case Silence(camera, days, has_ended=True):
                log.info("camera_recovered", camera=camera, silent_days=round(days, 1))
                self._happens("back", camera, f"It was silent for {days:.1f} days.")
            case Silence(camera, days):
                log.warning("camera_silent", camera=camera, silent_days=round(days, 1))
                self._happens("silent", camera, f"It sent nothing for {days:.1f} days: look at its power and network.")
            case AddressChange():
                log.warning(
                    "camera_address_changed", camera=news.camera, peer=news.address, known_address=news.known_address,
                    message=news.message,
                )  # fmt: skip
                self.warn("camera_address_changed", news.message)
            case ClockOff(camera, off_s):
                log.warning("camera_clock_off", camera=camera, off_s=round(off_s), message=news.message)
                self.warn("camera_clock_off", news.message)
            case Forgotten(camera, days):
                log.info("camera_forgotten", camera=camera, message=f"it was not seen for {days:.0f} days")
            case None:
                return


def _known(note: NoteRecord) -> status.CameraStatus:
    """Return what the writer's note says that the database knows of a camera."""
    seen_utc = note.seen_utc or 0.0
    return status.CameraStatus(
        note.camera, seen_utc, seen_utc, note.picture_utc or 0.0, mails=note.mails, address=note.peer,
        address_since_utc=note.first_utc or seen_utc,
    )  # fmt: skip
