"""Descriptors: that the standard ones are there, how many a run needs, whether the system grants them.

Mechanism: at the start, in the first process; children inherit both. Without this a limit that is too low shows itself
as an error anywhere, and log lines end up in whatever took the number of a closed stderr.
"""

from __future__ import annotations

import os
import resource
import sys

from camalert.errors import CamalertError

BASE = 40  # a process has 10 to 20 open (measured); the rest is for what is open for a moment, such as during a start
A_CHILD = 3  # what the supervisor keeps of each: its channel, and both pipes of multiprocessing


def fill() -> None:
    """Put /dev/null in the place of a standard stream that this program was started without (`2>&-`)."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number, which is this one
    # Python has none of its own then; the type checker believes that there always is one.
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def claim(children: int, sockets: int, connections: int) -> None:
    """Raise this process's limit to what a run needs, if it is lower.

    Args:
        children: How many processes are started.
        sockets: How many ports are listened on.
        connections: How many clients may be served at once; fewer do, when the system allows no more.
    Raises: CamalertError when not even the children can be served.
    Source: getrlimit(2), RLIMIT_NOFILE.
    """
    needed = BASE + A_CHILD * children + sockets
    wanted = needed + connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if limit < needed:
        raise CamalertError(
            f"a run with {children} processes needs {needed} open files, and the system allows {limit}: raise "
            "LimitNOFILE in the unit, or `ulimit -n` where camalert is started"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
