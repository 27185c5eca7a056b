"""A reader of mails that dies, hangs or lies as a mail asks; all else is the real one."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from camalert.errors import Exit
from camalert.intake.mail import reader
from camalert.intake.smtp import process as smtp_process
from camalert.intake.smtp.readers import parent
from camalert.intake.smtp.readers import process as reader_process
from camalert.ipc.child import Context

DYING = b"let it die"
DYING_ONCE = b"let it end once"
COMPUTING = b"let it compute for ever"
WAITING = b"let it wait for ever"
SLOW = b"let it be slow"
LYING = b"let it lie"
GREEDY = b"let it keep memory"
KEPT_BYTES = 160 << 20

_kept: list[bytearray] = []


def smtp(context: Context) -> Exit:
    """Run the smtp process with such readers."""
    parent.TARGET = f"{__name__}:main"
    return smtp_process.main(context)


def main(context: Context) -> Exit:
    """Run the reader."""
    real_read, real_words = reader.read, reader_process.ReadingRecord.encode
    lies = [False]

    def read(mail: bytes, *arguments: Any) -> Any:
        if DYING_ONCE in mail:
            try:
                os.mkdir(mail.partition(b"folder:")[2].split()[0])
            except FileExistsError:
                return real_read(mail, *arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        if DYING in mail:
            os.kill(os.getpid(), signal.SIGKILL)
        while COMPUTING in mail:
            pass
        if WAITING in mail:
            signal.pause()
        if SLOW in mail:
            until = time.process_time() + 0.3
            while time.process_time() < until:
                pass
        if GREEDY in mail:
            _kept.append(bytearray(os.urandom(4096) * (KEPT_BYTES // 4096)))
        lies[0] = LYING in mail
        return real_read(mail, *arguments)

    def encode(words: Any, *limit: int) -> bytes:
        return b"[] not a reading" if lies[0] else real_words(words, *limit)

    reader.read = read
    reader_process.ReadingRecord.encode = encode  # type: ignore[method-assign, assignment]
    return reader_process.main(context)
