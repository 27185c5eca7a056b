"""A writer on a disk that fails: mails and verdicts, through a real writer, with one call of it failing.

Run by `diskmatrix.py` under `LD_PRELOAD` of `diskfaults.c`. It reads cells as JSON lines and does each in a process of
its own, forked when everything is imported. What the camera reads is marked in the log, in its place among the calls.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from pathlib import Path

from camalert.errors import StoreLost
from camalert.ipc.messages import Loaded, Outcome, StoreCode
from testing.storerig import Rig

MAILS = 6
CHECKPOINT_AFTER = (2, 4)  # mails
TRIES = 5  # of a camera with one mail
KILLED = 100  # and the number of the mail to go on with: an exit code


def picture(number: int) -> bytes:
    """Return the picture of a mail, of a few pages of the database."""
    return b"\xff\xd8" + number.to_bytes(2, "big") * 5000 + b"\xff\xd9"


def main() -> None:
    """Do one cell after the other."""
    library = ctypes.CDLL(None)
    for line in sys.stdin:
        cell = json.loads(line)
        begin = 0
        is_faulty = True
        while True:
            pid = os.fork()
            if pid == 0:
                _in_child(library, cell, begin, is_faulty=is_faulty)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if code < KILLED:
                break
            begin, is_faulty = code - KILLED, False
        sys.stdout.write(json.dumps({"code": code}) + "\n")
        sys.stdout.flush()


def _in_child(library: ctypes.CDLL, cell: dict[str, object], begin: int, *, is_faulty: bool) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the writer's log; our own answer comes from above
    try:
        code = _work(library, cell, begin, is_faulty=is_faulty)
    except BaseException:  # noqa: BLE001 - the process ends here, and its parent hears of it
        traceback.print_exc()
        code = 1
    os._exit(code)


def _work(library: ctypes.CDLL, cell: dict[str, object], begin: int, *, is_faulty: bool) -> int:
    folder = Path(str(cell["folder"]))
    library.disk_watch(os.fsencode(folder), os.fsencode(str(cell["log"])))
    call, nth, error, is_short, ending = (cell[name] for name in ("call", "nth", "error", "is_short", "ending"))
    if is_faulty and cell["at_start"]:
        library.disk_fault(call, nth, error, is_short, os.fsencode(str(ending)))
    rig = Rig(folder, journal=cell["journal"])
    try:
        rig.turn(*rig.lend(2))
        if is_faulty and not cell["at_start"]:
            library.disk_fault(call, nth, error, is_short, os.fsencode(str(ending)))
        for number in range(begin, MAILS):
            _deliver(library, rig, number)
            for loaded in rig.take(Loaded):
                rig.turn(rig.conclusion(loaded, Outcome.PERSON if number % 2 else Outcome.NOBODY))
            if number in CHECKPOINT_AFTER:
                rig.writer._store.checkpoint.is_due = lambda *_, **__: True
                rig.writer._upkeep.maintain(0.0, is_idle=True)
                del rig.writer._store.checkpoint.is_due
            if is_faulty and cell["is_killed"] and library.disk_has_failed():
                return KILLED + number  # with the mail that it may have had a 250 for: a camera that lost it asks again
        library.disk_mark(f"calls {library.disk_count(call)}".encode())
    finally:
        rig.pool.close()
        rig.pool.unlink()
    return 0


def _deliver(library: ctypes.CDLL, rig: Rig, number: int) -> None:
    """Send a mail as a camera does: again, the same bytes, while it reads 451 or 452."""
    for _ in range(TRIES):
        try:
            code = rig.store(picture(number), digest=f"mail {number}", mail_id=os.urandom(16)).code
        except StoreLost:
            rig.abandon()
            rig.start()
            rig.turn(*rig.lend(2))
            continue
        if code in (StoreCode.STORED, StoreCode.REPEATED):
            library.disk_mark(f"250 {number}".encode())
            return
    library.disk_mark(f"given up {number}".encode())


if __name__ == "__main__":
    main()
