"""Standard error, captured while a picture is decoded.

libjpeg, libpng and FFmpeg write raw lines to descriptor 2, where the log goes, and do not say which picture they mean.
While a `StderrCapture` is entered that descriptor is a pipe of our own; the stack dump of a process that crashes
meanwhile still goes to the real stderr.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import re
from types import TracebackType

STDERR = 2
PIPE_BYTES = 4096  # asked for, at least a page: a torn clip causes thousands of lines, and the first ones say it all
TEXT_CHARACTERS = 400
_ADDRESS = re.compile(r" @ (0x)?[0-9a-f]+(?=\])")  # "[h264 @ 0x55d0c8]": of the decoder's memory, new each time


class StderrCapture:
    """Capture what is printed inside a `with` block; afterwards `text` holds it, "" when nothing was printed."""

    def __init__(self) -> None:
        self.text = ""
        self._stderr = os.dup(STDERR)
        # When full, it refuses what comes next instead of blocking the library.
        self._source, self._target = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._pipe_bytes = fcntl.fcntl(self._target, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        if faulthandler.is_enabled():
            faulthandler.enable(self._stderr)

    def __enter__(self) -> StderrCapture:
        os.dup2(self._target, STDERR)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.dup2(self._stderr, STDERR)
        try:
            self.text = _in_one_line(os.read(self._source, self._pipe_bytes))
        except BlockingIOError:
            self.text = ""


def _in_one_line(printed: bytes) -> str:
    """Join printed lines, each once and without what differs from run to run."""
    lines = _ADDRESS.sub("", printed.decode("utf-8", "replace")).splitlines()
    text = "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
    return text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]}…"
