"""What a store says and does when something goes wrong; after each of it the next mail is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from testing.stores import Node, Place

from camalert.errors import StoreBusy, StoreFull, StoreRefused
from camalert.ipc.messages import Outcome, StoreCode

PICTURE = b"\xff\xd8" + bytes(200_000) + b"\xff\xd9"


class Interrupted(Exception):
    """Something above the store went wrong."""


def test_what_work_raises_rolls_everything_back(node: Node) -> None:
    """And goes on to the caller as it is."""

    def fail(rows: object) -> None:
        rows.execute("INSERT INTO camalert_meta VALUES ('x', 'y')")  # type: ignore[attr-defined]
        raise Interrupted

    with pytest.raises(Interrupted):
        node.store.write(fail)

    assert node.rows("SELECT count(*) FROM camalert_meta WHERE name = 'x'") == [(0,)]
    assert node.mail(PICTURE).code is StoreCode.STORED


def test_refused_row_concerns_its_own_mail(node: Node, place: Place) -> None:
    """A trigger of somebody else's, a constraint: the others are stored, and it is said that this may pass."""
    with place.refusing():
        with pytest.raises(StoreRefused) as found:
            node.mail(PICTURE, subject="refused")
        assert node.mail(PICTURE).code is StoreCode.STORED
    assert node.store.is_passing(found.value)
    assert node.mail(PICTURE, subject="refused").code is StoreCode.STORED


def test_lock_of_another_program_is_busy_after_the_wait(make_node: Callable[..., Node], place: Place) -> None:
    """Nothing is written; when the lock is gone the same mail is stored once."""
    node = make_node(busy_seconds=0.2)
    alert_id = node.mail(PICTURE).first_id
    with place.locked(), pytest.raises(StoreBusy):
        node.mail(PICTURE, mail_id=b"n" * 16)

    assert node.mail(PICTURE, mail_id=b"n" * 16).code is StoreCode.STORED
    assert node.rows("SELECT count(*) FROM alerts_alert") == [(2,)]
    assert node.conclude(alert_id, Outcome.NOBODY).is_written


def test_no_space_or_no_right_to_write_is_full(node: Node, place: Place) -> None:
    """452 for the camera, and all goes on when it is over."""
    kept = node.mail(PICTURE)
    with place.full(node.store):
        with pytest.raises(StoreFull):
            node.mail(PICTURE, PICTURE, mail_id=b"f" * 16)
        assert node.rows("SELECT count(*) FROM alerts_alert") == [(1,)]

    assert node.mail(PICTURE, mail_id=b"f" * 16).code is StoreCode.STORED
    assert node.conclude(kept.first_id, Outcome.PERSON).is_written


def test_commit_is_passed_on_before_it_is_answered_for(node: Node, make_node: Callable[..., Node]) -> None:
    """Others see the rows when `on_commit` is called."""
    other, seen = make_node(), []
    node.store.write(
        lambda rows: rows.execute("INSERT INTO camalert_meta VALUES ('x', 'y')").rowcount,
        on_commit=lambda count: seen.append((count, other.rows("SELECT count(*) FROM camalert_meta WHERE name = 'x'"))),
    )

    assert seen == [(1, [(1,)])]


def test_two_nodes_that_open_an_empty_database_at_once_make_it_once(place: Place) -> None:
    """Both find all tables, and neither fails."""
    stores = [place.store() for _ in range(4)]
    faults: list[BaseException] = []
    gate = threading.Barrier(len(stores))

    def open_one(index: int) -> None:
        gate.wait()
        try:
            stores[index] = place.store()
            stores[index].open()
            Node(stores[index]).mail(PICTURE)
            stores[index].close()
        except BaseException as error:  # noqa: BLE001 - told to the test
            faults.append(error)

    threads = [threading.Thread(target=open_one, args=(index,)) for index in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    store = place.store()
    store.open()
    assert Node(store).rows("SELECT count(*) FROM alerts_alert") == [(4,)]
    store.close()
