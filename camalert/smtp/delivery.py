"""From a received mail to the reply that the camera gets: read it, put its pictures into a slot, ask the writer.

Mechanism: runs in the event loop of the smtp process; the reading itself is `camalert.mail`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from camalert.config import Config
from camalert.errors import MailError
from camalert.mail import pictures, reader
from camalert.mail.envelope import DIGEST_BYTES, Envelope
from camalert.mail.reader import Reading
from camalert.mail.rules import Rules
from camalert.messages import StoreCode
from camalert.slots import LENGTH_BYTES
from camalert.smtp import diagnosis, replies
from camalert.smtp.notes import Notes
from camalert.smtp.slotdesk import SlotDesk
from camalert.words import MailWords, PictureWords

log = structlog.get_logger()


class Parcel:
    """A mail's bytes, until they are not needed any more."""

    def __init__(self, mail: bytearray, freed: Callable[[], None]) -> None:
        self.mail = mail
        self.mail_bytes = len(mail)
        self._freed = freed

    def free(self) -> None:
        """Give the memory back: a mail that waits for the writer takes none here."""
        self.mail = bytearray()
        self._freed()


class Delivery:
    """Bring mails to the writer."""

    def __init__(self, config: Config, desk: SlotDesk, notes: Notes) -> None:
        self._intake = config.intake
        self._rules = Rules(config.camera)
        self._desk = desk
        self._notes = notes

    async def deliver(self, parcel: Parcel, envelope: Envelope, acknowledged: set[str]) -> str:
        """Deliver one mail, and free its bytes as soon as the slot has its pictures.

        Args:
            parcel: The mail.
            envelope: Who sent it to whom.
            acknowledged: The digests of the session's mails that got a 250; this one's is added. A client that sends
                the same bytes after it was told that they arrived means it: no lost answer, so no repeat.
        Returns: The reply for the client; 250 only for what is committed, or needs no row.
        """
        mail_bytes = parcel.mail_bytes
        received_utc = time.time()
        reading = self._read(parcel.mail, envelope, received_utc)
        if not reading.found:
            return self._without_picture(reading.words, mail_bytes)
        try:
            slot = await self._desk.lease(min(reading.bound_bytes, self._largest_bytes), self._intake.wait_seconds)
        except TimeoutError:
            return self._not_stored(envelope.peer, "all intake slots are taken: the database is too slow or locked")
        is_stored = False
        try:
            words = self._fill(slot, _meant_again(reading, acknowledged), mail_bytes)
            del reading
            parcel.free()
            if not words.pictures:
                return self._without_picture(words, mail_bytes)
            answer = self._desk.store(slot)
            is_stored = True
        finally:
            if not is_stored:
                self._desk.give_back(slot)
        try:
            async with asyncio.timeout(self._intake.wait_seconds):
                stored = await asyncio.shield(answer)
        except TimeoutError:
            return self._not_stored(envelope.peer, f"the writer did not answer within {self._intake.wait_seconds:g} s")
        reply = self._reply(StoreCode(stored.code), words, mail_bytes, time.time() - received_utc, stored.first_id)
        if reply == replies.OK:
            acknowledged.add(words.digest)
        return reply

    @property
    def _largest_bytes(self) -> int:
        pool = self._desk.pool
        return pool.slots[pool.layout.large_intake].encoded.length

    def _read(self, mail: bytearray, envelope: Envelope, received_utc: float) -> Reading:
        """Read a mail; one that the reader cannot bear is kept raw."""
        try:
            reading = reader.read(mail, envelope, self._rules, received_utc, self._intake.max_clock_skew_seconds)
        except Exception as error:
            log.error("mail_unreadable", peer=envelope.peer, bytes=len(mail), exc_info=True)
            return reader.unreadable(mail, envelope, received_utc, f"{type(error).__name__}: {error}"[:300])
        if reading.words.unreadable:
            return reader.unreadable(mail, envelope, received_utc, reading.words.unreadable)
        return reading

    def _fill(self, slot: int, reading: Reading, mail_bytes: int) -> MailWords:
        """Write pictures and words into a slot."""
        words = reading.words
        with self._desk.pool.encoded(slot) as view:
            try:
                written = pictures.write(reading.found, view, self._intake.max_pictures)
            except MailError as error:
                log.warning("mail_cut", peer=words.peer, bytes=mail_bytes, reason=str(error))
                written = pictures.Written((), (str(error),))
        if written.left_out:
            log.info(
                "pictures_left_out", peer=words.peer, camera=words.camera, reasons=sorted(set(written.left_out))[:10]
            )
        words = replace(words, pictures=written.pictures)
        self._desk.pool.write_words(slot, words.encode(self._words_bytes))
        return words

    @property
    def _words_bytes(self) -> int:
        return self._desk.pool.slots[0].words.length - LENGTH_BYTES

    def _without_picture(self, words: MailWords, mail_bytes: int) -> str:
        """Take in a mail that gives no row: a sign of life, or an alarm that has nothing to look at."""
        log.info(
            "mail_without_picture", peer=words.peer, camera=words.camera, kind=words.kind, subject=words.subject,
            event_named=words.event, bytes=mail_bytes,
        )  # fmt: skip
        self._notes.mail(f"{words.kind}_mail", words.peer, words.camera, 0)
        return replies.OK

    def _not_stored(self, peer: str, reason: str, reply: str = replies.TRY_AGAIN) -> str:
        words = diagnosis.not_stored(peer, reason)
        log.warning("mail_not_stored", peer=peer, words=words)
        self._notes.failure("mail_not_stored", peer, words)
        return reply

    def _reply(self, code: StoreCode, words: MailWords, mail_bytes: int, took_s: float, first_id: int) -> str:
        match code:
            case StoreCode.BUSY:
                return self._not_stored(words.peer, "the database is locked")
            case StoreCode.FULL:
                return self._not_stored(words.peer, "the disk is full or the database is read-only", replies.FULL)
            case StoreCode.REFUSED:
                return self._not_stored(words.peer, "the writer could not read it, which is a defect of camalert")
        log.info(
            "mail_stored" if code is StoreCode.STORED else "mail_repeated",
            peer=words.peer, camera=words.camera, event_named=words.event, subject=words.subject, bytes=mail_bytes,
            pictures=_count(words.pictures), clips=len(words.pictures) - _count(words.pictures), first_id=first_id,
            took_ms=round(took_s * 1000, 1),
        )  # fmt: skip
        self._notes.mail("mail_stored", words.peer, words.camera, len(words.pictures))
        return replies.OK


def _meant_again(reading: Reading, acknowledged: set[str]) -> Reading:
    """Give a mail that its session has had acknowledged before a digest that no other mail has."""
    if reading.words.digest not in acknowledged:
        return reading
    return replace(reading, words=replace(reading.words, digest=os.urandom(DIGEST_BYTES).hex()))


def _count(found: tuple[PictureWords, ...]) -> int:
    return sum(not picture.is_clip for picture in found)
