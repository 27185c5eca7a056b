"""No slot is lost, none owned twice, and no section overlaps another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from camalert.errors import ProtocolError
from camalert.ipc.layout import PAGE_BYTES, Layout, SlotTable

SLOTS = range(3, 8)


SIZES = st.integers(1, 100_000)
LAYOUTS = st.builds(
    Layout,
    intake_slots=st.integers(1, 9),
    intake_slot_bytes=SIZES,
    frame_slots=st.integers(1, 9),
    picture_bytes=SIZES,
    frame_bytes=st.integers(1, 10**6),
    largest_bytes=st.just(500_000),
    folder_slots=st.integers(0, 2),
)


@given(LAYOUTS)
def test_layout_any_sizes_do_not_overlap(layout: Layout) -> None:
    """Every section starts on a page behind the last one and lies within the segment."""
    spans = [span for slot in layout.slots() for span in (slot.record, slot.encoded, slot.frame)]

    end = 0
    for span in spans:
        assert span.offset == end
        assert span.offset % PAGE_BYTES == 0
        end = span.end

    assert end == layout.size_bytes


def test_layout_large_slots_take_the_largest_mail() -> None:
    """One slot of each kind holds whatever a mail may bring."""
    layout = Layout(2, 1000, 2, 1000, 3000, largest_bytes=50_000)
    slots = layout.slots()

    assert [slot.encoded.length >= 50_000 for slot in slots] == [False, False, True, False, False, True]
    assert all(slot.frame.length >= 3000 for slot in slots if slot.number in layout.frames)
    assert all(slot.frame.length == 0 for slot in slots if slot.number in layout.intake)


def test_layout_folder_slot_is_large_and_moves_no_other() -> None:
    """The folder watcher's slot takes the largest mail and lies behind all others, which stay where they are."""
    without = Layout(2, 1000, 2, 1000, 3000, largest_bytes=50_000)
    layout = Layout(2, 1000, 2, 1000, 3000, largest_bytes=50_000, folder_slots=1)

    (number,) = layout.folder

    assert layout.slots()[:number] == without.slots()
    assert layout.slots()[number].encoded.length >= 50_000
    assert layout.slots()[number].frame.length == 0
    assert number not in layout.intake
    assert number not in layout.frames


class SlotTableMachine(RuleBasedStateMachine):
    """Lease, pass on, release and misuse slots in any order, beside a model that is too simple to be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SlotTable(SLOTS)
        self.leases: dict[int, tuple[int, str]] = {}
        self.ended: list[tuple[int, int]] = []

    @precondition(lambda self: self.table.free())
    @rule(owner=st.sampled_from("abc"))
    def lease(self, owner: str) -> None:
        slot = self.table.free()[0]
        self.leases[slot] = (self.table.lease(slot, owner), owner)

    @precondition(lambda self: self.leases)
    @rule(owner=st.sampled_from("abc"), data=st.data())
    def pass_on(self, owner: str, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.leases)))
        generation = self.leases[slot][0]
        self.table.pass_on(slot, generation, owner)
        self.leases[slot] = (generation, owner)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.leases)))
        generation, _ = self.leases.pop(slot)
        self.table.release(slot, generation)
        self.ended.append((slot, generation))

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def stale_messages_are_refused(self, data: st.DataObject) -> None:
        slot, generation = data.draw(st.sampled_from(self.ended))
        with pytest.raises(ProtocolError):
            self.table.release(slot, generation)
        with pytest.raises(ProtocolError):
            self.table.pass_on(slot, generation, "thief")

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def a_leased_slot_is_not_given_twice(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.leases)))
        with pytest.raises(ProtocolError):
            self.table.lease(slot, "thief")

    @invariant()
    def every_slot_is_free_or_owned_once(self) -> None:
        assert set(self.table.free()) | set(self.leases) == set(SLOTS)
        assert not set(self.table.free()) & set(self.leases)
        for slot, (generation, owner) in self.leases.items():
            assert self.table.owner(slot) == owner
            assert self.table.is_current(slot, generation)
            assert slot in self.table.owned_by(owner)


TestSlotTable = SlotTableMachine.TestCase
