"""Messages to systemd about the state of the service.

Without systemd (NOTIFY_SOCKET unset) everything here does nothing, and a systemd that is away or busy never holds the
service up.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import time

READY = "READY=1"
RELOADING = "RELOADING=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def status(message: str) -> str:
    """Return the assignment that shows a sentence in `systemctl status`."""
    return "STATUS=" + " ".join(message.split())


def reloading() -> str:
    """Return the assignments that announce a reload; `READY` ends it."""
    return f"{RELOADING}\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def extend_timeout(seconds: float) -> str:
    """Return the assignment that asks for more time to start or stop, counted from now."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}"


def notify(*assignments: str) -> bool:
    """Send assignments to systemd in one message.

    Returns: Whether systemd was told; False without systemd and when it could not take the message now.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # a socket in the abstract namespace, unix(7)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(assignments).encode("utf-8", "replace"), address)
    except OSError:
        return False
    return True


def watchdog_interval_s() -> float | None:
    """Return how often to send `WATCHDOG`, None when systemd does not ask this process for it.

    Half of systemd's limit, as sd_watchdog_enabled(3) recommends.
    """
    try:
        limit_us = int(os.environ.get("WATCHDOG_USEC", "0"))
        asked_pid = int(os.environ.get("WATCHDOG_PID", "0"))
    except ValueError:
        return None
    if limit_us <= 0 or asked_pid not in (0, os.getpid()):
        return None
    return limit_us / 1_000_000 / 2
