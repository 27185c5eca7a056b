"""A folder process that crashes or hangs in a file as the file's text asks; all else is the real one."""

from __future__ import annotations

import os
import signal
from typing import Any

from camalert.errors import Exit
from camalert.intake.folder import process, rules
from camalert.ipc.child import Context

DYING = b"let it die"
HANGING = b"let it hang"


def main(context: Context) -> Exit:
    """Run the folder process."""
    real = rules.record_of

    def record_of(*, text: bytes, **arguments: Any) -> Any:
        if DYING in text:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGING in text:
            signal.pause()
        return real(text=text, **arguments)

    rules.record_of = record_of
    return process.main(context)
