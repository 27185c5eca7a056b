"""The entry point of every child process: the prologue, then the child's own `main(context)`.

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
from dataclasses import dataclass, replace
from pathlib import Path

from camalert.config.schema import Config
from camalert.errors import CamalertError, ChannelClosed, ConfigError, Exit, PoolError, ProtocolError
from camalert.ipc.channel import Channel
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Noted
from camalert.ipc.pool import SHM_DIR, Pool
from camalert.ipc.records import NoteRecord
from camalert.system import logs
from camalert.system.confinement import Confinement, Needs
from camalert.system.logs import log
from camalert.system.ports import Listener

PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the supervisor hands to a child at its start.

    `oom_score_adj` (0 to 1000) makes the kernel kill this process first when memory runs out; `address_space_bytes`
    (0: no limit) bounds what a hostile picture can make it allocate beside its libraries and the pool.
    """

    name: str
    target: str  # "package.module:function"
    config: Config
    parent_pid: int
    pool_name: str = ""
    layout: Layout | None = None
    listeners: tuple[Listener, ...] = ()
    engine: str = ""
    oom_score_adj: int = 0
    address_space_bytes: int = 0
    needs: Needs | None = None  # None: it keeps all rights of the service


@dataclass(frozen=True, slots=True)
class Context:
    """What a child's `main` works with."""

    name: str
    config: Config
    channel: Channel
    segment: Pool | None = None
    listeners: tuple[Listener, ...] = ()
    engine: str = ""
    needs: Needs | None = None

    def confine(self) -> Confinement | None:
        """Give up, for good, what this child does not need; None when it keeps everything.

        Each child calls it once, when its libraries are loaded and its ports are bound, before threads start and before
        it touches anything that a stranger made.
        """
        if self.needs is None:
            return None
        needs = self.needs
        if needs.starts and self.segment is not None:  # those that it starts attach to it
            needs = replace(needs, updates=(*needs.updates, str(SHM_DIR / self.segment.name)))
        made = Confinement(needs)
        for failure in made.failures:
            log.warning("confinement_failed", child=self.name, message=failure)
        return made

    @property
    def pool(self) -> Pool:
        """Return the pool.

        Raises: PoolError in a child that was given none.
        """
        if self.segment is None:
            raise PoolError(f"{self.name} has no pool")
        return self.segment


def run(orders: Orders, channel_socket: socket.socket) -> None:
    """Run a child until it exits; never returns.

    The process leaves by `os._exit`: destructors of native libraries have been seen to crash at exit, and nothing of
    ours needs one.
    """
    try:
        code = _run(orders, channel_socket)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _run(orders: Orders, channel_socket: socket.socket) -> int:
    faulthandler.enable()  # a hung child gets SIGABRT and writes its stacks, in C, wherever it hangs
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C and a closed terminal reach all; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGHUP))  # blocked by the supervisor until here
    _die_with(orders.parent_pid)
    logs.configure(orders.config.log, orders.name)
    channel = Channel(channel_socket)
    channel.wake_on_sigterm()
    code = _work(orders, channel)
    with contextlib.suppress(ChannelClosed):
        channel.flush()
    return code


def _work(orders: Orders, channel: Channel) -> int:
    try:
        _raise_oom_score(orders)
        # Each library would otherwise start a thread per core in each process, with address space for each.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # OpenCV's own log would bypass ours; its errors are raised anyway.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
        if orders.needs and orders.needs.writes:  # before SQLite is loaded, which looks for its temporary folder then
            os.environ["SQLITE_TMPDIR"] = os.environ["TMPDIR"] = orders.needs.writes[0]
        gc.disable()  # an import makes no garbage worth looking for; looking takes a tenth of its time
        module, _, function = orders.target.partition(":")
        main = getattr(importlib.import_module(module), function)
        pool = Pool.attach(orders.pool_name, orders.layout) if orders.layout else None
        _limit(orders.address_space_bytes)
        gc.freeze()  # what the imports left is never garbage: collections need not walk it
        gc.enable()
        context = Context(
            orders.name, orders.config, channel, pool, orders.listeners, orders.engine, orders.needs
        )  # fmt: skip
        return int(main(context))
    except ChannelClosed:
        return Exit.OK  # the supervisor is gone: nobody is left to work for
    except ConfigError as error:
        log.error("child_misconfigured", child=orders.name, message=str(error))
        with contextlib.suppress(ChannelClosed):  # the supervisor repeats it as the reason why the service stops
            channel.send(Noted(NoteRecord("child_misconfigured", "error", message=str(error)).encode()))
        return Exit.CONFIG
    except ProtocolError as error:
        log.error("child_protocol_error", child=orders.name, message=str(error))
        return Exit.PROTOCOL
    except PoolError as error:
        log.error("child_failed", child=orders.name, message=str(error))
        return Exit.CANNOT_START
    except CamalertError as error:
        log.error("child_failed", child=orders.name, message=str(error))
        return Exit.UNAVAILABLE
    except MemoryError:
        log.error("child_out_of_memory", child=orders.name)
        return Exit.CANNOT_START
    except Exception:  # the outermost call of the process: the traceback goes into the log, in its form
        log.exception("child_crashed", child=orders.name)
        return Exit.CRASH


def _die_with(parent_pid: int) -> None:
    """Ask the kernel to kill this process when the supervisor exits, however it exits.

    Source: PR_SET_PDEATHSIG in prctl(2); the check afterwards covers a parent that died before the call.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(Exit.OK)


def _raise_oom_score(orders: Orders) -> None:
    """Make the OOM killer prefer this process."""
    if orders.oom_score_adj:
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write(str(orders.oom_score_adj))
        except OSError:  # a container may forbid it; the kernel then chooses by size alone
            log.debug("oom_score_not_set", child=orders.name)


def _limit(more_bytes: int) -> None:
    """Bound what this process may allocate from now on; what it has by now differs between machines and libraries.

    Source: proc(5) statm, whose first number is the address space in pages.
    """
    if more_bytes:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit_bytes = pages * os.sysconf("SC_PAGE_SIZE") + more_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
