"""Listening sockets that systemd opened before the service started.

Mechanism: the supervisor alone. With `camalert.socket` systemd keeps the ports open while the service restarts, so that
a camera's connection waits instead of being refused.

Source: sd_listen_fds(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence

from camalert.config import Listen
from camalert.errors import ConfigError

FIRST_FILE = 3  # SD_LISTEN_FDS_START


def take(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Take over the listening sockets that systemd passed to this process, [] when there are none.

    The variables are removed, so that no child believes that they are meant for it.

    Raises: ConfigError when something that is not a listening TCP socket was passed.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return [_adopt(file) for file in range(FIRST_FILE, FIRST_FILE + int(count))]


def match(sockets: Sequence[socket.socket], listen: Sequence[Listen]) -> dict[int, list[socket.socket]]:
    """Return for each index of `smtp.listen` the sockets of its port; those without any are bound by us.

    Args:
        sockets: What `take` returned; IPv4 and IPv6 may come separately.
        listen: The configured addresses.

    Raises: ConfigError when systemd listens on a port that the configuration does not name: mails would wait there for
        ever.
    """
    found: dict[int, list[socket.socket]] = {}
    for passed in sockets:
        port = passed.getsockname()[1]
        indexes = [index for index, address in enumerate(listen) if address.port == port]
        if not indexes:
            ports = ", ".join(str(address.port) for address in listen)
            raise ConfigError(
                f"camalert.socket listens on port {port}, but [[smtp.listen]] names {ports}: "
                "make both alike (systemctl edit camalert.socket)"
            )
        found.setdefault(indexes[0], []).append(passed)
    return found


def _adopt(file: int) -> socket.socket:
    os.set_inheritable(file, False)
    try:
        found = socket.socket(fileno=file)
    except OSError as error:
        raise ConfigError(f"systemd passed file descriptor {file}, which is no socket: {error.strerror}") from error
    is_tcp = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
    if not is_tcp or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ConfigError("camalert.socket may only hold ListenStream= with a port; see systemd.socket(5)")
    found.setblocking(False)
    return found
