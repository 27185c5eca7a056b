"""A decoder whose libraries print, die or hang as a picture's comment asks; all else is the real one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from camalert.decoding import frames
from camalert.decoding import process as decoder
from camalert.ipc.child import Context

PRINTING = b"let it be printed"
DYING = b"let it die"
HANGING = b"let it hang"
HUNG_NAME = b"hanging"  # the process's, once it hangs
LINE = b"[h264 @ 0x55d0c8] error while decoding MB \x1b[31m%d\n"
LINES = 3000  # far more than a pipe takes


def main(context: Context) -> int:
    """Run the decoder."""
    real = frames.decode_into

    def decode_into(encoded: memoryview | bytes, *arguments: Any) -> Any:
        content = bytes(encoded)
        if DYING in content:
            os.kill(os.getpid(), signal.SIGSEGV)
        if HANGING in content:
            Path("/proc/self/comm").write_bytes(HUNG_NAME)
            signal.pause()
        if PRINTING in content:
            for number in range(LINES):
                try:
                    os.write(2, LINE % number)
                except BlockingIOError:
                    break
        return real(encoded, *arguments)

    frames.decode_into = decode_into
    return decoder.main(context)
