"""A reader process: it reads untrusted mails, so that none of them can stop the smtp process.

    smtp: mail and envelope in an intake slot ─Read─▶ reader: the pictures in the mail's place, its record beside them
                                              ◀─WasRead─┘

One mail at a time. It has no socket of a client and opens no database. A reading that takes too long is ended here,
between two parts of a mail; a hang within one part is killed by `parent`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Self

from camalert.errors import Exit, ProtocolError, ReadingTooLong
from camalert.identity import Envelope
from camalert.intake.mail import pictures, reader
from camalert.intake.mail.languages import tables
from camalert.intake.mail.parts import LeftOut
from camalert.intake.mail.reader import Reading
from camalert.intake.mail.rules import Rules
from camalert.ipc.child import Context
from camalert.ipc.messages import Message, Ping, Pong, Read, Ready, Stop, WasRead
from camalert.ipc.records import RECORD_BYTES, MailRecord
from camalert.system.logs import log

MIB = 1 << 20
# A mail as cameras send them takes 1 ms of this and 5 ms a MiB on a desk's processor, a board's is ten times slower.
LIMIT_S = 2.0
LIMIT_S_A_MIB = 0.1
RECIPIENTS_BYTES = 20_480  # of them all; escaped for JSON they take twice as much, and a slot's record has 64 KiB
NAME_CHARACTERS = 1000
REASON_CHARACTERS = 200
MOST_REASONS = 10
M_MMAP_THRESHOLD = -3
LARGE_BLOCK_BYTES = 262_144


def limit_s(mail_bytes: int) -> float:
    """Return how much of the processor's time the reading of a mail may take."""
    return LIMIT_S + LIMIT_S_A_MIB * mail_bytes / MIB


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What a reader needs to know of a mail beside its bytes."""

    envelope: Envelope
    received_utc: float

    def encode(self) -> bytes:
        """Encode as JSON that fits into any slot; the last of very many and long recipients give way."""
        full = self.envelope
        recipients, free_bytes = [], RECIPIENTS_BYTES
        for recipient in full.recipients:
            free_bytes -= len(recipient.encode("utf-8", "replace"))
            if free_bytes < 0:
                break
            recipients.append(recipient)
        cut = replace(
            full, helo=full.helo[:NAME_CHARACTERS], login=full.login[:NAME_CHARACTERS], recipients=tuple(recipients)
        )
        return json.dumps([self.received_utc, asdict(cut)], ensure_ascii=False).encode("utf-8", "replace")

    @classmethod
    def decode(cls, block: bytes) -> Self:
        """Decode what `encode` made, in the process that trusts the one that did."""
        received_utc, envelope = json.loads(block)
        return cls(Envelope(**envelope | {"recipients": tuple(envelope["recipients"])}), received_utc)


@dataclass(frozen=True, slots=True)
class ReadingRecord:
    """What a mail says, and what of it was left out: for the log in all cases, `lost` when it is nowhere else."""

    record: MailRecord
    left_out: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def encode(self, limit_bytes: int = RECORD_BYTES) -> bytes:
        """Encode as a line of JSON and the mail's record.

        Raises: ProtocolError when they do not fit.
        """
        line = json.dumps([self.left_out, self.lost], ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        return line + self.record.encode(limit_bytes - len(line))

    @classmethod
    def decode(cls, block: bytes) -> Self:
        """Decode what `encode` made.

        Raises: ProtocolError for anything else.
        """
        line, _, record = block.partition(b"\n")
        try:
            left_out, lost = (tuple(str(reason) for reason in reasons) for reasons in json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise ProtocolError(f"a reading of {len(block)} bytes is none: {error}") from error
        return cls(MailRecord.decode(record), left_out, lost)


def main(context: Context) -> Exit:
    """Read mails until the smtp process is gone, or asks to stop."""
    give_memory_back()
    reads = MailReader(context)
    tables()  # no file can be read later
    context.confine()
    context.channel.send(Ready(os.getpid()))
    while True:
        context.channel.wait()
        while (message := context.channel.receive()) is not None:
            if isinstance(message, Stop):
                return Exit.OK
            context.channel.send(reads.answer(message))


class MailReader:
    """Read mails in place, in their slots."""

    def __init__(self, context: Context) -> None:
        self._pool = context.pool
        self._intake = context.config.intake
        self._rules = Rules(context.config.camera)

    def answer(self, message: Message) -> Message:
        """Do what is asked.

        Raises: ProtocolError when it is nothing that a reader does.
        """
        match message:
            case Read(slot, mail_bytes):
                self._read(slot, mail_bytes)
                return WasRead(slot)
            case Ping(number):
                return Pong(number)
            case _:
                raise ProtocolError(f"a reader cannot do anything with {type(message).__name__}")

    def _read(self, slot: int, mail_bytes: int) -> None:
        request = ReadRequest.decode(self._pool.read_record(slot))
        with self._pool.encoded(slot) as view:
            mail = bytes(view[:mail_bytes])
        check_time = _alarm_clock(limit_s(mail_bytes))
        reason = ""
        try:
            reading = reader.read(
                mail,
                request.envelope,
                self._rules,
                request.received_utc,
                self._intake.max_clock_skew_seconds,
                check_time,
            )
            reason = reading.record.unreadable
            if not reason:
                self._write(slot, reading, check_time)
                return
        except ReadingTooLong as error:
            reason = str(error)
        except Exception as error:
            log.error("mail_unreadable", peer=request.envelope.peer, bytes=mail_bytes, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
        self._write(slot, reader.unreadable(mail, request.envelope, request.received_utc, reason[:REASON_CHARACTERS]))

    def _write(self, slot: int, reading: Reading, check_time: Callable[[], None] = lambda: None) -> None:
        with self._pool.encoded(slot) as view:
            written, not_written = pictures.write(reading.found, view, self._intake.max_pictures, check_time)
        left_out = (*reading.left_out, *not_written)
        found = ReadingRecord(
            replace(reading.record, pictures=written), _reasons(left_out),
            _reasons(tuple(item for item in left_out if item.matters)),
        )  # fmt: skip
        self._pool.write_record(slot, found.encode())


def give_memory_back() -> None:
    """Let every large block be a mapping of its own, which grows in place and is gone when it is freed.

    Otherwise glibc moves its threshold up to the largest mail seen, and the heap keeps several of them forever.
    Source: M_MMAP_THRESHOLD in mallopt(3).
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def _reasons(left_out: tuple[LeftOut, ...]) -> tuple[str, ...]:
    return tuple(sorted({item.message[:REASON_CHARACTERS] for item in left_out})[:MOST_REASONS])


def _alarm_clock(limit_s: float) -> Callable[[], None]:
    """Return what raises ReadingTooLong once this process has computed for so long from now."""
    ends_at = time.process_time() + limit_s

    def check_time() -> None:
        if time.process_time() > ends_at:
            raise ReadingTooLong(f"reading it took longer than {limit_s:.1f} s")

    return check_time
