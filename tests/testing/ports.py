"""Ports that nobody else takes before the test does."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

# Below the range that the kernel takes for connections and for port 0 (/proc/sys/net/ipv4/ip_local_port_range).
_RANGE = range(20_000, 32_000)
_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a port that nobody listens on and that no other test process on this machine is given.

    A port that was bound once and closed may be gone a moment later: to a connection, or to a test beside this one. The
    claim is an abstract Unix socket of this process, which the kernel gives up when the process exits.
    """
    for port in _ports:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0camalert-test-port-{port}")
            with socket.socket() as sock:
                sock.bind(("", port))
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return port
    raise OSError("no free port is left for tests")


def _numbers() -> Iterator[int]:
    start = os.getpid() * 37 % len(_RANGE)
    return itertools.chain(_RANGE[start:], _RANGE[:start])


_ports = _numbers()
