"""The running child processes together: start, wait for, read, write and bury them.

Mechanism: one selector waits for every channel and every process's end. What a child said is returned, never acted on
here; a child whose channel broke or carries nonsense is listened to no more.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
from collections.abc import Callable

from camalert.child import Orders
from camalert.children import ChildProcess, start
from camalert.errors import ChannelClosed, ProtocolError
from camalert.messages import Message

Take = Callable[[str, Message], None]
MESSAGES_A_TURN = 1  # from one child: the selector says when there is another, which costs less than asking in vain


class Fleet:
    """Own the processes and the selector that waits for them.

    `on_closed(name)` is called when a child has closed its channel: it is ending, or has to be ended.
    `on_nonsense(name, why)` is called when a child cannot be understood; it has to be ended.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_closed: Callable[[str], None],
        on_nonsense: Callable[[str, str], None],
    ) -> None:
        self._selector = selector
        self._on_closed = on_closed
        self._on_nonsense = on_nonsense
        self._children: dict[str, ChildProcess] = {}

    def __contains__(self, name: str) -> bool:
        """Tell whether a child's process exists."""
        return name in self._children

    def start(self, orders: Orders) -> ChildProcess:
        """Start a child and wait for it from now on.

        Raises: OSError when the system has no room for it.
        """
        child = start(orders)
        child.engine = orders.engine
        self._children[orders.name] = child
        self._selector.register(child.channel, selectors.EVENT_READ, ("channel", orders.name))
        self._selector.register(child.sentinel, selectors.EVENT_READ, ("end", orders.name))
        return child

    def send(self, name: str, message: Message) -> bool:
        """Send to a child; return False when it is gone, or is not talked to any more.

        What it said before it went is still read.
        """
        child = self._children.get(name)
        if child is None or not child.is_trusted:
            return False
        try:
            child.channel.send(message)
        except ChannelClosed:
            return False
        except ProtocolError as error:
            self._leave_alone(child)
            self._on_nonsense(name, str(error))
            return False
        if child.channel.has_outbox:
            self._watch(child, name)
        return True

    def read(self, name: str, take: Take, limit: int = MESSAGES_A_TURN) -> None:
        """Give a child's waiting messages to `take`, which raises ProtocolError for what makes no sense to it."""
        child = self._children.get(name)
        if child is None or not child.is_trusted:
            return
        try:
            with contextlib.suppress(ChannelClosed):
                child.channel.flush()
            for _ in range(limit):
                message = child.channel.receive()
                if message is None:
                    break
                take(name, message)
            self._watch(child, name)
        except ChannelClosed:
            self._leave_alone(child)
            self._on_closed(name)
        except ProtocolError as error:
            self._leave_alone(child)
            self._on_nonsense(name, str(error))

    def bury(self, name: str, take: Take) -> tuple[ChildProcess, int]:
        """Read the last messages of an ended child and collect it; return it and its exit code."""
        child = self._children[name]
        self._drain(child, name, take)
        if child.is_trusted:
            self._selector.unregister(child.channel)
        self._selector.unregister(child.sentinel)
        del self._children[name]
        return child, child.reap()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a child, if it is there."""
        if name in self._children:
            self._children[name].signal(number)

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {name: child.pid for name, child in self._children.items()}

    def memory_bytes(self, name: str) -> int:
        """Return what a child has for itself alone."""
        return self._children[name].memory_bytes()

    def kill_all(self) -> None:
        """Leave no process behind."""
        for child in self._children.values():
            child.signal(signal.SIGKILL)
            child.reap()
        self._children.clear()

    def _drain(self, child: ChildProcess, name: str, take: Take) -> None:
        """Read a dead child's channel to its end: what it finished counts."""
        while child.is_trusted:
            try:
                message = child.channel.receive()
                if message is None:
                    return
                take(name, message)
            except (ChannelClosed, ProtocolError):
                return

    def _leave_alone(self, child: ChildProcess) -> None:
        child.is_trusted = False
        self._selector.unregister(child.channel)

    def _watch(self, child: ChildProcess, name: str) -> None:
        """Wait for room in a child's channel exactly while something waits to be sent."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.channel.has_outbox else 0)
        if child.is_trusted and self._selector.get_key(child.channel).events != events:
            self._selector.modify(child.channel, events, ("channel", name))
