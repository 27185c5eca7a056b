"""The queue's lines: who gets which slot, under any order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from camalert.slots import Layout
from camalert.store.queue import LIVE_WAITING, LONGEST_S, Lease, Queue, Waiting
from camalert.store.tables import CLIP_BASE

LAYOUT = Layout(2, 65_536, 3, 65_536, 4096, 1_048_576)
SMALL = 1000


def drain(queue: Queue, table: dict[int, int]) -> list[int]:
    """Pick all that can be picked, feeding the backlog from `table` (id -> size) as the writer does from SQL."""
    picked = []
    while True:
        for line in queue.lines:
            while line.wants_backlog:
                rows = [
                    Waiting(alert_id, size)
                    for alert_id, size in sorted(table.items())
                    if alert_id > line.cursor
                    and line.is_large == (size > LAYOUT.picture_bytes or alert_id >= CLIP_BASE)
                ]
                line.feed(rows[:16], queue.in_flight)
        pick = queue.pick()
        if pick is None:
            return picked
        picked.append(pick.waiting.alert_id)


def lend(queue: Queue, count: int = 3, generation: int = 1) -> None:
    for slot in list(LAYOUT.frames)[:count]:
        queue.lend(Lease(slot, generation))


def test_backlog_leaves_one_slot_for_live_pictures() -> None:
    """Two of three slots go to the backlog, oldest first."""
    queue = Queue(LAYOUT)
    lend(queue)

    assert drain(queue, dict.fromkeys(range(1, 9), SMALL)) == [1, 2]
    queue.wait(Waiting(9, SMALL))
    assert drain(queue, dict.fromkeys(range(1, 10), SMALL)) == [9]


def test_single_slot_serves_the_backlog_too() -> None:
    """With one slot only there is nothing to reserve."""
    queue = Queue(Layout(2, 65_536, 1, 65_536, 4096, 1_048_576))
    queue.lend(Lease(3, 1))

    assert drain(queue, {1: SMALL}) == [1]


def test_live_queue_is_bounded_and_the_rest_is_found_in_the_database() -> None:
    """The memory of a burst is the database."""
    queue = Queue(LAYOUT)
    table = dict.fromkeys(range(1, LIVE_WAITING + 11), SMALL)
    for alert_id in table:
        queue.wait(Waiting(alert_id, SMALL))

    seen: list[int] = []
    for generation in range(len(table)):
        lend(queue, generation=generation)
        for alert_id in drain(queue, table):
            seen.append(alert_id)
            del table[alert_id]
            queue.end(alert_id)

    assert sorted(seen) == list(range(1, LIVE_WAITING + 11))


def test_newest_picture_is_live_however_many_wait() -> None:
    """What happens now goes before what a burst left behind, which is the backlog."""
    queue = Queue(LAYOUT)
    table = dict.fromkeys(range(1, LIVE_WAITING + 11), SMALL)
    for alert_id in table:
        queue.wait(Waiting(alert_id, SMALL))

    lend(queue, 1)

    assert drain(queue, table) == [LIVE_WAITING + 10]
    for generation in range(2, LIVE_WAITING + 1):
        lend(queue, 1, generation)
        drain(queue, table)
    assert min(queue.in_flight) == 11, "the newest go first, the rest is the backlog"


def test_suspect_gets_its_second_try_when_nothing_else_waits() -> None:
    """A picture that ended a process keeps no other one waiting."""
    queue = Queue(LAYOUT)
    table = dict.fromkeys(range(1, 6), SMALL)
    queue.wait(Waiting(1, SMALL, tries=1))
    queue.wait(Waiting(5, SMALL))
    order = []
    for generation in range(1, 9):
        lend(queue, 2, generation)
        order += drain(queue, table)
        for alert_id in list(queue.in_flight):
            queue.end(alert_id)
            del table[alert_id]

    assert order == [5, 2, 3, 4, 1]


def test_clips_and_oversized_pictures_take_the_large_slot_only() -> None:
    """Each line has its own slots."""
    queue = Queue(LAYOUT)
    table = {1: LAYOUT.picture_bytes + 1, 2: SMALL, CLIP_BASE + 1: SMALL}
    lend(queue)
    assert drain(queue, table) == [2]

    queue.lend(Lease(LAYOUT.large_frame, 1))
    assert drain(queue, table) == [1]
    queue.lend(Lease(LAYOUT.large_frame, 2))
    assert drain(queue, table) == [CLIP_BASE + 1]


def test_clip_beside_pictures_waits_for_quiet() -> None:
    """The pictures told of the alarm already; live work goes first."""
    queue = Queue(LAYOUT)
    lend(queue, 4)
    queue.note_alarm(100.0)
    clip = Waiting(CLIP_BASE + 1, 5000)
    queue.postpone(clip, 100.0)
    queue.large.feed([], queue.elsewhere)

    assert clip.alert_id in queue.elsewhere
    queue.wake(104.9)
    assert queue.pick() is None
    queue.note_alarm(104.0)
    queue.wake(108.9)
    assert queue.pick() is None
    queue.wake(109.0)
    picked = queue.pick()
    assert picked is not None
    assert picked.waiting == clip


def test_clip_beside_pictures_does_not_wait_for_ever() -> None:
    """In a house that is never quiet a clip is examined all the same."""
    queue = Queue(LAYOUT)
    lend(queue, 4)
    queue.postpone(Waiting(CLIP_BASE + 1, 5000), 100.0)
    queue.large.feed([], queue.elsewhere)
    queue.note_alarm(100.0 + LONGEST_S)

    queue.wake(100.0 + LONGEST_S)

    assert queue.pick() is not None


def test_another_database_makes_leases_stale_once() -> None:
    """A verdict on a row of the old database is recognised by its lease, and the lease forgotten."""
    queue = Queue(LAYOUT)
    lend(queue, 2)
    assert drain(queue, {1: SMALL}) == [1]
    lease = queue.in_flight[1]

    queue.forget()

    assert queue.in_flight == {}
    assert [queue.is_stale(lease), queue.is_stale(lease)] == [True, False]


EVENTS = st.lists(st.sampled_from(["store", "lend", "conclude", "fail", "delete", "look"]), max_size=120)


@given(EVENTS)
def test_queue_under_any_order_of_events_examines_each_picture_and_none_twice_at_once(events: list[str]) -> None:
    """No slot holds two pictures, no picture two slots; whatever stays pending is found when slots come."""
    queue = Queue(LAYOUT)
    table: dict[int, int] = {}
    free = {Lease(slot, 0) for slot in LAYOUT.frames}
    next_id = 1
    for event in events:
        if event == "store":
            size = SMALL if next_id % 5 else LAYOUT.picture_bytes + 1
            table[next_id] = size
            waiting = Waiting(next_id, size)
            if queue.take_slot(waiting) is None:
                queue.wait(waiting)
            next_id += 1
        elif event == "lend" and free:
            lease = free.pop()
            queue.lend(Lease(lease.slot, lease.generation + 1))
        elif event in ("conclude", "fail") and queue.in_flight:
            alert_id = min(queue.in_flight)
            free.add(queue.in_flight[alert_id])
            queue.end(alert_id)
            if event == "conclude":
                table.pop(alert_id, None)
            elif alert_id in table:
                queue.wait(Waiting(alert_id, table[alert_id], 1))
        elif event == "delete" and table:
            gone = max(table)
            if gone not in queue.in_flight:
                del table[gone]
        elif event == "look":
            queue.look_again()
        _drain_and_drop_deleted(queue, table)
        leases = list(queue.in_flight.values())
        assert len({lease.slot for lease in leases}) == len(leases)
        assert not {lease.slot for lease in leases} & {lease.slot for lease in free}

    examined = _finish(queue, table, free)

    assert examined == set()


def _drain_and_drop_deleted(queue: Queue, table: dict[int, int]) -> None:
    for alert_id in drain(queue, table):
        if alert_id not in table:  # as the loader: not pending any more, the slot is free again
            lease = queue.in_flight[alert_id]
            queue.end(alert_id)
            queue.lend(lease)
            _drain_and_drop_deleted(queue, table)


def _finish(queue: Queue, table: dict[int, int], free: set[Lease]) -> set[int]:
    """Conclude everything that comes; return what stays behind."""
    for _ in range(200):
        for lease in free:
            queue.lend(Lease(lease.slot, lease.generation + 1))
        free.clear()
        _drain_and_drop_deleted(queue, table)
        for alert_id, lease in list(queue.in_flight.items()):
            queue.end(alert_id)
            table.pop(alert_id, None)
            free.add(lease)
        if not table:
            break
    return set(table)
