"""The running child processes together: start, wait for, read, write and bury them.

Mechanism: one epoll waits for every channel and every process's end. What a child said is returned, never acted on
here; a child whose channel broke or carries nonsense is listened to no more.

Each message wakes the supervisor with cold caches, so that every object it touches costs; that is why it waits by epoll
itself and not by `selectors`, which builds several for each event.
"""

from __future__ import annotations

import contextlib
import select
import signal
from collections.abc import Callable

from camalert.child import Orders
from camalert.children import ChildProcess, start
from camalert.errors import ChannelClosed, ProtocolError
from camalert.messages import Message

Handle = Callable[[str], None]


class Fleet:
    """Own the processes and the epoll that waits for them.

    `take(name, message)` is called for each message, and raises ProtocolError for what makes no sense to it.
    `on_end(name)` is called when a child's process has ended; it is buried then.
    `on_closed(name)` is called when a child has closed its channel: it is ending, or has to be ended.
    `on_nonsense(name, why)` is called when a child cannot be understood; it has to be ended.
    """

    def __init__(
        self,
        take: Callable[[str, Message], None],
        on_end: Handle,
        on_closed: Handle,
        on_nonsense: Callable[[str, str], None],
    ) -> None:
        self._take = take
        self._on_end = on_end
        self._on_closed = on_closed
        self._on_nonsense = on_nonsense
        self._children: dict[str, ChildProcess] = {}
        self._epoll = select.epoll()
        self._files: dict[int, tuple[Handle, str]] = {}  # what to do with what can be read, and for whom

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
        self.watch(child.channel.fileno(), self._read, orders.name)
        self.watch(child.sentinel, self._end, orders.name)
        return child

    def watch(self, file: int, handle: Handle, name: str = "") -> None:
        """Let `turn` call `handle(name)` when a descriptor can be read."""
        self._files[file] = handle, name
        self._epoll.register(file, select.EPOLLIN)

    def turn(self, timeout_s: float) -> list[tuple[Handle, str]]:
        """Wait for what happens next, at most `timeout_s`; return what has to be called, with whose name.

        All of it is looked up before any of it is called: a descriptor's number may soon be another child's.
        """
        return [self._files[file] for file, _ in self._epoll.poll(max(0.0, timeout_s))]

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
            self._await_room(child, is_awaited=True)
        return True

    def bury(self, name: str) -> tuple[ChildProcess, int]:
        """Read the last messages of an ended child and collect it; return it and its exit code."""
        child = self._children[name]
        self._drain(child, name)
        if child.is_trusted:
            self._forget(child.channel.fileno())
        self._forget(child.sentinel)
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

    def close(self) -> None:
        """Leave no process behind, and wait for nothing any more."""
        for child in self._children.values():
            child.signal(signal.SIGKILL)
            child.reap()
        self._children.clear()
        self._epoll.close()

    def _read(self, name: str) -> None:
        """Take the messages of a child's next datagram; epoll says when there is another."""
        child = self._children.get(name)
        if child is None or not child.is_trusted:
            return
        channel = child.channel
        try:
            if channel.has_outbox:
                self._send_outbox(child)
            for message in channel.receive_datagram():
                self._take(name, message)
                if not child.is_trusted:
                    return
        except ChannelClosed:
            self._leave_alone(child)
            self._on_closed(name)
        except ProtocolError as error:
            self._leave_alone(child)
            self._on_nonsense(name, str(error))

    def _end(self, name: str) -> None:
        if name in self._children:
            self._on_end(name)

    def _drain(self, child: ChildProcess, name: str) -> None:
        """Read a dead child's channel to its end: what it finished counts."""
        while child.is_trusted:
            try:
                message = child.channel.receive()
                if message is None:
                    return
                self._take(name, message)
            except (ChannelClosed, ProtocolError):
                return

    def _leave_alone(self, child: ChildProcess) -> None:
        """Listen to a child no more; saying so twice is no mistake, one message may go wrong in two ways."""
        if child.is_trusted:
            child.is_trusted = False
            self._forget(child.channel.fileno())

    def _forget(self, file: int) -> None:
        del self._files[file]
        self._epoll.unregister(file)

    def _send_outbox(self, child: ChildProcess) -> None:
        with contextlib.suppress(ChannelClosed):  # what it said before it went is still to be read
            child.channel.flush()
        if not child.channel.has_outbox:
            self._await_room(child, is_awaited=False)

    def _await_room(self, child: ChildProcess, *, is_awaited: bool) -> None:
        """Be woken by room in a child's channel exactly while something waits to be sent."""
        self._epoll.modify(child.channel.fileno(), select.EPOLLIN | (select.EPOLLOUT if is_awaited else 0))
