"""The queue's lines: who gets which slot, under any order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from camalert.ipc.layout import Layout
from camalert.store.queue import CLIP_BASE, COURTEOUS_SLOTS, FORGIVEN_S, LIVE_WAITING, LONGEST_S, Lease, Queue, Waiting

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
                    if alert_id not in line.known | queue.elsewhere
                    and line.is_large == (size > LAYOUT.picture_bytes or alert_id >= CLIP_BASE)
                ]
                line.feed(rows[:16])
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
    queue.large.feed([])

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
    queue.large.feed([])
    queue.note_alarm(100.0 + LONGEST_S)

    queue.wake(100.0 + LONGEST_S)

    assert queue.pick() is not None


def sent(alert_id: int, sender: str, camera: str = "", size: int = SMALL, tries: int = 0) -> Waiting:
    return Waiting(alert_id, size, tries, sender, camera)


def one_by_one(queue: Queue, count: int) -> list[int]:
    """Examine one picture after the other in a single slot; return their ids in order."""
    order: list[int] = []
    for generation in range(count):
        queue.lend(Lease(LAYOUT.frames[0], generation))
        pick = queue.small.pick([])
        if pick is None:
            break
        queue._begin(pick.waiting, pick.lease)
        queue.end(pick.waiting.alert_id)
        order.append(pick.waiting.alert_id)
    return order


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 30))
def test_alarm_waits_for_one_picture_of_each_other_sender(bursts: list[int], head_start: int) -> None:
    """Whatever others send before and after it, however much: a sender's one picture comes in the next round."""
    queue = Queue(LAYOUT)
    number = 0
    for sender, count in enumerate(bursts):
        for _ in range(count):
            number += 1
            queue.wait(sent(number, f"10.0.1.{sender}"))
    one_by_one(queue, head_start)
    number += 1
    queue.wait(sent(number, "10.0.0.5"))
    alarm = number
    for _ in range(LIVE_WAITING):
        number += 1
        queue.wait(sent(number, "10.0.1.0"))

    assert alarm in one_by_one(queue, len(bursts) + 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=LIVE_WAITING))
def test_senders_and_their_cameras_take_turns(pictures: list[tuple[int, int]]) -> None:
    """Between two pictures of a sender everybody else who waits has one, and so for the cameras of one sender."""
    queue = Queue(LAYOUT)
    table = {number: (f"10.0.0.{sender}", f"camera {camera}") for number, (sender, camera) in enumerate(pictures, 1)}
    for number, (sender, camera) in table.items():
        queue.wait(sent(number, sender, camera))

    order = one_by_one(queue, len(table))

    assert sorted(order) == sorted(table)
    for position, number in enumerate(order):
        waiting = {table[later][0] for later in order[position:]}
        round_of = [table[found][0] for found in order[position : position + len(waiting)]]
        assert set(round_of) == waiting, f"{number} begins a round in which everybody has a turn"


def test_newest_of_a_camera_goes_first() -> None:
    """What happens now goes before what happened a minute ago."""
    queue = Queue(LAYOUT)
    for number in range(1, 6):
        queue.wait(sent(number, "10.0.0.5", "garage"))

    assert one_by_one(queue, 9) == [5, 4, 3, 2, 1]


def test_burst_pushes_its_own_pictures_into_the_backlog() -> None:
    """Of too many live pictures the oldest of who has the most gives way, not the oldest of all."""
    queue = Queue(LAYOUT)
    queue.wait(sent(1, "10.0.0.5"))
    for number in range(2, 500):
        queue.wait(sent(number, "10.0.0.66"))

    assert len(queue.small._live) == LIVE_WAITING
    assert 1 in one_by_one(queue, 2)


def test_sender_of_deadly_pictures_waits_behind_the_others_for_an_hour() -> None:
    """Two processes died of its pictures: its further ones come when nothing else waits, and are never lost."""
    queue = Queue(LAYOUT)
    queue.wake(1000.0)
    for number in (1, 2):
        queue.wait(sent(number, "10.0.0.66", tries=1))
    for number in range(3, 9):
        queue.wait(sent(number, "10.0.0.66"))
    for number in range(9, 12):
        queue.wait(sent(number, "10.0.0.5"))
    queue.small.feed([])

    queue.lend(Lease(LAYOUT.frames[1], 1))  # the one that is reserved
    assert one_by_one(queue, 20) == [11, 10, 9, 8, 7, 6, 5, 4, 3, 1, 2]

    queue.wake(1000.0 + FORGIVEN_S)
    queue.wait(sent(20, "10.0.0.5"))
    queue.wait(sent(21, "10.0.0.66"))
    assert one_by_one(queue, 1) == [20]
    assert one_by_one(queue, 1) == [21]


def test_busy_sender_leaves_the_last_slot_to_others() -> None:
    """A burst does not take all slots: who has none finds one free."""
    queue = Queue(Layout(2, 65_536, COURTEOUS_SLOTS, 65_536, 4096, 1_048_576))
    for slot in range(COURTEOUS_SLOTS):
        queue.lend(Lease(slot + 2, 1))

    taken = [queue.take_slot(sent(number, "10.0.0.66")) for number in range(1, 10)]
    assert len([lease for lease in taken if lease]) == COURTEOUS_SLOTS - 1
    for number in range(4, 10):
        queue.wait(sent(number, "10.0.0.66"))
    assert queue.pick() is None
    assert queue.take_slot(sent(10, "10.0.0.5")) is not None


def test_what_suspects_and_busy_senders_sent_is_examined_in_the_end() -> None:
    """Nobody is left out for good: with slots coming back everything has its turn."""
    queue = Queue(Layout(2, 65_536, COURTEOUS_SLOTS, 65_536, 4096, 1_048_576))
    queue.wake(5.0)
    for number in (1, 2, 3):
        queue.wait(sent(number, "10.0.0.66", tries=1))
    for number in range(4, 40):
        queue.wait(sent(number, f"10.0.0.{65 + number % 2}"))
    for slot in range(COURTEOUS_SLOTS):
        queue.lend(Lease(slot + 2, 1))

    seen = []
    for _ in range(100):
        while pick := queue.pick():
            seen.append(pick.waiting.alert_id)
        queue.small.feed([])
        for alert_id, lease in list(queue.in_flight.items()):
            queue.end(alert_id)
            queue.lend(lease)

    assert sorted(seen) == list(range(1, 40))


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
