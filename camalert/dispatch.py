"""The books of the pipeline: where each picture is, who works on it, and which message follows.

Pure: messages in, messages out, `now` as an argument. The supervisor feeds it and sends what it returns.

    Store, Stored         between intake and writer; an unanswered Store is repeated to the next writer
    Lend -> Loaded -> Decode -> Decoded -> Detect -> Detected -> Conclude -> Concluded -> Loaded -> Decode ...

The writer gets each frame slot back with its verdict: slots are lent once to each writer, and no message a picture is
spent on it. Live pictures go before the backlog at every step. A worker that ends or hangs in a job takes its picture
down with it: the writer counts the try, and the picture comes again from the database, once.

Three books lie below: `openstores` knows the mails without an answer, `frameslots` the pictures in flight, `crew` the
workers of a stage.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass

from camalert.crew import Crew
from camalert.errors import ProtocolError
from camalert.frameslots import QUEUED, WRITER, FrameSlots
from camalert.messages import Concluded, Decoded, Detected, Loaded, Message, Outcome, Ping, Stage, Store, Stored
from camalert.openstores import OpenStores
from camalert.slots import Layout

PICTURES_MAX = 1000  # of one clip; a decoder that speaks of more is not to be believed

_DETECTED = frozenset((Outcome.PERSON, Outcome.NOBODY, Outcome.FAILED))

Send = tuple[str, Message]


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines of the two jobs, in seconds."""

    decode_s: float
    detect_s: float


class Dispatch:
    """Keep the books; every method returns the messages to send, in order."""

    def __init__(self, layout: Layout, limits: Limits) -> None:
        self.slots = FrameSlots(layout.frames)
        self.decoders = Crew(Stage.DECODE, limits.decode_s)
        self.detectors = Crew(Stage.DETECT, limits.detect_s)
        self.examined: collections.Counter[str] = collections.Counter()  # pictures by detector, since its start
        self._stale = 0  # messages about nothing that is under way
        self._stores = OpenStores((*layout.intake, *layout.folder))
        self._has_writer = False
        self._is_draining = False

    @property
    def is_quiet(self) -> bool:
        """Tell whether no mail waits for its commit and no verdict is under way."""
        return not self._stores and not self.slots.work

    @property
    def in_flight(self) -> int:
        """Return how many pictures are in frame slots."""
        return len(self.slots.work)

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

    def take_stale(self) -> int:
        """Return how many messages were about nothing that is under way, since the last call."""
        stale, self._stale = self._stale, 0
        return stale

    def limit(self, limits: Limits) -> None:
        """Let the jobs that begin from now on have these deadlines."""
        self.decoders.limit_s, self.detectors.limit_s = limits.decode_s, limits.detect_s

    # --- children come and go ---------------------------------------------------------------------------------------

    def intake_ready(self, name: str) -> list[Send]:
        """Tell a new intake child which slots still wait for the answer to its predecessor's Store.

        The ping at the end says that these are all; only then may it use the others.
        """
        return [*((name, held) for held in self._stores.asker_came(name)), (name, Ping(0))]

    def intake_gone(self, name: str) -> None:
        """Note that an intake child is away; its open Stores stay open."""
        self._stores.asker_left(name)

    def writer_ready(self) -> list[Send]:
        """Tell a new writer what is in flight, what its predecessor left unanswered, and which slots are free."""
        self._has_writer = True
        lent = [] if self._is_draining else self.slots.lend()
        return [(WRITER, message) for message in (*self.slots.held(), *self._stores, *self.slots.verdicts(), *lent)]

    def writer_leaving(self) -> None:
        """Send nothing more to a writer that is to be replaced; its successor gets what it leaves unanswered."""
        self._has_writer = False

    def writer_gone(self) -> None:
        """Take back the slots lent to a dead writer."""
        self._has_writer = False
        self.slots.take_back()

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
        return self._conclude(slot, outcome, crew.stage, tries=self.slots.work[slot].loaded.tries + 1, code=code)

    def undelivered(self, crew: Crew, name: str, now: float) -> list[Send]:
        """Let the picture of a worker that never got its job go to another one: it is not to blame."""
        crew.retire(name)
        slot = crew.drop_job(name)
        return [] if slot is None else self._queue(crew, slot, now, is_first=True)

    def drain(self) -> None:
        """Start nothing new: what waits for a worker stays pending in the database."""
        self._is_draining = True
        for slot in (*self.decoders.unqueue(), *self.detectors.unqueue()):
            self.slots.end(slot)

    # --- messages ---------------------------------------------------------------------------------------------------

    def store(self, asker: str, message: Store) -> list[Send]:
        """Pass a mail on to the writer, and remember it until it is answered.

        Raises: ProtocolError when it is not in an intake slot.
        """
        self._stores.open(asker, message)
        return [(WRITER, message)] if self._has_writer else []

    def stored(self, message: Stored) -> list[Send]:
        """Pass the writer's answer back to whoever asked.

        Raises: ProtocolError when it is no answer to what was asked.
        """
        asker = self._stores.close(message)
        if asker is None:
            self._stale += 1
        return [(asker, message)] if asker else []

    def loaded(self, message: Loaded, now: float) -> list[Send]:
        """Queue a picture that the writer loaded.

        Raises: ProtocolError when the slot was not lent to the writer.
        """
        if not self.slots.is_current(message.slot, message.generation):
            self._stale += 1
            return []
        self.slots.load(message)
        return self._queue(self.decoders, message.slot, now)

    def decoded(self, name: str, message: Decoded, now: float) -> list[Send]:
        """Queue a frame for detection, or conclude a picture that is none.

        Raises: ProtocolError when the answer cannot be.
        """
        if message.pictures > PICTURES_MAX:
            raise ProtocolError(f"a clip of {message.pictures} pictures cannot be")
        if not self._is_answer(self.decoders, name, message):
            return []
        if message.is_failed:
            sends = self._conclude(message.slot, Outcome.FAILED, Stage.DECODE)
        else:
            self.slots.work[message.slot].pictures = max(1, message.pictures)
            sends = self._queue(self.detectors, message.slot, now)
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
        outcome = self.slots.work[message.slot].examined(message.outcome)
        if outcome is None:
            sends = self._queue(self.decoders, message.slot, now)
        else:
            sends = self._conclude(message.slot, outcome, Stage.DETECT)
        return sends + self._assign(self.detectors, now)

    def concluded(self, message: Concluded) -> int | None:
        """Free the frame slot of a committed verdict; the writer, also one that leaves, goes on in the next lease.

        Returns: The verdict's outcome; None when it was concluded before.
        Raises: ProtocolError when no verdict of this slot was to be written.
        """
        if not self.slots.is_current(message.slot, message.generation):
            self._stale += 1
            return None
        verdict = self.slots.verdict(message.slot)
        if verdict is None:
            raise ProtocolError(f"slot {message.slot} has no verdict to be concluded")
        self.slots.end(message.slot)
        self.slots.lease(message.slot, WRITER)
        return verdict.outcome

    # --- the moves --------------------------------------------------------------------------------------------------

    def _queue(self, crew: Crew, slot: int, now: float, *, is_first: bool = False) -> list[Send]:
        """Let a picture wait for a worker, and go to one that is idle; at the end of the service it stays pending."""
        if self._is_draining:
            self.slots.end(slot)
            return []
        loaded = self.slots.work[slot].loaded
        self.slots.pass_on(slot, loaded.generation, QUEUED)
        crew.queue(slot, is_live=loaded.is_live, is_first=is_first)
        return self._assign(crew, now)

    def _assign(self, crew: Crew, now: float) -> list[Send]:
        """Give an idle worker what waits. An event frees one worker or brings one picture: there is one job at most."""
        job = crew.assign(now)
        if job is None:
            return []
        name, slot = job
        work = self.slots.work[slot]
        self.slots.pass_on(slot, work.loaded.generation, name)
        return [(name, work.job(crew.stage))]

    def _conclude(self, slot: int, outcome: Outcome, stage: Stage, *, tries: int = 0, code: int = 0) -> list[Send]:
        conclude = self.slots.conclude(slot, outcome, stage, tries, code)
        return [(WRITER, conclude)] if self._has_writer else []

    def _is_answer(self, crew: Crew, name: str, message: Decoded | Detected) -> bool:
        """Take a worker's answer into the books; one about an ended lease or another's job is counted and ignored."""
        if self.slots.is_current(message.slot, message.generation) and crew.finish(name, message.slot):
            return True
        self._stale += 1
        return False
