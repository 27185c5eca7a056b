"""The pipeline: which child may send what, where each mail and picture is, and which message follows.

    camera --SMTP--> smtp --Store--> supervisor --> writer --> alerts_alert, pending   (one commit)
                      <------ 250 ---- Stored ------+  |
                                                      +-- Loaded --> supervisor
                       supervisor --Decode--> decoder  --Decoded-->
                                  --Detect--> detector --Detected-->
                                  --Conclude--> writer --> alerts_detect               (one commit)

The writer gets each frame slot back with its verdict: slots are lent once to each writer, which saves a message per
picture. Live pictures go before the backlog at every step. If a worker crashes during a job, its picture is counted as
a failed try and is loaded from the database once more. When workers crash on several pictures in a row, the workers
are at fault (`stages.Breaker`): no tries are counted.

An unanswered Store stays open whatever exits meanwhile: the next writer is asked again, and the successor of the intake
child that asked leaves the slot alone until the answer comes.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from camalert.errors import ProtocolError
from camalert.ipc.layout import Layout
from camalert.ipc.messages import (
    MAX_TRIES,
    NAMES_CHANGED,
    WORDS_SHARED,
    Concluded,
    Counted,
    Decoded,
    Detected,
    Held,
    Loaded,
    Message,
    Noted,
    Outbox,
    Outcome,
    Ping,
    Pong,
    Stage,
    Store,
    StoreCode,
    Stored,
    Switch,
    Told,
)
from camalert.ipc.records import NamesRecord
from camalert.supervisor.lifecycle import Role
from camalert.supervisor.stages import NOTIFIER, QUEUED, REVIEW, WRITER, Fault, FrameSlots, WorkerPool

if TYPE_CHECKING:
    from camalert.supervisor.reporter import Reporter

PICTURES_MAX = 1000  # of one clip; a decoder that reports more is compromised

_CODES = frozenset(StoreCode)
_DETECTED = frozenset((Outcome.PERSON, Outcome.NOBODY, Outcome.FAILED))
_WORDS_SHARED = f'{{"event": "{WORDS_SHARED}"'.encode()
NAMES_BEGIN = NamesRecord(NAMES_CHANGED, is_first=False).encode().partition(b",")[0]
_NAMES_ANEW = NamesRecord(NAMES_CHANGED, is_first=True).encode().partition(b',"names"')[0]

Handler = Callable[[str, Any, float], None]  # gets the child's name, its message and `now`


class Dispatch:
    """Route every mail and picture through the children.

    Args:
        roles: The children by name.
        layout: Which slots there are.
        job_s: How long a job of each stage may take, in seconds.
        send: Sends to a child; returns False when it is gone.
        reporter: Gets what is worth counting, and the children's notes.

    Attributes:
        examined: Pictures by detector, since its start.
    """

    def __init__(
        self,
        roles: Mapping[str, Role],
        layout: Layout,
        job_s: Mapping[Stage, float],
        send: Callable[[str, Message], bool],
        reporter: Reporter,
    ) -> None:
        self.slots = FrameSlots(layout.frames)
        self.decoders = WorkerPool(Stage.DECODE, job_s[Stage.DECODE])
        self.detectors = WorkerPool(Stage.DETECT, job_s[Stage.DETECT])
        self.examined: collections.Counter[str] = collections.Counter()
        self._roles = roles
        self._send = send
        self._reporter = reporter
        pools = {Role.DECODER: self.decoders, Role.DETECTOR: self.detectors}
        self._pools = {name: pools[role] for name, role in roles.items() if role in pools}
        self._intake_slots = frozenset((*layout.intake, *layout.folder))
        self._stores: dict[bytes, tuple[str, Store]] = {}  # unanswered, by mail: the requester, and what it wants
        self._requesters: set[str] = set()  # the intake children that are there
        # What the writer's database knows, for the intake.
        self._words_shared: list[Noted] = []
        self._names_changed: list[Noted] = []
        self._has_writer = False
        self._is_draining = False
        self._stale = 0
        common: dict[type[Message], Handler] = {Pong: lambda *_: None, Noted: self._on_note}
        routes: dict[Role, dict[type[Message], Handler]] = {
            Role.INTAKE: {Store: self._on_store},
            Role.WRITER: {
                Noted: self._on_writers_note,
                Stored: self._on_stored,
                Loaded: self._on_loaded,
                Concluded: self._on_concluded,
                Counted: lambda _name, message, _now: reporter.count(message),
                Outbox: self._on_outbox,
            },
            Role.DECODER: {Decoded: self._on_decoded},
            Role.DETECTOR: {Detected: self._on_detected},
        }
        self._routes = {name: common | routes.get(role, {}) for name, role in roles.items()}
        # What a writer that is gone misses is said again: see `Told`.
        to_writer: dict[type[Message], Handler] = dict.fromkeys((Told, Switch), self._on_telling)
        if NOTIFIER in roles:
            self._routes[NOTIFIER] |= to_writer
        if REVIEW in roles:
            self._routes[REVIEW] |= {Outbox: self._on_outbox}

    @property
    def is_idle(self) -> bool:
        """Tell whether no mail waits for its commit and no picture is in a frame slot."""
        return not self._stores and not self.slots.work

    @property
    def in_flight(self) -> int:
        """Return how many pictures are in frame slots."""
        return len(self.slots.work)

    @property
    def problem(self) -> str:
        """Say why no picture can be examined, "" when all is well."""
        return self.decoders.problem or self.detectors.problem

    def busy(self) -> frozenset[str]:
        """Return the workers that have a job, whose deadline bounds them."""
        return frozenset((*self.decoders.jobs, *self.detectors.jobs))

    def overdue(self, now: float) -> list[str]:
        """Return the workers that passed the deadline of their job, each once."""
        return self.decoders.overdue(now) + self.detectors.overdue(now)

    def next_deadline(self) -> float | None:
        """Return when `overdue` or `probe` may next have something to do."""
        pools = (self.decoders, self.detectors)
        times = [deadline for pool in pools for _, deadline in pool.jobs.values()]
        times += [at for pool in pools if (at := pool.next_probe_at()) is not None]
        return min(times, default=None)

    def take_stale(self) -> int:
        """Return how many messages were about an ended lease, since the last call."""
        stale, self._stale = self._stale, 0
        return stale

    def is_blameless(self, name: str) -> bool:
        """Tell whether a child that hangs now does so in a job, and the picture would be to blame."""
        pool = self._pools.get(name)
        return pool is not None and name in pool.jobs and not pool.breaker.is_open

    # --- children come and go ---------------------------------------------------------------------------------------

    def child_ready(self, name: str, now: float) -> None:
        """Send a new child the state that it needs."""
        match self._roles[name]:
            case Role.INTAKE:
                for note in (*self._names_changed, *self._words_shared):
                    self._send(name, note)
                self._requesters.add(name)
                for requester, store in self._stores.values():
                    if requester == name:  # its predecessor's
                        self._send(name, Held(store.slot, store.generation, 0))
                self._send(name, Ping(0))  # these are all: now it may use the other slots
            case Role.WRITER:
                self._reporter.database_usable()
                self._has_writer = True
                left: list[Message] = [*self.slots.held(), *(store for _, store in self._stores.values())]
                lent = [] if self._is_draining else self.slots.lend()
                for message in (*left, *self.slots.verdicts(), *lent):
                    self._send(WRITER, message)
            case Role.DECODER | Role.DETECTOR:
                self.examined.pop(name, None)
                self._pools[name].idle.append(name)
                self._assign(self._pools[name], now)

    def retire(self, name: str) -> None:
        """Give no further work to a child that exits, or is to."""
        if name == WRITER:
            self._has_writer = False  # its successor gets what it leaves unanswered
        elif pool := self._pools.get(name):
            pool.retire(name)

    def child_exited(
        self, name: str, code: int, now: float, *, is_unresponsive: bool = False, is_unread: bool = False
    ) -> Fault | None:
        """Hand over the work of a child that exited.

        Args:
            name: The child.
            code: Its exit code.
            now: Monotonic seconds.
            is_unresponsive: It was killed because it did not answer in time or sent a malformed message.
            is_unread: It never read the job that it was sent.

        Returns: Whose fault it is when it exited in a job, else None.
        """
        if pool := self._pools.get(name):
            if is_unread:
                self._return_job(pool, name, now)
            slot = pool.remove(name)
            outcome = Outcome.HUNG if is_unresponsive else Outcome.DIED
            return None if slot is None else self._conclude_try(pool, slot, outcome, code, now)
        if name == WRITER:
            self._has_writer = False
            self.slots.take_back()
        self._requesters.discard(name)
        return None

    def probe(self, now: float) -> None:
        """Give one picture to a worker that was at fault, if it is time to try again."""
        self._assign(self.decoders, now)
        self._assign(self.detectors, now)

    def drain(self) -> None:
        """Start nothing new: what waits for a worker stays pending in the database."""
        self._is_draining = True
        for slot in (*self.decoders.clear(), *self.detectors.clear()):
            self.slots.end(slot)

    # --- messages ---------------------------------------------------------------------------------------------------

    def on_message(self, name: str, message: Message, now: float) -> None:
        """Act on a child's message, or drop it when it is about an ended lease.

        Raises: ProtocolError when this child may not send it, or what it says is impossible.
        """
        handler = self._routes[name].get(type(message))
        if handler is None:
            raise ProtocolError(f"{name} sent {type(message).__name__}")
        handler(name, message, now)

    def _on_note(self, name: str, message: Noted, _: float) -> None:
        self._reporter.note(name, message.text)

    def _on_writers_note(self, name: str, message: Noted, now: float) -> None:
        if message.text.startswith(_WORDS_SHARED):
            self._words_shared = [message]
        elif message.text.startswith(NAMES_BEGIN):
            is_first = message.text.startswith(_NAMES_ANEW)
            self._names_changed = [*([] if is_first else self._names_changed), message]
            self._on_note(name, message, now)
        else:
            self._on_note(name, message, now)
            return
        for child, role in self._roles.items():
            if role is Role.INTAKE:
                self._send(child, message)

    def _on_outbox(self, _name: str, message: Outbox, _now: float) -> None:
        self._send(NOTIFIER, message)

    def _on_telling(self, _name: str, message: Told | Switch, _now: float) -> None:
        self._send(WRITER, message)

    def _on_store(self, name: str, message: Store, _: float) -> None:
        if message.slot not in self._intake_slots:
            raise ProtocolError(f"slot {message.slot} is no intake slot")
        self._stores[message.mail_id] = (name, message)
        if self._has_writer:
            self._send(WRITER, message)

    def _on_stored(self, _: str, message: Stored, _now: float) -> None:
        if message.code == StoreCode.STORED:
            self._reporter.stored(message.count)
        found = self._stores.get(message.mail_id)
        if found is None:
            self._stale += 1
            return
        requester, store = found
        if message.slot != store.slot or message.generation != store.generation or message.code not in _CODES:
            raise ProtocolError(f"the answer about slot {message.slot}, code {message.code}, fits no request")
        del self._stores[message.mail_id]
        if requester in self._requesters:
            self._send(requester, message)

    def _on_loaded(self, _: str, message: Loaded, now: float) -> None:
        if message.tries >= MAX_TRIES:
            raise ProtocolError(f"a picture was loaded after {message.tries} tries")
        if not self.slots.is_current(message.slot, message.generation):
            self._stale += 1
            return
        self.slots.load(message)
        self._queue(self.decoders, message.slot, now)

    def _on_decoded(self, name: str, message: Decoded, now: float) -> None:
        if message.pictures > PICTURES_MAX:
            raise ProtocolError(f"invalid clip length: {message.pictures} pictures")
        if not self._finish_job(self.decoders, name, message, now):
            return
        work = self.slots.work[message.slot]
        if message.is_failed:
            self._conclude(message.slot, work.verdict(Outcome.FAILED), Stage.DECODE)
        else:
            work.pictures = max(1, message.pictures)
            self._queue(self.detectors, message.slot, now)
        self._assign(self.decoders, now)

    def _on_detected(self, name: str, message: Detected, now: float) -> None:
        if message.outcome == Outcome.SPARED:
            self._on_unavailable(name, message, now)
            return
        if message.outcome not in _DETECTED:
            raise ProtocolError(f"invalid outcome of a detector: {message.outcome}")
        if not self._finish_job(self.detectors, name, message, now):
            return
        self.examined[name] += 1
        outcome = self.slots.work[message.slot].examined(message.outcome)
        if outcome is None:
            self._queue(self.decoders, message.slot, now)
        else:
            self._conclude(message.slot, outcome, Stage.DETECT)
        self._assign(self.detectors, now)

    def _on_unavailable(self, name: str, message: Detected, now: float) -> None:
        """Leave a picture pending that a detector cannot examine now, since no inference server answers."""
        if not self.slots.is_current(message.slot, message.generation) or not self.detectors.finish(name, message.slot):
            self._stale += 1
            return
        self.detectors.breaker.unavailable(now)
        self._conclude(message.slot, self.slots.work[message.slot].verdict(Outcome.SPARED), Stage.DETECT)

    def _on_concluded(self, _: str, message: Concluded, _now: float) -> None:
        """Free the frame slot of a committed verdict; the writer, also one that leaves, goes on in the next lease."""
        if not self.slots.is_current(message.slot, message.generation):
            self._stale += 1
            return
        verdict = self.slots.verdict(message.slot)
        if verdict is None:
            raise ProtocolError(f"slot {message.slot} has no verdict to be concluded")
        self.slots.end(message.slot)
        self.slots.lease(message.slot, WRITER)
        is_unfinished = verdict.outcome in (Outcome.DIED, Outcome.HUNG) and verdict.tries < MAX_TRIES
        if not is_unfinished and verdict.outcome != Outcome.SPARED:
            self._reporter.examined(verdict.outcome)

    # --- moves ------------------------------------------------------------------------------------------------------

    def _finish_job(self, pool: WorkerPool, name: str, message: Decoded | Detected, now: float) -> bool:
        """End a worker's job; an answer about an ended lease or another's job is counted and ignored."""
        if self.slots.is_current(message.slot, message.generation) and pool.finish(name, message.slot):
            pool.breaker.finished(now)
            return True
        self._stale += 1
        return False

    def _queue(self, pool: WorkerPool, slot: int, now: float, *, is_first: bool = False) -> None:
        """Queue a picture for a stage; while draining it stays pending in the database instead."""
        if self._is_draining:
            self.slots.end(slot)
            return
        loaded = self.slots.work[slot].loaded
        self.slots.pass_on(slot, loaded.generation, QUEUED)
        pool.queue(slot, is_live=loaded.is_live, is_first=is_first)
        self._assign(pool, now)

    def _assign(self, pool: WorkerPool, now: float) -> None:
        """Give idle workers what waits: one job, or several when workers were to blame until this moment."""
        while job := pool.assign(now):
            name, slot = job
            work = self.slots.work[slot]
            self.slots.pass_on(slot, work.loaded.generation, name)
            if not self._send(name, work.job(pool.stage)):
                self._return_job(pool, name, now)

    def _return_job(self, pool: WorkerPool, name: str, now: float) -> None:
        """Queue the picture of a worker that never read its job again: the picture is not to blame."""
        pool.retire(name)
        slot = pool.drop_job(name)
        if slot is not None:
            self._queue(pool, slot, now, is_first=True)

    def _conclude_try(self, pool: WorkerPool, slot: int, outcome: Outcome, code: int, now: float) -> Fault:
        """Conclude the picture that a worker crashed or hung on.

        A clip in which a person was found before is not examined again for what came after.
        """
        work = self.slots.work[slot]
        tries = work.loaded.tries
        fault = pool.breaker.died(work.loaded.alert_id, now)
        match fault:
            case Fault.WORKER:
                outcome = Outcome.SPARED
            case Fault.PROVEN:
                tries = MAX_TRIES
            case Fault.PICTURE:
                tries += 1
        self._conclude(slot, work.verdict(outcome), pool.stage, tries=tries, code=code)
        return fault

    def _conclude(self, slot: int, outcome: Outcome, stage: Stage, *, tries: int = 0, code: int = 0) -> None:
        conclude = self.slots.conclude(slot, outcome, stage, tries, code)
        if self._has_writer:
            self._send(WRITER, conclude)
