"""The folder process: it takes finished pictures out of a folder and has the writer store them.

    folder ─scan─▶ Watch ─due─▶ slot ─Store─▶ supervisor ─▶ writer ─▶ one commit
       ▲─ remove ◀──────────────────── Stored ───────────────┘

An intake child of its own, beside smtp, with one slot: one file at a time. It decodes nothing and opens no database. A
file is removed only after its commit; one that is stored and not yet removed when this process exits is stored again
under the same id, which adds nothing.
"""

from __future__ import annotations

import collections
import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from camalert.decoding.kinds import HEAD_BYTES, kind_of
from camalert.errors import CamalertError, Exit, ProtocolError
from camalert.identity import FOLDER, Names
from camalert.intake.folder import rules
from camalert.intake.folder.files import MOST_ENDINGS, FileChanged, Scan, WatchedFolder
from camalert.intake.folder.rules import FileState, Watch
from camalert.intake.mail import reader
from camalert.intake.mail.languages import tables
from camalert.intake.notes import Notes
from camalert.ipc import needs
from camalert.ipc.child import Context
from camalert.ipc.messages import NAMES_CHANGED, Held, Message, Noted, Ping, Pong, Ready, Stop, Store, StoreCode, Stored
from camalert.ipc.records import MailRecord, NamesRecord
from camalert.system.confinement import Confinement
from camalert.system.logs import log

BUSY_PAUSE_S = 5.0  # the database is locked: the files stay where they are
FULL_PAUSE_S = 30.0
ERROR_PAUSE_S = 60.0  # a file or the folder cannot be read: permissions are seldom changed sooner
STRAYS_EVERY_S = 86_400.0
MOST_LOGGED = 1000  # warnings that are remembered, to log each once
MOST_CRASHES = 64  # files in the journal; beyond that the first is forgotten
ID_BYTES = 16


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
        self._journal = CrashJournal(Path(context.config.service.run_dir) / needs.JOURNAL)
        self._confine = context.confine
        self._confinement: Confinement | None = None
        self._names = Names(camera.name for camera in context.config.camera)
        self._due: collections.deque[FileState] = collections.deque()
        self._open: tuple[FileState, MailRecord] | None = None  # what the writer has not answered yet
        self._held: int | None = None  # generation of the predecessor's Store that still has our slot
        self._is_held_known = False
        self._generation = 0
        self._next_scan_at = 0.0
        self._strays_at = 0.0
        self._strays_told: set[str] = set()
        self._logged: set[str] = set()
        self._is_stopping = False

    def run(self) -> Exit:
        self._folder.make()
        tables()  # no other file can be read later
        self._confinement = self._confine()
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
        return self._open is not None or self._held is not None or not self._is_held_known

    def _timeout_s(self) -> float | None:
        if self._is_waiting:
            return None
        return 0.0 if self._due else max(0.0, self._next_scan_at - time.monotonic())

    def _take(self, message: Message) -> None:
        match message:
            case Stored():
                self._stored(message)
            case Ping(number):
                self._is_held_known = True  # the first one follows the last `Held`
                self._channel.send(Pong(number))
            case Held():
                self._held = message.generation
            case Noted(text):
                with contextlib.suppress(ProtocolError):  # the others are of addresses, which files have none of
                    renamed = NamesRecord.decode(text)
                    if renamed.event == NAMES_CHANGED:
                        pairs = [(item.known_as, item.name) for item in renamed.names]
                        self._names.learn_renamed(pairs, is_first=renamed.is_first)
            case Stop():
                self._is_stopping = True
            case _:
                raise ProtocolError(f"folder cannot do anything with {type(message).__name__}")

    # --- scanning and storing ---------------------------------------------------------------------------------------

    def _work(self, now: float) -> None:
        """Store the next picture that is due; without one, scan the folder when it is time."""
        if self._due:
            self._offer(self._due.popleft(), now)
        elif now >= self._next_scan_at:
            self._next_scan_at = now + self._settings.poll_seconds
            self._scan(now)

    def _scan(self, now: float) -> None:
        if self._confinement is not None and self._confinement.changed(is_loss_counted=True):
            raise CamalertError(f"{self._settings.path} was removed or replaced; the next process watches the new one")
        try:
            found = self._folder.scan()
        except OSError as error:
            self._warn(self._settings.path, f"the folder cannot be read: {error.strerror}")
            self._next_scan_at = now + ERROR_PAUSE_S
            return
        for path, reason in found.skipped:
            self._warn(path, f"is skipped: {reason}")
        self._tell_strays(found, now)
        self._due.extend(self._watch.update(found.files, now))

    def _tell_strays(self, found: Scan, now: float) -> None:
        """Count what stays where it is in one line a day; an ending that was not among them is told at once."""
        endings = {ending: count for ending, count in found.strays.most_common() if count > 0}
        is_new = not self._strays_told.issuperset(endings) and len(self._strays_told) < MOST_ENDINGS
        if not endings or not (is_new or now >= self._strays_at):
            return
        self._strays_told = {*endings} if now >= self._strays_at else self._strays_told | {*endings}
        self._strays_at = now + STRAYS_EVERY_S
        log.info(
            "folder_files_ignored",
            files=sum(endings.values()), example=found.stray.encode("utf-8", "replace").decode(),
            reasons=[rules.stray_reason(ending, count) for ending, count in endings.items()],
            message="these files are neither pictures nor clips by their names, and stay where they are",
        )  # fmt: skip

    def _offer(self, file: FileState, now: float) -> None:
        """Hand a file to the writer, or reject it."""
        if self._journal.is_crasher(file.mail_id):
            self._set_aside(file)
            return
        try:
            with self._journal.reading(file.mail_id):
                reason = self._store(file, now)
            if reason:
                self._reject(file, reason)
        except (FileChanged, FileNotFoundError):
            return  # the next scan sees it as it is then
        except OSError as error:
            self._warn(file.shown, f"cannot be taken: {error.strerror}")
            self._watch.put_off(file, now + ERROR_PAUSE_S)

    def _store(self, file: FileState, now: float) -> str:
        """Put a file into the slot and send its Store; return why it is refused instead, "" when it is not."""
        limit_bytes = min(self._config.intake.max_mail_bytes, self._pool.slots[self._slot].encoded.length)
        if file.size_bytes > limit_bytes:
            return f"{file.size_bytes} bytes exceed the {limit_bytes} of intake.max_mail_bytes"
        with self._pool.encoded(self._slot) as view:
            self._folder.read_into(file, view)
            with view[: file.size_bytes] as filled:
                content = bytes(filled)
        kind = kind_of(content[:HEAD_BYTES])
        if not (kind and rules.is_whole(content, kind)):
            waited_s = self._watch.unchanged_s(file, now)
            if waited_s < self._settings.incomplete_seconds:
                self._watch.put_off(file, now - waited_s + self._settings.incomplete_seconds)
                return ""
            if not kind:
                return (
                    f"no picture and no clip: {len(content)} bytes that begin with {content[:8].hex(' ') or 'nothing'}"
                )
            log.warning("file_incomplete", file=file.shown, bytes=len(content), message="stored without its end")
        self._send(file, self._record(file, kind, content))
        return ""

    def _record(self, file: FileState, kind: str, content: bytes) -> MailRecord:
        text = self._watch.text_of(file.path)
        record = rules.record_of(
            file=file,
            kind=kind,
            content=content,
            text=b"" if text is None else self._folder.read(text, rules.TEXT_BYTES),
            folder=self._settings,
            now_utc=time.time(),
            max_skew_s=self._config.intake.max_clock_skew_seconds,
        )
        camera = self._names.spell(record.camera or FOLDER)
        why = f"the place and name of the file {file.shown}"[: reader.RULE_CHARACTERS]
        return replace(record, camera=camera, reasons=(("camera", camera[: reader.TAKEN_CHARACTERS], why),))

    def _send(self, file: FileState, record: MailRecord) -> None:
        self._pool.write_record(self._slot, record.encode())
        self._generation += 1
        self._open = file, record
        self._channel.send(Store(self._slot, self._generation, file.mail_id))

    # --- what became of it ------------------------------------------------------------------------------------------

    def _stored(self, message: Stored) -> None:
        if self._open is None or message.mail_id != self._open[0].mail_id:
            if message.generation == self._held:
                self._held = None  # what it stored is found again, known by its id, and removed
            return
        (file, record), self._open = self._open, None
        now = time.monotonic()
        reason = self._pool.read_refusal(self._slot)  # of a code that it goes with
        match code := StoreCode(message.code):
            case StoreCode.STORED | StoreCode.REPEATED:
                log.info(
                    "file_stored" if code is StoreCode.STORED else "file_repeated",
                    file=file.shown, camera=record.camera, subject=record.subject, bytes=file.size_bytes,
                    first_id=message.first_id,
                )  # fmt: skip
                self._notes.mail("file_stored", "", record.camera, 1)
                self._remove(file)
            case StoreCode.BUSY:
                self._pause(now, BUSY_PAUSE_S, reason or "the database cannot be used at the moment")
            case StoreCode.FULL:
                self._pause(now, FULL_PAUSE_S, reason or "the disk is full")
            case StoreCode.REFUSED:
                self._reject(file, f"this file alone cannot be written: {reason}")

    def _remove(self, file: FileState) -> None:
        """Remove a stored file; its text first, or it would become the text of a later picture of that name."""
        for state in (self._watch.text_of(file.path), file):
            try:
                if state is not None:
                    self._folder.remove(state)
            except FileNotFoundError:
                continue  # another program removed it
            except OSError as error:
                self._watch.put_off(file)
                self._warn(
                    file.shown, f"is stored but cannot be removed: {error.strerror}; allow camalert to remove it"
                )

    def _reject(self, file: FileState, reason: str) -> None:
        try:
            place = self._folder.reject(file)
        except OSError as error:
            self._watch.put_off(file)
            self._warn(file.shown, f"is refused ({reason}) and cannot be moved: {error.strerror}")
            return
        log.warning("file_rejected", file=file.shown, message=reason, moved_to=place)
        self._notes.failure("file_rejected", "", f"{file.shown}: {reason}")

    def _set_aside(self, file: FileState) -> None:
        """Reject a file that must not be read again, with its text, which may be the cause."""
        text = self._watch.text_of(file.path)
        self._reject(file, "it crashed the process that read it, so it is not read again: please report it")
        if text is not None:
            with contextlib.suppress(OSError):
                self._folder.reject(text)
        self._journal.forget(file.mail_id)

    def _pause(self, now: float, pause_s: float, reason: str) -> None:
        """Leave all files where they are for a while."""
        log.warning("folder_paused", message=f"{reason}; the files are kept and tried again", again_s=pause_s)
        self._due.clear()
        self._next_scan_at = now + pause_s

    def _warn(self, path: str, message: str) -> None:
        """Log something for the owner to fix, once."""
        shown = f"{path.encode('utf-8', 'replace').decode()}: {message}"
        if shown in self._logged:
            return
        if len(self._logged) >= MOST_LOGGED:
            self._logged.clear()
        self._logged.add(shown)
        log.warning("folder_error", message=shown)
        self._notes.failure("folder_error", "", shown)


class CrashJournal:
    """The files in whose reading this process or an earlier one crashed, kept in a small file of the run directory.

    Without it the folder process would crash on the same file forever. A file is known by its `mail_id`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._crashers: list[bytes] = []
        with contextlib.suppress(OSError):
            found = path.read_bytes()
            ids = [found[at : at + ID_BYTES] for at in range(0, len(found) - ID_BYTES + 1, ID_BYTES)]
            self._crashers = ids[-MOST_CRASHES:]
        self._write(self._crashers)  # makes it: later this process may make no file there

    def is_crasher(self, mail_id: bytes) -> bool:
        """Tell whether a process crashed while reading this file."""
        return mail_id in self._crashers

    def forget(self, mail_id: bytes) -> None:
        """Remove a file that is out of the way."""
        self._crashers = [other for other in self._crashers if other != mail_id]
        self._write(self._crashers)

    @contextlib.contextmanager
    def reading(self, mail_id: bytes) -> Iterator[None]:
        """Note a file for the length of a `with` block."""
        self._write([*self._crashers, mail_id][-MOST_CRASHES:])
        try:
            yield
        finally:
            self._write(self._crashers)

    def _write(self, ids: list[bytes]) -> None:
        """Write the journal; without a run directory there is none, and files are taken nevertheless."""
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(file, b"".join(ids), 0)
                os.ftruncate(file, len(ids) * ID_BYTES)
            finally:
                os.close(file)
