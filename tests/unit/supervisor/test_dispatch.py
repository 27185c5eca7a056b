"""The pipeline: who may say what, the way of one picture, faults on it, and what holds under any order of events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import fields
from unittest.mock import create_autospec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from camalert.errors import ProtocolError
from camalert.ipc.layout import Layout, following
from camalert.ipc.messages import (
    KINDS,
    Conclude,
    Concluded,
    Counted,
    Decode,
    Decoded,
    Detect,
    Detected,
    Held,
    Lend,
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
from camalert.store.notes import words_shared
from camalert.supervisor.dispatch import Dispatch
from camalert.supervisor.lifecycle import Role
from camalert.supervisor.reporter import Reporter
from camalert.supervisor.stages import NOTIFIER, WRITER, Fault

LAYOUT = Layout(2, 1000, 3, 1000, 3000, largest_bytes=5000)
JOB_S = {Stage.DECODE: 10.0, Stage.DETECT: 20.0}
MAIL, OTHER_MAIL = bytes(16), bytes([1] * 16)
ROLES = {
    WRITER: Role.WRITER,
    "smtp": Role.INTAKE,
    "folder": Role.INTAKE,
    "review": Role.OPTIONAL,
    NOTIFIER: Role.OPTIONAL,
    **{f"decoder-{number}": Role.DECODER for number in range(3)},
    **{f"detector-{number}": Role.DETECTOR for number in range(3)},
}

Send = tuple[str, Message]


class Rig(Dispatch):
    """A dispatch whose children are names; those that are not there are in `deaf`."""

    def __init__(self) -> None:
        self.sent: list[Send] = []
        self.deaf: set[str] = set()
        self.reporter = create_autospec(Reporter, instance=True)
        super().__init__(ROLES, LAYOUT, JOB_S, self._note_sent, self.reporter)

    def _note_sent(self, name: str, message: Message) -> bool:
        self.sent.append((name, message))
        return name not in self.deaf

    def taken(self) -> list[Send]:
        """Return what was sent since the last look."""
        sent, self.sent = self.sent, []
        return sent

    def joins(self, *names: str) -> list[Send]:
        """Let children become ready; return what was sent for it, as do the next two."""
        for name in names:
            self.child_ready(name, 0.0)
        return self.taken()

    def says(self, name: str, message: Message) -> list[Send]:
        """Let a child say something."""
        self.on_message(name, message, 0.0)
        return self.taken()

    def exits(self, name: str, code: int = -9, *, is_unresponsive: bool = False, is_unread: bool = False) -> list[Send]:
        """Let a child exit; whose fault it is comes to be in `fault`."""
        self.fault = self.child_exited(name, code, 0.0, is_unresponsive=is_unresponsive, is_unread=is_unread)
        return self.taken()


def _up(decoders: int = 1, detectors: int = 1) -> Rig:
    dispatch = Rig()
    dispatch.joins("smtp", WRITER)
    dispatch.joins(*(f"decoder-{number}" for number in range(decoders)))
    dispatch.joins(*(f"detector-{number}" for number in range(detectors)))
    return dispatch


def _load(dispatch: Rig, slot: int, *, is_live: bool = True, tries: int = 0, is_clip: bool = False) -> list[Send]:
    generation = dispatch.slots.generation(slot)
    loaded = Loaded(slot, generation, slot + 100, 55, tries=tries, is_clip=is_clip, is_live=is_live)
    return dispatch.says(WRITER, loaded)


def test_picture_goes_the_whole_way() -> None:
    """Loaded, decoded, detected, concluded; then the slot is the writer's again, in the next lease, untold."""
    dispatch = _up()

    assert _load(dispatch, 3) == [("decoder-0", Decode(3, 1, 55, 0, is_clip=False))]
    assert dispatch.says("decoder-0", Decoded(3, 1, False, 1)) == [("detector-0", Detect(3, 1))]
    concluded = dispatch.says("detector-0", Detected(3, 1, Outcome.PERSON))
    assert concluded == [(WRITER, Conclude(3, 1, 103, Outcome.PERSON, Stage.DETECT, 0, 0))]
    assert dispatch.says(WRITER, Concluded(3, 1, 103)) == []
    dispatch.reporter.examined.assert_called_once_with(Outcome.PERSON)
    assert dispatch.is_idle
    assert _load(dispatch, 3) == [("decoder-0", Decode(3, 2, 55, 0, is_clip=False))]


def test_picture_that_is_none_is_concluded_without_detection() -> None:
    """A picture that cannot be decoded costs no detector."""
    dispatch = _up()
    _load(dispatch, 3)

    sends = dispatch.says("decoder-0", Decoded(3, 1, True, 0))

    assert sends == [(WRITER, Conclude(3, 1, 103, Outcome.FAILED, Stage.DECODE, 0, 0))]


def test_live_picture_overtakes_the_backlog() -> None:
    """What happens now is examined before what happened before."""
    dispatch = _up(decoders=0, detectors=0)
    _load(dispatch, 3, is_live=False)
    _load(dispatch, 4, is_live=True)

    sends = dispatch.joins("decoder-0")

    assert sends == [("decoder-0", Decode(4, 1, 55, 0, is_clip=False))]


def test_decoder_dying_in_a_job_counts_a_try_and_frees_the_next() -> None:
    """A picture goes down with its decoder; the writer decides whether it comes again."""
    dispatch = _up()
    _load(dispatch, 3, tries=1)

    sends = dispatch.exits("decoder-0", -11)

    assert dispatch.fault is Fault.PICTURE
    assert sends == [(WRITER, Conclude(3, 1, 103, Outcome.DIED, Stage.DECODE, 2, -11))]


def test_worker_without_a_job_takes_nothing_down() -> None:
    """An idle detector's end is its own."""
    dispatch = _up()

    assert dispatch.exits("detector-0") == []
    assert dispatch.fault is None


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
    dispatch.says("smtp", store)
    _load(dispatch, 3)
    _load(dispatch, 4)
    dispatch.says("decoder-0", Decoded(3, 1, True, 0))

    dispatch.exits(WRITER)
    sends = dispatch.joins(WRITER)

    assert sends[:2] == [(WRITER, Held(3, 1, 103)), (WRITER, Held(4, 1, 104))]
    assert sends[2] == (WRITER, store)
    assert sends[3] == (WRITER, Conclude(3, 1, 103, Outcome.FAILED, Stage.DECODE, 0, 0))
    assert sends[4:] == [(WRITER, Lend(5, 2)), (WRITER, Lend(6, 2))]


def test_store_while_the_writer_is_away_waits_for_the_next() -> None:
    """A camera's mail outlives the writer."""
    dispatch = _up()
    dispatch.exits(WRITER)
    store = Store(0, 1, MAIL)

    assert dispatch.says("smtp", store) == []
    assert (WRITER, store) in dispatch.joins(WRITER)


def test_new_smtp_is_told_which_slots_still_wait() -> None:
    """A slot with an open Store is not given to the next mail."""
    dispatch = _up()
    dispatch.says("smtp", Store(1, 7, MAIL))
    dispatch.exits("smtp")

    assert dispatch.joins("smtp") == [("smtp", Held(1, 7, 0)), ("smtp", Ping(0))]
    stored = Stored(1, 7, MAIL, StoreCode.STORED, 1, 1)
    assert dispatch.says(WRITER, stored) == [("smtp", stored)]
    assert dispatch.says(WRITER, stored) == []


def test_answers_go_to_the_intake_that_asked() -> None:
    """smtp and the folder watcher never get each other's answers."""
    dispatch = _up()
    dispatch.joins("folder")
    dispatch.says("folder", Store(1, 7, MAIL))

    stored = Stored(1, 7, MAIL, StoreCode.STORED, 1, 1)

    assert dispatch.says(WRITER, stored) == [("folder", stored)]


def test_clip_examines_each_of_its_pictures() -> None:
    """One person in one picture of a clip makes the clip a hit."""
    dispatch = _up()

    assert _load(dispatch, 6, is_clip=True) == [("decoder-0", Decode(6, 1, 55, 0, is_clip=True))]
    dispatch.says("decoder-0", Decoded(6, 1, False, 2))
    sends = dispatch.says("detector-0", Detected(6, 1, Outcome.PERSON))
    assert sends == [("decoder-0", Decode(6, 1, 55, 1, is_clip=False))]
    dispatch.says("decoder-0", Decoded(6, 1, False, 2))
    sends = dispatch.says("detector-0", Detected(6, 1, Outcome.NOBODY))
    assert sends == [(WRITER, Conclude(6, 1, 106, Outcome.PERSON, Stage.DETECT, 0, 0))]


@pytest.mark.parametrize(
    "end",
    [
        lambda d: d.says("decoder-0", Decoded(6, 1, True, 0)),
        lambda d: d.exits("decoder-0", -11),
        lambda d: d.exits("decoder-0", -6, is_unresponsive=True),
    ],
)
@pytest.mark.parametrize("tries", [0, 1])
def test_person_found_in_a_clip_is_kept_however_the_clip_ends(end: Callable[[Rig], list[Send]], tries: int) -> None:
    """What the first pictures showed is not lost by a later one."""
    dispatch = _up()
    _load(dispatch, 6, is_clip=True, tries=tries)
    dispatch.says("decoder-0", Decoded(6, 1, False, 3))
    assert dispatch.says("detector-0", Detected(6, 1, Outcome.PERSON)) == [
        ("decoder-0", Decode(6, 1, 55, 1, is_clip=False))
    ]

    [(name, verdict)] = end(dispatch)

    assert isinstance(verdict, Conclude)
    assert (name, verdict.alert_id, verdict.outcome) == (WRITER, 106, Outcome.PERSON)


@pytest.mark.parametrize("is_unresponsive", [False, True])
def test_person_found_in_a_clip_outlives_its_detector(is_unresponsive: bool) -> None:
    """A detector that dies of the second picture leaves the first one's person."""
    dispatch = _up()
    _load(dispatch, 6, is_clip=True)
    dispatch.says("decoder-0", Decoded(6, 1, False, 2))
    dispatch.says("detector-0", Detected(6, 1, Outcome.PERSON))
    dispatch.says("decoder-0", Decoded(6, 1, False, 2))

    [(_, verdict)] = dispatch.exits("detector-0", -11, is_unresponsive=is_unresponsive)

    assert isinstance(verdict, Conclude)
    assert verdict.outcome == Outcome.PERSON


def test_drain_leaves_waiting_pictures_pending_and_finishes_the_rest() -> None:
    """Nothing new is begun, nothing begun is lost."""
    dispatch = _up(detectors=0)
    _load(dispatch, 3)
    _load(dispatch, 4)

    dispatch.drain()

    assert dispatch.in_flight == 1
    assert dispatch.says("decoder-0", Decoded(3, 1, False, 1)) == []
    assert dispatch.is_idle


def test_message_of_an_ended_lease_changes_nothing() -> None:
    """A late answer is about a slot that is somebody else's by now."""
    dispatch = _up()
    _load(dispatch, 3)

    assert dispatch.says("decoder-0", Decoded(3, 9, False, 1)) == []
    assert dispatch.says("detector-0", Detected(4, 1, Outcome.NOBODY)) == []
    dispatch.says(WRITER, Concluded(3, 9, 103))
    assert dispatch.in_flight == 1
    assert dispatch.take_stale() == 3
    assert dispatch.busy() == frozenset({"decoder-0"})


def test_retired_worker_finishes_and_gets_no_further_job() -> None:
    """A detector about to be replaced is not given what it would take down."""
    dispatch = _up()
    _load(dispatch, 3)
    dispatch.decoders.retire("decoder-0")
    dispatch.says("decoder-0", Decoded(3, 1, False, 1))

    assert _load(dispatch, 4) == []


def test_job_that_never_reached_its_worker_goes_to_another_one() -> None:
    """A decoder that died before it read its job takes no picture down."""
    dispatch = _up(decoders=2)
    [(name, job)] = _load(dispatch, 3)
    other = "decoder-1" if name == "decoder-0" else "decoder-0"

    assert dispatch.exits(name, is_unread=True) == [(other, job)]
    assert dispatch.fault is None


def test_job_that_never_reached_its_worker_waits_first_in_line() -> None:
    """Without another worker the picture keeps its place."""
    dispatch = _up()
    _load(dispatch, 3)
    _load(dispatch, 4)

    assert dispatch.exits("decoder-0", is_unread=True) == []
    assert dispatch.fault is None

    assert dispatch.joins("decoder-0") == [("decoder-0", Decode(3, 1, 55, 0, is_clip=False))]


def test_undelivered_job_while_draining_stays_pending() -> None:
    """Nothing new is begun at the end; the database knows the picture."""
    dispatch = _up()
    _load(dispatch, 3)
    dispatch.drain()

    assert dispatch.exits("decoder-0", is_unread=True) == []
    assert dispatch.is_idle


@pytest.mark.parametrize(
    "lie",
    [
        lambda dispatch: dispatch.says("smtp", Store(4, 1, MAIL)),
        lambda dispatch: dispatch.says(WRITER, Stored(1, 1, MAIL, StoreCode.STORED, 1, 1)),
        lambda dispatch: dispatch.says(WRITER, Stored(0, 1, MAIL, 77, 1, 1)),
        lambda dispatch: dispatch.says(WRITER, Stored(0, 2, MAIL, StoreCode.STORED, 1, 1)),
        lambda dispatch: dispatch.says(WRITER, Loaded(3, 1, 9, 9, 0, False, True)),
        lambda dispatch: dispatch.says(WRITER, Loaded(4, 1, 9, 9, 255, False, True)),
        lambda dispatch: dispatch.says(WRITER, Concluded(3, 1, 103)),
        lambda dispatch: dispatch.says("decoder-0", Decoded(3, 1, False, 1 << 31)),
        lambda dispatch: dispatch.says("detector-0", Detected(3, 1, 77)),
    ],
)
def test_child_that_says_what_cannot_be_changes_nothing(lie: Callable[[Rig], object]) -> None:
    """A child gone mad is told from one that is late, and the tables stay as they are."""
    dispatch = _up()
    dispatch.says("smtp", Store(0, 1, MAIL))
    _load(dispatch, 3)

    with pytest.raises(ProtocolError):
        lie(dispatch)

    assert dispatch.busy() == frozenset({"decoder-0"})
    assert dispatch.in_flight == 1
    assert dispatch.says(WRITER, Stored(0, 1, MAIL, StoreCode.STORED, 1, 1)) != []


def test_newcomers_get_what_concerns_them() -> None:
    """The writer gets the free slots, the intake what still waits, a worker nothing before there is work."""
    dispatch = Rig()

    assert [type(message) for _, message in dispatch.joins(WRITER)] == [Lend] * len(LAYOUT.frames)
    dispatch.reporter.database_usable.assert_called_once_with()
    dispatch.says("folder", Store(0, 1, MAIL))
    assert dispatch.joins("folder") == [("folder", Held(0, 1, 0)), ("folder", Ping(0))]
    assert dispatch.joins("decoder-1", "detector-1", "review") == []


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("smtp", {Store}),
        ("folder", {Store}),
        (WRITER, {Stored, Loaded, Concluded, Counted, Outbox}),
        ("decoder-1", {Decoded}),
        ("detector-1", {Detected}),
        ("review", {Outbox}),
        (NOTIFIER, {Told, Switch}),
    ],
)
def test_child_says_only_what_its_role_lets_it_say(name: str, allowed: set[type[Message]]) -> None:
    """A decoder that hands in mails has been taken over by a picture."""
    for kind in set(KINDS) - {Pong, Noted} - allowed:
        with pytest.raises(ProtocolError, match=f"{name} sent {kind.__name__}"):
            _up().says(name, kind(*[0] * len(fields(kind))))


def test_worker_that_hung_in_its_job_is_told_from_one_that_died() -> None:
    """The owner reads another reason."""
    dispatch = _up()
    _load(dispatch, 3)

    assert dispatch.is_blameless("decoder-0")
    sends = dispatch.exits("decoder-0", -6, is_unresponsive=True)

    assert dispatch.fault is Fault.PICTURE
    assert sends == [(WRITER, Conclude(3, 1, 103, Outcome.HUNG, Stage.DECODE, 1, -6))]


def test_job_that_cannot_be_sent_goes_to_another_worker() -> None:
    """A worker may be gone before the supervisor noticed."""
    dispatch = _up(decoders=2)
    dispatch.deaf = {"decoder-1"}

    assert [name for name, _ in _load(dispatch, 3)] == ["decoder-1", "decoder-0"]
    assert dispatch.busy() == frozenset({"decoder-0"})


def test_idle_children_leave_without_a_trace() -> None:
    """None is to blame for an exit between two jobs; the writer's slots come back, the intake's mails stay open."""
    dispatch = _up()
    dispatch.says("smtp", Store(0, 1, MAIL))
    for name in ("smtp", WRITER, "decoder-0", "review"):
        dispatch.retire(name)
        dispatch.exits(name, 1)
        assert dispatch.fault is None

    sent = dispatch.joins(WRITER)
    assert (WRITER, Store(0, 1, MAIL)) in sent
    assert [type(message) for _, message in sent].count(Lend) == len(LAYOUT.frames)


def test_words_that_name_no_camera_go_on_to_the_intake() -> None:
    """What the database knows of shared words reaches those who read mails, also one that starts later."""
    dispatch = _up()
    note = words_shared(["anna"])

    assert dispatch.says(WRITER, note) == [("smtp", note), ("folder", note)]
    assert ("smtp", note) in dispatch.joins("smtp")
    assert dispatch.says(WRITER, Noted(b'{"event": "camera_known"}')) == []
    dispatch.reporter.note.assert_called_once_with(WRITER, b'{"event": "camera_known"}')


def test_notifier_and_writer_hear_of_each_other() -> None:
    """What is to be told, what became of it, and what was switched from afar."""
    dispatch = _up()

    assert dispatch.says(WRITER, Outbox()) == [(NOTIFIER, Outbox())]
    assert dispatch.says(NOTIFIER, Told(b"{}")) == [(WRITER, Told(b"{}"))]
    assert dispatch.says(NOTIFIER, Switch(b"{}")) == [(WRITER, Switch(b"{}"))]


def test_figures_are_reported() -> None:
    """Mails that are stored and what the writer counts are shown in the status."""
    dispatch = _up()
    dispatch.says("smtp", Store(0, 1, MAIL))
    dispatch.says(WRITER, Stored(0, 1, MAIL, StoreCode.STORED, 7, 2))
    dispatch.says(WRITER, Counted(1, 2, 3, 4))

    dispatch.reporter.stored.assert_called_once_with(2)
    dispatch.reporter.count.assert_called_once_with(Counted(1, 2, 3, 4))


def _answer(store: Store, code: int = StoreCode.STORED) -> Stored:
    return Stored(store.slot, store.generation, store.mail_id, code, 1, 1)


def test_open_stores_are_repeated_in_the_order_of_their_coming() -> None:
    """The next writer gets what its predecessor left, oldest first, until it is answered."""
    dispatch = _up()
    first, second = Store(2, 7, MAIL), Store(0, 1, OTHER_MAIL)
    for store in (first, second):
        dispatch.says("smtp", store)

    def repeated() -> list[Message]:
        dispatch.exits(WRITER)
        return [message for _, message in dispatch.joins(WRITER) if isinstance(message, Store)]

    assert repeated() == [first, second]
    assert dispatch.says(WRITER, _answer(first)) == [("smtp", _answer(first))]
    assert repeated() == [second]


def test_answer_while_its_requester_is_away_goes_to_no_other() -> None:
    """A mail that was committed while smtp was replaced is closed anyway, once."""
    dispatch = _up()
    store = Store(2, 7, MAIL)
    dispatch.says("smtp", store)
    dispatch.exits("smtp")

    assert dispatch.says(WRITER, _answer(store)) == []
    assert dispatch.is_idle
    assert dispatch.take_stale() == 0
    assert dispatch.says(WRITER, _answer(store)) == []
    assert dispatch.take_stale() == 1


def test_successor_gets_the_open_slots_of_its_own_kind_only() -> None:
    """smtp's open Stores are no business of the folder watcher."""
    dispatch = _up()
    dispatch.says("smtp", Store(2, 7, MAIL))
    dispatch.exits("smtp")

    assert dispatch.joins("folder") == [("folder", Ping(0))]
    assert dispatch.joins("smtp") == [("smtp", Held(2, 7, 0)), ("smtp", Ping(0))]


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
def test_any_message_of_any_child_is_taken_or_refused(said: list[Send]) -> None:
    """No order of well-formed lies ends the supervisor, or gives a slot two owners."""
    dispatch = _up()
    for name, message in said:
        with contextlib.suppress(ProtocolError):
            dispatch.says(name, message)
    places = [slot for pool in (dispatch.decoders, dispatch.detectors) for slot, _ in pool.jobs.values()]
    places += [slot for pool in (dispatch.decoders, dispatch.detectors) for slot in (*pool.live, *pool.backlog)]
    assert len(places) == len(set(places))
    for name in ("decoder-0", "detector-0", WRITER):
        dispatch.exits(name)
    dispatch.joins(WRITER)


class PipelineMachine(RuleBasedStateMachine):
    """Children that come, go and answer in any order, and the one question that counts: where is every slot?"""

    @initialize()
    def begin(self) -> None:
        self.dispatch = Dispatch(ROLES, LAYOUT, JOB_S, self.deliver, create_autospec(Reporter, instance=True))
        self.inbox: dict[str, list[object]] = {}
        self.lent: dict[int, int] = {}
        self.posted: list[Concluded] = []  # by the writer, not yet sent
        self.is_leaving = self.is_draining = False
        self.in_flight: set[int] = set()
        self.next_id = 1
        self.now = 0.0

    @rule(seconds=st.floats(0.1, 40.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.dispatch.probe(self.now)

    def deliver(self, name: str, message: Message) -> bool:
        assert name in self.inbox, f"{message} to {name}, which is not there"
        self.inbox[name].append(message)
        return True

    @precondition(lambda self: WRITER not in self.inbox)
    @rule()
    def writer_comes(self) -> None:
        self.inbox[WRITER] = []
        self.in_flight = set()
        self.dispatch.child_ready(WRITER, self.now)

    @precondition(lambda self: WRITER in self.inbox)
    @rule(has_sent=st.booleans())
    def writer_dies(self, has_sent: bool) -> None:
        if has_sent:
            self.writer_sends_what_it_posted()
        self.posted.clear()
        del self.inbox[WRITER]
        self.lent.clear()
        self.is_leaving = False
        self.dispatch.child_exited(WRITER, -9, self.now)

    @precondition(lambda self: WRITER in self.inbox and not self.is_leaving)
    @rule()
    def writer_is_to_be_replaced(self) -> None:
        self.is_leaving = True
        self.dispatch.retire(WRITER)

    @precondition(lambda self: self.next_id > 6 and not self.is_draining)
    @rule()
    def service_drains(self) -> None:
        self.is_draining = True
        self.dispatch.drain()

    @precondition(lambda self: self.posted)
    @rule()
    def writer_sends_what_it_posted(self) -> None:
        for message in self.posted:
            self.dispatch.on_message(WRITER, message, self.now)
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
        self.dispatch.on_message(WRITER, loaded, self.now)

    @rule(name=st.sampled_from(["decoder-1", "decoder-2", "detector-1", "detector-2"]))
    def worker_comes_or_dies(self, name: str) -> None:
        if name in self.inbox:
            del self.inbox[name]
            self.dispatch.child_exited(name, -9, self.now)
        else:
            self.inbox[name] = []
            self.dispatch.child_ready(name, self.now)

    @rule(data=st.data(), is_failed=st.booleans(), pictures=st.integers(1, 3))
    def worker_answers(self, data: st.DataObject, is_failed: bool, pictures: int) -> None:
        busy = sorted(name for name, inbox in self.inbox.items() if inbox and name != WRITER)
        if not busy:
            return
        name = data.draw(st.sampled_from(busy))
        match self.inbox[name].pop(0):
            case Decode() as job:
                answer = Decoded(job.slot, job.generation, is_failed, pictures)
                self.dispatch.on_message(name, answer, self.now)
            case Detect() as job:
                outcome = Outcome.FAILED if is_failed else Outcome.PERSON
                self.dispatch.on_message(name, Detected(job.slot, job.generation, outcome), self.now)

    @invariant()
    def every_frame_slot_is_accounted_for(self) -> None:
        """With a writer present no slot lies idle, and none has two owners."""
        slots = self.dispatch.slots
        owned = [slots.owner(slot) for slot in LAYOUT.frames]
        if WRITER in self.inbox and not self.is_leaving and not self.is_draining:
            assert None not in owned
        assert self.dispatch.take_stale() == 0  # nobody who tells the truth is ignored
        jobs = [slot for pool in (self.dispatch.decoders, self.dispatch.detectors) for slot, _ in pool.jobs.values()]
        queued = [
            slot for pool in (self.dispatch.decoders, self.dispatch.detectors) for slot in (*pool.live, *pool.backlog)
        ]
        assert len(jobs + queued) == len(set(jobs + queued))
        for pool in (self.dispatch.decoders, self.dispatch.detectors):
            assert pool.idle == list(dict.fromkeys(pool.idle))
            if not pool.breaker.is_open:
                assert not (pool.idle and (pool.live or pool.backlog)), "a picture waits beside an idle worker"
            elif pool.idle and (pool.live or pool.backlog) and not pool.jobs:
                assert pool.next_probe_at() is not None, "nobody will wake the one that waits"

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
            self.time_passes(40.0)
        self.writer_sends_what_it_posted()
        assert self.dispatch.is_idle
        if not self.is_draining:
            assert len(self.lent) == len(LAYOUT.frames)

    def _answer(self, name: str) -> None:
        match self.inbox[name].pop(0):
            case Decode() as job:
                self.dispatch.on_message(name, Decoded(job.slot, job.generation, False, 1), self.now)
            case Detect() as job:
                answer = Detected(job.slot, job.generation, Outcome.NOBODY)
                self.dispatch.on_message(name, answer, self.now)


TestPipeline = PipelineMachine.TestCase
TestPipeline.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
