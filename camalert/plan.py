"""What will run: the number of processes, the pool's layout and the children's specs, from the configuration.

Pure: the machine's size is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.config import Config
from camalert.dispatch import Limits
from camalert.errors import ConfigError
from camalert.frameslots import WRITER
from camalert.slots import Layout
from camalert.states import ChildSpec, Role

SMTP = "smtp"  # the intake child that has the listening sockets
FRAME_CHANNELS = 3  # BGR, one byte each
# Between two answers the writer waits for one lock and writes one batch, 32 MiB at most, or brings the WAL home: 10 s
# on the slowest memory card. With the ping before it and the ladder after it, a hung one is replaced while a mail still
# waits for its answer (30 s).
WRITER_WORK_S = 10.0
WRITER_ANSWER_S = 20.0
SPARE_FRAME_SLOTS = 2  # one being loaded and one being concluded while all workers are busy
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """The shape of one run of the service."""

    detectors: int
    decoders: int
    layout: Layout


def make(config: Config, cores: int, memory_bytes: int) -> Plan:
    """Plan the processes and the pool for a machine.

    Raises: ConfigError when the pool would take more than its share of the memory.
    """
    detectors = config.detector.processes or max(1, cores - 1)
    decoders = config.decode.processes or max(1, detectors // 2)
    layout = Layout(
        intake_slots=config.pool.intake_slots,
        intake_slot_bytes=config.pool.intake_slot_bytes,
        frame_slots=config.pool.frame_slots or detectors + decoders + SPARE_FRAME_SLOTS,
        picture_bytes=config.pool.picture_bytes,
        frame_bytes=config.pool.frame_max_px * FRAME_CHANNELS,
        largest_bytes=config.intake.max_mail_bytes,
        folder_slots=1 if config.intake.folder.enabled else 0,
    )
    limit_bytes = int(memory_bytes * config.pool.max_memory_share)
    if layout.size_bytes > limit_bytes:
        raise ConfigError(
            f"the pool would take {layout.size_bytes / MIB:.0f} MiB, more than pool.max_memory_share = "
            f"{config.pool.max_memory_share:g} of this machine's {memory_bytes / MIB:.0f} MiB: lower pool.frame_slots, "
            f"pool.frame_max_px or intake.max_mail_bytes, or raise the share"
        )
    return Plan(detectors, decoders, layout)


def limits(config: Config) -> Limits:
    """Return the deadlines of the jobs."""
    return Limits(config.decode.deadline_seconds, config.detector.deadline_seconds)


def specs(config: Config, plan: Plan) -> list[ChildSpec]:
    """Describe the children of a plan, in the order of their start."""
    # A writer may be in a transaction that waits for somebody else's lock; killing it then would help nobody.
    writer_answer_s = max(WRITER_ANSWER_S, config.database.busy_seconds + WRITER_WORK_S)
    children = [
        ChildSpec(WRITER, Role.WRITER, "camalert.writer:main", is_vital=True, ready_s=120, grace_s=writer_answer_s,
                  answer_s=writer_answer_s),
        ChildSpec(SMTP, Role.INTAKE, "camalert.smtp.process:main", is_vital=True, ready_s=30,
                  grace_s=config.service.drain_seconds),
    ]  # fmt: skip
    if plan.layout.folder_slots:
        children.append(ChildSpec("folder", Role.INTAKE, "camalert.folder.process:main", is_vital=False, ready_s=30,
                                  grace_s=config.service.drain_seconds))  # fmt: skip
    children += [
        ChildSpec(f"decoder-{number}", Role.DECODER, "camalert.decoder:main", is_vital=False, ready_s=60,
                  grace_s=config.decode.deadline_seconds)
        for number in range(1, plan.decoders + 1)
    ]  # fmt: skip
    children += [
        ChildSpec(f"detector-{number}", Role.DETECTOR, "camalert.detector:main", is_vital=False, ready_s=120,
                  grace_s=config.detector.deadline_seconds)
        for number in range(1, plan.detectors + 1)
    ]  # fmt: skip
    if config.metrics.enabled:
        children.append(
            ChildSpec("metrics", Role.OPTIONAL, "camalert.metrics:main", is_vital=False, ready_s=30, grace_s=5)
        )
    if config.review.enabled:
        # Its first start makes a database and may wait for a slow disk.
        children.append(
            ChildSpec("review", Role.OPTIONAL, "camalert.review.process:main", is_vital=False, ready_s=90, grace_s=5)
        )
    return children


def replaced_by(old: Config, new: Config, children: list[ChildSpec]) -> tuple[list[str], list[str]]:
    """Return the children that a new configuration concerns, and the sections that only a full restart can change."""
    concerns = {
        Role.INTAKE: ("smtp", "intake", "camera", "log"),
        Role.WRITER: ("database", "intake", "camera", "log"),
        Role.DECODER: ("decode", "clip", "camera", "log"),
        Role.DETECTOR: ("detector", "camera", "log"),
        Role.OPTIONAL: ("review", "metrics", "smtp", "detector", "camera", "database", "status", "log"),
    }
    names = [
        spec.name
        for spec in children
        if any(getattr(old, section) != getattr(new, section) for section in concerns[spec.role])
    ]
    fixed = [
        what
        for what, is_changed in (
            ("pool", old.pool != new.pool or old.intake.max_mail_bytes != new.intake.max_mail_bytes),
            ("intake.folder.enabled", old.intake.folder.enabled != new.intake.folder.enabled),
            ("smtp.listen", old.smtp.listen != new.smtp.listen),
            ("service", old.service != new.service),
            ("detector.processes", old.detector.processes != new.detector.processes),
            ("detector.engine", old.detector.engine != new.detector.engine),
            ("decode.processes", old.decode.processes != new.decode.processes),
            ("metrics", old.metrics != new.metrics),
        )
        if is_changed
    ]
    return names, fixed
