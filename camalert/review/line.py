"""What the site says to the supervisor, from whichever of its threads.

A datagram is sent whole, so a thread that answers a browser may send one beside the main thread's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from camalert.errors import ChannelClosed
from camalert.ipc.messages import Message

_send: Callable[[Message], None] | None = None


def connect(send: Callable[[Message], None]) -> None:
    """Name what sends a message to the supervisor."""
    global _send  # noqa: PLW0603 - one supervisor a process
    _send = send


def say(message: Message) -> bool:
    """Send a message; return whether there is a supervisor."""
    if _send is None:
        return False
    with contextlib.suppress(ChannelClosed):  # it is going, and this process with it
        _send(message)
    return True
