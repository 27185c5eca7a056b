"""The one way into every child process: the prologue, then the child's own `main(context)`.

Children are started with spawn; their target is text, so that the supervisor imports nothing of what it starts.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from camalert import logs
from camalert.channel import Channel
from camalert.config import Config
from camalert.errors import CamalertError, ChannelClosed, ConfigError, Exit, PoolError, ProtocolError
from camalert.pool import Pool
from camalert.slots import Layout

PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the supervisor hands to a child at its start.

    `oom_score_adj` (0 to 1000) makes the kernel choose this process first when memory runs out; `address_space_bytes`
    (0: no limit) bounds what a hostile picture can make it ask for beside its libraries and the pool.
    """

    name: str
    target: str  # "package.module:function"
    config: Config
    parent_pid: int
    pool_name: str = ""
    layout: Layout | None = None
    listeners: tuple[socket.socket, ...] = ()
    engine: str = ""
    oom_score_adj: int = 0
    address_space_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What a child's `main` works with."""

    name: str
    config: Config
    channel: Channel
    segment: Pool | None = None
    listeners: tuple[socket.socket, ...] = ()
    engine: str = ""

    @property
    def pool(self) -> Pool:
        """Return the pool.

        Raises: PoolError in a child that was given none.
        """
        if self.segment is None:
            raise PoolError(f"{self.name} has no pool")
        return self.segment


def run(orders: Orders, channel_socket: socket.socket) -> None:
    """Run a child to its end; never returns.

    The process leaves by `os._exit`: destructors of native libraries have been seen to crash at exit, and nothing of
    ours waits for one.
    """
    try:
        code = _run(orders, channel_socket)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _run(orders: Orders, channel_socket: socket.socket) -> int:
    faulthandler.enable()  # a hung child gets SIGABRT and writes its stacks, in C, wherever it hangs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))  # blocked by the supervisor until here
    _die_with(orders.parent_pid)
    logs.configure(orders.config.log, orders.name)
    channel = Channel(channel_socket)
    channel.wake_on_sigterm()
    code = _work(orders, channel)
    with contextlib.suppress(ChannelClosed):
        channel.flush()
    return code


def _work(orders: Orders, channel: Channel) -> int:
    """Run a child's own `main`; return the exit code for how it ended."""
    log = structlog.get_logger()
    try:
        _volunteer(orders)
        # Each library would otherwise start a thread per core in each process, with address space for each.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # OpenCV's own log would go past ours; its errors are raised all the same.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
        gc.disable()  # an import makes no garbage worth looking for; looking takes a tenth of its time
        module, _, function = orders.target.partition(":")
        main = getattr(importlib.import_module(module), function)
        pool = Pool.attach(orders.pool_name, orders.layout) if orders.layout else None
        _limit(orders.address_space_bytes)
        gc.freeze()  # what the imports left is never garbage: collections need not walk it
        gc.enable()
        return int(main(Context(orders.name, orders.config, channel, pool, orders.listeners, orders.engine)))
    except ChannelClosed:
        return Exit.OK  # the supervisor is gone: nobody is left to work for
    except ConfigError as error:
        log.error("child_misconfigured", child=orders.name, error=str(error))
        return Exit.CONFIG
    except ProtocolError as error:
        log.error("child_lost_trust", child=orders.name, error=str(error))
        return Exit.PROTOCOL
    except CamalertError as error:
        log.error("child_failed", child=orders.name, error=str(error))
        return Exit.UNAVAILABLE
    except MemoryError:
        log.error("child_out_of_memory", child=orders.name)
        return Exit.CRASH
    except Exception:  # the outermost call of the process: its end is told with the traceback, in the log's form
        log.exception("child_crashed", child=orders.name)
        return Exit.CRASH


def _die_with(parent_pid: int) -> None:
    """Ask the kernel to end this process when the supervisor ends, however it ends.

    Source: PR_SET_PDEATHSIG in prctl(2); the check afterwards covers a parent that died before the call.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(Exit.OK)


def _volunteer(orders: Orders) -> None:
    """Stand in front of the others when the kernel has to end somebody for memory."""
    if orders.oom_score_adj:
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write(str(orders.oom_score_adj))
        except OSError:  # a container may forbid it; the kernel then chooses by size alone
            structlog.get_logger().debug("oom_score_not_set", child=orders.name)


def _limit(more_bytes: int) -> None:
    """Bound what this process may ask for from now on; what it has by now differs between machines and libraries.

    Source: proc(5) statm, whose first number is the address space in pages.
    """
    if more_bytes:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit_bytes = pages * os.sysconf("SC_PAGE_SIZE") + more_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
