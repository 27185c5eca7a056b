"""The frame slots: which picture lies in which, and how far its examination has come.

Pure: part of the books of `dispatch`.

    the writer's, to load  ->  queued  ->  a decoder's  ->  queued  ->  a detector's  ->  the writer's, with a verdict

A clip goes from the detector back to the queue of the decoders until each of its pictures was examined.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.errors import ProtocolError
from camalert.messages import Conclude, Decode, Detect, Held, Lend, Loaded, Outcome, Stage
from camalert.slots import SlotTable

WRITER = "writer"
QUEUED = "queued"


@dataclass(slots=True)
class Work:
    """One picture or clip on its way through a frame slot."""

    loaded: Loaded
    index: int = 0  # which picture of a clip
    pictures: int = 1
    has_person: bool = False
    conclude: Conclude | None = None  # unanswered

    def job(self, stage: Stage) -> Decode | Detect:
        """Return what a worker of this stage is told."""
        loaded = self.loaded
        if stage is Stage.DETECT:
            return Detect(loaded.slot, loaded.generation)
        is_clip = loaded.is_clip and self.index == 0
        return Decode(loaded.slot, loaded.generation, loaded.picture_bytes, self.index, is_clip)

    def examined(self, outcome: int) -> Outcome | None:
        """Take in what was found in one picture; return the verdict, None while a clip has more pictures."""
        self.has_person |= outcome == Outcome.PERSON
        self.index += 1
        if outcome != Outcome.FAILED and self.index < self.pictures:
            return None
        return Outcome.PERSON if self.has_person else Outcome(outcome)


class FrameSlots(SlotTable):
    """Keep the books of the frame slots, and of the work in those that are loaded."""

    def __init__(self, numbers: range) -> None:
        super().__init__(numbers)
        self.work: dict[int, Work] = {}

    def lend(self) -> list[Lend]:
        """Give the writer every free slot."""
        return [Lend(slot, self.lease(slot, WRITER)) for slot in self.free()]

    def take_back(self) -> None:
        """End the leases of the slots that a dead writer had not loaded."""
        for slot in self.owned_by(WRITER):
            if slot not in self.work:
                self.release(slot, self.generation(slot))

    def load(self, loaded: Loaded) -> None:
        """Begin the work on what the writer loaded in a running lease.

        Raises: ProtocolError when the slot was not lent to the writer.
        """
        if loaded.slot in self.work or self.owner(loaded.slot) != WRITER:
            raise ProtocolError(f"slot {loaded.slot} was not the writer's to load")
        self.work[loaded.slot] = Work(loaded)

    def conclude(self, slot: int, outcome: Outcome, stage: Stage, tries: int, code: int) -> Conclude:
        """Give a slot to the writer with the verdict about its picture."""
        work = self.work[slot]
        loaded = work.loaded
        work.conclude = Conclude(slot, loaded.generation, loaded.alert_id, outcome, stage, tries, code)
        self.pass_on(slot, loaded.generation, WRITER)
        return work.conclude

    def verdict(self, slot: int) -> Conclude | None:
        """Return the verdict about a slot's picture that the writer has not answered, None when there is none."""
        work = self.work.get(slot)
        return work.conclude if work else None

    def end(self, slot: int) -> None:
        """End the work in a slot and its lease; without a verdict the alert simply stays pending."""
        self.release(slot, self.work.pop(slot).loaded.generation)

    def held(self) -> list[Held]:
        """Return what is in flight, for a writer that must not load it again."""
        return [Held(slot, work.loaded.generation, work.loaded.alert_id) for slot, work in self.work.items()]

    def verdicts(self) -> list[Conclude]:
        """Return the verdicts that no writer has answered."""
        return [work.conclude for work in self.work.values() if work.conclude]
