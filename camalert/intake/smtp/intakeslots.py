"""The intake slots: leased for a mail, and free again when the writer has answered.

A slot stays leased until its `Stored` comes, even when the client has long given up: the writer may be reading it.
"""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Iterator
from dataclasses import dataclass

from camalert.intake.smtp.limits import Turns
from camalert.ipc.channel import Channel
from camalert.ipc.layout import SlotTable
from camalert.ipc.messages import Held, Store, StoreCode, Stored
from camalert.ipc.pool import Pool

OWNER = "smtp"
PREDECESSOR = "predecessor"


@dataclass(frozen=True, slots=True)
class Answer:
    """The writer's answer about a mail; `reason` is why it was not stored, "" when it left none."""

    code: StoreCode
    first_id: int
    reason: str = ""


class IntakeSlots:
    """The free list of the intake slots, and the mails that wait for the writer."""

    def __init__(self, pool: Pool, channel: Channel) -> None:
        self.pool = pool
        self._channel = channel
        self._table = SlotTable(pool.layout.intake)
        self._held: dict[int, int] = {}  # slot -> generation of the predecessor's lease
        self._waiting: dict[bytes, asyncio.Future[Answer]] = {}
        self._turns = Turns()
        self._queue: collections.deque[tuple[asyncio.Future[int], int, str]] = collections.deque()

    @property
    def open_stores(self) -> int:
        """Return how many mails wait for the writer's answer."""
        return len(self._waiting)

    @property
    def largest_bytes(self) -> int:
        """Return the size of the largest mail that any slot can hold."""
        return self.pool.slots[self.pool.layout.large_intake].encoded.length

    async def lease(self, size_bytes: int, timeout_s: float, address: str) -> int:
        """Wait for a slot of at least this size; addresses take turns.

        Raises: TimeoutError when none became free in time.
        """
        slot = self._free_slot(size_bytes)
        if slot is None or any(self._fits(slot, wanted) for _, wanted, _ in self._queue):
            turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            entry = (turn, size_bytes, address)
            self._queue.append(entry)
            self._serve_queue()
            try:
                async with asyncio.timeout(timeout_s):
                    return await turn
            except BaseException:
                if turn.done() and not turn.cancelled():
                    self.give_back(turn.result())
                else:
                    self._queue.remove(entry)
                raise
        self._table.lease(slot, OWNER)
        self._turns.served(address)
        return slot

    def give_back(self, slot: int) -> None:
        """End the lease of a slot that no Store was sent for."""
        self._table.release(slot, self._table.generation(slot))
        self._serve_queue()

    def store(self, slot: int) -> asyncio.Future[Answer]:
        """Send the Store of a filled slot; the future is the writer's answer."""
        mail_id = os.urandom(16)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[mail_id] = answer
        self._channel.send(Store(slot, self._table.generation(slot), mail_id))
        return answer

    def stored(self, message: Stored) -> None:
        """Take the writer's answer: the slot is free again."""
        answer = self._waiting.pop(message.mail_id, None)
        if answer is None:
            if self._held.get(message.slot) == message.generation:
                del self._held[message.slot]
                self._table.release(message.slot, self._table.generation(message.slot))
                self._serve_queue()
            return
        found = Answer(StoreCode(message.code), message.first_id, self._reason(message))
        self.give_back(message.slot)
        if not answer.done():
            answer.set_result(found)

    def held(self, message: Held) -> None:
        """Keep a slot that still has an open Store of this process' predecessor."""
        self._held[message.slot] = message.generation
        self._table.lease(message.slot, PREDECESSOR)

    def _reason(self, message: Stored) -> str:
        if message.code in (StoreCode.STORED, StoreCode.REPEATED):
            return ""
        return self.pool.read_refusal(message.slot)

    def _free_slot(self, size_bytes: int) -> int | None:
        free = [slot for slot in self._table.free() if self._fits(slot, size_bytes)]
        return min(free, default=None)

    def _fits(self, slot: int, size_bytes: int) -> bool:
        return size_bytes <= self.pool.slots[slot].encoded.length

    def _serve_queue(self) -> None:
        """Give free slots to those who wait; one who needs the large slot does not hold up the others."""
        while granted := next(self._grants(), None):
            entry, slot = granted
            self._table.lease(slot, OWNER)
            self._turns.served(entry[-1])
            self._queue.remove(entry)
            entry[0].set_result(slot)

    def _grants(self) -> Iterator[tuple[tuple[asyncio.Future[int], int, str], int]]:
        """Yield which entry may have which slot now, the next one first."""
        for entry in self._turns.in_order(self._queue):
            slot = self._free_slot(entry[1])
            if slot is not None and not entry[0].done():
                yield entry, slot
