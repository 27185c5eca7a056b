"""The precision is the one that is faster here; where there is no choice, nothing is tried."""

import importlib.util

import pytest

from camalert.config.schema import Detector
from camalert.detection import openvino_cpu
from camalert.detection.engines import load_engine
from camalert.detection.openvino_cpu import FULL, HINT, Compiler, faster

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None


@pytest.mark.parametrize(
    ("own_ms", "full_ms", "name"), [(14.0, 25.0, "bf16"), (68.0, 39.0, FULL), (38.0, 39.0, FULL), (35.0, 39.0, "bf16")]
)
def test_faster_takes_half_floats_only_when_they_save_a_tenth(own_ms, full_ms, name):
    """Scores are calibrated in 32 bits, so a draw is theirs."""
    chosen = faster("bf16", own_ms, full_ms)

    assert chosen.name == name
    assert chosen.message.startswith(
        f"{name}: {min(own_ms, full_ms) if name != FULL else full_ms:.0f} ms of CPU a look"
    )


class Type:
    def __init__(self, name):
        self.name = name

    def get_type_name(self):
        return self.name


class Core:
    """Stand in for OpenVINO: its own choice is `own`, a look in 32-bit floats takes `full_s`, in that one `own_s`."""

    def __init__(self, own, clock, full_s=0.0, own_s=0.0):
        self.own, self.clock = own, clock
        self.took_s = {FULL: full_s, own: own_s}
        self.compiled = []

    def compile_model(self, network, device, properties):
        core, precision = self, properties.get(HINT, self.own)
        core.compiled.append(precision)
        if precision == "broken":
            raise RuntimeError("Check failed\nno kernel for bf16\n")

        class Compiled:
            def get_property(self, name):
                assert name == HINT
                return Type(precision)

            def create_infer_request(self):
                return self

            def infer(self):
                core.clock.now += core.took_s[precision]

        return Compiled()


class Clock:
    now = 0.0

    def process_time(self):
        return self.now


@pytest.fixture
def compiler(monkeypatch):
    """Give a compiler over a core of the test's."""
    clock = Clock()
    monkeypatch.setattr(openvino_cpu, "time", clock)

    def make(own, **took_s):
        made = Compiler.__new__(Compiler)
        made._core = Core(own, clock, **took_s)
        made._properties = {HINT: FULL}
        return made

    return make


@pytest.mark.parametrize(("full_s", "own_s", "chosen"), [(0.04, 0.07, FULL), (0.04, 0.02, "bf16")])
def test_choose_precision_keeps_the_faster_for_what_follows(compiler, full_s, own_s, chosen):
    """Every network compiled afterwards runs in the precision that won."""
    ours = compiler("bf16", full_s=full_s, own_s=own_s)

    precision = ours.choose_precision("network")
    ours.compile("another")

    assert precision.name == chosen
    assert ours._core.compiled[-1] == chosen


def test_choose_precision_without_a_choice_tries_nothing(compiler):
    """A processor without half floats starts as fast as before."""
    ours = compiler(FULL)

    assert ours.choose_precision("network").message == FULL
    assert ours._core.compiled == [FULL]


def test_choose_precision_survives_a_choice_that_cannot_be_compiled(compiler):
    """What OpenVINO would take and cannot run is no reason to do without OpenVINO."""
    precision = compiler("broken").choose_precision("network")

    assert precision.name == FULL
    assert precision.message.endswith("no kernel for bf16")


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_loaded_engine_says_its_precision():
    """What log and `check` say comes from a measurement on this processor."""
    engine = load_engine("openvino", Detector(effort="fast"))

    assert engine.precision.partition(":")[0] in (FULL, "bf16", "f16")
