"""What runs on which machine."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from camalert.config.schema import Config, Database, Intake, Pool
from camalert.errors import ConfigError
from camalert.supervisor import plan
from camalert.supervisor.lifecycle import ABORT_GRACE_S, BACK_OFF_S, Role
from camalert.supervisor.liveness import PING_EVERY_S

MIB = 1 << 20
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


@pytest.mark.parametrize("cores", [1, 2, 4, 16])
def test_plan_fits_the_shared_memory_of_a_container(cores: int) -> None:
    """Docker's 64 MiB of /dev/shm are enough to run: fewer pictures at a time, and a line that says so."""
    shape = plan.make(Config(), cores, 4 * GIB, 64 * MIB)

    assert shape.layout.size_bytes <= 64 * MIB
    assert shape.layout.frame_slots >= plan.LEAST_FRAME_SLOTS
    assert shape.layout.largest_bytes >= plan.LEAST_MAIL_BYTES
    assert shape.concession.startswith(f"{shape.layout.size_bytes / MIB:.0f} MiB of shared memory and not ")
    assert f"instead of {shape.wanted.frame_slots}" in shape.concession


def test_plan_with_more_shared_memory_has_more_of_everything() -> None:
    """Each further MiB brings something or nothing, and takes nothing away; with enough there is no word about it."""
    shapes = [plan.make(Config(), 4, 4 * GIB, room * MIB) for room in range(56, 160)]

    for less, more in itertools.pairwise(shapes):
        assert more.layout.size_bytes >= less.layout.size_bytes
        assert more.layout.frame_slots >= less.layout.frame_slots
        assert more.layout.largest_bytes >= less.layout.largest_bytes
    assert shapes[-1].layout == shapes[-1].wanted
    assert shapes[-1].concession == ""


def test_plan_what_the_owner_has_set_does_not_give_way() -> None:
    """A number in the configuration is a promise: the start fails with a word instead of taking less."""
    config = Config(pool=Pool(frame_slots=12, intake_slots=5), intake=Intake(max_mail_bytes=20 * MIB))
    shape = plan.make(config, 4, 4 * GIB, 64 * MIB)

    assert shape.layout == shape.wanted


@pytest.mark.parametrize(("memory_bytes", "detectors"), [(512 * MIB, 1), (2 * GIB, 4), (64 * GIB, 63)])
def test_plan_detectors_fit_into_the_memory(memory_bytes: int, detectors: int) -> None:
    """A container with many cores and little memory starts no more detectors than half of the memory carries."""
    assert plan.make(Config(), 64, memory_bytes).detectors == detectors


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
    """The camera gets its 250 from the successor: ping, answer, escalation and start take less than its patience."""
    config = Config()
    writer = plan.specs(config, plan.make(config, 4, 8 * GIB))[0]

    assert PING_EVERY_S + writer.answer_s + ABORT_GRACE_S + BACK_OFF_S < config.intake.wait_seconds
