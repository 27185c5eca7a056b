"""Who gets a reader, and what a reader is told of a mail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

import pytest

from camalert.errors import ProtocolError
from camalert.identity import Envelope
from camalert.intake.smtp.intakeslots import IntakeSlots
from camalert.intake.smtp.readers import parent
from camalert.intake.smtp.readers.parent import READERS, NoReader, Readers
from camalert.intake.smtp.readers.process import MOST_REASONS, REASON_CHARACTERS, ReadingRecord, ReadRequest
from camalert.ipc.channel import Channel
from camalert.ipc.child import Context
from camalert.ipc.layout import LENGTH_BYTES, Layout
from camalert.ipc.pool import Pool
from camalert.ipc.records import RECORD_BYTES, MailRecord, PictureRecord

ROOM_BYTES = RECORD_BYTES - LENGTH_BYTES


class _ReaderDouble:
    """A reader that has a process in name only."""

    def __init__(self, _: Context, on_end: Callable[[Any], None]) -> None:
        self.is_free = True
        self.is_at_work = False
        self.on_end = on_end

    def memory_bytes(self) -> int:
        return 0


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Readers:
    monkeypatch.setattr(parent, "_Reader", _ReaderDouble)
    monkeypatch.setattr(parent, "PATIENCE_S", 0.01)
    return Readers(cast("Context", None))


def test_mails_get_readers_in_the_order_of_their_asking(shared: Readers) -> None:
    """A mail that comes at the moment when a reader is free again does not get in before those who wait."""

    async def work() -> list[int]:
        served: list[int] = []
        held = [await shared._turn("10.0.0.5") for _ in range(READERS)]

        async def mail(number: int) -> None:
            reader = await shared._turn("10.0.0.5")
            served.append(number)
            await shared._release(reader)

        first = [asyncio.create_task(mail(number)) for number in range(5)]
        await asyncio.sleep(0)
        # The newcomers run in the same turn of the loop in which the readers are given back, and before who was woken.
        newcomers = [asyncio.create_task(mail(number)) for number in range(5, 9)]
        for reader in held:
            await shared._release(reader)
        await asyncio.gather(*first, *newcomers)
        return served

    assert asyncio.run(work()) == list(range(9))


def test_addresses_take_turns_at_the_readers(shared: Readers) -> None:
    """A crowd of one address delays another's mail by one mail, not by all of its own."""

    async def work() -> list[str]:
        served: list[str] = []
        held = [await shared._turn("10.0.0.66") for _ in range(READERS)]

        async def mail(address: str) -> None:
            reader = await shared._turn(address)
            served.append(address)
            await asyncio.sleep(0)
            await shared._release(reader)

        crowd = [asyncio.create_task(mail("10.0.0.66")) for _ in range(30)]
        await asyncio.sleep(0)
        others = [asyncio.create_task(mail(address)) for address in ("10.0.0.5", "10.0.0.6", "10.0.0.5")]
        await asyncio.sleep(0)
        for reader in held:
            await shared._release(reader)
        await asyncio.gather(*crowd, *others)
        return served

    served = asyncio.run(work())
    assert len(served) == 33
    assert sorted(served[:2]) == ["10.0.0.5", "10.0.0.6"]
    assert served[2:5].count("10.0.0.5") == 1


@pytest.mark.parametrize("count", [1, 2])
def test_addresses_take_turns_at_the_slots(count: int) -> None:
    """So they do before their mails are read; who needs the large slot holds up nobody."""

    async def work(slots: IntakeSlots) -> list[str]:
        served: list[str] = []
        held = [await slots.lease(10, 5, "10.0.0.66") for _ in range(count)]
        large = await slots.lease(100_000, 5, "10.0.0.66")

        async def mail(address: str, size_bytes: int) -> None:
            slot = await slots.lease(size_bytes, 5, address)
            served.append(address)
            await asyncio.sleep(0)
            slots.give_back(slot)

        crowd = [asyncio.create_task(mail("10.0.0.66", 10)) for _ in range(9)]
        waiting = asyncio.create_task(mail("10.0.0.7", 100_000))
        await asyncio.sleep(0)
        others = [asyncio.create_task(mail("10.0.0.5", 10)) for _ in range(2)]
        await asyncio.sleep(0)
        for slot in held:
            slots.give_back(slot)
        await asyncio.gather(*crowd, *others)
        assert not waiting.done()
        slots.give_back(large)
        await waiting
        return served

    layout = Layout(
        intake_slots=count,
        intake_slot_bytes=100,
        frame_slots=1,
        picture_bytes=100,
        frame_bytes=100,
        largest_bytes=100_000,
    )
    pool = Pool.create(f"camalert-test-{os.getpid()}-turns{count}", layout)
    try:
        served = asyncio.run(work(IntakeSlots(pool, cast("Channel", None))))
    finally:
        pool.close()
        pool.unlink()
    assert served.index("10.0.0.5") == 0
    assert [number for number, address in enumerate(served) if address == "10.0.0.5"][1] <= 3
    assert len(served) == 12


def test_reader_given_to_who_has_just_gone_serves_the_next(shared: Readers) -> None:
    """Nobody waits forever because the one before was ended at the moment of its turn."""

    async def work() -> None:
        held = [await shared._turn("10.0.0.5") for _ in range(READERS)]
        gone = asyncio.create_task(shared._turn("10.0.0.5"))
        next_one = asyncio.create_task(shared._turn("10.0.0.5"))
        await asyncio.sleep(0)
        await shared._release(held[0])
        gone.cancel()
        assert await asyncio.wait_for(next_one, 5) is held[0]

    asyncio.run(work())


def test_readers_that_end_are_replaced_for_those_who_wait(shared: Readers) -> None:
    """Also when all of them end at once, under several mails."""

    async def work() -> None:
        held = [cast("Any", await shared._turn("10.0.0.5")) for _ in range(READERS)]
        waiting = [asyncio.create_task(shared._turn("10.0.0.5")) for _ in range(READERS)]
        await asyncio.sleep(0)
        for reader in held:
            reader.on_end(reader)
        found = await asyncio.wait_for(asyncio.gather(*waiting), 5)
        assert not set(map(id, found)) & set(map(id, held))

    asyncio.run(work())


@pytest.mark.parametrize("letter", ["x", "é", "\\", '"', "\U0001f600", "\u0085"])
def test_envelope_fits_into_a_slot_whatever_its_recipients(letter: str) -> None:
    """A hundred long recipients end no reader; the first ones are told, and the time."""
    envelope = Envelope("10.0.0.5", letter * 4096, letter * 4096, letter * 320, (letter * 320,) * 100)
    block = ReadRequest(envelope, 5.0).encode()

    assert len(block) <= ROOM_BYTES
    found = ReadRequest.decode(block)
    assert (found.received_utc, found.envelope.peer, found.envelope.sender) == (5.0, "10.0.0.5", letter * 320)
    assert len(found.envelope.recipients) >= 10
    assert set(found.envelope.recipients) == {letter * 320}


@pytest.mark.parametrize("letter", ["x", "é", "\\", "\U0001f600"])
def test_reading_with_many_reasons_fits_into_a_slot(letter: str) -> None:
    """What was left out is named with all pictures of the largest mail."""
    reasons = tuple(letter * REASON_CHARACTERS for _ in range(MOST_REASONS))
    words = MailRecord(
        5.0, subject=letter * 200, recipients=(letter * 200,) * 20,
        pictures=tuple(PictureRecord(25_000_000, 25_000_000, "jpeg", letter * 200) for _ in range(400)),
    )  # fmt: skip

    found = ReadingRecord.decode(ReadingRecord(words, reasons, reasons).encode(ROOM_BYTES))

    assert (found.left_out, found.lost) == (reasons, reasons)
    assert len(found.record.pictures) == 400


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[1, 2]", b"[[], [], []]", b"[" * 60_000, b"[[" + b"9" * 5000 + b"], []]", b"\xff"]
)
def test_reading_that_is_none_is_refused(line: bytes) -> None:
    """A reader that a mail has taken over may answer anything; the smtp process kills it and goes on."""
    with pytest.raises(ProtocolError):
        ReadingRecord.decode(line + b"\n" + MailRecord(5.0).encode())


def test_mail_whose_reader_ended_at_its_start_gets_another_one(
    shared: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends a process once is no reason to send a camera away; when none starts, it is."""
    failures = [NoReader("it exited with -9"), NoReader("it exited with -9"), NoReader("it exited with -9")]

    async def read(*_: Any) -> str:
        if failures:
            raise failures.pop()
        return "read"

    monkeypatch.setattr(shared, "_read", read)
    with pytest.raises(NoReader):
        asyncio.run(shared.read(0, b"", ReadRequest(Envelope(), 0.0)))
    found: Any = asyncio.run(shared.read(0, b"", ReadRequest(Envelope(), 0.0)))
    assert found == "read"
