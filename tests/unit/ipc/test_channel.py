"""A channel between two ends of one process: borders, EOF, bounded outbox, nonsense."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from camalert.errors import ChannelClosed, ProtocolError
from camalert.ipc import channel
from camalert.ipc.channel import Channel, ParentChannel
from camalert.ipc.messages import Noted, Ping, Pong


@pytest.fixture
def ends() -> Iterator[tuple[ParentChannel, Channel]]:
    parent, sock = channel.pair()
    child = Channel(sock)
    yield parent, child
    parent.close()
    child.close()


def test_channel_messages_keep_their_order_and_borders(ends: tuple[ParentChannel, Channel]) -> None:
    """What is sent in pieces is received in the same pieces."""
    parent, child = ends

    for number in range(5):
        parent.send(Ping(number))

    assert [child.receive() for _ in range(6)] == [*(Ping(number) for number in range(5)), None]


def test_channel_closed_by_the_other_end_is_read_to_its_end_first(ends: tuple[ParentChannel, Channel]) -> None:
    """What a child sent before it died is not lost."""
    parent, child = ends
    child.send(Pong(1))

    child.close()

    assert parent.receive() == Pong(1)
    with pytest.raises(ChannelClosed):
        parent.receive()


def test_channel_end_that_left_messages_unread_is_read_to_its_end_too(ends: tuple[ParentChannel, Channel]) -> None:
    """A child that dies with a job unread has said its last words all the same; its job is known as untouched."""
    parent, child = ends
    parent.send(Ping(7))
    child.send(Pong(1))
    child.send(Pong(2))

    child.close()

    assert [parent.receive(), parent.receive()] == [Pong(1), Pong(2)]
    assert parent.is_unread
    with pytest.raises(ChannelClosed):
        parent.receive()


def test_channel_send_finds_the_unread_messages_as_well(ends: tuple[ParentChannel, Channel]) -> None:
    """Whoever meets the kernel's word first takes note of it."""
    parent, child = ends
    parent.send(Ping(7))
    child.send(Pong(1))
    child.close()

    with pytest.raises(ChannelClosed):
        parent.send(Ping(8))

    assert parent.is_unread
    assert parent.receive() == Pong(1)


def test_channel_end_that_read_everything_left_nothing_unread(ends: tuple[ParentChannel, Channel]) -> None:
    """A worker that had taken its job is the one who knows what became of it."""
    parent, child = ends
    parent.send(Ping(7))
    assert child.receive() == Ping(7)

    child.close()

    with pytest.raises(ChannelClosed):
        parent.receive()
    assert not parent.is_unread


def test_channel_send_to_a_closed_end_is_told(ends: tuple[ParentChannel, Channel]) -> None:
    """Nobody talks to the dead without knowing."""
    parent, child = ends
    parent.close()

    with pytest.raises(ChannelClosed):
        child.send(Pong(1))


def test_channel_parent_never_blocks_and_keeps_what_does_not_fit(ends: tuple[ParentChannel, Channel]) -> None:
    """A child that does not read cannot stop the supervisor, and loses nothing when it reads again."""
    parent, child = ends
    sent = 2000

    for number in range(sent):
        parent.send(Noted(b"%d" % number + b" " * 900))
    assert parent.has_outbox

    received = 0
    while received < sent:
        while (message := child.receive()) is not None:
            assert isinstance(message, Noted)
            assert int(message.text) == received
            received += 1
        parent.flush()
    assert not parent.has_outbox


def test_channel_outbox_is_bounded(ends: tuple[ParentChannel, Channel], monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that never reads is told apart before memory is."""
    parent, _ = ends
    monkeypatch.setattr(channel, "OUTBOX_MESSAGES", 10)

    def send_for_ever() -> None:
        for _ in range(5000):
            parent.send(Ping(1))

    with pytest.raises(ProtocolError, match="unread"):
        send_for_ever()


def test_channel_garbage_is_a_protocol_error(ends: tuple[ParentChannel, Channel]) -> None:
    """Nonsense is never taken for a message."""
    parent, child = ends
    raw = socket.socket(fileno=socket.dup(child.fileno()))
    raw.send(b"\xff garbage")
    raw.close()

    with pytest.raises(ProtocolError):
        parent.receive()


def test_channel_posted_message_leaves_with_the_next_that_is_sent(ends: tuple[ParentChannel, Channel]) -> None:
    """What is in no hurry costs the reader no wake-up of its own, and keeps its place."""
    parent, child = ends

    assert child.post(Noted(b"1"))
    assert not child.post(Noted(b"2"))
    assert parent.receive() is None
    child.send(Pong(3))

    assert parent.receive_datagram() == [Noted(b"1"), Noted(b"2"), Pong(3)]
    assert parent.receive_datagram() == []


def test_channel_posted_message_leaves_in_time_without_another(
    ends: tuple[ParentChannel, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that waits does not sit on what it has to say."""
    monkeypatch.setattr(channel, "POST_S", 0.01)
    parent, child = ends
    child.post(Pong(1))

    assert not child.wait(0.05)

    assert parent.receive() == Pong(1)
    assert parent.receive() is None


def test_channel_posted_messages_are_bounded(ends: tuple[ParentChannel, Channel]) -> None:
    """A child that only posts sends all the same."""
    parent, child = ends

    for number in range(channel.POST_MESSAGES):
        child.post(Pong(number))

    assert parent.receive() == Pong(0)


def test_channel_rest_of_a_datagram_needs_no_wait(ends: tuple[ParentChannel, Channel]) -> None:
    """The descriptor is silent about messages that were read together with another."""
    parent, child = ends
    child.send(Pong(1), Pong(2))
    parent.receive()

    assert parent.wait(60.0)

    assert parent.receive() == Pong(2)


def test_channel_posted_message_leaves_in_time_from_a_child_that_never_waits(
    ends: tuple[ParentChannel, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer with much upkeep only looks whether something came."""
    monkeypatch.setattr(channel, "POST_S", 0.0)
    parent, child = ends
    child.post(Pong(1))

    assert not child.wait(0.0)

    assert parent.receive() == Pong(1)
