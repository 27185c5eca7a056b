"""The fleet's one wait over channels and ends, with children that are only their descriptors."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from camalert import channel, fleet
from camalert.channel import Channel
from camalert.child import Orders
from camalert.config import Config
from camalert.errors import ProtocolError
from camalert.fleet import Fleet
from camalert.messages import Message, Noted, Ping, Pong, Ready


class Child:
    """The supervisor's side of a child, and in `far` the child's own end."""

    def __init__(self, orders: Orders) -> None:
        self.name = orders.name
        self.channel, sock = channel.pair()
        self.far = Channel(sock)
        self.sentinel, self._life = os.pipe()
        self.is_trusted = True
        self.engine = ""
        self.pid = 1

    def die(self) -> None:
        """Let the kernel tell of its end."""
        self.far.close()
        os.close(self._life)

    def signal(self, _number: int) -> None:
        """Take any signal for the last one."""
        self.die()

    def reap(self) -> int:
        """Return its exit code."""
        os.close(self.sentinel)
        self.channel.close()
        return 7


class Watched:
    """A fleet, and what it told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.fleet = Fleet(self.take, lambda name: self.told.append(f"{name} ended"), self.close, self.doubt)

    def start(self, name: str) -> Child:
        found: object = self.fleet.start(Orders(name, "", Config(), 1))
        assert isinstance(found, Child)
        return found

    def take(self, name: str, message: Message) -> None:
        if isinstance(message, Ready):
            raise ProtocolError("ready twice")
        self.told.append((name, message))

    def close(self, name: str) -> None:
        self.told.append(f"{name} closed")

    def doubt(self, name: str, why: str) -> None:
        self.told.append(f"{name}: {why}")

    def turn(self) -> list[object]:
        """Do what is to be done now; return what was told."""
        self.told.clear()
        for handle, name in self.fleet.turn(0.0):
            handle(name)
        return list(self.told)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(fleet, "start", Child)
    found = Watched()
    yield found
    found.fleet.close()


def test_fleet_takes_all_messages_of_a_datagram_and_only_those(watched: Watched) -> None:
    """A chatty child keeps nobody else waiting: one datagram of each in a turn."""
    one, two = watched.start("one"), watched.start("two")
    one.far.send(Pong(1), Pong(2))
    one.far.send(Pong(3))
    two.far.send(Pong(4))

    assert sorted(map(str, watched.turn())) == sorted(map(str, [("one", Pong(1)), ("one", Pong(2)), ("two", Pong(4))]))
    assert watched.turn() == [("one", Pong(3))]
    assert watched.turn() == []


def test_fleet_listens_no_more_to_a_child_that_makes_no_sense(watched: Watched) -> None:
    """What it says after the nonsense is not believed either, and it is told of once."""
    child = watched.start("one")
    child.far.send(Pong(1), Ready(1), Pong(2))
    child.far.send(Pong(3))

    assert watched.turn() == [("one", Pong(1)), "one: ready twice"]
    assert watched.turn() == []
    assert not watched.fleet.send("one", Ping(1))


def test_fleet_survives_a_message_that_goes_wrong_in_two_ways(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer finds the child's outbox full, and the message itself makes no sense."""
    monkeypatch.setattr(channel, "OUTBOX_MESSAGES", 0)
    child = watched.start("one")

    def answer_and_refuse(name: str, _message: Message) -> None:
        while watched.fleet.send(name, Noted(b" " * 900)):
            pass
        raise ProtocolError("nonsense")

    monkeypatch.setattr(watched.fleet, "_take", answer_and_refuse)
    child.far.send(Pong(1))

    assert watched.turn() == ["one: it left 0 messages unread", "one: nonsense"]
    assert watched.turn() == []


def test_fleet_keeps_what_a_child_does_not_read_and_is_woken_for_it_only(watched: Watched) -> None:
    """Room in the channel wakes the loop while something waits to be sent, and at no other time."""
    child = watched.start("one")
    sent = 1000
    for _ in range(sent):
        assert watched.fleet.send("one", Noted(b" " * 900))
    assert watched.fleet.turn(0.0) == []

    received = 0
    while received < sent:
        received += len(list(iter(child.far.receive, None)))
        watched.turn()

    assert watched.fleet.turn(0.0) == []


def test_fleet_reads_the_last_words_of_a_dead_child(watched: Watched) -> None:
    """What it finished counts, and a successor of the same name starts with nothing of it."""
    child = watched.start("one")
    child.far.send(Pong(1), Pong(2))
    child.die()

    told = watched.turn()
    assert "one ended" in told
    watched.told.clear()
    _, code = watched.fleet.bury("one")
    assert code == 7
    assert [found for found in (*told, *watched.told) if isinstance(found, tuple)] == [
        ("one", Pong(1)),
        ("one", Pong(2)),
    ]
    assert "one" not in watched.fleet

    watched.start("one").far.send(Pong(3))
    assert watched.turn() == [("one", Pong(3))]


def test_fleet_tells_of_a_closed_channel_once(watched: Watched) -> None:
    """The process may live on, which is the supervisor's to decide."""
    child = watched.start("one")
    child.far._socket.shutdown(socket.SHUT_RDWR)

    assert watched.turn() == ["one closed"]
    assert watched.turn() == []
