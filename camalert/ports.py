"""The listening sockets: the supervisor binds them, so that a dead smtp process loses no connection.

Connections made while no smtp process runs wait in the backlog and are served by the next one.
"""

from __future__ import annotations

import errno
import socket

from camalert.config import Listen
from camalert.errors import CamalertError

BACKLOG = 256  # a burst of alarms from every camera of a large site, while smtp restarts


def bind(listen: Listen) -> socket.socket:
    """Bind and listen on one address; an empty host means every address, IPv4 and IPv6.

    Raises: CamalertError that says what is in the way.
    """
    try:
        return _bind(listen)
    except OSError as error:
        raise CamalertError(f"cannot listen on {_words(listen)}: {_advice(error, listen.port)}") from error


def _bind(listen: Listen) -> socket.socket:
    if not listen.host:
        try:
            return _listen(socket.AF_INET6, ("::", listen.port), is_dual_stack=True)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _listen(socket.AF_INET, ("0.0.0.0", listen.port))  # noqa: S104 - asked for: every address
    found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return _listen(family, address)


def _listen(family: socket.AddressFamily, address: tuple[object, ...], *, is_dual_stack: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_dual_stack:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _words(listen: Listen) -> str:
    return f"port {listen.port}" + (f" of {listen.host}" if listen.host else "")


def _advice(error: OSError, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"another program uses it (ss -ltnp 'sport = :{port}'): stop it or change [[smtp.listen]] port"
        case errno.EACCES | errno.EPERM:
            return "ports below 1024 need root or CAP_NET_BIND_SERVICE; use the systemd unit or a port such as 1025"
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address; leave [[smtp.listen]] host empty to use all of them"
        case _:
            return error.strerror or str(error)
