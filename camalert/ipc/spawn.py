"""Child processes as their parent has them: start, signal and reap one. What runs inside them is `child`."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

from camalert.config.schema import PREFIX, Config
from camalert.errors import ConfigError
from camalert.ipc import channel, child, needs
from camalert.system import signals
from camalert.system.confinement import without_capabilities

# Spawn alone: OpenCV and OpenVINO do not survive a fork, and a forkserver would be the parent that PDEATHSIG watches.
_SPAWN = multiprocessing.get_context("spawn")
# A new process's orders are written into a pipe that holds 64 KiB, pipe(7), and multiprocessing keeps its reading end
# open: if the process died before it read, the parent would block forever on the rest of larger orders. They are nearly
# all configuration.
CONFIG_BYTES = 56 << 10
ALL_PORTS = (1,)  # any may be bound, also one that needs a capability
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ChildProcess:
    """One running child: its process and the supervisor's end of its channel."""

    def __init__(self, process: BaseProcess, line: channel.ParentChannel) -> None:
        self._process = process
        self.channel = line
        self.is_trusted = True  # until it closes its channel or sends what is no message
        self.has_exited = False  # its process is gone; what it said before is still being read
        self.engine = ""  # the one a detector was started with
        self.pid = process.pid or 0

    @property
    def sentinel(self) -> int:
        """Return a descriptor that becomes readable when the process exits."""
        return self._process.sentinel

    def reap(self) -> int:
        """Reap an exited process; return its exit code, negative for a signal."""
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
    """Start a child, which is told only those secrets of the configuration that it uses.

    Raises: OSError when the system has no process or descriptor left.
    """
    orders = replace(orders, config=needs.told(needs.kind_of(orders.name), orders.config))
    parent_end, child_end = channel.pair()
    try:
        process = _SPAWN.Process(target=child.run, args=(orders, child_end), name=orders.name, daemon=False)
        ports = orders.needs.binds if orders.needs else ALL_PORTS
        # A Ctrl-C, or a closed terminal, concerns us alone.
        with without_capabilities(ports), _without_settings(), signals.held(signal.SIGINT, signal.SIGHUP):
            process.start()
    except OSError:
        parent_end.close()
        raise
    finally:
        # With our copy open, a killed child's channel would never read EOF.
        _close(child_end)
    return ChildProcess(process, parent_end)


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    """Let a new process have no `CAMALERT_SECTION__KEY` in its environment: its configuration is in its orders."""
    held = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and "__" in name}
    for name in held:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(held)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.close()
