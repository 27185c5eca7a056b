"""The supervisor's loop, with children that are only their descriptors: what it makes of their messages and exits."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from testing.childdouble import Child
from testing.logged import captured

from camalert.config.schema import Config, Detector
from camalert.config.schema import Service as ServiceSettings
from camalert.detection.choice import EngineChoice
from camalert.errors import Exit, ProtocolError
from camalert.ipc.child import Orders
from camalert.ipc.messages import Concluded, Detected, Noted, Outcome, Ready
from camalert.ipc.records import NoteRecord
from camalert.supervisor import plan, processes
from camalert.supervisor.lifecycle import State
from camalert.supervisor.loop import MEASURE_EVERY_S, Supervisor, worn_out
from camalert.supervisor.processes import Run
from camalert.supervisor.reload import Resources
from camalert.supervisor.reporter import Reporter
from camalert.system.signals import Signals


class Host:
    """A supervisor whose children are doubles, the latest of each name in `children`."""

    def __init__(self, folder: Path) -> None:
        config = Config(service=ServiceSettings(run_dir=str(folder)))
        shape = plan.make(config, cores=2, memory_bytes=1 << 40)
        self.children: dict[str, Child] = {}
        self.engine = EngineChoice(("openvino", "opencv"))
        signals, self.resources = create_autospec(Signals, instance=True), create_autospec(Resources, instance=True)
        run = Run(config, shape, "pool", ())
        self.supervisor = Supervisor(run, self.engine, Reporter(config, 0, 0), signals, self.resources)

    def start(self, orders: Orders) -> Child:
        """Be what starts a child."""
        self.children[orders.name] = Child(orders)
        return self.children[orders.name]

    def turn(self) -> list[dict[str, object]]:
        """Let the supervisor do all that there is to do; return what it logged."""
        with captured() as lines:
            while happened := self.supervisor._processes.wait(0.0):
                for handle, name in happened:
                    handle(name)
            self.supervisor._check()
        return [dict(line) for line in lines]

    def stop(self) -> None:
        """Ask for the end of the service."""
        self.supervisor._carry_out(self.supervisor._lifecycle.stop(self.supervisor._clock.now))

    def reload(self) -> None:
        """Ask for another configuration."""
        self.supervisor._carry_out(self.supervisor._lifecycle.reload(self.supervisor._clock.now))

    def state(self, name: str) -> State:
        """Return where a child is."""
        return self.supervisor._lifecycle.children[name].state


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return a supervisor that has just started its children."""
    found = Host(tmp_path)
    monkeypatch.setattr(processes, "start", found.start)
    found.supervisor._carry_out(found.supervisor._lifecycle.begin(found.supervisor._clock.now))
    yield found
    found.supervisor._processes.close()


def test_dead_child_that_said_ready_is_not_welcomed(host: Host) -> None:
    """It gets no work and no pings, which its successor of the same name would be judged by."""
    child = host.children["detector-1"]
    child.far.send(Ready(1))
    child.die()
    # The end is seen before the message: both wait, and the kernel tells in no order.
    with captured() as lines:
        host.supervisor._on_exit("detector-1")

    assert not [line for line in lines if line["event"] == "child_ready"]
    assert host.supervisor._liveness.next_at() is None
    assert host.supervisor._dispatch.detectors.idle == []
    assert host.engine.is_proven, "but its engine has proven itself"


def test_child_that_crashes_instead_of_stopping_is_a_warning(host: Host) -> None:
    """Who was asked to go and dies of a signal has something wrong; who goes with 0 has not."""
    for name, code in (("decoder-1", -11), ("detector-1", 0)):
        host.children[name].code = code
    host.stop()
    host.stop()
    for name in ("decoder-1", "detector-1"):
        host.children[name].die()

    levels = {line["child"]: line["level"] for line in host.turn() if line["event"] == "child_exited"}

    assert levels == {"decoder-1": "warning", "detector-1": "info"}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EAGAIN, "TasksMax"),
        (errno.EMFILE, "LimitNOFILE"),
        (errno.ENOMEM, "no memory"),
        (errno.EIO, "retried"),
    ],
)
def test_child_that_cannot_be_started_is_told_with_what_helps(
    host: Host, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    """Processes, descriptors and memory run out for different reasons and are raised in different places."""

    def refuse(_: Orders) -> Child:
        raise OSError(number, "refused")

    monkeypatch.setattr(processes, "start", refuse)
    with captured() as lines:
        host.supervisor._start("decoder-1")

    [line] = [line for line in lines if line["event"] == "child_not_started"]
    assert advice in line["message"]


def test_starting_and_draining_service_sleeps_until_something_is_due(host: Host) -> None:
    """No look at deadlines fifty times a second while a database on a slow disk is opened, or a drain waits."""
    host.turn()
    now = host.supervisor._clock.now
    assert host.supervisor._next_check > now + 0.5

    host.stop()
    host.turn()
    assert host.supervisor._next_check > now + 0.5


def test_detectors_with_an_engine_that_was_given_up_are_replaced(host: Host) -> None:
    """All detectors run the engine that the status names."""
    for child in list(host.children.values()):
        child.far.send(Ready(1))
    host.turn()
    detector = host.children["detector-1"]
    assert detector.engine == "openvino"

    host.engine.fall_back(-11, "openvino", is_blamed=True)
    lines = host.turn()

    assert [line["child"] for line in lines if line["event"] == "detector_recycled"] == ["detector-1"]
    detector.code = 0
    detector.die()
    host.turn()
    assert host.children["detector-1"].engine == "opencv"


def test_ports_are_closed_when_the_end_begins_and_never_for_a_reload(host: Host) -> None:
    """Cameras wait while a new configuration takes over, and are refused when nobody will come to them."""
    host.reload()
    host.resources.close_ports.assert_not_called()

    host.stop()
    host.resources.close_ports.assert_called_once_with()


def test_misconfigured_child_says_itself_why_the_service_ends(host: Host) -> None:
    """The owner reads the sentence, not where to look for it; and `status` shows it."""
    message = "smtp.certificate = /etc/x.pem: No such file or directory"
    child = host.children["smtp"]
    child.code = Exit.CONFIG
    child.far.send(Noted(NoteRecord("child_misconfigured", "error", message=message).encode()))
    child.die()
    host.turn()

    assert host.supervisor._lifecycle.reason == f"smtp: {message}"
    assert host.supervisor._lifecycle.exit == Exit.CONFIG


LIMITS = Detector(recycle_pictures=100, recycle_bytes=1000)
SIZES = {"one": 1000, "two": 999}


def test_detector_is_worn_out_by_its_pictures_or_by_its_memory() -> None:
    """Each limit counts alone, and the limit itself is enough."""
    assert worn_out(SIZES, LIMITS, {"one": 0, "two": 0}, SIZES.__getitem__) == ["one"]
    assert worn_out(SIZES, LIMITS, {"one": 0, "two": 100}, SIZES.__getitem__) == ["one", "two"]


def test_limit_of_nothing_is_none() -> None:
    """With both limits off, a detector stays as long as it lives."""
    examined = {"one": 10**6, "two": 10**6}
    assert worn_out(SIZES, Detector(recycle_pictures=0, recycle_bytes=0), examined, SIZES.__getitem__) == []


def test_memory_is_measured_now_and_then(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each measurement reads a file of the kernel's, and the supervisor turns often."""
    for child in list(host.children.values()):
        child.far.send(Ready(1))
    host.turn()
    measured: list[str] = []
    detector = host.children["detector-1"]
    monkeypatch.setattr(detector, "memory_bytes", lambda: measured.append("detector-1") or 0, raising=False)
    clock = host.supervisor._clock
    began_at = clock.now

    for after_s, times in (
        (MEASURE_EVERY_S / 2, 0),
        (MEASURE_EVERY_S, 1),
        (MEASURE_EVERY_S * 1.5, 1),
        (MEASURE_EVERY_S * 2, 2),
    ):
        clock.now = began_at + after_s
        host.supervisor._recycle(clock.now)
        assert len(measured) == times


def test_dropped_messages_are_counted_in_a_line(host: Host) -> None:
    """What is about an ended lease changes nothing, and is not passed over in silence."""
    frame = host.supervisor._run.plan.layout.frames[0]

    host.supervisor._on_message("writer", Concluded(frame, 12345, 7))
    host.supervisor._on_message("detector-1", Detected(frame, 12345, Outcome.PERSON))
    with captured() as lines:
        host.supervisor._check()
        host.supervisor._check()

    assert [line["count"] for line in lines if line["event"] == "messages_dropped"] == [2]


def test_message_that_a_child_may_not_send_is_nonsense(host: Host) -> None:
    """The supervisor does not guess what it may have meant."""
    with pytest.raises(ProtocolError, match="smtp sent Detected"):
        host.supervisor._on_message("smtp", Detected(0, 1, Outcome.PERSON))
    host.supervisor._on_message("smtp", Ready(1))
    with pytest.raises(ProtocolError, match="ready before"):
        host.supervisor._on_message("smtp", Ready(1))
