"""The books of the pipeline: where each picture is, who works on it, and which message follows.

Pure: messages in, messages out, `now` as an argument. The supervisor feeds it and sends what it returns.

    Store, Stored         between intake and writer; an unanswered Store is repeated to the next writer
    Lend -> Loaded -> Decode -> Decoded -> Detect -> Detected -> Conclude -> Concluded -> Loaded -> Decode ...

The writer gets each frame slot back with its verdict: slots are lent once to each writer, and no message a picture is
spent on it. Live pictures go before the backlog at every step. A worker that ends or hangs in a job takes its picture
down with it: the writer counts the try, and the picture comes again from the database, once.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass

from camalert.crew import Crew
from camalert.errors import ProtocolError
from camalert.messages import (
    Conclude,
    Concluded,
    Decode,
    Decoded,
    Detect,
    Detected,
    Held,
    Lend,
    Loaded,
    Message,
    Outcome,
    Ping,
    Stage,
    Store,
    StoreCode,
    Stored,
)
from camalert.slots import Layout, SlotTable

WRITER = "writer"
QUEUED = "queued"
PICTURES_MAX = 1000  # of one clip; a decoder that speaks of more is not to be believed

_STORE_CODES = frozenset(StoreCode)
_DETECTED = frozenset((Outcome.PERSON, Outcome.NOBODY, Outcome.FAILED))

Send = tuple[str, Message]


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines of the two jobs, in seconds."""

    decode_s: float
    detect_s: float


@dataclass(slots=True)
class Work:
    """One picture or clip on its way through a frame slot."""

    loaded: Loaded
    index: int = 0  # which picture of a clip
    pictures: int = 1
    has_person: bool = False
    conclude: Conclude | None = None  # unanswered


class Dispatch:
    """Keep the books; every method returns the messages to send, in order."""

    def __init__(self, layout: Layout, limits: Limits) -> None:
        self.slots = SlotTable(layout.frames)
        self._intake_slots = frozenset((*layout.intake, *layout.folder))
        self.decoders = Crew(Stage.DECODE, limits.decode_s)
        self.detectors = Crew(Stage.DETECT, limits.detect_s)
        self.examined: collections.Counter[str] = collections.Counter()  # pictures by detector, since its start
        self.stale = 0  # messages about leases that had ended
        self._work: dict[int, Work] = {}
        self._stores: dict[bytes, tuple[str, Store]] = {}  # by mail: who asked, and what
        self._has_writer = False
        self._intakes: set[str] = set()  # the intake children that are there
        self._is_draining = False

    @property
    def is_quiet(self) -> bool:
        """Tell whether no mail waits for its commit and no verdict is under way."""
        return not self._stores and not self._work

    @property
    def in_flight(self) -> int:
        """Return how many pictures are in frame slots."""
        return len(self._work)

    def outcome(self, slot: int) -> int:
        """Return the outcome being concluded for a slot, 0 when there is none."""
        work = self._work.get(slot)
        return work.conclude.outcome if work and work.conclude else 0

    def busy(self) -> frozenset[str]:
        """Return the workers that have a job, whose deadline bounds them."""
        return frozenset((*self.decoders.jobs, *self.detectors.jobs))

    def overdue(self, now: float) -> list[str]:
        """Return the workers that passed the deadline of their job, each once."""
        return self.decoders.overdue(now) + self.detectors.overdue(now)

    def next_deadline(self) -> float | None:
        """Return the earliest deadline of a job."""
        crews = (self.decoders, self.detectors)
        return min((deadline for crew in crews for _, deadline in crew.jobs.values()), default=None)

    # --- children come and go ---------------------------------------------------------------------------------------

    def intake_ready(self, name: str) -> list[Send]:
        """Tell a new intake child which slots still wait for the answer to its predecessor's Store.

        The ping at the end says that these are all; only then may it use the others.
        """
        self._intakes.add(name)
        sends: list[Send] = [
            (name, Held(store.slot, store.generation, 0)) for asker, store in self._stores.values() if asker == name
        ]
        return [*sends, (name, Ping(0))]

    def intake_gone(self, name: str) -> None:
        """Note that an intake child is away; its open Stores stay open."""
        self._intakes.discard(name)

    def writer_ready(self) -> list[Send]:
        """Tell a new writer what is in flight, what its predecessor left unanswered, and which slots are free."""
        self._has_writer = True
        sends: list[Send] = [
            (WRITER, Held(slot, work.loaded.generation, work.loaded.alert_id)) for slot, work in self._work.items()
        ]
        sends += [(WRITER, store) for _, store in self._stores.values()]
        sends += [(WRITER, work.conclude) for work in self._work.values() if work.conclude]
        if self._is_draining:
            return sends
        return sends + [(WRITER, Lend(slot, self.slots.lease(slot, WRITER))) for slot in self.slots.free()]

    def writer_leaving(self) -> None:
        """Send nothing more to a writer that is to be replaced; its successor gets what it leaves unanswered."""
        self._has_writer = False

    def writer_gone(self) -> None:
        """Take back the slots lent to a dead writer."""
        self._has_writer = False
        for slot in self.slots.owned_by(WRITER):
            if slot not in self._work:
                self.slots.release(slot, self.slots.generation(slot))

    def worker_ready(self, crew: Crew, name: str, now: float) -> list[Send]:
        """Give a new worker its first job."""
        self.examined.pop(name, None)
        crew.idle.append(name)
        return self._assign(crew, now)

    def worker_gone(self, crew: Crew, name: str, outcome: Outcome, code: int) -> list[Send]:
        """Conclude the picture that a worker ended or hung in, if it had one."""
        slot = crew.lose(name)
        if slot is None:
            return []
        work = self._work[slot]
        return self._conclude(slot, outcome, crew.stage, tries=work.loaded.tries + 1, code=code)

    def undelivered(self, crew: Crew, name: str, now: float) -> list[Send]:
        """Let the picture of a worker that never got its job go to another one: it is not to blame."""
        crew.retire(name)
        slot = crew.drop_job(name)
        if slot is None:
            return []
        if self._is_draining:
            self._drop(slot)
            return []
        loaded = self._work[slot].loaded
        self.slots.pass_on(slot, loaded.generation, QUEUED)
        crew.queue_first(slot, is_live=loaded.is_live)
        return self._assign(crew, now)

    def drain(self) -> None:
        """Start nothing new: what waits for a worker stays pending in the database."""
        self._is_draining = True
        for crew in (self.decoders, self.detectors):
            for queue in (crew.live, crew.backlog):
                while queue:
                    self._drop(queue.popleft())

    # --- messages ---------------------------------------------------------------------------------------------------

    def store(self, asker: str, message: Store) -> list[Send]:
        """Pass a mail on to the writer, and remember it until it is answered.

        Raises: ProtocolError when it is not in an intake slot.
        """
        if message.slot not in self._intake_slots:
            raise ProtocolError(f"a mail in slot {message.slot} cannot be")
        self._stores[message.mail_id] = (asker, message)
        return [(WRITER, message)] if self._has_writer else []

    def stored(self, message: Stored) -> list[Send]:
        """Pass the writer's answer back to whoever asked.

        Raises: ProtocolError when it is no answer to what was asked.
        """
        asker, store = self._stores.get(message.mail_id, ("", None))
        if store is None:
            self.stale += 1
            return []
        if (message.slot, message.generation) != (store.slot, store.generation) or message.code not in _STORE_CODES:
            raise ProtocolError(f"an answer about slot {message.slot} with code {message.code} cannot be")
        del self._stores[message.mail_id]
        return [(asker, message)] if asker in self._intakes else []

    def loaded(self, message: Loaded, now: float) -> list[Send]:
        """Queue a picture that the writer loaded.

        Raises: ProtocolError when the slot was not lent to the writer.
        """
        if not self._is_lease(message.slot, message.generation):
            return []
        if message.slot in self._work or self.slots.owner(message.slot) != WRITER:
            raise ProtocolError(f"slot {message.slot} was not the writer's to load")
        self._work[message.slot] = Work(message)
        if self._is_draining:
            self._drop(message.slot)
            return []
        self.slots.pass_on(message.slot, message.generation, QUEUED)
        self.decoders.queue(message.slot, is_live=message.is_live)
        return self._assign(self.decoders, now)

    def decoded(self, name: str, message: Decoded, now: float) -> list[Send]:
        """Queue a frame for detection, or conclude a picture that is none.

        Raises: ProtocolError when the answer cannot be.
        """
        if message.pictures > PICTURES_MAX:
            raise ProtocolError(f"a clip of {message.pictures} pictures cannot be")
        if not self._is_answer(self.decoders, name, message):
            return []
        work = self._work[message.slot]
        sends: list[Send] = []
        if message.is_failed:
            sends += self._conclude(message.slot, Outcome.FAILED, Stage.DECODE)
        elif self._is_draining:
            self._drop(message.slot)
        else:
            work.pictures = max(1, message.pictures)
            self.slots.pass_on(message.slot, message.generation, QUEUED)
            self.detectors.queue(message.slot, is_live=work.loaded.is_live)
            sends += self._assign(self.detectors, now)
        return sends + self._assign(self.decoders, now)

    def detected(self, name: str, message: Detected, now: float) -> list[Send]:
        """Conclude an examined picture, or go on with the next picture of a clip.

        Raises: ProtocolError when the answer cannot be.
        """
        if message.outcome not in _DETECTED:
            raise ProtocolError(f"outcome {message.outcome} of a detector cannot be")
        if not self._is_answer(self.detectors, name, message):
            return []
        self.examined[name] += 1
        work = self._work[message.slot]
        work.has_person |= message.outcome == Outcome.PERSON
        work.index += 1
        sends: list[Send] = []
        if message.outcome != Outcome.FAILED and work.index < work.pictures and not self._is_draining:
            self.slots.pass_on(message.slot, message.generation, QUEUED)
            self.decoders.queue(message.slot, is_live=work.loaded.is_live)
            sends += self._assign(self.decoders, now)
        elif message.outcome != Outcome.FAILED and work.index < work.pictures:
            self._drop(message.slot)
        else:
            outcome = Outcome.PERSON if work.has_person else Outcome(message.outcome)
            sends += self._conclude(message.slot, outcome, Stage.DETECT)
        return sends + self._assign(self.detectors, now)

    def concluded(self, message: Concluded) -> None:
        """Free the frame slot of a committed verdict; the writer goes on with it in the lease that follows.

        Raises: ProtocolError when no verdict of this slot was to be written.
        """
        if not self._is_lease(message.slot, message.generation):
            return
        work = self._work.get(message.slot)
        if work is None or work.conclude is None:
            raise ProtocolError(f"slot {message.slot} has no verdict to be concluded")
        self._drop(message.slot)
        if self._has_writer and not self._is_draining:
            self.slots.lease(message.slot, WRITER)

    # --- the moves --------------------------------------------------------------------------------------------------

    def _assign(self, crew: Crew, now: float) -> list[Send]:
        sends: list[Send] = []
        for name, slot in crew.assign(now):
            work = self._work[slot]
            loaded = work.loaded
            self.slots.pass_on(slot, loaded.generation, name)
            if crew.stage is Stage.DECODE:
                is_clip = loaded.is_clip and work.index == 0
                message: Message = Decode(slot, loaded.generation, loaded.picture_bytes, work.index, is_clip)
            else:
                message = Detect(slot, loaded.generation)
            sends.append((name, message))
        return sends

    def _conclude(self, slot: int, outcome: Outcome, stage: Stage, *, tries: int = 0, code: int = 0) -> list[Send]:
        work = self._work[slot]
        loaded = work.loaded
        work.conclude = Conclude(slot, loaded.generation, loaded.alert_id, outcome, stage, tries, code)
        self.slots.pass_on(slot, loaded.generation, WRITER)
        return [(WRITER, work.conclude)] if self._has_writer else []

    def _drop(self, slot: int) -> None:
        """End a lease; without a verdict the alert simply stays pending."""
        work = self._work.pop(slot)
        self.slots.release(slot, work.loaded.generation)

    def _is_lease(self, slot: int, generation: int) -> bool:
        if self.slots.is_current(slot, generation):
            return True
        self.stale += 1
        return False

    def _is_answer(self, crew: Crew, name: str, message: Decoded | Detected) -> bool:
        """Take a worker's answer into the books; one about an ended lease or another's job is counted and ignored."""
        if not self._is_lease(message.slot, message.generation):
            return False
        if not crew.finish(name, message.slot):
            self.stale += 1
            return False
        return True
