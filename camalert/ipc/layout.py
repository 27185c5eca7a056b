"""The layout of the pool, and the table of slot owners.

Supervisor and children share the layout. A `SlotTable` is in private memory, never in shared memory, so that no other
process can corrupt it.

    intake slot: [record, refusal | picture section]     smtp -> writer -> smtp
    folder slot: as a large intake slot                  folder -> writer -> folder
    frame slot:  [record | encoded section | frame]      writer -> decoder -> detector -> writer
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from camalert.errors import ProtocolError
from camalert.ipc.records import RECORD_BYTES

PAGE_BYTES = 4096  # sections start on pages, so that a copy never straddles one more than it must
LENGTH_BYTES = 4  # before each record and refusal
REFUSAL_BYTES = 4000  # behind the record, in its section


@dataclass(frozen=True, slots=True)
class Span:
    """A section of the segment, in bytes from its start."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Return the offset behind the last byte."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the sections of one slot are. An intake slot has an empty `frame`."""

    number: int
    record: Span
    encoded: Span
    frame: Span

    @property
    def refusal(self) -> Span:
        """Return where the writer says why it did not keep a mail: beside its record, which may be read again."""
        return Span(self.record.end - REFUSAL_BYTES, REFUSAL_BYTES)


@dataclass(frozen=True, slots=True)
class Layout:
    """Lay out a pool: a few small intake slots and a large one, equal frame slots and a large one.

    The large intake slot takes the largest mail; the large frame slot takes its largest picture or clip. The folder
    watcher has slots of its own, as large, because smtp keeps the free list of the intake slots.
    """

    intake_slots: int
    intake_slot_bytes: int
    frame_slots: int
    picture_bytes: int
    frame_bytes: int
    largest_bytes: int
    folder_slots: int = 0

    @property
    def intake(self) -> range:
        """Return the numbers of the intake slots; the last one is the large one."""
        return range(self.intake_slots + 1)

    @property
    def frames(self) -> range:
        """Return the numbers of the frame slots; the last one is the large one."""
        return range(self.intake_slots + 1, self.intake_slots + 1 + self.frame_slots + 1)

    @property
    def folder(self) -> range:
        """Return the numbers of the folder watcher's slots."""
        return range(self.frames.stop, self.frames.stop + self.folder_slots)

    @property
    def large_intake(self) -> int:
        """Return the number of the large intake slot."""
        return self.intake[-1]

    @property
    def large_frame(self) -> int:
        """Return the number of the large frame slot."""
        return self.frames[-1]

    def slots(self) -> tuple[Slot, ...]:
        """Return every slot in the order of its number."""
        return tuple(self._lay_out())

    @property
    def size_bytes(self) -> int:
        """Return the size of the whole segment."""
        last = self.slots()[-1]
        return max(last.frame.end, last.encoded.end)

    def _lay_out(self) -> Iterator[Slot]:
        offset = 0
        for number in (*self.intake, *self.frames, *self.folder):
            is_intake = number not in self.frames
            if number in (self.large_intake, self.large_frame, *self.folder):
                encoded_bytes = _round_up(self.largest_bytes)
            else:
                encoded_bytes = _round_up(self.intake_slot_bytes if is_intake else self.picture_bytes)
            record = Span(offset, _round_up(LENGTH_BYTES + RECORD_BYTES + REFUSAL_BYTES))
            encoded = Span(record.end, encoded_bytes)
            frame = Span(encoded.end, 0 if is_intake else _round_up(self.frame_bytes))
            yield Slot(number, record, encoded, frame)
            offset = frame.end


def _round_up(size_bytes: int) -> int:
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


def following(generation: int) -> int:
    """Return the generation of a slot's next lease."""
    return (generation + 1) & 0xFFFFFFFF


class SlotTable:
    """The owner and generation of each slot.

    A generation counts the leases of a slot; a message that names an old one is about a lease that has ended. `owner`
    is the name of a child or of a stage; the table only compares it.
    """

    def __init__(self, numbers: range) -> None:
        self._generation = dict.fromkeys(numbers, 0)
        self._owner: dict[int, str | None] = dict.fromkeys(numbers)

    def lease(self, slot: int, owner: str) -> int:
        """Give a free slot to an owner and return the lease's generation.

        Raises: ProtocolError when the slot is not free.
        """
        if self._owner[slot] is not None:
            raise ProtocolError(f"slot {slot} is {self._owner[slot]}'s, not free")
        self._generation[slot] = following(self._generation[slot])
        self._owner[slot] = owner
        return self._generation[slot]

    def pass_on(self, slot: int, generation: int, owner: str) -> None:
        """Give a leased slot to the next owner.

        Raises: ProtocolError when that lease has ended.
        """
        if not self.is_current(slot, generation):
            raise ProtocolError(f"slot {slot}: lease {generation} has ended")
        self._owner[slot] = owner

    def release(self, slot: int, generation: int) -> None:
        """End a lease.

        Raises: ProtocolError when it has ended before.
        """
        if not self.is_current(slot, generation):
            raise ProtocolError(f"slot {slot}: lease {generation} has ended")
        self._owner[slot] = None

    def is_current(self, slot: int, generation: int) -> bool:
        """Tell whether this lease of this slot is the running one."""
        return self._owner.get(slot) is not None and self._generation[slot] == generation

    def owner(self, slot: int) -> str | None:
        """Return the owner of the slot, None when it is free."""
        return self._owner[slot]

    def generation(self, slot: int) -> int:
        """Return the number of the slot's latest lease."""
        return self._generation[slot]

    def free(self) -> list[int]:
        """Return the numbers of the free slots."""
        return [slot for slot, owner in self._owner.items() if owner is None]

    def owned_by(self, owner: str) -> list[int]:
        """Return the slots an owner has."""
        return [slot for slot, held_by in self._owner.items() if held_by == owner]
