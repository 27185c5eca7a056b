"""Where log lines go: the journal by its native protocol, else stderr, without ever waiting long for a reader.

What cannot be written in time is counted, and the next line that gets through says how many were lost.

The journal takes one datagram an entry, each fact a field of its own.

Several processes write to one pipe or terminal, and its reader may stand still: a program that was stopped, a terminal
that somebody halted with Ctrl-S. Asking for space before a write would not do, because another process may take that
space in between, and the write would block for good. So the pipe is opened anew, for this process alone, as one that
refuses instead of blocking. The same setting on the descriptor that we were given would hold for all who share it, the
owner's shell included.

Source: systemd.journal-fields(7); "Native Journal Protocol" of the systemd project; systemd.exec(5), JOURNAL_STREAM;
pipe(7), PIPE_BUF and O_NONBLOCK; proc(5), /proc/pid/fd; RWF_NOWAIT in pwritev2(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import socket
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SOCKET_PATH = Path("/run/systemd/journal/socket")
FIELD_NAME_CHARS = 64  # journald drops an entry's field with a longer name
_UNFIT = re.compile(r"[^A-Z0-9_]")
# Fields with a meaning of their own in the journal, which a fact of the same name must not replace.
RESERVED = frozenset(
    {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "SYSLOG_PID", "CODE_FILE",
     "CODE_LINE", "CODE_FUNC", "DOCUMENTATION", "ERRNO", "TID", "UNIT", "USER_UNIT", "INVOCATION_ID",
     "COREDUMP_UNIT", "OBJECT_PID"}
)  # fmt: skip
STDERR = 2
PATIENCE_S = 0.5  # the most to wait for a reader that has fallen behind
PATIENCE_SHARE = 0.02  # of the time it grows again, so that a slow reader does not set the pace either

Put = Callable[[int, bytes], int]


def is_journal(file: int, stream: str) -> bool:
    """Tell whether a file descriptor is the stream that systemd connected to the journal.

    Args:
        file: Usually 2.
        stream: The environment's JOURNAL_STREAM, `device:inode`. It is inherited by processes whose stderr leads
            elsewhere, which is why the numbers are compared.
    """
    device, colon, inode = stream.partition(":")
    if not colon:
        return False
    try:
        found = os.fstat(file)
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


def field_name(key: str) -> str:
    """Make a journal field's name from the name of a fact."""
    name = _UNFIT.sub("_", key.upper()).lstrip("_0123456789")[:FIELD_NAME_CHARS]
    if not name or name in RESERVED:
        name = f"CAMALERT_{name}"[:FIELD_NAME_CHARS]
    return name


def encode(fields: Mapping[str, str]) -> bytes:
    """Encode an entry; a value with line ends is framed by its length instead."""
    parts: list[bytes] = []
    for name, value in fields.items():
        content = value.encode("utf-8", "backslashreplace")
        if b"\n" in content:
            parts += (name.encode(), b"\n", len(content).to_bytes(8, "little"), content, b"\n")
        else:
            parts += (name.encode(), b"=", content, b"\n")
    return b"".join(parts)


class Journal:
    """Send entries to the journal without ever waiting for it."""

    def __init__(self, path: Path = SOCKET_PATH) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._lost = 0

    def send(self, fields: Mapping[str, str]) -> None:
        """Send an entry; when the journal does not take it now, it is lost and counted."""
        entry = encode({**fields, "LINES_LOST": str(self._lost)} if self._lost else fields)
        try:
            # Unconnected on purpose: the path leads to the next journald too after it was restarted.
            self._socket.sendto(entry, self._path)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class LogStream:
    """Write lines; what the reader leaves no space for is lost and counted."""

    def __init__(self, file: int = STDERR) -> None:
        self.lost = 0  # lines since the last one that was written
        self._file, self._put = _open(file)
        self._space = _space(self._file)
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
        except OSError:  # no space, or no reader (a closed pipe, a full disk); the work goes on
            self.lost += 1
            self._is_torn |= len(rest) < len(entry)
        else:
            self.lost = 0
            self._is_torn = False

    def _put_some(self, content: bytes) -> int:
        """Write as much as there is space for.

        Raises: BlockingIOError when there was none as long as patience lasted.
        """
        while True:
            try:
                return self._put(self._file, content)
            except BlockingIOError:
                if not self._wait():
                    raise

    def _wait(self) -> bool:
        """Wait for space; tell whether to try again."""
        began = time.monotonic()
        self._patience_s = min(PATIENCE_S, self._patience_s + PATIENCE_SHARE * (began - self._waited_at))
        patience_ms = int(self._patience_s * 1000)
        found = self._space.poll(patience_ms) if patience_ms else []
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
        with contextlib.suppress(OSError):  # another user's, which may still be written to
            return os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), os.write
    own = file
    with contextlib.suppress(OSError):  # no descriptor is left
        own = os.dup(file)
    # A file always has space, and its position is shared with the others that write to it.
    return own, os.write if stat.S_ISREG(mode) else _put_shared


def _put_shared(file: int, content: bytes) -> int:
    """Write to a description that waits, without waiting.

    Raises: BlockingIOError when there is no space.
    """
    try:
        return os.pwritev(file, [content], -1, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    # Older kernels and terminals do not support it: here alone another process may take the space in between.
    if not _space(file).poll(0):
        raise BlockingIOError
    return os.write(file, content)


def _space(file: int) -> select.poll:
    space = select.poll()
    space.register(file, select.POLLOUT)
    return space
