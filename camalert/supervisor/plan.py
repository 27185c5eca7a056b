"""What will run: the number of processes, the pool's layout and the children's specs, from the configuration.

The machine's size is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from camalert.config.schema import Config
from camalert.errors import ConfigError
from camalert.ipc.layout import PAGE_BYTES, Layout
from camalert.supervisor.lifecycle import ChildSpec, Role
from camalert.supervisor.stages import NOTIFIER, REVIEW, WRITER

SMTP = "smtp"  # the intake child that has the listening sockets
FRAME_CHANNELS = 3  # BGR, one byte each
# Between two answers the writer waits for one lock and writes one batch, 32 MiB at most, or brings the WAL home: 10 s
# on the slowest memory card. With the ping before it and the escalation after it, a hung one is replaced while a mail
# still waits for its answer (30 s).
WRITER_WORK_S = 10.0
WRITER_ANSWER_S = 20.0
SPARE_FRAME_SLOTS = 2  # one being loaded and one being concluded while all workers are busy
DETECTOR_BYTES = 220 << 20  # what one takes, with its share of the others
DETECTORS_SHARE = 0.5  # of the memory
DEFAULT = Config()
LEAST_FRAME_SLOTS = 2  # one is reserved for live pictures
LEAST_INTAKE_SLOTS = 2
AMPLE_MAIL_BYTES = 16 << 20  # cameras' mails with pictures have a tenth of this
LEAST_MAIL_BYTES = 8 << 20  # some large pictures in one mail
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How many workers run, and how the pool is laid out.

    Attributes:
        wanted: The layout that the pool would have with enough memory.
    """

    detectors: int
    decoders: int
    layout: Layout
    wanted: Layout

    @property
    def concession(self) -> str:
        """Say what was reduced because memory is short, and what would help; "" when nothing was."""
        have, want = self.layout, self.wanted
        if have == want:
            return ""
        return (
            f"{have.size_bytes / MIB:.0f} MiB of shared memory and not {want.size_bytes / MIB:.0f}, for there is no "
            f"more: {have.frame_slots} pictures at a time instead of {want.frame_slots}, {have.intake_slots} mails "
            f"instead of {want.intake_slots}, of up to {have.largest_bytes / MIB:.0f} MiB instead of "
            f"{want.largest_bytes / MIB:.0f}; the rest waits its turn. A larger /dev/shm (shm_size of a container) or "
            "more memory brings the difference"
        )


def make(config: Config, cores: int, memory_bytes: int, shm_bytes: int | None = None) -> Plan:
    """Plan the processes and the pool for a machine.

    Where memory is short, defaults are reduced; what the owner has set stays as it is.

    Args:
        config: The configuration.
        cores: How many may be used.
        memory_bytes: How much memory may be used.
        shm_bytes: How much of it can be shared memory, None for any amount.
    Raises: ConfigError when the pool would take more than its share of the memory, whatever gives way.
    """
    affordable = int(memory_bytes * DETECTORS_SHARE) // DETECTOR_BYTES
    detectors = config.detector.processes or max(1, min(cores - 1, affordable))
    decoders = config.decode.processes or max(1, detectors // 2)
    wanted = Layout(
        intake_slots=config.pool.intake_slots,
        intake_slot_bytes=config.pool.intake_slot_bytes,
        frame_slots=config.pool.frame_slots or detectors + decoders + SPARE_FRAME_SLOTS,
        picture_bytes=config.pool.picture_bytes,
        frame_bytes=config.pool.frame_max_px * FRAME_CHANNELS,
        largest_bytes=config.intake.max_mail_bytes,
        folder_slots=1 if config.intake.folder.enabled else 0,
    )
    limit_bytes = int(memory_bytes * config.pool.max_memory_share)
    layout = _fitted(config, wanted, limit_bytes if shm_bytes is None else min(limit_bytes, shm_bytes), detectors)
    if layout.size_bytes > limit_bytes:
        raise ConfigError(
            f"the pool would take {layout.size_bytes / MIB:.0f} MiB, more than pool.max_memory_share = "
            f"{config.pool.max_memory_share:g} of the {memory_bytes / MIB:.0f} MiB that this machine, its container or "
            f"unit has: lower pool.frame_slots, pool.frame_max_px or intake.max_mail_bytes, or raise the share"
        )
    return Plan(detectors, decoders, layout, wanted)


def _fitted(config: Config, wanted: Layout, room_bytes: int, detectors: int) -> Layout:
    """Return the layout, made smaller until it fits, or as small as it gets."""
    layout = wanted
    for name, least in _concessions(config, detectors):
        excess_bytes = layout.size_bytes - room_bytes
        if excess_bytes <= 0:
            break
        value = getattr(layout, name)
        step = PAGE_BYTES if name == "largest_bytes" else 1
        gain_bytes = layout.size_bytes - _with(layout, name, value - step).size_bytes
        enough = value - -(-excess_bytes // gain_bytes) * step
        layout = _with(layout, name, min(value, max(least, enough)))
    return layout


def _with(layout: Layout, name: str, value: int) -> Layout:
    return replace(layout, **{name: value})


def _concessions(config: Config, detectors: int) -> Iterator[tuple[str, int]]:
    """Yield what gives way and down to what, beginning with what is missed least."""
    may_slots = config.pool.frame_slots == DEFAULT.pool.frame_slots
    may_mail = config.intake.max_mail_bytes == DEFAULT.intake.max_mail_bytes
    if config.pool.intake_slots == DEFAULT.pool.intake_slots:
        yield "intake_slots", LEAST_INTAKE_SLOTS
    if may_mail:
        yield "largest_bytes", AMPLE_MAIL_BYTES
    if may_slots:
        yield "frame_slots", max(LEAST_FRAME_SLOTS, detectors + 1)
        yield "frame_slots", LEAST_FRAME_SLOTS
    if may_mail:
        yield "largest_bytes", LEAST_MAIL_BYTES


def specs(config: Config, plan: Plan) -> list[ChildSpec]:
    """Describe the children of a plan, in the order of their start."""
    # A writer may be in a transaction that waits for another process's lock; killing it then would not help.
    writer_answer_s = max(WRITER_ANSWER_S, config.database.busy_seconds + WRITER_WORK_S)
    children = [
        ChildSpec(WRITER, Role.WRITER, "camalert.store.process:main", is_vital=True, ready_s=120,
                  grace_s=writer_answer_s, answer_s=writer_answer_s),
        ChildSpec(SMTP, Role.INTAKE, "camalert.intake.smtp.process:main", is_vital=True, ready_s=30,
                  grace_s=config.service.drain_seconds),
    ]  # fmt: skip
    if plan.layout.folder_slots:
        children.append(ChildSpec("folder", Role.INTAKE, "camalert.intake.folder.process:main", is_vital=False,
                                  ready_s=30, grace_s=config.service.drain_seconds))  # fmt: skip
    children += [
        ChildSpec(f"decoder-{number}", Role.DECODER, "camalert.decoding.process:main", is_vital=False, ready_s=60,
                  grace_s=config.decode.deadline_seconds)
        for number in range(1, plan.decoders + 1)
    ]  # fmt: skip
    children += [
        ChildSpec(f"detector-{number}", Role.DETECTOR, "camalert.detection.process:main", is_vital=False, ready_s=120,
                  grace_s=config.detector.deadline_seconds)
        for number in range(1, plan.detectors + 1)
    ]  # fmt: skip
    if config.metrics.enabled:
        children.append(
            ChildSpec("metrics", Role.OPTIONAL, "camalert.status.process:main", is_vital=False, ready_s=30, grace_s=5)
        )
    if config.review.enabled:
        # Its first start makes a database and may wait for a slow disk.
        children.append(
            ChildSpec(REVIEW, Role.OPTIONAL, "camalert.review.process:main", is_vital=False, ready_s=90, grace_s=5)
        )
    if config.notify:
        children.append(
            ChildSpec(NOTIFIER, Role.OPTIONAL, "camalert.notify.process:main", is_vital=False, ready_s=60, grace_s=8)
        )
    return children
