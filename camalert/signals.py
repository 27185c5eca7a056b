"""The signals that the supervisor obeys, as something to wait for like any other descriptor.

Mechanism. A signal only wakes the loop, which then reads its number; handlers that act are where others deadlocked.
Source: docs.python.org/3/library/signal.html, `set_wakeup_fd`.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

AT_ONCE = 64  # signals read together; more are read in the next turn


class Signals:
    """Catch SIGTERM, SIGINT and SIGHUP from now on.

    `stop(name)` is called for those that end the service, `reload()` for SIGHUP; with a terminal, SIGHUP says that its
    window was closed.
    """

    def __init__(self, stop: Callable[[str], None], reload: Callable[[], None]) -> None:
        self._stop = stop
        self._reload = reload
        self._has_terminal = os.isatty(0)
        self._wakeup, self._signalled_end = socket.socketpair()
        self._wakeup.setblocking(False)
        self._signalled_end.setblocking(False)
        signal.set_wakeup_fd(self._signalled_end.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def fileno(self) -> int:
        """Return the descriptor that can be read when a signal came."""
        return self._wakeup.fileno()

    def obey(self, _: str = "") -> None:
        """Do what the signals that came ask for."""
        for number in self._wakeup.recv(AT_ONCE):
            if number == signal.SIGHUP and not self._has_terminal:
                self._reload()
            elif number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._stop(signal.Signals(number).name)

    def close(self) -> None:
        """Catch no more."""
        signal.set_wakeup_fd(-1)
        self._wakeup.close()
        self._signalled_end.close()
