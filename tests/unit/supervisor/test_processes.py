"""The one wait over channels and exits, with children that are only their descriptors."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from testing.childdouble import Child

from camalert.config.schema import Config
from camalert.errors import ProtocolError
from camalert.ipc import channel
from camalert.ipc.child import Orders
from camalert.ipc.messages import Message, Noted, Ping, Pong, Ready
from camalert.supervisor import processes
from camalert.supervisor.processes import Processes


class Watched:
    """Processes, and what they told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.processes = Processes(self.take, lambda name: self.told.append(f"{name} ended"), self.close, self.doubt)

    def start(self, name: str) -> Child:
        found: object = self.processes.start(Orders(name, "", Config(), 1))
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
        for handle, name in self.processes.wait(0.0):
            handle(name)
        return list(self.told)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(processes, "start", Child)
    found = Watched()
    yield found
    found.processes.close()


def test_processes_takes_all_messages_of_a_datagram_and_only_those(watched: Watched) -> None:
    """A chatty child keeps nobody else waiting: one datagram of each in a turn."""
    one, two = watched.start("one"), watched.start("two")
    one.far.send(Pong(1), Pong(2))
    one.far.send(Pong(3))
    two.far.send(Pong(4))

    assert sorted(map(str, watched.turn())) == sorted(map(str, [("one", Pong(1)), ("one", Pong(2)), ("two", Pong(4))]))
    assert watched.turn() == [("one", Pong(3))]
    assert watched.turn() == []


def test_processes_listens_no_more_to_a_child_that_makes_no_sense(watched: Watched) -> None:
    """What it says after the nonsense is not believed either, and it is told of once."""
    child = watched.start("one")
    child.far.send(Pong(1), Ready(1), Pong(2))
    child.far.send(Pong(3))

    assert watched.turn() == [("one", Pong(1)), "one: ready twice"]
    assert watched.turn() == []
    assert not watched.processes.send("one", Ping(1))


def test_processes_survives_a_message_that_goes_wrong_in_two_ways(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer finds the child's outbox full, and the message itself makes no sense."""
    monkeypatch.setattr(channel, "OUTBOX_MESSAGES", 0)
    child = watched.start("one")

    def answer_and_refuse(name: str, _message: Message) -> None:
        while watched.processes.send(name, Noted(b" " * 900)):
            pass
        raise ProtocolError("nonsense")

    monkeypatch.setattr(watched.processes, "_on_message", answer_and_refuse)
    child.far.send(Pong(1))

    assert watched.turn() == ["one: it left 0 messages unread", "one: nonsense"]
    assert watched.turn() == []


def test_processes_keeps_what_a_child_does_not_read_and_is_woken_for_it_only(watched: Watched) -> None:
    """Free space in the channel wakes the loop while something waits to be sent, and at no other time."""
    child = watched.start("one")
    sent = 1000
    for _ in range(sent):
        assert watched.processes.send("one", Noted(b" " * 900))
    assert watched.processes.wait(0.0) == []

    received = 0
    while received < sent:
        received += len(list(iter(child.far.receive, None)))
        watched.turn()

    assert watched.processes.wait(0.0) == []


def test_processes_reads_the_last_messages_of_a_dead_child(watched: Watched) -> None:
    """What it finished counts, and a successor of the same name starts with nothing of it."""
    child = watched.start("one")
    child.far.send(Pong(1), Pong(2))
    child.die()

    told = watched.turn()
    assert "one ended" in told
    watched.told.clear()
    _, code = watched.processes.reap("one")
    assert code == 7
    assert [found for found in (*told, *watched.told) if isinstance(found, tuple)] == [
        ("one", Pong(1)),
        ("one", Pong(2)),
    ]
    assert "one" not in watched.processes.children

    watched.start("one").far.send(Pong(3))
    assert watched.turn() == [("one", Pong(3))]


def test_processes_tells_of_a_closed_channel_once(watched: Watched) -> None:
    """The process may live on, which is the supervisor's to decide."""
    child = watched.start("one")
    child.far._socket.shutdown(socket.SHUT_RDWR)

    assert watched.turn() == ["one closed"]
    assert watched.turn() == []
