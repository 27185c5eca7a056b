"""A child without a process: its descriptors are real, its life is the test's."""

from __future__ import annotations

import os

from camalert.ipc import channel
from camalert.ipc.channel import Channel
from camalert.ipc.child import Orders


class Child:
    """The supervisor's side of a child, and in `far` the child's own end; `code` is how it will have ended."""

    code = 7

    def __init__(self, orders: Orders) -> None:
        self.name = orders.name
        self.channel, sock = channel.pair()
        self.far = Channel(sock)
        self.sentinel, self._life = os.pipe()
        self.is_trusted = True
        self.has_exited = False
        self.engine = orders.engine
        self.pid = 1

    def die(self) -> None:
        """Let the kernel tell of its end."""
        self.far.close()
        os.close(self._life)

    def memory_bytes(self) -> int:
        """Return what it has for itself alone."""
        return 0

    def signal(self, _number: int) -> None:
        """Take any signal for the last one."""
        self.die()

    def reap(self) -> int:
        """Return its exit code."""
        os.close(self.sentinel)
        self.channel.close()
        return self.code
