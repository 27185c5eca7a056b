"""The journal's native protocol: one datagram an entry, each fact a field of its own.

Mechanism: every process, through `logs`. A journal that is away or stuck never holds a process up: what cannot be
sent at once is counted, and the next entry that gets through says how many were lost.

Source: systemd.journal-fields(7); "Native Journal Protocol" of the systemd project; systemd.exec(5), JOURNAL_STREAM.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

SOCKET_PATH = Path("/run/systemd/journal/socket")
FIELD_NAME_CHARS = 64  # journald drops an entry's field with a longer name
_UNFIT = re.compile(r"[^A-Z0-9_]")
# Fields with a meaning of their own in the journal, which a fact of the same name must not take over.
RESERVED = frozenset(
    {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "SYSLOG_PID", "CODE_FILE",
     "CODE_LINE", "CODE_FUNC", "DOCUMENTATION", "ERRNO", "TID", "UNIT", "USER_UNIT", "INVOCATION_ID",
     "COREDUMP_UNIT", "OBJECT_PID"}
)  # fmt: skip


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
