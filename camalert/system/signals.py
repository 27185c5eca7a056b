"""The signals that the supervisor obeys, as a descriptor to wait on like any other.

A signal only wakes the loop, which then reads its number; handlers that act can deadlock.
Source: docs.python.org/3/library/signal.html, `set_wakeup_fd`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator

AT_ONCE = 64  # signals read together; more are read in the next turn
OBEYED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Catch SIGTERM, SIGINT and SIGHUP from now on, those that came while they were blocked included."""

    def __init__(self) -> None:
        self._has_terminal = os.isatty(0)
        self._wakeup, self._signalled_end = socket.socketpair()
        self._wakeup.setblocking(False)
        self._signalled_end.setblocking(False)
        signal.set_wakeup_fd(self._signalled_end.fileno(), warn_on_full_buffer=False)
        for number in OBEYED:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OBEYED)  # a reload blocks them until here

    def fileno(self) -> int:
        """Return the descriptor that can be read when a signal came."""
        return self._wakeup.fileno()

    def take(self) -> list[signal.Signals]:
        """Return the signals that came, in their order.

        With a terminal, SIGHUP says that its window was closed; it then reads as SIGTERM.
        """
        try:
            numbers = self._wakeup.recv(AT_ONCE)
        except BlockingIOError:
            return []
        found = [signal.Signals(number) for number in numbers if number in OBEYED]
        return [signal.SIGTERM if number is signal.SIGHUP and self._has_terminal else number for number in found]

    def close(self) -> None:
        """Catch no more."""
        signal.set_wakeup_fd(-1)
        self._wakeup.close()
        self._signalled_end.close()


@contextlib.contextmanager
def held(*numbers: signal.Signals) -> Iterator[None]:
    """Block signals while a process is started: it inherits the mask, and must not end before it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
