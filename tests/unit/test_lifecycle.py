"""The supervisor's state machine: every transition, and what holds under any order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camalert import lifecycle
from camalert.errors import Exit
from camalert.occurrences import (
    Action,
    BecameReady,
    Begin,
    Do,
    Ended,
    Event,
    Hung,
    Lost,
    Quiet,
    ReplaceAsked,
    StopAsked,
    TimePassed,
)
from camalert.states import Child, ChildSpec, Phase, Role, Rung, Service, State

WRITER = ChildSpec("writer", Role.WRITER, "w:main", is_vital=True, ready_s=10, grace_s=5)
SMTP = ChildSpec("smtp", Role.INTAKE, "s:main", is_vital=True, ready_s=10, grace_s=5)
DECODER = ChildSpec("decoder-1", Role.DECODER, "d:main", is_vital=False, ready_s=10, grace_s=5)
DETECTOR = ChildSpec("detector-1", Role.DETECTOR, "e:main", is_vital=False, ready_s=10, grace_s=5)
REVIEW = ChildSpec("review", Role.OPTIONAL, "r:main", is_vital=False, ready_s=10, grace_s=5)
SPECS = (WRITER, SMTP, DECODER, DETECTOR, REVIEW)
NAMES = [spec.name for spec in SPECS]


class Life:
    """A service under test, with its own clock and a record of what it did."""

    def __init__(self) -> None:
        self.service = Service({spec.name: Child(spec) for spec in SPECS}, drain_s=20)
        self.now = 100.0
        self.did: list[Action] = []

    def on(self, *events: Event, after_s: float = 0.0) -> list[Action]:
        """Let time pass, then the events happen; return what followed."""
        self.now += after_s
        followed: list[Action] = []
        for event in events:
            self.service, actions = lifecycle.step(self.service, event, self.now)
            followed += actions
        self.did += followed
        return followed

    def run(self) -> Life:
        """Bring everything up."""
        self.on(Begin(), *(BecameReady(name) for name in NAMES))
        return self

    def replacement(self, *names: str) -> ReplaceAsked:
        """Return the wish for successors of these children, with the specs that they have."""
        return ReplaceAsked(tuple(self.service.children[name].spec for name in names))

    def state(self, name: str) -> State:
        return self.service.children[name].state


def test_begin_starts_every_child_beside_each_other() -> None:
    """Nobody waits for anybody at the start."""
    life = Life()

    assert life.on(Begin()) == [Action(Do.START, name) for name in NAMES]


def test_ready_is_announced_with_writer_and_smtp_alone() -> None:
    """Intake never waits for detectors."""
    life = Life()
    life.on(Begin(), BecameReady("smtp"))

    followed = life.on(BecameReady("writer"))

    assert followed == [Action(Do.ANNOUNCE_READY)]
    assert life.service.phase is Phase.RUNNING
    assert life.state("detector-1") is State.STARTING


def test_exit_in_a_job_restarts_at_once() -> None:
    """A picture that kills a decoder must not slow the others down."""
    life = Life().run()

    assert life.on(Ended("decoder-1", -11, is_blameless=True)) == [Action(Do.START, "decoder-1")]


def test_exit_without_a_job_backs_off() -> None:
    """A child that fails by itself is not started in a tight loop."""
    life = Life().run()

    assert life.on(Ended("decoder-1", 1)) == []
    assert life.state("decoder-1") is State.BACKOFF
    assert life.on(TimePassed(), after_s=0.49) == []
    assert life.on(TimePassed(), after_s=0.02) == [Action(Do.START, "decoder-1")]


@pytest.mark.parametrize("name", ["writer", "smtp"])
def test_vital_child_that_keeps_ending_ends_the_service(name: str) -> None:
    """What cannot be mended here is systemd's to mend, with the reason."""
    life = Life().run()

    for _ in range(6):
        life.on(Ended(name, 1))
        life.on(TimePassed(), after_s=9)

    assert life.state(name) is State.FAILED
    assert life.service.phase is Phase.STOPPING
    assert life.service.exit == Exit.UNAVAILABLE
    assert name in life.service.reason


def test_detector_that_keeps_ending_never_ends_the_service() -> None:
    """Alarms are stored whatever detection does."""
    life = Life().run()

    for _ in range(20):
        life.on(Ended("detector-1", 1))
        life.on(TimePassed(), after_s=31)

    assert life.service.phase is Phase.RUNNING
    assert life.state("detector-1") is State.STARTING


def test_configuration_exit_stops_the_service_with_the_reason() -> None:
    """A mistake in the configuration is never retried."""
    life = Life().run()

    life.on(Ended("smtp", Exit.CONFIG))

    assert life.service.phase is Phase.STOPPING
    assert life.service.exit == Exit.CONFIG
    assert life.service.reason.startswith("smtp:")


def test_optional_child_misconfigured_fails_alone() -> None:
    """The review site never takes the pipeline down."""
    life = Life().run()

    life.on(Ended("review", Exit.CONFIG))

    assert life.state("review") is State.FAILED
    assert life.service.phase is Phase.RUNNING


def test_hung_child_is_aborted_then_killed_then_confessed() -> None:
    """The ladder has three rungs, and the last one is systemd's."""
    life = Life().run()

    assert life.on(Hung("decoder-1", "deadline", is_blameless=True)) == [Action(Do.ABORT, "decoder-1")]
    assert life.on(TimePassed(), after_s=1.9) == []
    assert life.on(TimePassed(), after_s=0.2) == [Action(Do.KILL, "decoder-1")]
    assert life.on(TimePassed(), after_s=29.0) == []
    assert life.on(TimePassed(), after_s=1.1) == [Action(Do.STUCK, "decoder-1")]
    assert life.on(Ended("decoder-1", -9)) == [Action(Do.START, "decoder-1")]


def test_child_that_closed_its_channel_gets_the_moment_its_end_takes() -> None:
    """A process that ends closes its channel first: it died and did not hang."""
    life = Life().run()

    assert life.on(Lost("decoder-1")) == []
    life.on(Ended("decoder-1", -11), after_s=0.01)

    assert life.state("decoder-1") is State.BACKOFF
    assert life.service.children["decoder-1"].reason == "killed by signal 11"


def test_child_that_closed_its_channel_and_stays_is_aborted() -> None:
    """Nobody can talk to it any more."""
    life = Life().run()
    life.on(Lost("smtp"))

    assert life.on(TimePassed(), after_s=0.9) == []
    assert life.on(TimePassed(), after_s=0.2) == [Action(Do.ABORT, "smtp")]
    life.on(Ended("smtp", -6))

    assert life.service.children["smtp"].reason == "it closed its channel"


def test_child_is_known_to_have_been_ready_however_it_ends() -> None:
    """An engine is judged by whether its detector ever worked, not by what was noticed first of its end."""
    life = Life()
    life.on(Begin(), Lost("detector-1"))
    assert not life.service.children["detector-1"].was_ready

    life.on(Ended("detector-1", -4))
    life.on(TimePassed(), after_s=1.0)
    life.on(BecameReady("detector-1"), Lost("detector-1"))
    assert life.service.children["detector-1"].was_ready

    life.on(Ended("detector-1", -4))
    life.on(TimePassed(), after_s=2.0)
    assert not life.service.children["detector-1"].was_ready


def test_child_not_ready_in_time_is_aborted() -> None:
    """A child that never comes up is told from one that crashed."""
    life = Life()
    life.on(Begin())

    followed = life.on(TimePassed(), after_s=10.1)

    assert Action(Do.ABORT, "writer") in followed
    assert life.service.children["writer"].reason == "not ready within 10 s"


def test_drain_asks_intake_first_and_the_writer_last() -> None:
    """What is in flight is committed before the writer goes."""
    life = Life().run()

    assert life.on(StopAsked()) == [Action(Do.DRAIN), Action(Do.ASK, "smtp")]
    assert life.on(Ended("smtp", 0)) == []
    followed = life.on(Quiet())
    assert [action.name for action in followed if action.do is Do.ASK] == ["decoder-1", "detector-1", "review"]
    life.on(Ended("decoder-1", 0), Ended("detector-1", 0))
    assert life.on(Ended("review", 0)) == [Action(Do.ASK, "writer")]
    assert life.on(Ended("writer", 0)) == [Action(Do.QUIT)]
    assert life.service.phase is Phase.STOPPED
    assert life.service.exit == Exit.OK


def test_drain_limit_passed_stops_all_the_same() -> None:
    """A camera that never finishes its mail cannot hold the stop up."""
    life = Life().run()
    life.on(StopAsked())

    followed = life.on(TimePassed(), after_s=20.1)

    assert life.service.phase is Phase.STOPPING
    assert Action(Do.ABORT, "smtp") in followed


def test_second_stop_skips_the_drain_and_a_third_aborts() -> None:
    """Whoever is in a hurry is served."""
    life = Life().run()
    life.on(StopAsked())

    life.on(StopAsked())
    assert life.service.phase is Phase.STOPPING
    followed = life.on(StopAsked())

    assert {action.name for action in followed if action.do is Do.KILL} == set(NAMES)


def test_child_waiting_for_its_restart_stays_down_once_the_service_stops() -> None:
    """A child in its back-off must not come to life when everybody else is leaving."""
    life = Life().run()
    life.on(Ended("review", 1), StopAsked(), StopAsked())

    assert life.on(TimePassed(), after_s=1) == []
    assert life.state("review") is State.DOWN


def test_writer_dying_in_a_drain_is_started_again() -> None:
    """Mails that wait for their commit still get it."""
    life = Life().run()
    life.on(StopAsked())

    life.on(Ended("writer", -9))

    assert life.on(TimePassed(), after_s=1) == [Action(Do.START, "writer")]


def test_writer_replaced_as_the_service_is_asked_to_end_comes_back_for_the_drain() -> None:
    """A new configuration and the end may come together; the mails in between still get their commit."""
    life = Life().run()
    life.on(life.replacement("writer"), StopAsked())

    assert life.on(Ended("writer", 0)) == [Action(Do.START, "writer")]


def test_new_configuration_in_a_drain_replaces_nobody() -> None:
    """Who ends gets no successor for it, and the writer's failures keep their back-off."""
    life = Life().run()
    life.on(StopAsked())

    assert life.on(life.replacement("writer", "detector-1")) == []
    life.on(Hung("writer", "silent"))
    life.on(Ended("writer", -9))
    assert life.state("writer") is State.BACKOFF


def test_detector_dying_in_a_drain_stays_down() -> None:
    """Pending pictures wait for the next start."""
    life = Life().run()
    life.on(StopAsked(), Ended("detector-1", -9))

    assert life.state("detector-1") is State.DOWN


def test_replacement_goes_one_at_a_time() -> None:
    """A reload never takes all detectors, or writer and smtp, away together."""
    life = Life().run()

    assert life.on(life.replacement("smtp", "decoder-1")) == [Action(Do.ASK, "smtp")]
    assert life.on(Ended("smtp", 0)) == [Action(Do.START, "smtp")]
    assert life.on(BecameReady("smtp")) == [Action(Do.ASK, "decoder-1")]
    assert life.on(Ended("decoder-1", 0)) == [Action(Do.START, "decoder-1")]
    life.on(BecameReady("decoder-1"))
    assert life.service.replacing == ()


def test_child_that_starts_as_the_configuration_changes_is_replaced_once_it_is_ready() -> None:
    """It was started with the old one, perhaps for the owner's first try a moment ago."""
    life = Life().run()
    life.on(life.replacement("smtp"))
    life.on(Ended("smtp", 0))

    assert life.on(life.replacement("smtp")) == []
    assert life.on(BecameReady("smtp")) == [Action(Do.ASK, "smtp")]
    assert life.on(Ended("smtp", 0)) == [Action(Do.START, "smtp")]
    life.on(BecameReady("smtp"))
    assert life.service.replacing == ()


def test_child_that_dies_as_the_configuration_changes_is_not_replaced_twice() -> None:
    """Whoever is started after the change has the new one."""
    life = Life().run()
    life.on(Ended("decoder-1", -9))
    life.on(life.replacement("decoder-1"))
    life.on(TimePassed(), after_s=1)

    assert life.on(BecameReady("decoder-1")) == []
    assert life.service.replacing == ()


def test_replacement_follows_its_new_spec() -> None:
    """A longer lock wait in the new configuration comes with longer patience for the writer."""
    life = Life().run()
    spec = replace(life.service.children["decoder-1"].spec, grace_s=60, ready_s=90)
    life.on(ReplaceAsked((spec,)))

    assert life.on(TimePassed(), after_s=50) == []
    life.on(Ended("decoder-1", 0))
    assert life.on(TimePassed(), after_s=80) == []
    assert life.on(TimePassed(), after_s=11) == [Action(Do.ABORT, "decoder-1")]


@pytest.mark.parametrize("why", ["closed its channel", "third signal"])
def test_child_that_is_killed_for_another_reason_did_not_hang(why: str) -> None:
    """The owner does not read of a picture that it did not finish in time."""
    life = Life().run()
    if why == "closed its channel":
        life.on(Lost("decoder-1"))
        life.on(TimePassed(), after_s=1.1)
    else:
        life.on(StopAsked(), StopAsked(), StopAsked())

    assert life.service.children["decoder-1"].rung >= Rung.ABORTED
    assert not life.service.children["decoder-1"].is_hung


def test_child_that_hangs_on_its_way_out_hung() -> None:
    """It was asked to go, and its job passed the deadline all the same."""
    life = Life().run()
    life.on(life.replacement("decoder-1"))

    assert life.on(Hung("decoder-1", "why", is_blameless=True)) == []
    assert life.service.children["decoder-1"].is_hung
    life.on(Ended("decoder-1", 0))
    assert not life.service.children["decoder-1"].is_hung


def test_replaced_child_that_fails_anew_is_not_started_again_and_again() -> None:
    """An optional child whose installation is wrong gets one new chance by a reload, not an endless one."""
    life = Life().run()
    life.on(Ended("review", Exit.CONFIG))
    life.on(life.replacement("review"))

    followed = life.on(Ended("review", Exit.CONFIG))

    assert life.state("review") is State.FAILED
    assert life.service.replacing == ()
    assert Action(Do.START, "review") not in followed


def test_replaced_child_that_does_not_leave_is_aborted() -> None:
    """Asking has a grace period, then the ladder."""
    life = Life().run()
    life.on(life.replacement("decoder-1"))

    assert life.on(TimePassed(), after_s=5.1) == [Action(Do.ABORT, "decoder-1")]
    assert life.on(Ended("decoder-1", -6)) == [Action(Do.START, "decoder-1")]


_EVENTS = st.one_of(
    st.sampled_from(NAMES).map(lambda name: ("ready", name)),
    st.tuples(st.just("ended"), st.sampled_from(NAMES), st.sampled_from([0, 1, -9, -11, 78]), st.booleans()),
    st.tuples(st.just("hung"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("lost"), st.sampled_from(NAMES)),
    st.tuples(st.just("pass"), st.floats(0.01, 40)),
    st.just(("replace", "smtp", "detector-1")),
    st.just(("replace", "writer")),
    st.just(("quiet",)),
    st.just(("stop",)),
)


@given(st.lists(_EVENTS, max_size=60))
@example([("stop",), ("ended", "writer", 0, False), ("pass", 20.0)])  # both the drain's and the back-off's end
def test_any_order_of_events_keeps_one_process_a_child_and_comes_to_an_end(events: list[tuple[object, ...]]) -> None:
    """No child is started twice or in vain, none is forgotten, and asking to stop always ends in a stop."""
    life = Life()
    alive: set[str] = set()

    def act(actions: list[Action]) -> None:
        for action in actions:
            if action.do is Do.START:
                assert action.name not in alive
                assert life.service.phase in (Phase.STARTING, Phase.RUNNING) or (
                    life.service.phase is Phase.DRAINING and action.name == "writer"
                )
                alive.add(action.name)

    act(life.on(Begin()))
    for kind, *facts in events:
        match kind:
            case "ready" if facts[0] in alive:
                act(life.on(BecameReady(facts[0])))
            case "ended" if facts[0] in alive:
                alive.discard(facts[0])
                act(life.on(Ended(*facts)))
            case "hung" | "lost" if facts[0] in alive:
                act(life.on(Lost(facts[0]) if kind == "lost" else Hung(facts[0], "why", is_blameless=facts[1])))
            case "pass":
                act(life.on(TimePassed(), after_s=facts[0]))
            case "replace":
                act(life.on(life.replacement(*facts)))
            case "quiet":
                act(life.on(Quiet()))
            case "stop":
                act(life.on(StopAsked()))
        running = {name for name, child in life.service.children.items() if child.is_running}
        assert running == alive

    for _ in range(4):
        act(life.on(StopAsked()))
    for _ in range(4):
        for name in sorted(alive):
            if life.service.children[name].rung > Rung.NONE:
                alive.discard(name)
                act(life.on(Ended(name, -9)))
        act(life.on(TimePassed(), after_s=31))
    assert life.service.phase is Phase.STOPPED
    assert not alive
