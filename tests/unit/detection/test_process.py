"""The detector's own course: what it waits for before it is ready, and what it does beside its work."""

import threading
import weakref
from types import SimpleNamespace

import pytest

from camalert.config.schema import Camera, Config, Detector
from camalert.detection import process
from camalert.errors import Exit
from camalert.ipc.messages import Ping, Ready, Stop
from camalert.system import memory


class Channel:
    """The supervisor's end: it says `Stop` once the engine was asked to complete itself."""

    def __init__(self, done):
        self.done, self.sent = done, []

    def send(self, message):
        self.sent.append(message)

    def wait(self):
        assert self.done.wait(10)

    def receive(self):
        return Stop()


@pytest.mark.parametrize("failure", [None, RuntimeError("no kernel")])
def test_detector_is_ready_before_it_prepares_what_only_some_pictures_need(monkeypatch, failure):
    """The first picture waits for nothing that it may not need; what fails there ends nobody."""
    done, order = threading.Event(), []

    class Engine:
        name, precision = "openvino", ""

        def complete(self, effort):
            order.append((effort, [type(message) for message in channel.sent]))
            if effort == "fast" or failure:
                done.set()
            if failure:
                raise failure

    channel = Channel(done)
    monkeypatch.setattr(
        process, "load_engine", lambda name, detector, efforts, with_others: order.append(efforts) or Engine()
    )
    monkeypatch.setattr(process.selftest, "self_test", lambda engine, effort: order.append("tested"))
    config = Config(detector=Detector(), camera=(Camera(name="gate", effort="fast"),))

    context = SimpleNamespace(
        engine="openvino", config=config, channel=channel, confine=lambda: order.append("confined")
    )
    code = process.main(context)

    assert code == Exit.OK
    assert order[:4] == ["confined", ("balanced", "fast"), "tested", ("balanced", [Ready])]
    assert order[4:] == ([] if failure else [("fast", [Ready])])


def _rested(rest_s: float) -> tuple[process.Rested, list[object]]:
    loaded: list[object] = []

    def load() -> object:
        loaded.append(object())
        return loaded[-1]

    return process.Rested(object(), load, rest_s, 100.0), loaded


def test_detector_rests_when_no_picture_comes_for_long():
    """Its network leaves memory once, and is loaded once for the next picture."""
    rested, loaded = _rested(120.0)
    first = rested.awake()

    assert rested.may_give_back(150.0)  # what the start took besides the network
    assert not rested.may_give_back(219.9)
    assert rested.may_give_back(220.0)
    assert not rested.may_give_back(500.0)
    assert loaded == []

    second = rested.awake()
    rested.worked(500.0)
    assert loaded == [second]
    assert second is not first
    assert rested.awake() is second
    assert rested.may_give_back(550.0)
    assert not rested.may_give_back(619.9)
    assert rested.awake() is second
    assert rested.may_give_back(620.0)
    assert rested.awake() is not second


def test_detector_that_works_does_not_rest():
    """Each picture begins its time anew."""
    rested, loaded = _rested(120.0)

    for now in range(100, 2000, 100):
        assert rested.awake()
        rested.worked(now)
        rested.may_give_back(now + 99)

    assert loaded == []


def test_detector_gives_memory_back_once_after_a_busy_time():
    """Not between two pictures, where the next one would only ask for it again; and not with every ping."""
    rested, loaded = _rested(0.0)

    rested.worked(1000.0)
    assert not rested.may_give_back(1001.0)
    rested.worked(1001.5)
    assert not rested.may_give_back(1003.0)
    assert rested.may_give_back(1004.0)
    assert not rested.may_give_back(1e9)
    rested.awake()
    assert loaded == []  # a normal machine has the memory for the network


def test_what_a_resting_detector_had_is_free(monkeypatch):
    """Nothing else holds on to the engine: its memory really goes."""
    engines, asked = [], iter([Ping(1), Stop()])

    class Engine:
        name, precision = "opencv", ""

        def complete(self, effort):
            pass

    def load_engine(*args, **kwargs):
        engine = Engine()
        engines.append(weakref.ref(engine))
        return engine

    done = threading.Event()
    done.set()
    channel = Channel(done)
    channel.receive = lambda: next(asked)
    monkeypatch.setattr(process, "load_engine", load_engine)
    monkeypatch.setattr(process.selftest, "self_test", lambda engine, effort: None)
    monkeypatch.setattr(process, "_complete", lambda engine, efforts: None)
    clock = iter(float(hour * 3600) for hour in range(1, 10))
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    given_back = []
    monkeypatch.setattr(memory, "give_back", lambda: given_back.append(engines[0]() is None))
    context = SimpleNamespace(
        engine="opencv", config=Config(detector=Detector(rest_seconds=60.0)), channel=channel, confine=lambda: None
    )

    assert process.main(context) == Exit.OK

    for thread in threading.enumerate():
        if thread.name == "complete":
            thread.join(10)
    assert given_back == [True]
