"""The folder process: it takes finished pictures out of a folder and has the writer store them.

    folder ─look─▶ Watch ─due─▶ slot ─Store─▶ supervisor ─▶ writer ─▶ one commit
       ▲─ remove ◀──────────────────── Stored ───────────────┘

An intake child of its own, beside smtp, with one slot: a file at a time. It decodes nothing and opens no database. A
file is removed after its commit only; one that is stored and not yet removed when this process ends is stored again
under the same id, which adds nothing.
"""

from __future__ import annotations

import collections
import os
import time

import structlog

from camalert.child import Context
from camalert.errors import Exit, ProtocolError
from camalert.folder import rules
from camalert.folder.files import FileChanged, WatchedFolder
from camalert.folder.rules import Sighting
from camalert.folder.watch import Watch
from camalert.mail.magic import HEAD_BYTES, kind_of
from camalert.messages import Held, Message, Ping, Pong, Ready, Stop, Store, StoreCode, Stored
from camalert.smtp.notes import Notes
from camalert.words import MailWords

BUSY_PAUSE_S = 5.0  # the database is locked: the files wait where they are
FULL_PAUSE_S = 30.0
TROUBLE_PAUSE_S = 60.0  # a file or the folder cannot be read: rights are seldom mended sooner
MOST_TOLD = 1000  # oddities that are remembered as told

log = structlog.get_logger()


def main(context: Context) -> Exit:
    """Watch the folder until the supervisor says `Stop` or is gone."""
    return _Process(context).run()


class _Process:
    def __init__(self, context: Context) -> None:
        self._config = context.config
        self._channel = context.channel
        self._pool = context.pool
        (self._slot,) = self._pool.layout.folder
        self._settings = context.config.intake.folder
        self._folder = WatchedFolder(self._settings.path, self._settings.depth)
        self._watch = Watch(self._settings.settle_seconds)
        self._notes = Notes(context.channel)
        self._due: collections.deque[Sighting] = collections.deque()
        self._open: tuple[Sighting, MailWords] | None = None  # what waits for the writer
        self._held: int | None = None  # generation of the predecessor's Store that still has our slot
        self._is_told = False  # whether it has
        self._generation = 0
        self._next_look_at = 0.0
        self._told: set[str] = set()
        self._is_stopping = False

    def run(self) -> Exit:
        self._channel.send(Ready(os.getpid()))
        while not (self._is_stopping and self._open is None):
            self._channel.wait(self._timeout_s())
            while (message := self._channel.receive()) is not None:
                self._take(message)
            if not self._is_waiting and not self._is_stopping:
                self._work(time.monotonic())
        return Exit.OK

    @property
    def _is_waiting(self) -> bool:
        return self._open is not None or self._held is not None or not self._is_told

    def _timeout_s(self) -> float | None:
        if self._is_waiting:
            return None
        return 0.0 if self._due else max(0.0, self._next_look_at - time.monotonic())

    def _take(self, message: Message) -> None:
        match message:
            case Stored():
                self._stored(message)
            case Ping(number):
                self._is_told = True  # the first one follows the last `Held`
                self._channel.send(Pong(number))
            case Held():
                self._held = message.generation
            case Stop():
                self._is_stopping = True
            case _:
                raise ProtocolError(f"folder cannot do anything with {type(message).__name__}")

    # --- looking and storing ----------------------------------------------------------------------------------------

    def _work(self, now: float) -> None:
        """Store the next picture that is due; without one, look into the folder when it is time."""
        if self._due:
            self._offer(self._due.popleft(), now)
        elif now >= self._next_look_at:
            self._next_look_at = now + self._settings.poll_seconds
            self._look(now)

    def _look(self, now: float) -> None:
        try:
            look = self._folder.look()
        except OSError as error:
            self._tell(self._settings.path, f"the folder cannot be read: {error.strerror}")
            self._next_look_at = now + TROUBLE_PAUSE_S
            return
        for path in look.others:
            self._tell(path, "is left alone: neither a file nor a folder that can be entered; links are not followed")
        self._due.extend(self._watch.look(look.files, now))

    def _offer(self, seen: Sighting, now: float) -> None:
        """Bring a file to the writer, or say what becomes of it instead."""
        try:
            reason = self._store(seen, now)
            if reason:
                self._reject(seen, reason)
        except (FileChanged, FileNotFoundError):
            return  # the next look sees it as it is then
        except OSError as error:
            self._tell(seen.shown, f"cannot be taken: {error.strerror}")
            self._watch.put_off(seen, now + TROUBLE_PAUSE_S)

    def _store(self, seen: Sighting, now: float) -> str:
        """Put a file into the slot and send its Store; return why it is refused instead, "" when it is not."""
        limit_bytes = self._config.intake.max_mail_bytes
        if seen.size_bytes > limit_bytes:
            return f"{seen.size_bytes} bytes exceed the {limit_bytes} of intake.max_mail_bytes"
        with self._pool.encoded(self._slot) as view:
            self._folder.read_into(seen, view)
            with view[: seen.size_bytes] as filled:
                content = bytes(filled)
        kind = kind_of(content[:HEAD_BYTES])
        if not (kind and rules.is_whole(content, kind)):
            waited_s = self._watch.unchanged_s(seen, now)
            if waited_s < self._settings.incomplete_seconds:
                self._watch.put_off(seen, now - waited_s + self._settings.incomplete_seconds)
                return ""
            if not kind:
                return (
                    f"no picture and no clip: {len(content)} bytes that begin with {content[:8].hex(' ') or 'nothing'}"
                )
            log.warning("file_incomplete", file=seen.shown, bytes=len(content), words="stored without its end")
        self._send(seen, self._words(seen, kind, content))
        return ""

    def _words(self, seen: Sighting, kind: str, content: bytes) -> MailWords:
        text = self._watch.text_of(seen.path)
        return rules.words_of(
            seen=seen,
            kind=kind,
            content=content,
            text=b"" if text is None else self._folder.read(text, rules.TEXT_BYTES),
            folder=self._settings,
            now_utc=time.time(),
            max_skew_s=self._config.intake.max_clock_skew_seconds,
        )

    def _send(self, seen: Sighting, words: MailWords) -> None:
        self._pool.write_words(self._slot, words.encode())
        self._generation += 1
        self._open = seen, words
        self._channel.send(Store(self._slot, self._generation, seen.mail_id))

    # --- what became of it ------------------------------------------------------------------------------------------

    def _stored(self, message: Stored) -> None:
        if self._open is None or message.mail_id != self._open[0].mail_id:
            if message.generation == self._held:
                self._held = None  # what it stored is found again, known by its id, and removed
            return
        (seen, words), self._open = self._open, None
        now = time.monotonic()
        match StoreCode(message.code):
            case StoreCode.STORED | StoreCode.REPEATED as code:
                log.info(
                    "file_stored" if code is StoreCode.STORED else "file_repeated",
                    file=seen.shown, camera=words.camera, subject=words.subject, bytes=seen.size_bytes,
                    first_id=message.first_id,
                )  # fmt: skip
                self._notes.mail("file_stored", "", words.camera, 1)
                self._remove(seen)
            case StoreCode.BUSY:
                self._pause(now, BUSY_PAUSE_S, "the database is locked")
            case StoreCode.FULL:
                self._pause(now, FULL_PAUSE_S, "the disk is full or the database is read-only")
            case StoreCode.REFUSED:
                self._reject(seen, "the writer could not read it, which is a defect of camalert")

    def _remove(self, seen: Sighting) -> None:
        """Remove a stored file; its text first, or it would become the text of a later picture of that name."""
        for sighting in (self._watch.text_of(seen.path), seen):
            try:
                if sighting is not None:
                    self._folder.remove(sighting)
            except FileNotFoundError:
                continue  # somebody else removed it
            except OSError as error:
                self._watch.ignore(seen)
                self._tell(seen.shown, f"is stored but cannot be removed: {error.strerror}; give camalert the right to")

    def _reject(self, seen: Sighting, reason: str) -> None:
        try:
            place = self._folder.reject(seen)
        except OSError as error:
            self._watch.ignore(seen)
            self._tell(seen.shown, f"is refused ({reason}) and cannot be moved: {error.strerror}")
            return
        log.warning("file_rejected", file=seen.shown, words=reason, moved_to=place)
        self._notes.failure("file_rejected", "", f"{seen.shown}: {reason}")

    def _pause(self, now: float, pause_s: float, reason: str) -> None:
        """Leave all files where they are for a while."""
        log.warning("folder_waits", words=f"{reason}; the files are kept and tried again", again_s=pause_s)
        self._due.clear()
        self._next_look_at = now + pause_s

    def _tell(self, path: str, words: str) -> None:
        """Log what a person has to see to, once."""
        shown = f"{path.encode('utf-8', 'replace').decode()}: {words}"
        if shown in self._told:
            return
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told.add(shown)
        log.warning("folder_troubled", words=shown)
        self._notes.failure("folder_troubled", "", shown)
