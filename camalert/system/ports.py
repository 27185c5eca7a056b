"""The listening sockets: the supervisor binds them, so that a dead smtp process loses no connection.

Connections made while no smtp process runs wait in the backlog and are served by the next one. A new configuration
keeps the sockets of the addresses that it still names, so none of their connections is refused either. With
`camalert.socket` systemd keeps the ports open while the service restarts.

Source: sd_listen_fds(3).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from camalert.config.schema import Listen
from camalert.errors import CamalertError, ConfigError

BACKLOG = 256  # a burst of alarms from every camera of a large site, while smtp restarts
FIRST_PASSED_FILE = 3  # SD_LISTEN_FDS_START


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, and the address that it was opened for (port 0: a free one was taken).

    Attributes:
        host: As it was configured; of one that systemd opened (`is_passed`) the address that it has.
        rules: Its block of the current configuration.
    """

    socket: socket.socket
    host: str
    port: int
    is_passed: bool = False
    rules: Listen = field(default=Listen(), compare=False)


def take_passed(environment: MutableMapping[str, str] = os.environ) -> list[Listener]:
    """Take over the listening sockets that systemd passed to this process, [] when there are none.

    The variables are removed, so that no child believes that they are meant for it.

    Raises: ConfigError when something that is not a listening TCP socket was passed.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return [_adopt(file) for file in range(FIRST_PASSED_FILE, FIRST_PASSED_FILE + int(count))]


def _adopt(file: int) -> Listener:
    os.set_inheritable(file, False)
    try:
        found = socket.socket(fileno=file)
    except OSError as error:
        raise ConfigError(f"systemd passed file descriptor {file}, which is no socket: {error.strerror}") from error
    is_tcp = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
    if not is_tcp or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ConfigError("camalert.socket may only hold ListenStream= with a port; see systemd.socket(5)")
    found.setblocking(False)
    host, port, *_ = found.getsockname()
    return Listener(found, host, port, is_passed=True)


def _passed_for(address: Listen, listen: Sequence[Listen], have: Iterable[Listener]) -> list[Listener]:
    """Return the sockets of systemd that are meant by an address: of IPv4 and IPv6, they may come separately.

    An address that is alone with its port is known by that, whatever its host.
    """
    passed = [listener for listener in have if listener.is_passed and listener.port == address.port]
    if not passed or sum(other.port == address.port for other in listen) == 1:
        return passed
    hosts = _numbers(address)
    return [listener for listener in passed if listener.host in hosts]


def _numbers(listen: Listen) -> set[str]:
    """Return the numeric addresses of a configured host, none of a name that is not known."""
    if not listen.host:
        return {"::", "0.0.0.0"}  # noqa: S104 - nothing is bound by it
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(address[0]) for *_, address in found}


def open_all(listen: Sequence[Listen], have: Iterable[Listener]) -> tuple[Listener, ...]:
    """Return a listener for each address, in their order: those that are there already, the others newly bound.

    Args:
        listen: The configured addresses.
        have: What is open now; those that are not returned are the caller's to close.
    Raises: ConfigError when systemd listens on a port that is not configured: mails would wait there forever.
        CamalertError when an address is not available; nothing new is left open.
    """
    left = list(have)
    passed = {address: _passed_for(address, listen, left) for address in listen}
    for listener in left:
        if listener.is_passed and not any(listener in those for those in passed.values()):
            raise ConfigError(_unnamed(listener, listen))
    found: list[Listener] = []
    with contextlib.ExitStack() as opened:
        for address in listen:
            # Several addresses may have port 0, each a socket of its own.
            own = [listener for listener in left if not listener.is_passed]
            there = [listener for listener in passed[address] if listener in left]
            there = there or [other for other in own if (other.host, other.port) == (address.host, address.port)][:1]
            for listener in there:
                left.remove(listener)
            if not there:
                sock = opened.enter_context(contextlib.closing(_bind_beside(address, left)))
                there = [Listener(sock, address.host, address.port)]
            found += (replace(listener, rules=address) for listener in there)
        opened.pop_all()
    return tuple(found)


def _unnamed(passed: Listener, listen: Sequence[Listen]) -> str:
    """Say that systemd listens where no address of the configuration does."""
    if any(address.port == passed.port for address in listen):
        hosts = " and ".join(address.host or "every address" for address in listen if address.port == passed.port)
        where, named = f"port {passed.port} of {passed.host}", f"that port of {hosts}"
    else:
        where, named = f"port {passed.port}", ", ".join(str(address.port) for address in listen) or "none"
    return (
        f"camalert.socket listens on {where}, but [[smtp.listen]] names {named}: "
        "make both alike (systemctl edit camalert.socket)"
    )


def _bind_beside(address: Listen, have: Iterable[Listener]) -> socket.socket:
    """Bind, also where our own socket holds the port for another host; that one takes connections until it is closed.

    Source: socket(7), SO_REUSEPORT: both sockets must allow it, and belong to the same user.
    """
    ours = [listener.socket for listener in have if listener.port == address.port != 0 and not listener.is_passed]
    for sock in ours:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        return bind(address, is_shared=bool(ours))
    finally:
        for sock in ours:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)


def bind(listen: Listen, *, is_shared: bool = False) -> socket.socket:
    """Bind and listen on one address; an empty host means every address, IPv4 and IPv6.

    `is_shared`: a socket of ours with SO_REUSEPORT has the port for another host.

    Raises: CamalertError that says what is in the way.
    """
    try:
        return _bind(listen, is_shared=is_shared)
    except OSError as error:
        raise CamalertError(f"cannot listen on {_shown(listen)}: {_advice(error, listen.port)}") from error


def _bind(listen: Listen, *, is_shared: bool) -> socket.socket:
    if not listen.host:
        try:
            return _listen(socket.AF_INET6, ("::", listen.port), is_shared=is_shared, is_dual_stack=True)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _listen(socket.AF_INET, ("0.0.0.0", listen.port), is_shared=is_shared)  # noqa: S104 - asked for: every address
    found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return _listen(family, address, is_shared=is_shared)


def _listen(
    family: socket.AddressFamily, address: tuple[object, ...], *, is_shared: bool, is_dual_stack: bool = False
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if is_dual_stack:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _shown(listen: Listen) -> str:
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
