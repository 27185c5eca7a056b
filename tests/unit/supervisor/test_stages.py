"""The stages: what a worker gets, when a clip has its verdict, whose a slot is, and whose fault a death in a job is."""

from __future__ import annotations

from dataclasses import dataclass, field
from unittest.mock import create_autospec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camalert.errors import ProtocolError
from camalert.ipc.layout import Layout, following
from camalert.ipc.messages import (
    MAX_TRIES,
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
    Stage,
)
from camalert.supervisor.dispatch import Dispatch
from camalert.supervisor.lifecycle import Role
from camalert.supervisor.reporter import Reporter
from camalert.supervisor.stages import (
    BLAME_PICTURES,
    BLAME_WITHIN_S,
    PROBE_CAP_S,
    VICTIMS_KEPT,
    WRITER,
    Breaker,
    Fault,
    FrameSlots,
    Work,
)

PERSON, NOBODY, FAILED = Outcome.PERSON, Outcome.NOBODY, Outcome.FAILED


def _loaded(slot: int = 3, *, is_clip: bool = False) -> Loaded:
    return Loaded(slot, 1, slot + 100, 55, tries=0, is_clip=is_clip, is_live=True)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([NOBODY, NOBODY, NOBODY], NOBODY),
        ([NOBODY, PERSON, NOBODY], PERSON),
        ([FAILED], FAILED),
        ([PERSON, FAILED], PERSON),
    ],
)
def test_work_clip_has_its_verdict_with_the_last_picture_or_a_failure(found: list[int], verdict: Outcome) -> None:
    """A person once seen is not lost to what comes after it."""
    work = Work(_loaded(is_clip=True), pictures=3)

    verdicts = [work.examined(outcome) for outcome in found]

    assert verdicts == [None] * (len(found) - 1) + [verdict]


def test_work_clip_is_taken_apart_once() -> None:
    """The first job is about the clip, the next ones are about its pictures."""
    work = Work(_loaded(is_clip=True), pictures=2)

    first = work.job(Stage.DECODE)
    work.examined(NOBODY)

    assert first == Decode(3, 1, 55, 0, is_clip=True)
    assert work.job(Stage.DECODE) == Decode(3, 1, 55, 1, is_clip=False)
    assert work.job(Stage.DETECT) == Detect(3, 1)


def test_frameslots_dead_writer_loses_what_it_had_not_loaded() -> None:
    """What is in flight stays where it is; its verdict waits for the next writer."""
    slots = FrameSlots(range(3, 6))
    assert slots.lend() == [Lend(3, 1), Lend(4, 1), Lend(5, 1)]
    slots.load(_loaded(3))
    conclude = slots.conclude(3, NOBODY, Stage.DETECT, 0, 0)

    slots.take_back()

    assert slots.free() == [4, 5]
    assert slots.held() == [Held(3, 1, 103)]
    assert slots.verdicts() == [conclude] == [Conclude(3, 1, 103, NOBODY, Stage.DETECT, 0, 0)]
    assert slots.verdict(3) == conclude
    assert slots.verdict(4) is None


def test_frameslots_end_leaves_no_work_and_no_lease() -> None:
    """A slot whose picture is done is free, and everything about it forgotten."""
    slots = FrameSlots(range(3, 4))
    slots.lend()
    slots.load(_loaded())

    slots.end(3)

    assert slots.free() == [3]
    assert slots.work == {}
    assert not slots.is_current(3, 1)


def test_frameslots_picture_in_a_slot_the_writer_has_not_is_refused() -> None:
    """Neither a slot that is loaded already nor one that was passed on is the writer's to load."""
    slots = FrameSlots(range(3, 5))
    slots.lend()
    slots.load(_loaded(3))
    slots.pass_on(4, 1, "decoder-1")

    for slot in (3, 4):
        with pytest.raises(ProtocolError):
            slots.load(_loaded(slot))

    assert slots.owned_by(WRITER) == [3]
    assert list(slots.work) == [3]


LAYOUT = Layout(2, 1000, 3, 1000, 3000, largest_bytes=5000)


@dataclass
class Pipeline:
    """Children around a dispatch: a writer with a queue, decoders and detectors; time passes when nothing can go on.

    `deadly` says of which pictures a worker of a stage dies.
    """

    waiting: list[int]
    deadly: dict[Stage, set[int]]
    workers: int = 2
    now: float = 0.0
    tries: dict[int, int] = field(default_factory=dict)
    ended: dict[int, Outcome] = field(default_factory=dict)
    deaths: list[tuple[float, int]] = field(default_factory=list)
    unanswered: int = 0  # how many more pictures a detector finds no inference server for

    def __post_init__(self) -> None:
        workers = {f"decoder-{number}": Role.DECODER for number in range(self.workers)}
        workers |= {f"detector-{number}": Role.DETECTOR for number in range(self.workers)}
        self.inbox: list[tuple[str, Message]] = []
        self.dispatch = Dispatch(
            {WRITER: Role.WRITER, **workers},
            LAYOUT,
            {Stage.DECODE: 10, Stage.DETECT: 20},
            self._send,
            create_autospec(Reporter, instance=True),
        )
        self.lent: list[Lend] = []
        self.loaded: dict[int, int] = {}  # slot -> alert
        for name in (WRITER, *workers):
            self.dispatch.child_ready(name, self.now)

    def _send(self, name: str, message: Message) -> bool:
        self.inbox.append((name, message))
        return True

    def run(self, seconds: float) -> None:
        """Let everything happen that happens in this time."""
        end = self.now + seconds
        while self.now < end:
            self._settle()
            at = self.dispatch.next_deadline()
            self.now = end if at is None else min(end, max(at, self.now + 0.001))
            self.dispatch.probe(self.now)
        self._settle()

    def _settle(self) -> None:
        while self.inbox or self._load():
            while self.inbox:
                self._take(*self.inbox.pop(0))

    def _load(self) -> bool:
        if not (self.lent and self.waiting):
            return False
        lend, alert = self.lent.pop(0), self.waiting.pop(0)
        self.loaded[lend.slot] = alert
        tries = self.tries.get(alert, 0)
        message = Loaded(lend.slot, lend.generation, alert, 9, tries=tries, is_clip=False, is_live=False)
        self.dispatch.on_message(WRITER, message, self.now)
        return True

    def _take(self, name: str, message: object) -> None:
        match message:
            case Lend():
                self.lent.append(message)
            case Conclude():
                self._conclude(message)
            case Decode() | Detect():
                self.now += 0.01
                self._work(name, message, Stage.DECODE if isinstance(message, Decode) else Stage.DETECT)

    def _work(self, name: str, job: Decode | Detect, stage: Stage) -> None:
        alert = self.loaded[job.slot]
        if alert in self.deadly.get(stage, ()):
            self.deaths.append((self.now, alert))
            self.dispatch.child_exited(name, -11, self.now)
            self.dispatch.child_ready(name, self.now)
        elif stage is Stage.DECODE:
            self.dispatch.on_message(name, Decoded(job.slot, job.generation, False, 1), self.now)
        else:
            outcome = Outcome.SPARED if self.unanswered else Outcome.NOBODY
            self.unanswered -= bool(self.unanswered)
            self.dispatch.on_message(name, Detected(job.slot, job.generation, outcome), self.now)

    def _conclude(self, message: Conclude) -> None:
        alert, outcome = message.alert_id, Outcome(message.outcome)
        if outcome in (Outcome.DIED, Outcome.HUNG):
            self.tries[alert] = message.tries
        if outcome is Outcome.SPARED or (outcome in (Outcome.DIED, Outcome.HUNG) and message.tries < MAX_TRIES):
            self.waiting.append(alert)  # behind all others
        else:
            self.ended[alert] = outcome
        self.dispatch.on_message(WRITER, Concluded(message.slot, message.generation, alert), self.now)
        self.lent.append(Lend(message.slot, following(message.generation)))


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("workers", [1, 4])
def test_worker_that_dies_of_every_picture_costs_no_picture_its_examination(stage: Stage, workers: int) -> None:
    """A backlog of 500 survives a broken engine; once it is mended, all of it is examined."""
    pipeline = Pipeline(list(range(500)), {stage: set(range(500))}, workers)

    pipeline.run(3600)

    assert pipeline.ended == {}
    assert pipeline.dispatch.problem
    assert len(pipeline.deaths) < 3600 / PROBE_CAP_S[stage] + 20, "attempts become rare"
    tried = [alert for _, alert in pipeline.deaths]
    assert len(set(tried)) == min(500, len(tried)), "each attempt is with another picture, as long as there is one"

    pipeline.deadly.clear()
    pipeline.run(60)

    assert pipeline.ended == dict.fromkeys(range(500), Outcome.NOBODY)
    assert not pipeline.dispatch.problem


@pytest.mark.parametrize("stage", list(Stage))
def test_bad_picture_among_good_ones_is_to_blame_itself(stage: Stage) -> None:
    """It is given up after its tries, and nothing waits for it."""
    pipeline = Pipeline(list(range(50)), {stage: {25}})

    pipeline.run(1)

    assert pipeline.ended == dict.fromkeys(range(50), Outcome.NOBODY) | {25: Outcome.DIED}
    assert [alert for _, alert in pipeline.deaths] == [25] * MAX_TRIES


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 29)), st.integers(1, 4), st.sampled_from(list(Stage)))
def test_every_picture_comes_to_an_end_once_others_are_good(bad: set[int], workers: int, stage: Stage) -> None:
    """Good pictures are all examined, bad ones are given up, however they are mixed and nothing else may follow."""
    pipeline = Pipeline(list(range(30)), {stage: bad}, workers)
    pipeline.run(600)

    pipeline.waiting.insert(0, 30)  # a good one after all of them have been tried
    pipeline.run(600)

    assert {alert for alert, outcome in pipeline.ended.items() if outcome is Outcome.NOBODY} == set(range(31)) - bad
    assert set(pipeline.ended) == set(range(31))
    assert not pipeline.dispatch.problem


def test_workers_without_a_server_blame_no_picture_and_ask_ever_more_seldom() -> None:
    """All say so at the same moment: that counts once. The first answer lets everything go on."""
    breaker = Breaker(cap_s=30.0)

    now, asked = 0.0, []
    while now < 600:
        for _ in range(4):
            breaker.unavailable(now)
        assert breaker.probe_at is not None
        asked.append(breaker.probe_at - now)
        now = breaker.probe_at
    assert asked[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(asked) == 30.0
    assert breaker.is_unavailable

    breaker.finished(now)
    assert (breaker.is_open, breaker.is_unavailable) == (False, False)
    assert breaker.died(7, now) is Fault.PICTURE


def test_picture_that_no_server_examines_stays_pending_without_a_try() -> None:
    """The detector lives on and gets the next picture when it is time to ask again."""
    pipeline = Pipeline([1, 2], {})
    pipeline.unanswered = 3

    pipeline.run(0.2)
    assert "no inference server answers" in pipeline.dispatch.problem
    pipeline.run(60)

    assert pipeline.ended == {1: Outcome.NOBODY, 2: Outcome.NOBODY}
    assert pipeline.unanswered == 0
    assert not pipeline.deaths
    assert not pipeline.dispatch.problem


def test_probe_goes_to_one_worker_at_a_time() -> None:
    """Who is to blame does not get four pictures at once."""
    pipeline = Pipeline([], {}, workers=4)
    pipeline.run(0.0)
    for alert in range(BLAME_PICTURES):
        pipeline.dispatch.decoders.breaker.died(alert, 0.0)
    pipeline.waiting = [10, 11]
    pipeline._load()
    pipeline._load()

    assert pipeline.inbox == []
    assert pipeline.dispatch.next_deadline() == pipeline.dispatch.decoders.breaker.probe_at
    pipeline.dispatch.probe(1.0)
    pipeline.dispatch.probe(100.0)
    assert [type(message) for _, message in pipeline.inbox] == [Decode]


def test_deaths_far_apart_are_of_their_pictures_while_others_are_finished() -> None:
    """Three bad pictures in a year are three bad pictures; three in a row are not."""
    breaker = Breaker(cap_s=5.0)
    for alert in range(10):
        assert breaker.died(alert, alert * BLAME_WITHIN_S) is Fault.PICTURE
        breaker.finished((alert + 1) * BLAME_WITHIN_S)

    found = [breaker.died(100 + alert, 1e5 + alert * 1e4) for alert in range(BLAME_PICTURES)]
    assert found == [Fault.PICTURE] * (BLAME_PICTURES - 1) + [Fault.WORKER]
    breaker.finished(1e6)
    assert breaker.died(999, 1e6) is Fault.PICTURE


def test_picture_that_kills_again_after_others_were_finished_has_only_itself_to_blame() -> None:
    """Also when the worker was to blame for the first time, and would be again."""
    breaker = Breaker(cap_s=5.0)
    for alert in range(5):
        breaker.died(alert, 0.0)
    breaker.finished(1.0)

    assert [breaker.died(alert, 2.0) for alert in range(5)] == [Fault.PROVEN] * 5
    assert not breaker.is_open


def test_same_picture_again_is_no_further_picture() -> None:
    """One picture that is tried again and again blames nobody else."""
    breaker = Breaker(cap_s=5.0)

    assert {breaker.died(7, float(now)) for now in range(20)} == {Fault.PICTURE}


def test_change_that_may_help_is_tried_at_once() -> None:
    """Another engine does not wait for the back-off of the one before."""
    breaker = Breaker(cap_s=30.0)
    for alert in range(20):
        breaker.died(alert, 0.0)
    assert breaker.probe_at == 30.0

    breaker.probe_soon(1.0)

    assert breaker.probe_at == 1.0
    assert breaker.is_open


def test_what_is_remembered_of_deaths_is_bounded() -> None:
    """However long it runs, and whatever strangers send."""
    breaker = Breaker(cap_s=5.0)
    for alert in range(3 * VICTIMS_KEPT):
        breaker.died(alert, float(alert))

    assert len(breaker.victims) == VICTIMS_KEPT
