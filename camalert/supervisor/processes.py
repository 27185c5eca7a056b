"""The running child processes: start, wait for, read, write and reap them.

One epoll waits for every channel and every process's exit. A child whose channel broke or sent a malformed
message is no longer read.

Each message wakes the supervisor with cold caches, so that every object it touches costs; that is why it waits by epoll
directly and not by `selectors`, which builds several for each event.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass

from camalert.config.schema import Config
from camalert.errors import ChannelClosed, ProtocolError
from camalert.ipc import needs
from camalert.ipc.child import Orders
from camalert.ipc.messages import Message
from camalert.ipc.spawn import ChildProcess, start
from camalert.supervisor.lifecycle import ChildSpec, Role
from camalert.supervisor.plan import SMTP, Plan
from camalert.system.ports import Listener

# When memory runs out the kernel kills the processes that hold hostile or heavy pictures before intake and writer.
OOM_SCORES = {Role.DECODER: 800, Role.DETECTOR: 500, Role.OPTIONAL: 300}

Handle = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What the children of one run share."""

    config: Config
    plan: Plan
    pool_name: str
    listeners: tuple[Listener, ...]

    def orders_for(self, spec: ChildSpec, engine: str) -> Orders:
        """Return what a child is started with; `engine` is for detectors."""
        has_pool = spec.role is not Role.OPTIONAL
        return Orders(
            name=spec.name,
            target=spec.target,
            config=self.config,
            parent_pid=os.getpid(),
            pool_name=self.pool_name if has_pool else "",
            layout=self.plan.layout if has_pool else None,
            listeners=self.listeners if spec.name == SMTP else (),
            engine=engine if spec.role is Role.DETECTOR else "",
            oom_score_adj=OOM_SCORES.get(spec.role, 0),
            address_space_bytes=self.config.decode.memory_bytes if spec.role is Role.DECODER else 0,
            needs=needs.of(needs.kind_of(spec.name), self.config),
        )


class Processes:
    """Own the processes and the epoll that waits for them.

    Args:
        on_message: Called with each message; raises ProtocolError for one that makes no sense.
        on_exit: Called when a child's process has exited; it is reaped then.
        on_channel_closed: Called when a child has closed its channel: it is exiting, or has to be ended.
        on_nonsense: Called with the reason when a child sends a malformed message; it has to be ended.

    Attributes:
        children: The processes by name.
    """

    def __init__(
        self,
        on_message: Callable[[str, Message], None],
        on_exit: Handle,
        on_channel_closed: Handle,
        on_nonsense: Callable[[str, str], None],
    ) -> None:
        self._on_message = on_message
        self._on_exit = on_exit
        self._on_channel_closed = on_channel_closed
        self._on_nonsense = on_nonsense
        self.children: dict[str, ChildProcess] = {}
        self._epoll = select.epoll()
        self._files: dict[int, tuple[Handle, str]] = {}  # what to call when it can be read, and for which child

    def start(self, orders: Orders) -> ChildProcess:
        """Start a child and wait for it from now on.

        Raises: OSError when the system has no memory, process or descriptor left for it.
        """
        child = start(orders)
        child.engine = orders.engine
        self.children[orders.name] = child
        self.watch(child.channel.fileno(), self._read, orders.name)
        self.watch(child.sentinel, self._exit, orders.name)
        return child

    def watch(self, file: int, handle: Handle, name: str = "") -> None:
        """Let `wait` return a call of `handle(name)` when a descriptor can be read."""
        self._files[file] = handle, name
        self._epoll.register(file, select.EPOLLIN)

    def unwatch(self, file: int) -> None:
        """Wait for a watched descriptor no more; it is closed afterwards, not before."""
        del self._files[file]
        self._epoll.unregister(file)

    def wait(self, timeout_s: float) -> list[tuple[Handle, str]]:
        """Wait for what happens next, at most `timeout_s`; return what has to be called, with whose name.

        All of it is looked up before any of it is called: a descriptor's number may soon be another child's.
        """
        return [self._files[file] for file, _ in self._epoll.poll(max(0.0, timeout_s))]

    def send(self, name: str, message: Message) -> bool:
        """Send to a child; return False when it is gone, or no longer trusted.

        What it said before it went is still read.
        """
        child = self.children.get(name)
        if child is None or not child.is_trusted:
            return False
        try:
            child.channel.send(message)
        except ChannelClosed:
            return False
        except ProtocolError as error:
            self._distrust(child)
            self._on_nonsense(name, str(error))
            return False
        if child.channel.has_outbox:
            self._await_space(child, is_waiting=True)
        return True

    def reap(self, name: str) -> tuple[ChildProcess, int]:
        """Read the last messages of a child that exited and collect it; return it and its exit code."""
        child = self.children[name]
        child.has_exited = True
        self._drain(child, name)
        if child.is_trusted:
            self.unwatch(child.channel.fileno())
        self.unwatch(child.sentinel)
        del self.children[name]
        return child, child.reap()

    def has_exited(self, name: str) -> bool:
        """Tell whether a child's process is gone while its last messages are read: they get no answer."""
        child = self.children.get(name)
        return child is not None and child.has_exited

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a child, if it is there."""
        if name in self.children:
            self.children[name].signal(number)

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {name: child.pid for name, child in self.children.items()}

    def close(self) -> None:
        """Kill and reap every process."""
        for child in self.children.values():
            child.signal(signal.SIGKILL)
            child.reap()
        self.children.clear()
        self._epoll.close()

    def _read(self, name: str) -> None:
        """Take the messages of a child's next datagram; epoll says when there is another."""
        child = self.children.get(name)
        if child is None or not child.is_trusted:
            return
        channel = child.channel
        try:
            if channel.has_outbox:
                self._send_outbox(child)
            for message in channel.receive_datagram():
                self._on_message(name, message)
                if not child.is_trusted:
                    return
        except ChannelClosed:
            self._distrust(child)
            self._on_channel_closed(name)
        except ProtocolError as error:
            self._distrust(child)
            self._on_nonsense(name, str(error))

    def _exit(self, name: str) -> None:
        if name in self.children:
            self._on_exit(name)

    def _drain(self, child: ChildProcess, name: str) -> None:
        """Read a dead child's channel to its end: what it finished counts."""
        while child.is_trusted:
            try:
                message = child.channel.receive()
                if message is None:
                    return
                self._on_message(name, message)
            except (ChannelClosed, ProtocolError):
                return

    def _distrust(self, child: ChildProcess) -> None:
        """Stop reading a child's channel; calling it twice is fine, one message may go wrong in two ways."""
        if child.is_trusted:
            child.is_trusted = False
            self.unwatch(child.channel.fileno())

    def _send_outbox(self, child: ChildProcess) -> None:
        with contextlib.suppress(ChannelClosed):  # what it said before it went is still to be read
            child.channel.flush()
        if not child.channel.has_outbox:
            self._await_space(child, is_waiting=False)

    def _await_space(self, child: ChildProcess, *, is_waiting: bool) -> None:
        """Wake up for free space in a child's channel only while something waits to be sent."""
        self._epoll.modify(child.channel.fileno(), select.EPOLLIN | (select.EPOLLOUT if is_waiting else 0))
