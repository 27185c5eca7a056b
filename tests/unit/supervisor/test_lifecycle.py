"""The supervisor's state machine: every transition, and what holds under any order of events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camalert.errors import Exit
from camalert.supervisor.lifecycle import (
    MAX_EXITS,
    MOST_BACK_OFF_S,
    Action,
    Actions,
    ChildSpec,
    GiveUp,
    History,
    Lifecycle,
    Phase,
    Role,
    StartAt,
    State,
    StopLevel,
    exit_text,
    next_start,
)

WRITER = ChildSpec("writer", Role.WRITER, "w:main", is_vital=True, ready_s=10, grace_s=5)
SMTP = ChildSpec("smtp", Role.INTAKE, "s:main", is_vital=True, ready_s=10, grace_s=5)
DECODER = ChildSpec("decoder-1", Role.DECODER, "d:main", is_vital=False, ready_s=10, grace_s=5)
DETECTOR = ChildSpec("detector-1", Role.DETECTOR, "e:main", is_vital=False, ready_s=10, grace_s=5)
REVIEW = ChildSpec("review", Role.OPTIONAL, "r:main", is_vital=False, ready_s=10, grace_s=5)
SPECS = (WRITER, SMTP, DECODER, DETECTOR, REVIEW)
NAMES = [spec.name for spec in SPECS]


Event = Callable[[Lifecycle, float], Actions]


def begin() -> Event:
    return lambda service, now: service.begin(now)


def ready(name: str) -> Event:
    return lambda service, now: service.child_ready(name, now)


def still_starting(name: str) -> Event:
    return lambda service, now: service.child_still_starting(name, now)


def exited(name: str, code: int, is_blameless: bool = False) -> Event:
    return lambda service, now: service.child_exited(name, code, now, is_blameless=is_blameless)


def unresponsive(name: str, reason: str, is_blameless: bool = False) -> Event:
    return lambda service, now: service.child_unresponsive(name, reason, now, is_blameless=is_blameless)


def closed(name: str) -> Event:
    return lambda service, now: service.channel_closed(name, now)


def stop() -> Event:
    return lambda service, now: service.stop(now)


def reload() -> Event:
    return lambda service, now: service.reload(now)


def drained() -> Event:
    return lambda service, now: service.drained(now)


def replace(*names: str) -> Event:
    return lambda service, now: service.replace(names, now)


def time() -> Event:
    return lambda service, now: service.pass_time(now)


class Life:
    """A service under test, with its own clock and a record of what it did."""

    def __init__(self) -> None:
        self.service = Lifecycle(SPECS, drain_s=20, jitter=lambda: 0.0)
        self.now = 100.0
        self.did: Actions = []

    def on(self, *events: Event, after_s: float = 0.0) -> Actions:
        """Let time pass, then the events happen; return what followed."""
        self.now += after_s
        followed = [action for event in events for action in event(self.service, self.now)]
        self.did += followed
        return followed

    def run(self) -> Life:
        """Bring everything up."""
        self.on(begin(), *(ready(name) for name in NAMES))
        return self

    def state(self, name: str) -> State:
        return self.service.children[name].state


def test_begin_starts_every_child_beside_each_other() -> None:
    """Nobody waits for anybody at the start."""
    life = Life()

    assert life.on(begin()) == [(Action.START, name) for name in NAMES]


def test_ready_is_announced_with_writer_and_smtp_alone() -> None:
    """Intake never waits for detectors."""
    life = Life()
    life.on(begin(), ready("smtp"))

    followed = life.on(ready("writer"))

    assert followed == [(Action.ANNOUNCE_READY, "")]
    assert life.service.phase is Phase.RUNNING
    assert life.state("detector-1") is State.STARTING


def test_exit_in_a_job_restarts_at_once() -> None:
    """A picture that kills a decoder must not slow the others down."""
    life = Life().run()

    assert life.on(exited("decoder-1", -11, is_blameless=True)) == [(Action.START, "decoder-1")]


def test_exit_without_a_job_backs_off() -> None:
    """A child that fails by itself is not started in a tight loop."""
    life = Life().run()

    assert life.on(exited("decoder-1", 1)) == []
    assert life.state("decoder-1") is State.BACKOFF
    assert life.on(time(), after_s=0.49) == []
    assert life.on(time(), after_s=0.02) == [(Action.START, "decoder-1")]


@pytest.mark.parametrize("name", ["writer", "smtp"])
def test_vital_child_that_keeps_ending_ends_the_service(name: str) -> None:
    """What cannot be mended here is systemd's to mend, with the reason."""
    life = Life().run()

    for _ in range(6):
        life.on(exited(name, 1))
        life.on(time(), after_s=9)

    assert life.state(name) is State.FAILED
    assert life.service.phase is Phase.STOPPING
    assert life.service.exit == Exit.UNAVAILABLE
    assert name in life.service.reason


def test_detector_that_keeps_ending_never_ends_the_service() -> None:
    """Alarms are stored whatever detection does."""
    life = Life().run()

    for _ in range(20):
        life.on(exited("detector-1", 1))
        life.on(time(), after_s=31)

    assert life.service.phase is Phase.RUNNING
    assert life.state("detector-1") is State.STARTING


def test_configuration_exit_stops_the_service_with_the_reason() -> None:
    """A mistake in the configuration is never retried."""
    life = Life().run()

    life.on(exited("smtp", Exit.CONFIG))

    assert life.service.phase is Phase.STOPPING
    assert life.service.exit == Exit.CONFIG
    assert life.service.reason.startswith("smtp:")


def test_optional_child_misconfigured_fails_alone() -> None:
    """The review site never takes the pipeline down."""
    life = Life().run()

    life.on(exited("review", Exit.CONFIG))

    assert life.state("review") is State.FAILED
    assert life.service.phase is Phase.RUNNING


def test_unresponsive_child_is_aborted_then_killed_then_reported() -> None:
    """When SIGKILL does not help either, it is systemd's turn."""
    life = Life().run()

    assert life.on(unresponsive("decoder-1", "deadline", is_blameless=True)) == [(Action.ABORT, "decoder-1")]
    assert life.on(time(), after_s=1.9) == []
    assert life.on(time(), after_s=0.2) == [(Action.KILL, "decoder-1")]
    assert life.on(time(), after_s=29.0) == []
    assert life.on(time(), after_s=1.1) == [(Action.REPORT_UNKILLABLE, "decoder-1")]
    assert life.on(exited("decoder-1", -9)) == [(Action.START, "decoder-1")]


def test_child_that_closed_its_channel_gets_the_moment_its_end_takes() -> None:
    """A process that ends closes its channel first: it died and did not hang."""
    life = Life().run()

    assert life.on(closed("decoder-1")) == []
    life.on(exited("decoder-1", -11), after_s=0.01)

    assert life.state("decoder-1") is State.BACKOFF
    assert life.service.children["decoder-1"].reason == "killed by signal 11"


def test_child_that_closed_its_channel_and_stays_is_aborted() -> None:
    """Nobody can talk to it any more."""
    life = Life().run()
    life.on(closed("smtp"))

    assert life.on(time(), after_s=0.9) == []
    assert life.on(time(), after_s=0.2) == [(Action.ABORT, "smtp")]
    life.on(exited("smtp", -6))

    assert life.service.children["smtp"].reason == "it closed its channel"


def test_child_is_known_to_have_been_ready_however_it_ends() -> None:
    """An engine is judged by whether its detector ever worked, not by what was noticed first of its end."""
    life = Life()
    life.on(begin(), closed("detector-1"))
    assert not life.service.children["detector-1"].ready_at

    life.on(exited("detector-1", -4))
    life.on(time(), after_s=1.0)
    life.on(ready("detector-1"), closed("detector-1"))
    assert life.service.children["detector-1"].ready_at

    life.on(exited("detector-1", -4))
    life.on(time(), after_s=2.0)
    assert not life.service.children["detector-1"].ready_at


def test_child_not_ready_in_time_is_aborted() -> None:
    """A child that never comes up is told from one that crashed."""
    life = Life()
    life.on(begin())

    followed = life.on(time(), after_s=10.1)

    assert (Action.ABORT, "writer") in followed
    assert life.service.children["writer"].reason == "not ready within 10 s"


def test_drain_asks_intake_first_and_the_writer_last() -> None:
    """What is in flight is committed before the writer goes."""
    life = Life().run()

    assert life.on(stop()) == [(Action.DRAIN, ""), (Action.ASK, "smtp")]
    assert life.on(exited("smtp", 0)) == []
    followed = life.on(drained())
    assert [name for action, name in followed if action is Action.ASK] == ["decoder-1", "detector-1", "review"]
    life.on(exited("decoder-1", 0), exited("detector-1", 0))
    assert life.on(exited("review", 0)) == [(Action.ASK, "writer")]
    assert life.on(exited("writer", 0)) == [(Action.QUIT, "")]
    assert life.service.phase is Phase.STOPPED
    assert life.service.exit == Exit.OK


def test_drain_limit_passed_stops_anyway() -> None:
    """A camera that never finishes its mail cannot hold the stop up."""
    life = Life().run()
    life.on(stop())

    followed = life.on(time(), after_s=20.1)

    assert life.service.phase is Phase.STOPPING
    assert (Action.ABORT, "smtp") in followed


def test_second_stop_skips_the_drain_and_a_third_aborts() -> None:
    """Whoever is in a hurry is served."""
    life = Life().run()
    life.on(stop())

    life.on(stop())
    assert life.service.phase is Phase.STOPPING
    followed = life.on(stop())

    assert {name for action, name in followed if action is Action.KILL} == set(NAMES)


def test_child_waiting_for_its_restart_stays_down_once_the_service_stops() -> None:
    """A child in its back-off must not come to life when everybody else is leaving."""
    life = Life().run()
    life.on(exited("review", 1), stop(), stop())

    assert life.on(time(), after_s=1) == []
    assert life.state("review") is State.DOWN


def test_writer_dying_in_a_drain_is_started_again() -> None:
    """Mails that wait for their commit still get it."""
    life = Life().run()
    life.on(stop())

    life.on(exited("writer", -9))

    assert life.on(time(), after_s=1) == [(Action.START, "writer")]


def test_writer_replaced_as_the_service_is_asked_to_end_comes_back_for_the_drain() -> None:
    """A new configuration and the end may come together; the mails in between still get their commit."""
    life = Life().run()
    life.on(replace("writer"), stop())

    assert life.on(exited("writer", 0)) == [(Action.START, "writer")]


def test_new_configuration_in_a_drain_replaces_nobody() -> None:
    """Who ends gets no successor for it, and the writer's failures keep their back-off."""
    life = Life().run()
    life.on(stop())

    assert life.on(replace("writer", "detector-1")) == []
    life.on(unresponsive("writer", "silent"))
    life.on(exited("writer", -9))
    assert life.state("writer") is State.BACKOFF


def test_detector_dying_in_a_drain_stays_down() -> None:
    """Pending pictures wait for the next start."""
    life = Life().run()
    life.on(stop(), exited("detector-1", -9))

    assert life.state("detector-1") is State.DOWN


def test_replacement_goes_one_at_a_time() -> None:
    """The ageing of detectors never takes all of them away together."""
    life = Life().run()

    assert life.on(replace("smtp", "decoder-1")) == [(Action.ASK, "smtp")]
    assert life.on(exited("smtp", 0)) == [(Action.START, "smtp")]
    assert life.on(ready("smtp")) == [(Action.ASK, "decoder-1")]
    assert life.on(exited("decoder-1", 0)) == [(Action.START, "decoder-1")]
    life.on(ready("decoder-1"))
    assert life.service.replacing == []


@pytest.mark.parametrize("why", ["closed its channel", "third signal"])
def test_child_that_is_killed_for_another_reason_did_not_hang(why: str) -> None:
    """The owner does not read of a picture that it did not finish in time."""
    life = Life().run()
    if why == "closed its channel":
        life.on(closed("decoder-1"))
        life.on(time(), after_s=1.1)
    else:
        life.on(stop(), stop(), stop())

    assert life.service.children["decoder-1"].stop_level >= StopLevel.ABORTED
    assert not life.service.children["decoder-1"].is_unresponsive


def test_child_that_hangs_on_its_way_out_hung() -> None:
    """It was asked to go, and its job passed the deadline all the same."""
    life = Life().run()
    life.on(replace("decoder-1"))

    assert life.on(unresponsive("decoder-1", "why", is_blameless=True)) == []
    assert life.service.children["decoder-1"].is_unresponsive
    life.on(exited("decoder-1", 0))
    assert not life.service.children["decoder-1"].is_unresponsive


def test_replaced_child_that_does_not_leave_is_aborted() -> None:
    """Asking has a grace period, then SIGABRT."""
    life = Life().run()
    life.on(replace("decoder-1"))

    assert life.on(time(), after_s=5.1) == [(Action.ABORT, "decoder-1")]
    assert life.on(exited("decoder-1", -6)) == [(Action.START, "decoder-1")]


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

    def act(actions: Actions) -> None:
        for action, name in actions:
            if action is Action.START:
                assert name not in alive
                assert life.service.phase in (Phase.STARTING, Phase.RUNNING) or (
                    life.service.phase is Phase.DRAINING and name == "writer"
                )
                alive.add(name)

    act(life.on(begin()))
    for kind, *facts in events:
        match kind:
            case "ready" if facts[0] in alive:
                act(life.on(ready(facts[0])))
            case "ended" if facts[0] in alive:
                alive.discard(facts[0])
                act(life.on(exited(*facts)))
            case "hung" | "lost" if facts[0] in alive:
                act(
                    life.on(
                        closed(facts[0]) if kind == "lost" else unresponsive(facts[0], "why", is_blameless=facts[1])
                    )
                )
            case "pass":
                act(life.on(time(), after_s=facts[0]))
            case "replace":
                act(life.on(replace(*facts)))
            case "quiet":
                act(life.on(drained()))
            case "stop":
                act(life.on(stop()))
        running = {name for name, child in life.service.children.items() if child.is_running}
        assert running == alive

    for _ in range(4):
        act(life.on(stop()))
    for _ in range(4):
        for name in sorted(alive):
            if life.service.children[name].stop_level > StopLevel.NONE:
                alive.discard(name)
                act(life.on(exited(name, -9)))
        act(life.on(time(), after_s=31))
    assert life.service.phase is Phase.STOPPED
    assert not alive


def test_child_that_gives_signs_of_life_while_it_starts_is_waited_for() -> None:
    """A writer that upgrades a large database takes minutes; one that says nothing is ended as ever."""
    life = Life()
    life.on(begin())
    for _ in range(10):
        assert life.on(still_starting("writer"), time(), after_s=WRITER.ready_s - 1) == [] or not any(
            name == "writer" for _, name in life.did[len(SPECS) :]
        )

    life.on(time(), after_s=WRITER.ready_s)

    assert (Action.ABORT, "writer") in life.did
    ready = Life().run()
    assert ready.on(still_starting("writer")) == []
    assert ready.service.children["writer"].deadline is None


def end_all(life: Life) -> Actions:
    """Let every child that was asked to go end, until nothing runs; return what followed."""
    followed = life.on(drained())
    while running := [child.spec.name for child in life.service.running()]:
        followed += life.on(
            *(exited(name, 0) for name in running if life.service.children[name].stop_level is StopLevel.ASKED)
        )
    return followed


@pytest.mark.parametrize("is_ready", [True, False])
def test_new_configuration_begins_with_a_drain(is_ready: bool) -> None:
    """Mails that are begun are finished, then every process ends; the service knows that it is to begin again."""
    life = Life()
    if is_ready:
        life.run()
    else:
        life.on(begin())

    assert life.on(reload()) == [(Action.DRAIN, ""), (Action.ASK, "smtp")]
    followed = end_all(life)

    assert followed[-1] == (Action.QUIT, "")
    assert life.service.is_reloading
    assert life.service.shown_state == "reloading"


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.STOPPING])
def test_end_asked_for_during_a_reload_is_the_end(phase: Phase) -> None:
    """SIGTERM wins, at once in what is said and with the same patience for what is begun."""
    life = Life().run()
    life.on(reload())
    if phase is Phase.STOPPING:
        life.on(exited("smtp", 0), drained())
    assert life.service.phase is phase

    assert life.on(stop()) == [(Action.DRAIN, "")]
    assert life.service.phase is phase
    assert not life.service.is_reloading
    assert end_all(life)[-1] == (Action.QUIT, "")
    assert life.service.exit == Exit.OK


def test_new_configuration_for_a_service_that_ends_is_no_reason_to_go_on() -> None:
    """Whoever asked for the end gets it."""
    life = Life().run()
    life.on(stop())

    assert life.on(reload()) == []
    assert not life.service.is_reloading


def test_service_is_complete_with_all_that_the_pipeline_needs() -> None:
    """The review site may fail; a missing detector may be the new configuration's fault."""
    life = Life()
    life.on(begin(), *(ready(name) for name in NAMES if name not in ("detector-1", "review")))
    assert not life.service.is_complete

    life.on(ready("detector-1"), exited("review", Exit.CONFIG))

    assert life.service.is_complete


def test_next_deadline_is_the_earliest_of_the_service_and_its_children() -> None:
    """The loop sleeps until then, and no longer."""
    life = Life().run()
    assert life.service.next_deadline() is None

    life.on(stop())
    assert life.service.next_deadline() == life.now + 20
    life.on(exited("writer", -9))
    assert life.service.next_deadline() == life.now + 0.5


@pytest.mark.parametrize("state", State)
def test_child_has_a_process_from_its_start_to_its_exit(state: State) -> None:
    """A child that was told to go is still there; one that waits for its restart is not."""
    service = Life().service
    service.children["smtp"].state = state
    has_process = state in (State.STARTING, State.READY, State.STOPPING)

    assert service.has_running(Role.INTAKE) is has_process
    assert [child.spec.name for child in service.running()] == ["smtp"] * has_process
    assert not service.has_running(Role.WRITER)


def test_started_child_has_its_life_before_it_and_its_past_behind() -> None:
    """A new run is judged alone, and the back-off still knows the exits before it."""
    life = Life().run()
    child = life.service.children["decoder-1"]
    assert child.restarts == 0
    life.on(exited("decoder-1", 1))
    life.on(time(), after_s=1.0)
    life.on(ready("decoder-1"), unresponsive("decoder-1", "why", is_blameless=True))

    life.on(exited("decoder-1", -6))

    assert child.restarts == 2
    assert (child.state, child.started_at, child.deadline) == (State.STARTING, life.now, life.now + 10)
    assert (child.stop_level, child.is_blameless, child.is_unresponsive) == (StopLevel.NONE, False, False)
    assert child.ready_at is None
    assert child.reason == "why"
    assert child.history.exits == (100.0,)


@pytest.mark.parametrize(
    ("events", "phase", "needed"),
    [
        ((), Phase.STARTING, ["writer", "smtp"]),
        ((ready("writer"), ready("smtp")), Phase.RUNNING, ["writer", "smtp"]),
        ((stop(),), Phase.DRAINING, ["writer"]),
        ((stop(), stop()), Phase.STOPPING, []),
    ],
)
def test_service_restarts_what_its_phase_needs(events: tuple[Event, ...], phase: Phase, needed: list[str]) -> None:
    """What was received is committed in a drain; nothing new is begun."""
    life = Life()
    life.on(begin(), *events)
    assert life.service.phase is phase

    life.on(*(exited(name, -9) for name in ("writer", "smtp")))
    life.on(time(), after_s=1.0)

    assert [name for name in ("writer", "smtp") if life.state(name) is State.STARTING] == needed


@pytest.mark.parametrize(
    ("code", "text"), [(-9, "killed by signal 9"), (78, "exit 78 (config)"), (3, "exit 3"), (0, "exit 0 (ok)")]
)
def test_exit_text_names_the_exit(code: int, text: str) -> None:
    """A log line says how a process exited."""
    assert exit_text(code) == text


# --- when an exited child starts again --------------------------------------------------------------------------------


def after_exits(exits: int, apart_s: float) -> tuple[History, float]:
    history, now = History(), 100.0
    for _ in range(exits):
        started_at, now = now, now + apart_s
        history = history.after_exit(started_at, now)  # ready at once
    return history, now


def test_restart_first_exit_waits_half_a_second() -> None:
    """One crash is mended before a camera notices."""
    history, now = after_exits(1, 5)

    assert next_start(history, now, is_vital=True, jitter=0) == StartAt(now + 0.5)


@pytest.mark.parametrize(("exits", "wait_s"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 30), (30, 30)])
def test_restart_repeated_exits_wait_longer_up_to_the_cap(exits: int, wait_s: float) -> None:
    """The wait doubles and ends at half a minute."""
    history, now = after_exits(exits, 20)

    assert next_start(history, now, is_vital=True, jitter=0) == StartAt(now + wait_s)


@pytest.mark.parametrize(("jitter", "factor"), [(-1, 0.8), (1, 1.2)])
def test_restart_jitter_spreads_the_wait(jitter: float, factor: float) -> None:
    """Children that died together do not come back in step."""
    history, now = after_exits(3, 20)

    assert next_start(history, now, is_vital=False, jitter=jitter) == StartAt(now + 2 * factor)


def test_restart_stable_run_starts_afresh() -> None:
    """A child that ran for a minute has its past forgiven."""
    history, now = after_exits(5, 1)

    history = history.after_exit(now + 1, now + 61)

    assert next_start(history, now + 61, is_vital=True, jitter=0) == StartAt(now + 61.5)


def test_restart_vital_child_too_often_is_given_up() -> None:
    """What restarting does not mend, systemd shall see."""
    history, now = after_exits(MAX_EXITS + 1, 1)

    assert isinstance(next_start(history, now, is_vital=True, jitter=0), GiveUp)


def test_restart_other_child_too_often_is_tried_forever() -> None:
    """Intake never ends because of a detector."""
    history, now = after_exits(MAX_EXITS + 1, 1)

    assert next_start(history, now, is_vital=False, jitter=1) == StartAt(now + MOST_BACK_OFF_S)


def test_restart_stability_counts_from_ready() -> None:
    """A child that takes a minute to come up and then ends at once is not stable."""
    history, now = after_exits(5, 1)

    assert len(history.after_exit(now + 60, now + 61).exits) == 6


def test_restart_vital_child_that_is_never_ready_is_given_up() -> None:
    """A writer that hangs at its start for two minutes, again and again, does not keep the service starting."""
    history, now = History(), 100.0
    for _ in range(MAX_EXITS):
        now += 120
        history = history.after_exit(None, now)
        assert isinstance(next_start(history, now, is_vital=True, jitter=0), StartAt)

    history = history.after_exit(None, now + 120)

    assert next_start(history, now + 120, is_vital=True, jitter=0) == GiveUp("was not ready once in 6 starts")
    assert isinstance(next_start(history, now + 120, is_vital=False, jitter=0), StartAt)


def test_restart_child_that_was_ready_once_has_all_its_starts_again() -> None:
    """Only starts in a row count."""
    history = History()
    for ready_at in [None] * MAX_EXITS + [900.0] + [None] * MAX_EXITS:
        history = history.after_exit(ready_at, 1000.0)

    assert history.never_ready == MAX_EXITS
