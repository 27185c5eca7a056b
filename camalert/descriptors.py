"""Descriptors: how many files and sockets a run needs, and whether the system grants them.

Mechanism: the supervisor at its start; children inherit the limit. Without this a limit that is too low shows itself as
an error anywhere.
"""

from __future__ import annotations

import resource

from camalert.errors import CamalertError

BASE = 40  # a process has 10 to 20 open (measured); the rest is for what is open for a moment, such as during a start
A_CHILD = 3  # what the supervisor keeps of each: its channel, and both pipes of multiprocessing


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
