"""The books of the pipeline: the way of one picture, faults on it, and what holds under any order of events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from camalert.dispatch import Dispatch, Limits, Send
from camalert.errors import ProtocolError
from camalert.frameslots import WRITER
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
    Outcome,
    Ping,
    Stage,
    Store,
    StoreCode,
    Stored,
)
from camalert.slots import Layout, following

LAYOUT = Layout(2, 1000, 3, 1000, 3000, largest_bytes=5000)
LIMITS = Limits(decode_s=10, detect_s=20)
MAIL = bytes(16)


def _up(decoders: int = 1, detectors: int = 1) -> Dispatch:
    dispatch = Dispatch(LAYOUT, LIMITS)
    dispatch.intake_ready("smtp")
    dispatch.writer_ready()
    for number in range(decoders):
        dispatch.worker_ready(dispatch.decoders, f"decoder-{number}", 0.0)
    for number in range(detectors):
        dispatch.worker_ready(dispatch.detectors, f"detector-{number}", 0.0)
    return dispatch


def _load(dispatch: Dispatch, slot: int, *, is_live: bool = True, tries: int = 0, is_clip: bool = False) -> list[Send]:
    generation = dispatch.slots.generation(slot)
    loaded = Loaded(slot, generation, slot + 100, 55, tries=tries, is_clip=is_clip, is_live=is_live)
    return dispatch.loaded(loaded, 0.0)


def test_picture_goes_the_whole_way() -> None:
    """Loaded, decoded, detected, concluded; then the slot is the writer's again, in the next lease, untold."""
    dispatch = _up()

    assert _load(dispatch, 3) == [("decoder-0", Decode(3, 1, 55, 0, is_clip=False))]
    assert dispatch.decoded("decoder-0", Decoded(3, 1, False, 1), 0.0) == [("detector-0", Detect(3, 1))]
    concluded = dispatch.detected("detector-0", Detected(3, 1, Outcome.PERSON), 0.0)
    assert concluded == [(WRITER, Conclude(3, 1, 103, Outcome.PERSON, Stage.DETECT, 0, 0))]
    assert dispatch.concluded(Concluded(3, 1, 103)) == Outcome.PERSON
    assert dispatch.is_quiet
    assert _load(dispatch, 3) == [("decoder-0", Decode(3, 2, 55, 0, is_clip=False))]


def test_picture_that_is_none_is_concluded_without_detection() -> None:
    """A picture that cannot be decoded costs no detector."""
    dispatch = _up()
    _load(dispatch, 3)

    sends = dispatch.decoded("decoder-0", Decoded(3, 1, True, 0), 0.0)

    assert sends == [(WRITER, Conclude(3, 1, 103, Outcome.FAILED, Stage.DECODE, 0, 0))]


def test_live_picture_overtakes_the_backlog() -> None:
    """What happens now is examined before what happened before."""
    dispatch = _up(decoders=0, detectors=0)
    _load(dispatch, 3, is_live=False)
    _load(dispatch, 4, is_live=True)

    sends = dispatch.worker_ready(dispatch.decoders, "decoder-0", 0.0)

    assert sends == [("decoder-0", Decode(4, 1, 55, 0, is_clip=False))]


def test_decoder_dying_in_a_job_counts_a_try_and_frees_the_next() -> None:
    """A picture goes down with its decoder; the writer decides whether it comes again."""
    dispatch = _up()
    _load(dispatch, 3, tries=1)

    sends = dispatch.worker_gone(dispatch.decoders, "decoder-0", Outcome.DIED, -11)

    assert sends == [(WRITER, Conclude(3, 1, 103, Outcome.DIED, Stage.DECODE, 2, -11))]


def test_worker_without_a_job_takes_nothing_down() -> None:
    """An idle detector's end is its own."""
    dispatch = _up()

    assert dispatch.worker_gone(dispatch.detectors, "detector-0", Outcome.DIED, -9) == []


def test_job_past_its_deadline_is_overdue() -> None:
    """A hung worker is found by its job."""
    dispatch = _up()
    _load(dispatch, 3)

    assert dispatch.next_deadline() == 10.0
    assert dispatch.overdue(9.9) == []
    assert dispatch.overdue(10.0) == ["decoder-0"]
    assert dispatch.overdue(11.0) == [], "told once"
    assert dispatch.busy() == frozenset({"decoder-0"})


def test_new_writer_gets_what_its_predecessor_left() -> None:
    """Stores and verdicts that nobody answered are asked again; what is in flight is not loaded again."""
    dispatch = _up()
    store = Store(0, 1, MAIL)
    dispatch.store("smtp", store)
    _load(dispatch, 3)
    _load(dispatch, 4)
    dispatch.decoded("decoder-0", Decoded(3, 1, True, 0), 0.0)

    dispatch.writer_gone()
    sends = dispatch.writer_ready()

    assert sends[:2] == [(WRITER, Held(3, 1, 103)), (WRITER, Held(4, 1, 104))]
    assert sends[2] == (WRITER, store)
    assert sends[3] == (WRITER, Conclude(3, 1, 103, Outcome.FAILED, Stage.DECODE, 0, 0))
    assert sends[4:] == [(WRITER, Lend(5, 2)), (WRITER, Lend(6, 2))]


def test_store_while_the_writer_is_away_waits_for_the_next() -> None:
    """A camera's mail outlives the writer."""
    dispatch = _up()
    dispatch.writer_gone()
    store = Store(0, 1, MAIL)

    assert dispatch.store("smtp", store) == []
    assert (WRITER, store) in dispatch.writer_ready()


def test_new_smtp_is_told_which_slots_still_wait() -> None:
    """A slot with an open Store is not given to the next mail."""
    dispatch = _up()
    dispatch.store("smtp", Store(1, 7, MAIL))
    dispatch.intake_gone("smtp")

    assert dispatch.intake_ready("smtp") == [("smtp", Held(1, 7, 0)), ("smtp", Ping(0))]
    stored = Stored(1, 7, MAIL, StoreCode.STORED, 1, 1)
    assert dispatch.stored(stored) == [("smtp", stored)]
    assert dispatch.stored(stored) == []


def test_answers_go_to_the_intake_that_asked() -> None:
    """smtp and the folder watcher never get each other's answers."""
    dispatch = _up()
    dispatch.intake_ready("folder")
    dispatch.store("folder", Store(1, 7, MAIL))

    stored = Stored(1, 7, MAIL, StoreCode.STORED, 1, 1)

    assert dispatch.stored(stored) == [("folder", stored)]


def test_clip_examines_each_of_its_pictures() -> None:
    """One person in one picture of a clip makes the clip a hit."""
    dispatch = _up()

    assert _load(dispatch, 6, is_clip=True) == [("decoder-0", Decode(6, 1, 55, 0, is_clip=True))]
    dispatch.decoded("decoder-0", Decoded(6, 1, False, 2), 0.0)
    sends = dispatch.detected("detector-0", Detected(6, 1, Outcome.PERSON), 0.0)
    assert sends == [("decoder-0", Decode(6, 1, 55, 1, is_clip=False))]
    dispatch.decoded("decoder-0", Decoded(6, 1, False, 2), 0.0)
    sends = dispatch.detected("detector-0", Detected(6, 1, Outcome.NOBODY), 0.0)
    assert sends == [(WRITER, Conclude(6, 1, 106, Outcome.PERSON, Stage.DETECT, 0, 0))]


def test_drain_leaves_waiting_pictures_pending_and_finishes_the_rest() -> None:
    """Nothing new is begun, nothing begun is lost."""
    dispatch = _up(detectors=0)
    _load(dispatch, 3)
    _load(dispatch, 4)

    dispatch.drain()

    assert dispatch.in_flight == 1
    assert dispatch.decoded("decoder-0", Decoded(3, 1, False, 1), 0.0) == []
    assert dispatch.is_quiet


def test_message_of_an_ended_lease_changes_nothing() -> None:
    """A late answer is about a slot that is somebody else's by now."""
    dispatch = _up()
    _load(dispatch, 3)

    assert dispatch.decoded("decoder-0", Decoded(3, 9, False, 1), 0.0) == []
    assert dispatch.detected("detector-0", Detected(4, 1, Outcome.NOBODY), 0.0) == []
    dispatch.concluded(Concluded(3, 9, 103))
    assert dispatch.in_flight == 1
    assert dispatch.take_stale() == 3
    assert dispatch.busy() == frozenset({"decoder-0"})


def test_retired_worker_finishes_and_gets_no_further_job() -> None:
    """A detector about to be replaced is not given what it would take down."""
    dispatch = _up()
    _load(dispatch, 3)
    dispatch.decoders.retire("decoder-0")
    dispatch.decoded("decoder-0", Decoded(3, 1, False, 1), 0.0)

    assert _load(dispatch, 4) == []


def test_job_that_never_reached_its_worker_goes_to_another_one() -> None:
    """A decoder that died before it read its job takes no picture down."""
    dispatch = _up(decoders=2)
    [(name, job)] = _load(dispatch, 3)
    other = "decoder-1" if name == "decoder-0" else "decoder-0"

    assert dispatch.undelivered(dispatch.decoders, name, 0.0) == [(other, job)]
    assert dispatch.worker_gone(dispatch.decoders, name, Outcome.DIED, -9) == []


def test_job_that_never_reached_its_worker_waits_first_in_line() -> None:
    """Without another worker the picture keeps its place."""
    dispatch = _up()
    _load(dispatch, 3)
    _load(dispatch, 4)

    assert dispatch.undelivered(dispatch.decoders, "decoder-0", 0.0) == []
    dispatch.worker_gone(dispatch.decoders, "decoder-0", Outcome.DIED, -9)

    assert dispatch.worker_ready(dispatch.decoders, "decoder-0", 0.0) == [
        ("decoder-0", Decode(3, 1, 55, 0, is_clip=False))
    ]


def test_undelivered_job_while_draining_stays_pending() -> None:
    """Nothing new is begun at the end; the database knows the picture."""
    dispatch = _up()
    _load(dispatch, 3)
    dispatch.drain()

    assert dispatch.undelivered(dispatch.decoders, "decoder-0", 0.0) == []
    assert dispatch.is_quiet


@pytest.mark.parametrize(
    "lie",
    [
        lambda dispatch: dispatch.store("smtp", Store(4, 1, MAIL)),
        lambda dispatch: dispatch.stored(Stored(1, 1, MAIL, StoreCode.STORED, 1, 1)),
        lambda dispatch: dispatch.stored(Stored(0, 1, MAIL, 77, 1, 1)),
        lambda dispatch: dispatch.loaded(Loaded(3, 1, 9, 9, 0, False, True), 0.0),
        lambda dispatch: dispatch.concluded(Concluded(3, 1, 103)),
        lambda dispatch: dispatch.decoded("decoder-0", Decoded(3, 1, False, 1 << 31), 0.0),
        lambda dispatch: dispatch.detected("detector-0", Detected(3, 1, 77), 0.0),
    ],
)
def test_child_that_says_what_cannot_be_changes_nothing(lie: Callable[[Dispatch], object]) -> None:
    """A child gone mad is told from one that is late, and the books stay as they are."""
    dispatch = _up()
    dispatch.store("smtp", Store(0, 1, MAIL))
    _load(dispatch, 3)

    with pytest.raises(ProtocolError):
        lie(dispatch)

    assert dispatch.busy() == frozenset({"decoder-0"})
    assert dispatch.in_flight == 1
    assert dispatch.stored(Stored(0, 1, MAIL, StoreCode.STORED, 1, 1)) != []


SLOT, GENERATION = st.integers(0, 9), st.integers(0, 3)
LIES = {
    WRITER: st.one_of(
        st.builds(Stored, SLOT, GENERATION, st.just(MAIL), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
        st.builds(Loaded, SLOT, GENERATION, st.integers(0, 9), SLOT, SLOT, st.booleans(), st.booleans()),
        st.builds(Concluded, SLOT, GENERATION, st.integers(0, 200)),
    ),
    "smtp": st.builds(Store, SLOT, GENERATION, st.just(MAIL)),
    "decoder-0": st.builds(Decoded, SLOT, GENERATION, st.booleans(), st.integers(0, 3)),
    "detector-0": st.builds(Detected, SLOT, GENERATION, st.integers(0, 9)),
}


@given(st.lists(st.sampled_from(sorted(LIES)).flatmap(lambda name: st.tuples(st.just(name), LIES[name])), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_message_of_any_child_is_taken_or_called_nonsense(said: list[tuple[str, object]]) -> None:
    """No order of well-formed lies ends the supervisor, or gives a slot two owners."""
    dispatch = _up()
    for name, message in said:
        with contextlib.suppress(ProtocolError):
            match message:
                case Store():
                    dispatch.store(name, message)
                case Stored():
                    dispatch.stored(message)
                case Loaded():
                    dispatch.loaded(message, 0.0)
                case Concluded():
                    dispatch.concluded(message)
                case Decoded():
                    dispatch.decoded(name, message, 0.0)
                case Detected():
                    dispatch.detected(name, message, 0.0)
    places = [slot for crew in (dispatch.decoders, dispatch.detectors) for slot, _ in crew.jobs.values()]
    places += [slot for crew in (dispatch.decoders, dispatch.detectors) for slot in (*crew.live, *crew.backlog)]
    assert len(places) == len(set(places))
    dispatch.worker_gone(dispatch.decoders, "decoder-0", Outcome.DIED, -9)
    dispatch.worker_gone(dispatch.detectors, "detector-0", Outcome.DIED, -9)
    dispatch.writer_gone()
    dispatch.writer_ready()


class PipelineMachine(RuleBasedStateMachine):
    """Children that come, go and answer in any order, and the one question that counts: where is every slot?"""

    @initialize()
    def begin(self) -> None:
        self.dispatch = Dispatch(LAYOUT, LIMITS)
        self.inbox: dict[str, list[object]] = {}
        self.lent: dict[int, int] = {}
        self.posted: list[Concluded] = []  # by the writer, not yet sent
        self.is_leaving = self.is_draining = False
        self.in_flight: set[int] = set()
        self.next_id = 1

    def deliver(self, sends: list[Send]) -> None:
        for name, message in sends:
            assert name in self.inbox, f"{message} to {name}, which is not there"
            self.inbox[name].append(message)

    @precondition(lambda self: WRITER not in self.inbox)
    @rule()
    def writer_comes(self) -> None:
        self.inbox[WRITER] = []
        self.in_flight = set()
        self.deliver(self.dispatch.writer_ready())

    @precondition(lambda self: WRITER in self.inbox)
    @rule(has_sent=st.booleans())
    def writer_dies(self, has_sent: bool) -> None:
        if has_sent:
            self.writer_sends_what_it_posted()
        self.posted.clear()
        del self.inbox[WRITER]
        self.lent.clear()
        self.is_leaving = False
        self.dispatch.writer_gone()

    @precondition(lambda self: WRITER in self.inbox and not self.is_leaving)
    @rule()
    def writer_is_to_be_replaced(self) -> None:
        self.is_leaving = True
        self.dispatch.writer_leaving()

    @precondition(lambda self: self.next_id > 6 and not self.is_draining)
    @rule()
    def service_drains(self) -> None:
        self.is_draining = True
        self.dispatch.drain()

    @precondition(lambda self: self.posted)
    @rule()
    def writer_sends_what_it_posted(self) -> None:
        for message in self.posted:
            self.dispatch.concluded(message)
        self.posted.clear()

    @precondition(lambda self: self.inbox.get(WRITER))
    @rule()
    def writer_reads(self) -> None:
        message = self.inbox[WRITER].pop(0)
        match message:
            case Lend(slot, generation):
                assert slot not in self.lent
                self.lent[slot] = generation
            case Held(_, _, alert_id):
                self.in_flight.add(alert_id)
            case Conclude():
                self.in_flight.discard(message.alert_id)
                self.posted.append(Concluded(message.slot, message.generation, message.alert_id))
                self.lent[message.slot] = following(message.generation)

    @precondition(lambda self: WRITER in self.inbox and self.lent)
    @rule(is_live=st.booleans(), is_clip=st.booleans())
    def writer_loads(self, is_live: bool, is_clip: bool) -> None:
        self.writer_sends_what_it_posted()
        slot, generation = self.lent.popitem()
        self.in_flight.add(self.next_id)
        loaded = Loaded(slot, generation, self.next_id, 9, tries=0, is_clip=is_clip, is_live=is_live)
        self.next_id += 1
        self.deliver(self.dispatch.loaded(loaded, 0.0))

    def crew_of(self, name: str) -> object:
        return self.dispatch.decoders if name.startswith("decoder") else self.dispatch.detectors

    @rule(name=st.sampled_from(["decoder-1", "decoder-2", "detector-1", "detector-2"]))
    def worker_comes_or_dies(self, name: str) -> None:
        crew = self.crew_of(name)
        if name in self.inbox:
            del self.inbox[name]
            self.deliver(self.dispatch.worker_gone(crew, name, Outcome.DIED, -9))
        else:
            self.inbox[name] = []
            self.deliver(self.dispatch.worker_ready(crew, name, 0.0))

    @rule(data=st.data(), is_failed=st.booleans(), pictures=st.integers(1, 3))
    def worker_answers(self, data: st.DataObject, is_failed: bool, pictures: int) -> None:
        busy = sorted(name for name, inbox in self.inbox.items() if inbox and name != WRITER)
        if not busy:
            return
        name = data.draw(st.sampled_from(busy))
        match self.inbox[name].pop(0):
            case Decode() as job:
                answer = Decoded(job.slot, job.generation, is_failed, pictures)
                self.deliver(self.dispatch.decoded(name, answer, 0.0))
            case Detect() as job:
                outcome = Outcome.FAILED if is_failed else Outcome.PERSON
                self.deliver(self.dispatch.detected(name, Detected(job.slot, job.generation, outcome), 0.0))

    @invariant()
    def every_frame_slot_is_accounted_for(self) -> None:
        """With a writer present no slot lies idle, and none has two owners."""
        slots = self.dispatch.slots
        owned = [slots.owner(slot) for slot in LAYOUT.frames]
        if WRITER in self.inbox and not self.is_leaving and not self.is_draining:
            assert None not in owned
        assert self.dispatch.take_stale() == 0  # nobody who tells the truth is ignored
        jobs = [slot for crew in (self.dispatch.decoders, self.dispatch.detectors) for slot, _ in crew.jobs.values()]
        queued = [
            slot for crew in (self.dispatch.decoders, self.dispatch.detectors) for slot in (*crew.live, *crew.backlog)
        ]
        assert len(jobs + queued) == len(set(jobs + queued))
        for crew in (self.dispatch.decoders, self.dispatch.detectors):
            assert crew.idle == list(dict.fromkeys(crew.idle))
            assert not (crew.idle and (crew.live or crew.backlog)), "a picture waits beside an idle worker"

    def teardown(self) -> None:
        """Let everything finish: every slot comes back."""
        if not hasattr(self, "dispatch"):
            return
        if self.is_leaving:
            self.writer_dies(has_sent=True)
        if WRITER not in self.inbox:
            self.writer_comes()
        for name in ("decoder-1", "detector-1"):
            if name not in self.inbox:
                self.worker_comes_or_dies(name)
        for _ in range(200):
            for name in list(self.inbox):
                while self.inbox.get(name):
                    if name == WRITER:
                        self.writer_reads()
                    else:
                        self._answer(name)
        self.writer_sends_what_it_posted()
        assert self.dispatch.is_quiet
        if not self.is_draining:
            assert len(self.lent) == len(LAYOUT.frames)

    def _answer(self, name: str) -> None:
        match self.inbox[name].pop(0):
            case Decode() as job:
                self.deliver(self.dispatch.decoded(name, Decoded(job.slot, job.generation, False, 1), 0.0))
            case Detect() as job:
                answer = Detected(job.slot, job.generation, Outcome.NOBODY)
                self.deliver(self.dispatch.detected(name, answer, 0.0))


TestPipeline = PipelineMachine.TestCase
TestPipeline.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
