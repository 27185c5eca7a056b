"""Child processes as the supervisor sees them: start one, hear its end, signal it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

from camalert import channel, child
from camalert.config import Config
from camalert.errors import ConfigError

# Spawn alone: OpenCV and OpenVINO do not survive a fork, and a forkserver would be the parent that PDEATHSIG watches.
_SPAWN = multiprocessing.get_context("spawn")
# A new process's orders are written into a pipe that holds 64 KiB, pipe(7), and multiprocessing keeps its reading end
# open: if the process died before it read, the rest of larger orders would be waited for for ever. The configuration
# is nearly all of them.
CONFIG_BYTES = 56 << 10
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ChildProcess:
    """One running child: its process and the supervisor's end of its channel."""

    def __init__(self, process: BaseProcess, line: channel.ParentChannel) -> None:
        self._process = process
        self.channel = line
        self.is_trusted = True  # until it closes its channel or sends what is no message
        self.engine = ""  # the one a detector was started with
        self.pid = process.pid or 0

    @property
    def sentinel(self) -> int:
        """Return a descriptor that becomes readable when the process ends."""
        return self._process.sentinel

    def reap(self) -> int:
        """Collect an ended process; return its exit code, negative for a signal."""
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        self.channel.close()
        return 0 if code is None else code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a stopped process is let go on, so that it can write its stacks."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            if number is signal.SIGABRT:
                os.kill(self.pid, signal.SIGCONT)

    def memory_bytes(self) -> int:
        """Return the memory that the process has for itself alone: resident less shared, see proc(5) statm."""
        try:
            _, resident, shared, *_ = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return 0
        return (int(resident) - int(shared)) * PAGE_BYTES


def check_size(config: Config, origin: str) -> None:
    """Refuse a configuration that a new process cannot be handed at once.

    Raises: ConfigError that says what makes it large.
    """
    size_bytes = len(ForkingPickler.dumps(config))
    if size_bytes > CONFIG_BYTES:
        raise ConfigError(
            f"{origin}: camera makes the configuration too large for a process to be started with it: {size_bytes} "
            f"bytes with {len(config.camera)} [[camera]], at most {CONFIG_BYTES} (about 350 with a pattern and an area "
            "each): leave out those that only repeat the defaults, or share the cameras out to two services"
        )


def start(orders: child.Orders) -> ChildProcess:
    """Start a child.

    Raises: OSError when the system has no room for another process or descriptor.
    """
    parent_end, child_end = channel.pair()
    try:
        process = _SPAWN.Process(target=child.run, args=(orders, child_end), name=orders.name, daemon=False)
        with _signals_blocked():
            process.start()
    except OSError:
        parent_end.close()
        raise
    finally:
        # With our copy open, a killed child's channel would never read EOF.
        _close(child_end)
    return ChildProcess(process, parent_end)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Hold SIGINT back while a child starts: it inherits the mask, and must not get a Ctrl-C before it ignores it."""
    held = (signal.SIGINT,)
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.close()
