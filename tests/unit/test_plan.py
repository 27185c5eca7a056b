"""What runs on which machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from camalert import plan
from camalert.config import Config, Database, Decode, Detector, Listen, Pool, Smtp
from camalert.errors import ConfigError
from camalert.lifecycle import ABORT_GRACE_S
from camalert.liveness import PING_EVERY_S
from camalert.restart import BASE_S
from camalert.states import Role

GIB = 1 << 30


@pytest.mark.parametrize(
    ("cores", "detectors", "decoders"), [(1, 1, 1), (2, 1, 1), (4, 3, 1), (16, 15, 7), (64, 63, 31)]
)
def test_plan_follows_the_cores(cores: int, detectors: int, decoders: int) -> None:
    """One core is left for the rest; a decoder feeds two detectors."""
    shape = plan.make(Config(), cores, 64 * GIB)

    assert (shape.detectors, shape.decoders) == (detectors, decoders)
    assert shape.layout.frame_slots == detectors + decoders + plan.SPARE_FRAME_SLOTS


def test_plan_pool_larger_than_its_share_is_refused() -> None:
    """A pool that would push the machine into swap is a mistake of the configuration."""
    with pytest.raises(ConfigError, match="max_memory_share"):
        plan.make(replace(Config(), pool=Pool(frame_slots=200)), 4, GIB)


def test_plan_default_pool_is_small() -> None:
    """A two-core machine gives about 110 MiB to the pool."""
    shape = plan.make(Config(), 2, 2 * GIB)

    assert shape.layout.size_bytes < 128 << 20


def test_specs_names_and_roles() -> None:
    """Each child has a name of its own; writer and smtp alone are vital."""
    config = Config()
    specs = plan.specs(config, plan.make(config, 4, 8 * GIB))

    assert len({spec.name for spec in specs}) == len(specs)
    assert {spec.role for spec in specs if spec.is_vital} == {Role.WRITER, Role.INTAKE}


def test_specs_writer_may_wait_longer_than_its_busy_timeout() -> None:
    """A locked database ends in an answer, never in a kill."""
    for busy_seconds in (0.1, Config().database.busy_seconds, 60.0):
        config = Config(database=Database(busy_seconds=busy_seconds))
        writer = plan.specs(config, plan.make(config, 4, 8 * GIB))[0]

        assert writer.answer_s >= busy_seconds + 10


def test_specs_hung_writer_is_replaced_while_a_mail_waits() -> None:
    """The camera gets its 250 from the successor: ping, answer, ladder and start take less than its patience."""
    config = Config()
    writer = plan.specs(config, plan.make(config, 4, 8 * GIB))[0]

    assert PING_EVERY_S + writer.answer_s + ABORT_GRACE_S + BASE_S < config.intake.wait_seconds


def test_replaced_by_names_the_children_concerned() -> None:
    """A new threshold concerns the detectors, and the site that shows the settings in force."""
    old = Config()
    new = replace(old, detector=Detector(threshold=0.4))
    specs = plan.specs(old, plan.make(old, 4, 8 * GIB))

    names, fixed = plan.replaced_by(old, new, specs)

    assert names == ["detector-1", "detector-2", "detector-3", "review"]
    assert fixed == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"pool": Pool(frame_slots=9)}, "pool"),
        ({"smtp": Smtp(listen=(Listen(port=2525),))}, "smtp.listen"),
        ({"decode": Decode(processes=3)}, "decode.processes"),
        ({"detector": Detector(engine="hog")}, "detector.engine"),
    ],
)
def test_replaced_by_says_what_needs_a_restart(changes: dict[str, object], what: str) -> None:
    """What cannot change in a running service is named, not ignored."""
    old = Config()
    specs = plan.specs(old, plan.make(old, 4, 8 * GIB))

    _, fixed = plan.replaced_by(old, replace(old, **changes), specs)

    assert fixed == [what]
