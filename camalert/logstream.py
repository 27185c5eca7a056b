"""The log's stream: lines to stderr where no journal is, without ever waiting long for whoever reads them.

Mechanism: every process, through `logs`. Several processes write to one pipe or terminal, and its reader may stand
still: a program that was stopped, a terminal that somebody halted with Ctrl-S. That costs lines, which are counted, and
never the work.

Asking for room before a write would not do, because another process may take that room in between, and the write would
wait for good. So the pipe is opened anew, for this process alone, as one that refuses instead of waiting. The same
setting on the descriptor that we were given would hold for all who share it, the owner's shell included.

Source: pipe(7), PIPE_BUF and O_NONBLOCK; proc(5), /proc/pid/fd; RWF_NOWAIT in pwritev2(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import time
from collections.abc import Callable

STDERR = 2
PATIENCE_S = 0.5  # with a reader that has fallen behind
PATIENCE_SHARE = 0.02  # of the time is what comes back of it, so that a slow reader does not set the pace either

Put = Callable[[int, bytes], int]


class LogStream:
    """Write lines; what does not find room is lost and counted."""

    def __init__(self, file: int = STDERR) -> None:
        self.lost = 0  # lines since the last one that was written
        self._file, self._put = _open(file)
        self._room = _room(self._file)
        self._is_torn = False  # what was written last has no line end: a terminal or a full disk may take a part
        self._patience_s = PATIENCE_S
        self._waited_at = time.monotonic()

    def write(self, line: str) -> None:
        """Write a line; a pipe takes up to PIPE_BUF bytes, the line's end included, whole or not at all."""
        start = b"\n" if self._is_torn else b""
        rest = entry = b"%b%b\n" % (start, line.encode("utf-8", "backslashreplace"))
        try:
            while rest:
                rest = rest[self._put_some(rest) :]
        except OSError:  # no room, or nobody reads any more (a closed pipe, a full disk); the work goes on
            self.lost += 1
            self._is_torn |= len(rest) < len(entry)
        else:
            self.lost = 0
            self._is_torn = False

    def _put_some(self, content: bytes) -> int:
        """Write as much as there is room for.

        Raises: BlockingIOError when there was none as long as patience lasted.
        """
        while True:
            try:
                return self._put(self._file, content)
            except BlockingIOError:
                if not self._wait():
                    raise

    def _wait(self) -> bool:
        """Wait for room; tell whether to try again."""
        began = time.monotonic()
        self._patience_s = min(PATIENCE_S, self._patience_s + PATIENCE_SHARE * (began - self._waited_at))
        patience_ms = int(self._patience_s * 1000)
        found = self._room.poll(patience_ms) if patience_ms else []
        self._waited_at = time.monotonic()
        self._patience_s = max(0.0, self._patience_s - (self._waited_at - began))
        return bool(found)


def _open(file: int) -> tuple[int, Put]:
    """Return a descriptor that leads where `file` leads, whoever redirects that one later, and what writes to it."""
    try:
        mode = os.fstat(file).st_mode
    except OSError:  # it is closed: each line is lost
        return file, os.write
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with contextlib.suppress(OSError):  # another user's, who lets us write to it all the same
            return os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), os.write
    own = file
    with contextlib.suppress(OSError):  # no descriptor is left
        own = os.dup(file)
    # A file always has room, and its end is where the description that others share with us has it.
    return own, os.write if stat.S_ISREG(mode) else _put_shared


def _put_shared(file: int, content: bytes) -> int:
    """Write to a description that waits, without waiting.

    Raises: BlockingIOError when there is no room.
    """
    try:
        return os.pwritev(file, [content], -1, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    # Older kernels cannot be asked so, and terminals never: here alone somebody else may take the room in between.
    if not _room(file).poll(0):
        raise BlockingIOError
    return os.write(file, content)


def _room(file: int) -> select.poll:
    room = select.poll()
    room.register(file, select.POLLOUT)
    return room
