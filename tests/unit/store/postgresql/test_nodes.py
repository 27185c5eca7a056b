"""Several nodes on one database: who examines what, and what becomes of it when one dies or is late."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from testing.storerig import JPEG, LAYOUT, Rig
from testing.stores import PostgresqlPlace

from camalert.config.schema import Config, Node
from camalert.ipc.messages import Concluded, Loaded, Outcome, StoreCode
from camalert.store.rows import claims

MakeNode = Callable[..., Rig]


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let claims run out within the test's patience."""
    monkeypatch.setattr(claims, "FRESH_S", 0.5)
    monkeypatch.setattr(claims, "LEASE_S", 3.0)
    monkeypatch.setattr(claims, "EXTEND_EVERY_S", 0.1)
    monkeypatch.setattr("camalert.store.process.LOOK_AGAIN_SHARED_S", 0.05)


@pytest.fixture
def make_node(place: PostgresqlPlace, tmp_path: Path) -> Iterator[MakeNode]:
    """Make nodes of one database."""
    made: list[Rig] = []

    def make(name: str, **settings: Any) -> Rig:
        made.append(Rig(tmp_path, config=replace(Config(), node=Node(name)), url=place.settings.url, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


def loaded_by(rig: Rig, count: int = 1, *beside: Rig, limit_s: float = 20.0) -> list[Loaded]:
    """Let a node turn, and others beside it, until it has loaded so many pictures."""
    deadline = time.monotonic() + limit_s
    found = rig.take(Loaded)
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} were loaded"
        for each in (rig, *beside):
            each.turn()
        time.sleep(0.02)
        found += rig.take(Loaded)
    return found


def test_receiver_examines_and_keeps_its_claim_as_long_as_it_lives(make_node: MakeNode) -> None:
    """An idle node does not take what another one is at, however long that takes."""
    north, south = make_node("north"), make_node("south")
    north.turn(*north.lend(1))
    north.store(JPEG)
    (loaded,) = north.take(Loaded)
    south.turn(*south.lend(3))

    end = time.monotonic() + 4.5
    while time.monotonic() < end:
        north.turn()
        south.turn()
        time.sleep(0.05)
    assert south.take(Loaded) == []

    north.turn(north.conclusion(loaded, Outcome.PERSON))
    assert north.rows("SELECT count(*) FROM camalert_pending") == [(0,)]
    assert north.rows("SELECT count(*) FROM camalert_lease") == [(0,)]


def test_idle_node_takes_what_the_receiver_has_no_slot_for(make_node: MakeNode) -> None:
    """After a moment; and nobody takes the same picture twice."""
    north, south = make_node("north"), make_node("south")
    for _ in range(4):
        assert north.store(JPEG, mail_id=os.urandom(16)).code == StoreCode.STORED
    south.turn(*south.lend(3))
    taken = loaded_by(south, 2)  # the third slot is kept for what comes
    north.turn(*north.lend(3))
    taken += loaded_by(north, 2, south)

    assert len({loaded.alert_id for loaded in taken}) == 4


def test_dead_node_s_pictures_are_examined_by_another_without_a_try_counted(make_node: MakeNode) -> None:
    """And what the dead one says when it was only frozen comes too late and changes nothing."""
    north, south = make_node("north"), make_node("south")
    north.turn(*north.lend(1))
    north.store(JPEG)
    (first,) = north.take(Loaded)
    south.turn(*south.lend(3))

    (second,) = loaded_by(south)

    assert (second.alert_id, second.tries) == (first.alert_id, 0)
    south.turn(south.conclusion(second, Outcome.NOBODY))
    north.turn(north.conclusion(first, Outcome.PERSON))
    assert north.take(Concluded)
    assert north.rows("SELECT outcome FROM camalert_alert") == [("nobody",)]
    assert north.rows("SELECT count(*) FROM alerts_detect") == [(0,)]


def test_node_with_smaller_slots_leaves_large_clips_to_the_others(make_node: MakeNode, place: PostgresqlPlace) -> None:
    """For a day; then it is given up with the reason, as where there is one node alone."""
    north, south = make_node("north"), make_node("south", layout=replace(LAYOUT, largest_bytes=100_000))
    south.turn(*south.lend(large=True))
    assert north.store(bytes(200_000), picture_kind="mp4").code == StoreCode.STORED
    time.sleep(1.0)  # the receiver's own claim is over
    for _ in range(5):
        south.turn()
        time.sleep(0.1)
    assert north.rows("SELECT state FROM camalert_clip") == [("pending",)]

    with place.connected() as other:
        other.execute("UPDATE camalert_mail SET received_utc = received_utc - 86401")

    south.turn_until(lambda: north.rows("SELECT state FROM camalert_clip") == [("failed",)])


def test_node_with_larger_slots_takes_large_clips(make_node: MakeNode) -> None:
    """One whose receiver has no slot for it."""
    north, south = make_node("north"), make_node("south")
    assert north.store(bytes(200_000), picture_kind="mp4").code == StoreCode.STORED
    south.turn(*south.lend(large=True))

    (loaded,) = loaded_by(south)

    assert loaded.is_clip


def test_picture_that_is_concluded_meanwhile_cannot_be_claimed(make_node: MakeNode, place: PostgresqlPlace) -> None:
    """Nothing would ever remove that claim."""
    north = make_node("north")
    north.turn(*north.lend(1))
    north.store(JPEG)
    (loaded,) = north.take(Loaded)
    north.turn(north.conclusion(loaded, Outcome.NOBODY))
    store = place.store()
    store.open()

    assert not store.write(lambda rows: claims.take(rows, loaded.alert_id, "south"))

    assert north.rows("SELECT count(*) FROM camalert_lease") == [(0,)]
    store.close()


def test_nodes_under_random_deaths_conclude_each_picture_once(make_node: MakeNode, place: PostgresqlPlace) -> None:
    """Mails at both, examinations that end or never do, writers that begin anew: nothing is lost or doubled."""
    seed = time.time_ns()
    chance = random.Random(seed)
    nodes = {name: make_node(name) for name in ("north", "south")}
    working: dict[str, list[Loaded]] = {name: [] for name in nodes}
    sent: list[bytes] = []
    for rig in nodes.values():
        rig.turn(*rig.lend(3))
    for step in range(120):
        name = chance.choice(list(nodes))
        rig = nodes[name]
        match chance.choice(("mail", "mail", "conclude", "conclude", "conclude", "turn", "die")):
            case "mail" if step < 80:
                sent.append(JPEG + os.urandom(8))
                assert rig.store(sent[-1], mail_id=os.urandom(16), camera=f"camera {step % 5}").code == StoreCode.STORED
            case "conclude" if working[name]:
                loaded = working[name].pop(chance.randrange(len(working[name])))
                rig.turn(rig.conclusion(loaded, chance.choice((Outcome.PERSON, Outcome.NOBODY))))
            case "die" if chance.random() < 0.3:
                working[name] = []  # its decoders and detectors go with it
                rig.start()
                rig.take(Loaded)
                rig.turn(*rig.lend(3))
            case _:
                rig.turn()
        working[name] += rig.take(Loaded)
    deadline = time.monotonic() + 60
    while nodes["north"].rows("SELECT count(*) FROM camalert_pending") != [(0,)]:
        assert time.monotonic() < deadline, f"pictures stay pending; seed {seed}"
        for name, rig in nodes.items():
            working[name] += rig.take(Loaded)
            for loaded in working[name]:
                rig.turn(rig.conclusion(loaded, Outcome.NOBODY))
            working[name] = []
            rig.turn()
    rows = nodes["north"].rows
    assert rows("SELECT count(*) FROM camalert_lease") == [(0,)], f"seed {seed}"
    assert sorted(picture for (picture,) in rows("SELECT snapshot FROM alerts_alert")) == sorted(sent), f"seed {seed}"
    outcomes = Counter(outcome for (outcome,) in rows("SELECT outcome FROM camalert_alert"))
    assert outcomes["person"] + outcomes["nobody"] == len(sent), f"seed {seed}"
    assert rows("SELECT count(*), count(DISTINCT alert_id) FROM camalert_detect") == [
        (outcomes["person"], outcomes["person"])
    ], f"seed {seed}"
    assert rows("SELECT sum(pictures) FROM camalert_visit") == [(outcomes["person"] or None,)], f"seed {seed}"
