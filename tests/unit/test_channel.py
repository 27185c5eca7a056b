"""A channel between two ends of one process: borders, EOF, bounded outbox, nonsense."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from camalert import channel
from camalert.channel import Channel, ParentChannel
from camalert.errors import ChannelClosed, ProtocolError
from camalert.messages import Noted, Ping, Pong


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

    with pytest.raises(ChannelClosed, match="unread"):
        send_for_ever()


def test_channel_garbage_is_a_protocol_error(ends: tuple[ParentChannel, Channel]) -> None:
    """Nonsense is never taken for a message."""
    parent, child = ends
    raw = socket.socket(fileno=socket.dup(child.fileno()))
    raw.send(b"\xff garbage")
    raw.close()

    with pytest.raises(ProtocolError):
        parent.receive()
