"""systemd's end of the notification socket, for a service under test."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path


class NotifySocket:
    """Collect what a service tells systemd."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self._lines: list[str] = []

    def lines(self) -> list[str]:
        """Return every line so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._lines += self._socket.recv(65_536).decode().splitlines()
        return self._lines

    def statuses(self) -> list[str]:
        """Return the words of STATUS so far."""
        return [line.partition("=")[2] for line in self.lines() if line.startswith("STATUS=")]

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        self.path.unlink()


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[NotifySocket]:
    """Listen as systemd for the length of a `with` block."""
    made = NotifySocket(folder / "notify")
    try:
        yield made
    finally:
        made.close()
