"""Complaints: what picture libraries print about a file, caught so that it can be told in our words.

Mechanism, in every process that decodes. libjpeg, libpng and FFmpeg write raw lines to descriptor 2, where the log
goes, and do not say which picture they mean. While a `Complaints` is entered that descriptor is a pipe of our own; the
stacks of a process that dies meanwhile still go to the real stderr.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import re
from types import TracebackType

STDERR = 2
PIPE_BYTES = 4096  # asked for, at least a page: a torn clip causes thousands of lines, and the first ones say it all
WORDS_CHARS = 400
_ADDRESS = re.compile(r" @ (0x)?[0-9a-f]+(?=\])")  # "[h264 @ 0x55d0c8]": of the decoder's memory, new each time


class Complaints:
    """Catch what is printed inside a `with` block; `words` says it afterwards, "" when nothing was."""

    def __init__(self) -> None:
        self.words = ""
        self._stderr = os.dup(STDERR)
        # Full, it refuses what comes next instead of holding the library up.
        self._source, self._target = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._room_bytes = fcntl.fcntl(self._target, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        if faulthandler.is_enabled():
            faulthandler.enable(self._stderr)

    def __enter__(self) -> Complaints:
        os.dup2(self._target, STDERR)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.dup2(self._stderr, STDERR)
        try:
            self.words = in_words(os.read(self._source, self._room_bytes))
        except BlockingIOError:
            self.words = ""


def in_words(printed: bytes) -> str:
    """Return printed lines as one, each once and without what differs from run to run."""
    lines = _ADDRESS.sub("", printed.decode("utf-8", "replace")).splitlines()
    words = "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
    return words if len(words) <= WORDS_CHARS else f"{words[:WORDS_CHARS]}…"
