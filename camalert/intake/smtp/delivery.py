"""From a received mail to the reply that the camera gets: have it read into a slot, ask the writer to keep it.

A mail is read in another process (`readers`), because it is untrusted. No part of a mail is lost with a 250: when a
part gives no row and is nowhere else, the whole mail is kept as it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from camalert.config.schema import Config
from camalert.errors import ProtocolError
from camalert.identity import Envelope, Names, place_of
from camalert.intake.mail import reader
from camalert.intake.mail.facts import KINDS_OF_EVENTS, OWN
from camalert.intake.notes import Notes
from camalert.intake.smtp import diagnosis, replies
from camalert.intake.smtp.intakeslots import Answer, IntakeSlots
from camalert.intake.smtp.readers.parent import NoReader, ReaderExited, ReaderHung, Readers
from camalert.intake.smtp.readers.process import REASON_CHARACTERS, ReadingRecord, ReadRequest
from camalert.ipc.messages import NAMES_CHANGED, StoreCode
from camalert.ipc.records import KEPT, RAW, MailRecord, NamesRecord, PictureRecord
from camalert.ratelimit import RateLimit
from camalert.system.logs import log

DAY_S = 86_400.0
# What a mail without a picture says, for the owner; an alarm's own lacks one.
_SAYS = {
    "test": "a test mail: the connection works",
    "health": "a sign of life: it works",
    "end": "the end of an alarm",
    "video loss": "a warning: it has lost its video",
    "tampering": "a warning: somebody covers it or tampers with it",
    "storage fault": "a warning: something is wrong with its disk or card",
    "login warning": "a warning about a login",
}


class MailBuffer:
    """A mail's bytes, until they are not needed any more."""

    def __init__(self, content: bytearray, freed: Callable[[], None]) -> None:
        self.content = content
        self.length = len(content)
        self._freed = freed

    def free(self) -> None:
        """Give the memory back: a mail that waits for the writer takes none here."""
        self.content = bytearray()
        self._freed()


class Delivery:
    """Bring mails to the writer."""

    def __init__(self, config: Config, slots: IntakeSlots, readers: Readers, notes: Notes) -> None:
        self._intake = config.intake
        self._names = Names(camera.name for camera in config.camera)
        self._slots = slots
        self._readers = readers
        self._notes = notes
        self._daily = RateLimit(per_second=1 / DAY_S, burst=1)

    def learn(self, note: bytes) -> None:
        """Take over from the database which words of addresses name no camera, and what cameras are called."""
        with contextlib.suppress(ProtocolError):
            renamed = NamesRecord.decode(note)
            if renamed.event == NAMES_CHANGED:
                pairs = [(item.known_as, item.name) for item in renamed.names]
                self._names.learn_renamed(pairs, is_first=renamed.is_first)
                return
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            known = json.loads(note)
            self._names.learn_shared(str(word) for word in known["words"])
            for name in known["names"]:
                self._names.spell(str(name))

    async def deliver(self, mail: MailBuffer, envelope: Envelope, acknowledged: set[str]) -> str:
        """Deliver one mail, and free its bytes as soon as the slot has all of it that is kept.

        Args:
            mail: The mail.
            envelope: Who sent it to whom.
            acknowledged: The digests of the session's mails that got a 250; this one's is added. A client that sends
                the same bytes after it was told that they arrived means it: no lost answer, so no repeat.
        Returns: The reply for the client; 250 only for what is committed, or needs no row.
        """
        received_utc = time.time()
        try:
            return await self._deliver(mail, envelope, received_utc, acknowledged)
        except _NotStored as error:
            problem = diagnosis.not_stored(envelope.peer, str(error))
            log.warning("mail_not_stored", peer=envelope.peer, message=problem)
            self._notes.failure("mail_not_stored", envelope.peer, problem)
            return error.reply

    async def _deliver(self, mail: MailBuffer, envelope: Envelope, received_utc: float, acknowledged: set[str]) -> str:
        mail_bytes = mail.length
        # The slot is large enough for the whole mail, so that it can be kept as it is whatever the reader finds.
        async with self._slot(mail_bytes, envelope.peer) as lease:
            reading = await self._read(lease.slot, mail, envelope, received_utc)
            if reading.record.kind == OWN:
                return self._refuse_own(envelope.peer)
            camera = self._names.identify(reading.record.camera, envelope, reading.record.channel)
            record = replace(_meant_again(reading.record, acknowledged), camera=camera)
            if not reading.record.camera:
                record = replace(record, reasons=_with_place(record, envelope))
            if reading.left_out:
                log.info("pictures_left_out", peer=record.peer, camera=record.camera, reasons=list(reading.left_out))
            is_apart = bool(reading.lost) and bool(record.pictures)
            if reading.lost:
                self._say_kept(record, reading.lost)
            if reading.lost and not record.pictures:
                record = self._put_whole(lease.slot, mail.content, replace(record, unreadable=_kept_for(reading.lost)))
            if not record.pictures:
                return self._without_picture(record, mail_bytes)
            if not is_apart:
                mail.free()
            stored = await self._store(lease, record)
        if is_apart:
            # A mail of its own for the writer: what of it has its pictures' rows is not counted twice.
            whole = replace(
                record, kind=KEPT, digest=f"{record.digest}-{KEPT}", unreadable=_kept_for(reading.lost), headers=""
            )
            async with self._slot(mail_bytes, envelope.peer) as lease:
                whole = self._put_whole(lease.slot, mail.content, whole)
                mail.free()
                await self._store(lease, whole)
        acknowledged.add(record.digest)
        self._say_stored(stored, record, mail_bytes, time.time() - received_utc)
        return replies.OK

    @contextlib.asynccontextmanager
    async def _slot(self, size_bytes: int, address: str) -> AsyncIterator[_Lease]:
        """Lease a slot for the length of a `with` block, or until its Store is answered.

        Raises: _NotStored when there is none in time.
        """
        try:
            lease = _Lease(await self._slots.lease(size_bytes, self._intake.wait_seconds, address))
        except TimeoutError:
            raise _NotStored("all intake slots are taken: the database is too slow or locked") from None
        try:
            yield lease
        finally:
            if not lease.is_stored:
                self._slots.give_back(lease.slot)

    async def _read(self, slot: int, mail: MailBuffer, envelope: Envelope, received_utc: float) -> ReadingRecord:
        """Have a mail read; one that no reader survives, or that takes too long, is put into the slot as it is."""
        try:
            return await self._readers.read(slot, mail.content, ReadRequest(envelope, received_utc))
        except NoReader as error:
            log.error("mail_reader_unavailable", message=str(error))
            raise _NotStored(str(error)) from error
        except (ReaderExited, ReaderHung) as error:
            reason = str(error)
        log.error("mail_kept_unread", peer=envelope.peer, bytes=mail.length, message=reason)
        record = reader.unreadable(mail.content, envelope, received_utc, reason).record
        return ReadingRecord(self._put_whole(slot, mail.content, record))

    def _put_whole(self, slot: int, mail: bytearray, record: MailRecord) -> MailRecord:
        """Put a mail into a slot as it is; returns its record, which says so."""
        with self._slots.pool.encoded(slot) as view:
            view[: len(mail)] = mail
        return replace(record, pictures=(PictureRecord(0, len(mail), RAW),))

    async def _store(self, lease: _Lease, record: MailRecord) -> Answer:
        """Have the writer keep what is in a slot.

        Raises: _NotStored.
        """
        pool = self._slots.pool
        pool.write_record(lease.slot, record.encode())
        answer = self._slots.store(lease.slot)
        lease.is_stored = True
        try:
            async with asyncio.timeout(self._intake.wait_seconds):
                stored = await asyncio.shield(answer)
        except TimeoutError:
            raise _NotStored(f"the writer did not answer within {self._intake.wait_seconds:g} s") from None
        match stored.code:
            case StoreCode.BUSY:
                raise _NotStored(stored.reason or "the database cannot be used for now")
            case StoreCode.FULL:
                raise _NotStored(stored.reason or "the disk is full or the database is read-only", replies.FULL)
            case StoreCode.REFUSED:
                raise _NotStored(f"the writer refused it: {stored.reason or 'a defect of camalert'}")
        return stored

    def _refuse_own(self, peer: str) -> str:
        """Refuse a message of ours that came back: it would be told of as an alarm, and come back again."""
        problem = diagnosis.own_message(peer)
        log.warning("own_message_refused", peer=peer, message=problem)
        self._notes.failure("own_message_refused", peer, problem)
        return replies.OWN_MESSAGE

    def _without_picture(self, record: MailRecord, mail_bytes: int) -> str:
        """Take in a mail that gives no row: a camera's test, or an alarm without a picture."""
        log.info(
            "mail_without_picture", peer=record.peer, camera=record.camera, kind=record.kind, subject=record.subject,
            event_named=record.event, bytes=mail_bytes,
        )  # fmt: skip
        # Many cameras name themselves in their alarms only: the status knows whose the address is.
        named = "" if record.camera == record.peer else record.camera
        said = _SAYS.get(record.kind, "")
        self._notes.mail(
            f"{record.kind.replace(' ', '_')}_mail", record.peer, named, 0, record.clock_off_s,
            message=f"{record.camera} sent {said}" if said else "",
            level="warning" if record.kind in KINDS_OF_EVENTS.values() else "",
        )  # fmt: skip
        return replies.OK

    def _say_kept(self, record: MailRecord, lost: tuple[str, ...]) -> None:
        """Name what of a camera's mails is kept only as it came, once a day."""
        if self._daily.admit(record.camera or record.peer, time.monotonic()).is_admitted:
            log.warning(
                "attachment_kept", peer=record.peer, camera=record.camera, reasons=list(lost),
                message="it cannot be examined; the mail is kept as it came (camalert_raw)",
            )  # fmt: skip

    def _say_stored(self, stored: Answer, record: MailRecord, mail_bytes: int, took_s: float) -> None:
        seen = [picture for picture in record.pictures if picture.kind != RAW]
        clips = sum(picture.is_clip for picture in seen)
        pictures = len(seen) - clips
        log.info(
            "mail_stored" if stored.code is StoreCode.STORED else "mail_repeated",
            peer=record.peer, camera=record.camera, event_named=record.event, subject=record.subject, bytes=mail_bytes,
            pictures=pictures, clips=clips,
            first_id=stored.first_id, took_ms=round(took_s * 1000, 1),
        )  # fmt: skip
        self._notes.mail("mail_stored", record.peer, record.camera, pictures, record.clock_off_s, clips=clips)


class _NotStored(Exception):
    """A mail was not stored: the reason is for its owner, the reply for the client."""

    def __init__(self, reason: str, reply: str = replies.TRY_AGAIN) -> None:
        super().__init__(reason)
        self.reply = reply


@dataclass(slots=True)
class _Lease:
    """A slot that is ours; with its Store it stays leased until the writer has answered."""

    slot: int
    is_stored: bool = False


def _kept_for(lost: tuple[str, ...]) -> str:
    return "; ".join(lost)[:REASON_CHARACTERS]


def _with_place(record: MailRecord, envelope: Envelope) -> tuple[tuple[str, str, str], ...]:
    """Return why a mail was read as it was, with what in its envelope named its camera."""
    channel = next((rule for what, _, rule in record.reasons if what == "camera"), "")
    why = place_of(record.camera, envelope) + (f", and its channel by {channel}" if channel else "")
    others = (reason for reason in record.reasons if reason[0] != "camera")
    return (("camera", record.camera[: reader.TAKEN_CHARACTERS], why[: reader.RULE_CHARACTERS]), *others)


def _meant_again(record: MailRecord, acknowledged: set[str]) -> MailRecord:
    """Give a mail that its session has had acknowledged before a digest that no other mail has."""
    return replace(record, digest=os.urandom(reader.DIGEST_BYTES).hex()) if record.digest in acknowledged else record
