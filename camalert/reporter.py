"""What the supervisor tells the outside: systemd, the status file, and the log about silent cameras.

Mechanism, in the supervisor. Everything here is cheap, done every `TURN_S`, and never holds the loop up.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import structlog

from camalert import __version__, config, sdnotify, status
from camalert.camerabook import Silence
from camalert.dispatch import Dispatch
from camalert.errors import StatusError
from camalert.messages import Counted, Outcome
from camalert.states import Phase, Service
from camalert.status import ChildStatus, Heard, Status
from camalert.statusbook import StatusBook

log = structlog.get_logger()

TURN_S = 2.0  # how often figures are looked at; each second it was a tenth of the supervisor's work (measured)
MAX_NOTES = 200  # that wait to be read
STOP_S = 90.0  # what the children may take after the drain: their grace, then the ladder up to SIGKILL
_TROUBLES = ("warning", "error")
_TROUBLE_CHARS = 200  # of the database's trouble in the status line


class Reporter:
    """Keep the status book and show it."""

    def __init__(self, settings: config.Config, pool_bytes: int, slots_total: int) -> None:
        now, now_utc = time.monotonic(), time.time()
        self._folder = Path(settings.service.run_dir)
        start = Status(
            version=__version__,
            name=settings.service.name,
            pid=os.getpid(),
            written_utc=now_utc,
            started_utc=now_utc,
            state=Phase.STARTING.value,
            since_utc=now_utc,
            pool_bytes=pool_bytes,
            slots_total=slots_total,
        )
        self.book = StatusBook(start, settings.status, settings.camera, now)
        with contextlib.suppress(StatusError):  # the first run has none
            self.book.cameras.restore(status.read(self._folder).cameras, now, now_utc)
        self.is_feeding = True  # the watchdog; ends when a child outlives SIGKILL
        self._watchdog_s = sdnotify.watchdog_interval_s()
        self._fed_at = now
        self._turn_at = now
        self._notes: list[tuple[str, bytes, float]] = []
        self._facts: Status | None = None  # what the file holds
        self._written_at = now
        self._shown = ("", "")  # the phase and the words shown last

    def next_at(self) -> float:
        """Return when `turn` wants to be called again at the latest."""
        return self._turn_at

    def note(self, child: str, text: bytes) -> None:
        """Take what a child has to say about a camera or a client; it is read before the next look at the figures."""
        self._notes.append((child, text, time.monotonic()))
        if len(self._notes) >= MAX_NOTES:
            self._read_notes()

    def _read_notes(self) -> None:
        """Read the notes together: one at a time, between other work, each would cost several times as much."""
        notes, self._notes = self._notes, []
        for child, text, now in notes:
            self._read_note(child, text, now)

    def _read_note(self, child: str, text: bytes, now: float) -> None:
        try:
            note = json.loads(text)
        except ValueError:
            note = None
        if not isinstance(note, dict):
            log.warning("note_unreadable", child=child, bytes=len(text))
            return
        camera, peer, words = (str(note.get(key) or "") for key in ("camera", "peer", "words"))
        if note.get("event") == "camera_known":
            seen_utc = note.get("seen_utc")
            if isinstance(seen_utc, int | float):
                self.book.cameras.seen(camera, time.time() - seen_utc, now)
            return
        if note.get("event") == "database_unusable":
            self.book.database(words[:_TROUBLE_CHARS])
        elif note.get("event") == "database_usable_again":
            self.book.database("")
        pictures = note.get("pictures", 0)
        pictures = pictures if isinstance(pictures, int) else 0
        if peer:
            is_failure = bool(note.get("is_failure"))
            event = str(note.get("event", ""))
            self.book.heard(Heard(0.0, event, peer, camera, words, pictures, is_failure), now)
        if note.get("is_failure"):
            self._tell(self.book.cameras.failed(camera, peer, words, now))
        elif camera or peer:
            self._tell(self.book.cameras.mailed(camera, peer, pictures, now))
        if note.get("level") in _TROUBLES:
            self.book.trouble(str(note.get("event", "")), words, now)

    def expect(self, settings: config.Config) -> None:
        """Take what a new configuration says of the cameras."""
        self.book.cameras.expect(settings.status, settings.camera, time.monotonic())

    def database_usable(self) -> None:
        """Take note that alarms can be stored."""
        self._read_notes()  # older ones may say otherwise
        self.book.database("")

    def trouble(self, event: str, words: str) -> None:
        """Keep a warning or an error for the status."""
        self.book.trouble(event, words, time.monotonic())

    def count(self, figures: Counted) -> None:
        """Take the writer's figures."""
        self.book.counted(figures.pending, figures.alerts_today, figures.detections_today)

    def stored(self, pictures: int) -> None:
        """Count a stored mail."""
        self.book.stored(pictures, time.monotonic())

    def examined(self, outcome: int) -> None:
        """Count a concluded examination."""
        is_failed = outcome not in (Outcome.PERSON, Outcome.NOBODY)
        self.book.examined(time.monotonic(), is_person=outcome == Outcome.PERSON, is_failed=is_failed)

    def announce_ready(self) -> None:
        """Tell systemd that alarms are taken in."""
        sdnotify.notify(sdnotify.READY)

    def announce_reloading(self) -> None:
        """Tell systemd that a new configuration is being taken."""
        sdnotify.notify(sdnotify.reloading())

    def announce_stopping(self, drain_s: float) -> None:
        """Tell systemd that the service ends, and how long that may take."""
        sdnotify.notify(sdnotify.STOPPING, sdnotify.extend_timeout(drain_s + STOP_S))

    def turn(self, service: Service, dispatch: Dispatch, pids: dict[str, int], engine: str, now: float) -> None:
        """Feed the watchdog and, every `TURN_S` and with each phase, show what has changed."""
        if self._watchdog_s and self.is_feeding and now - self._fed_at >= self._watchdog_s / 2:
            self._fed_at = now
            sdnotify.notify(sdnotify.WATCHDOG)
        is_phase_new = service.phase.value != self._shown[0]
        if now < self._turn_at and not is_phase_new:
            return
        self._read_notes()
        self._turn_at = now + min(TURN_S, (self._watchdog_s or TURN_S) / 2)
        self.book.phase(service.phase.value, now, service.reason)
        self.book.engine(engine)
        self.book.slots(dispatch.in_flight)
        for child in service.children.values():
            name = child.spec.name
            reason = "" if child.state.value == "ready" else child.reason
            self.book.child(ChildStatus(name, child.state.value, pids.get(name, 0), child.restarts, 0.0, reason), now)
        for silence in self.book.cameras.new_silences(now):
            self._tell(silence)
        self._show(service.phase, now)

    def close(self) -> None:
        """Show the last state."""
        self._read_notes()
        self._show(Phase.STOPPED, time.monotonic())

    def _show(self, phase: Phase, now: float) -> None:
        shown = self.book.render(now, time.time())
        words = status.status_words(shown)
        if (phase.value, words) != self._shown:
            sdnotify.notify(sdnotify.status(words))
        self._shown = (phase.value, words)
        facts = replace(shown, written_utc=0.0)
        if facts == self._facts and now - self._written_at < status.WRITE_AT_LEAST_S:
            return
        self._facts, self._written_at = facts, now
        try:
            status.write(self._folder, shown)
        except OSError as error:
            log.warning("status_not_written", folder=str(self._folder), error=str(error))

    def _tell(self, silence: Silence | None) -> None:
        if silence is None:
            return
        if silence.has_ended:
            log.info("camera_back", camera=silence.camera, silent_days=round(silence.days, 1))
        else:
            log.warning("camera_silent", camera=silence.camera, silent_days=round(silence.days, 1))
