"""The pictures in frame slots: what a worker is told, when a clip has its verdict, and whose a slot is."""

from __future__ import annotations

import pytest

from camalert.errors import ProtocolError
from camalert.frameslots import WRITER, FrameSlots, Work
from camalert.messages import Conclude, Decode, Detect, Held, Lend, Loaded, Outcome, Stage

PERSON, NOBODY, FAILED = Outcome.PERSON, Outcome.NOBODY, Outcome.FAILED


def _loaded(slot: int = 3, *, is_clip: bool = False) -> Loaded:
    return Loaded(slot, 1, slot + 100, 55, tries=0, is_clip=is_clip, is_live=True)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([NOBODY, NOBODY, NOBODY], NOBODY),
        ([NOBODY, PERSON, NOBODY], PERSON),
        ([FAILED], FAILED),
        ([PERSON, FAILED], PERSON),
    ],
)
def test_work_clip_has_its_verdict_with_the_last_picture_or_a_failure(found: list[int], verdict: Outcome) -> None:
    """A person once seen is not lost to what comes after it."""
    work = Work(_loaded(is_clip=True), pictures=3)

    verdicts = [work.examined(outcome) for outcome in found]

    assert verdicts == [None] * (len(found) - 1) + [verdict]


def test_work_clip_is_taken_apart_once() -> None:
    """The first job is about the clip, the next ones are about its pictures."""
    work = Work(_loaded(is_clip=True), pictures=2)

    first = work.job(Stage.DECODE)
    work.examined(NOBODY)

    assert first == Decode(3, 1, 55, 0, is_clip=True)
    assert work.job(Stage.DECODE) == Decode(3, 1, 55, 1, is_clip=False)
    assert work.job(Stage.DETECT) == Detect(3, 1)


def test_frameslots_dead_writer_loses_what_it_had_not_loaded() -> None:
    """What is in flight stays where it is; its verdict waits for the next writer."""
    slots = FrameSlots(range(3, 6))
    assert slots.lend() == [Lend(3, 1), Lend(4, 1), Lend(5, 1)]
    slots.load(_loaded(3))
    conclude = slots.conclude(3, NOBODY, Stage.DETECT, 0, 0)

    slots.take_back()

    assert slots.free() == [4, 5]
    assert slots.held() == [Held(3, 1, 103)]
    assert slots.verdicts() == [conclude] == [Conclude(3, 1, 103, NOBODY, Stage.DETECT, 0, 0)]
    assert slots.verdict(3) == conclude
    assert slots.verdict(4) is None


def test_frameslots_end_leaves_no_work_and_no_lease() -> None:
    """A slot whose picture is done is free, and everything about it forgotten."""
    slots = FrameSlots(range(3, 4))
    slots.lend()
    slots.load(_loaded())

    slots.end(3)

    assert slots.free() == [3]
    assert slots.work == {}
    assert not slots.is_current(3, 1)


def test_frameslots_picture_in_a_slot_the_writer_has_not_is_refused() -> None:
    """Neither a slot that is loaded already nor one that was passed on is the writer's to load."""
    slots = FrameSlots(range(3, 5))
    slots.lend()
    slots.load(_loaded(3))
    slots.pass_on(4, 1, "decoder-1")

    for slot in (3, 4):
        with pytest.raises(ProtocolError):
            slots.load(_loaded(slot))

    assert slots.owned_by(WRITER) == [3]
    assert list(slots.work) == [3]
