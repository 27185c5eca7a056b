"""The stages of an examination: the pictures in frame slots, and the workers of each stage.

    the writer's, to load  ->  queued  ->  a decoder's  ->  queued  ->  a detector's  ->  the writer's, with a verdict

A clip goes from the detector back to the queue of the decoders until each of its pictures was examined. These are the
tables of `dispatch`, which alone changes them.
"""

from __future__ import annotations

import collections
import enum
import math
from dataclasses import dataclass, field

from camalert.errors import ProtocolError
from camalert.ipc.layout import SlotTable
from camalert.ipc.messages import Conclude, Decode, Detect, Held, Lend, Loaded, Outcome, Stage

WRITER = "writer"
NOTIFIER = "notifier"
REVIEW = "review"  # the child that may ask for a reload
QUEUED = "queued"
# When workers of a stage died of this many different pictures, the fault is no longer the pictures' but the worker's,
# its engine's or its limits'. One or two bad pictures of one mail are below it.
BLAME_PICTURES = 3
BLAME_WITHIN_S = 60.0  # deaths further apart count together only while no picture is finished
PROBE_BASE_S = 0.5  # before the first attempt with one picture; it doubles with each attempt that ends in a death
# The longest wait between attempts: a repaired cause is found within it, and a good picture waits that long behind bad
# ones. Shorter for decoders, which hostile pictures can crash.
PROBE_CAP_S = {Stage.DECODE: 5.0, Stage.DETECT: 30.0}
VICTIMS_KEPT = 1000

_PROCESS = {Stage.DECODE: "decoder", Stage.DETECT: "detector"}
_REMEDY = {
    Stage.DECODE: "see its exit in the log; decode.memory_bytes or decode.deadline_seconds may be too small",
    Stage.DETECT: "see its exit in the log; try another detector.engine, and see whether memory or "
    "detector.deadline_seconds is too small",
}

UNAVAILABLE = (
    "no inference server answers, so all pictures stay pending and are tried again one at a time "
    "(see inference_unavailable in the log; detector.remote.fall_back = true runs the networks here meanwhile)"
)


class Fault(enum.Enum):
    """Whose fault a death in a job is."""

    PICTURE = "picture"  # as far as can be told from one death: another try will tell
    PROVEN = "proven"  # the picture's without a doubt: others were finished between its two deaths
    WORKER = "worker"


@dataclass(slots=True)
class Breaker:
    """Judge whose fault a death in a job is: the picture's, or the worker's.

    Closed, each death is its picture's fault. After `BLAME_PICTURES` different pictures it opens: the worker is to
    blame, no tries are counted, and one picture at a time is a probe, after a wait that doubles. A worker that finishes
    a picture closes it; a picture that kills again after that is itself to blame.

    Source: the circuit breaker, M. Nygard, "Release It!", chapter "Stability Patterns".
    """

    cap_s: float
    victims: dict[int, float] = field(default_factory=dict)  # alert id -> when a worker last died of it
    finished_at: float = -math.inf  # when a worker last finished a picture
    closed_at: float = -math.inf  # deaths before that blame no worker any more
    probes: int = 0  # that ended in a death since it opened
    probe_at: float | None = None  # when the next probe may begin; None: closed
    is_unavailable: bool = False  # the workers live, and what they depend on does not answer

    @property
    def is_open(self) -> bool:
        """Tell whether the worker is to blame."""
        return self.probe_at is not None

    def died(self, alert_id: int, now: float) -> Fault:
        """Count a worker that crashed or hung on a picture; return whose fault it is."""
        died_before = self.victims.pop(alert_id, math.inf)
        if died_before < self.finished_at:
            return Fault.PROVEN
        self.victims[alert_id] = now
        if len(self.victims) > VICTIMS_KEPT:
            del self.victims[next(iter(self.victims))]
        if self.is_open:
            self.probes += 1
        elif self._suspicious(now) >= BLAME_PICTURES:
            self.probes = 0
        else:
            return Fault.PICTURE
        self.probe_at = now + min(self.cap_s, PROBE_BASE_S * 2 ** min(self.probes, 16))
        return Fault.WORKER

    def unavailable(self, now: float) -> None:
        """Open the breaker: a worker says that it cannot work now; several that say so together count once."""
        if self.probe_at is None or now >= self.probe_at:
            self.probes = self.probes + 1 if self.is_open else 0
            self.probe_at = now + min(self.cap_s, PROBE_BASE_S * 2 ** min(self.probes, 16))
        self.is_unavailable = True

    def finished(self, now: float) -> None:
        """Close the breaker: a worker finished a picture."""
        self.finished_at = now
        self.is_unavailable = False
        if self.is_open:
            self.probe_at, self.closed_at = None, now

    def probe_soon(self, now: float) -> None:
        """Let the next probe begin now: something has changed that may help."""
        if self.is_open:
            self.probes, self.probe_at = 0, now

    def _suspicious(self, now: float) -> int:
        """Return how many pictures died together: within a minute, or with none finished in between."""
        return sum(
            at > self.closed_at and (at > self.finished_at or now - at < BLAME_WITHIN_S) for at in self.victims.values()
        )


@dataclass(slots=True)
class WorkerPool:
    """The workers of one stage: which are idle, which has which slot until when, and the slots that wait."""

    stage: Stage
    limit_s: float
    idle: list[str] = field(default_factory=list)
    jobs: dict[str, tuple[int, float]] = field(default_factory=dict)  # name -> slot, deadline
    retired: set[str] = field(default_factory=set)  # finish their job, get no other
    live: collections.deque[int] = field(default_factory=collections.deque)
    backlog: collections.deque[int] = field(default_factory=collections.deque)
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker(PROBE_CAP_S[self.stage])

    @property
    def problem(self) -> str:
        """Say why no picture gets through this stage, "" when all is well."""
        if not self.breaker.is_open:
            return ""
        if self.breaker.is_unavailable:
            return UNAVAILABLE
        process = _PROCESS[self.stage]
        return (
            f"the {process} crashed or hung on {BLAME_PICTURES} or more different pictures, so it is at fault and not "
            f"they; all stay pending and are tried again one at a time ({_REMEDY[self.stage]})"
        )

    def next_probe_at(self) -> float | None:
        """Return when a waiting slot may become a probe, None when nothing waits for that."""
        return self.breaker.probe_at if self.idle and not self.jobs and (self.live or self.backlog) else None

    def queue(self, slot: int, *, is_live: bool, is_first: bool = False) -> None:
        """Append a slot to the live or the backlog queue, or put it first there."""
        waiting = self.live if is_live else self.backlog
        if is_first:
            waiting.appendleft(slot)
        else:
            waiting.append(slot)

    def clear(self) -> list[int]:
        """Empty both queues; return the slots that waited."""
        slots = [*self.live, *self.backlog]
        self.live.clear()
        self.backlog.clear()
        return slots

    def assign(self, now: float) -> tuple[str, int] | None:
        """Give a waiting slot, live ones first, to an idle worker; None when either is missing, or has to wait."""
        waiting = self.live or self.backlog
        if not waiting or not self.idle:
            return None
        if self.breaker.probe_at is not None and (self.jobs or now < self.breaker.probe_at):
            return None
        slot = waiting.popleft()
        name = self.idle.pop()  # the last one to finish has the warmest caches
        self.jobs[name] = (slot, now + self.limit_s)
        return name, slot

    def finish(self, name: str, slot: int) -> bool:
        """End a worker's job; return False when the answer is not about its job."""
        if self.jobs.get(name, (None, 0.0))[0] != slot:
            return False
        del self.jobs[name]
        if name not in self.retired:
            self.idle.append(name)
        return True

    def overdue(self, now: float) -> list[str]:
        """Return the workers that passed the deadline of their job, each once."""
        late = [name for name, (_, deadline) in self.jobs.items() if deadline <= now]
        for name in late:
            self.jobs[name] = (self.jobs[name][0], math.inf)
        return late

    def retire(self, name: str) -> None:
        """Give a worker no further job."""
        self.retired.add(name)
        if name in self.idle:
            self.idle.remove(name)

    def drop_job(self, name: str) -> int | None:
        """Take a worker's job away; return its slot, None when it had none."""
        return self.jobs.pop(name, (None, 0.0))[0]

    def remove(self, name: str) -> int | None:
        """Forget a worker; return the slot it was working on, None when it had no job."""
        self.retire(name)
        self.retired.remove(name)
        return self.drop_job(name)


@dataclass(slots=True)
class Work:
    """One picture or clip on its way through a frame slot."""

    loaded: Loaded
    index: int = 0  # which picture of a clip
    pictures: int = 1
    has_person: bool = False
    conclude: Conclude | None = None  # unanswered

    def job(self, stage: Stage) -> Decode | Detect:
        """Return the job for a worker of this stage."""
        loaded = self.loaded
        if stage is Stage.DETECT:
            return Detect(loaded.slot, loaded.generation)
        is_clip = loaded.is_clip and self.index == 0
        return Decode(loaded.slot, loaded.generation, loaded.picture_bytes, self.index, is_clip)

    def examined(self, outcome: int) -> Outcome | None:
        """Take in the outcome for one picture; return the verdict, None while a clip has more pictures."""
        self.has_person |= outcome == Outcome.PERSON
        self.index += 1
        if outcome != Outcome.FAILED and self.index < self.pictures:
            return None
        return self.verdict(Outcome(outcome))

    def verdict(self, outcome: Outcome) -> Outcome:
        """Return the verdict of an examination that ends with `outcome`: a person found in a clip before is kept."""
        return Outcome.PERSON if self.has_person else outcome


class FrameSlots(SlotTable):
    """Leases of the frame slots, and the work in those that are loaded."""

    def __init__(self, numbers: range) -> None:
        super().__init__(numbers)
        self.work: dict[int, Work] = {}

    def lend(self) -> list[Lend]:
        """Lease every free slot to the writer."""
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
            raise ProtocolError(f"slot {loaded.slot} is not the writer's to load")
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
