"""The intake slots: leased for a mail, and free again when the writer has answered.

Mechanism: belongs to the event loop of the smtp process. A slot stays leased until its `Stored` comes, even when the
client has long given up: the writer may be reading it.
"""

from __future__ import annotations

import asyncio
import collections
import os

from camalert.channel import Channel
from camalert.messages import Held, Store, Stored
from camalert.pool import Pool
from camalert.slots import SlotTable

OWNER = "smtp"
PREDECESSOR = "predecessor"


class SlotDesk:
    """The free list of the intake slots, and the mails that wait for the writer."""

    def __init__(self, pool: Pool, channel: Channel) -> None:
        self.pool = pool
        self._channel = channel
        self._table = SlotTable(pool.layout.intake)
        self._held: dict[int, int] = {}  # slot -> generation of the predecessor's lease
        self._waiting: dict[bytes, asyncio.Future[Stored]] = {}
        self._queue: collections.deque[tuple[asyncio.Future[int], int]] = collections.deque()

    @property
    def open_stores(self) -> int:
        """Return how many mails wait for the writer's answer."""
        return len(self._waiting)

    def fits(self, size_bytes: int) -> bool:
        """Tell whether any slot has room for so many bytes."""
        return size_bytes <= self.pool.slots[self.pool.layout.large_intake].encoded.length

    async def lease(self, size_bytes: int, timeout_s: float) -> int:
        """Wait for a slot with room for so many bytes, in the order of the asking.

        Raises: TimeoutError when none became free in time.
        """
        slot = self._free_slot(size_bytes)
        if slot is None or any(self._has_room(slot, wanted) for _, wanted in self._queue):
            turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            entry = (turn, size_bytes)
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
        return slot

    def give_back(self, slot: int) -> None:
        """End the lease of a slot that no Store was sent for."""
        self._table.release(slot, self._table.generation(slot))
        self._serve_queue()

    def store(self, slot: int) -> asyncio.Future[Stored]:
        """Send the Store of a filled slot; the future is the writer's answer."""
        mail_id = os.urandom(16)
        answer: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
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
        self.give_back(message.slot)
        if not answer.done():
            answer.set_result(message)

    def held(self, message: Held) -> None:
        """Keep a slot that still has an open Store of this process' predecessor."""
        self._held[message.slot] = message.generation
        self._table.lease(message.slot, PREDECESSOR)

    def _free_slot(self, size_bytes: int) -> int | None:
        free = [slot for slot in self._table.free() if self._has_room(slot, size_bytes)]
        return min(free, default=None)

    def _has_room(self, slot: int, size_bytes: int) -> bool:
        return size_bytes <= self.pool.slots[slot].encoded.length

    def _serve_queue(self) -> None:
        """Give free slots to those who wait; one who needs the large slot does not hold up the others."""
        for entry in list(self._queue):
            turn, size_bytes = entry
            slot = self._free_slot(size_bytes)
            if slot is not None and not turn.done():
                self._table.lease(slot, OWNER)
                self._queue.remove(entry)
                turn.set_result(slot)
