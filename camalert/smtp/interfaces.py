"""The networks that this machine is part of.

Mechanism: asks the kernel; Linux only.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from pathlib import Path

from camalert.smtp.addresses import Network

SIOCGIFADDR = 0x8915  # netdevice(7)
SIOCGIFNETMASK = 0x891B
# Neither needs a netlink socket nor more of /proc than a process's own part: a hardened service has neither.
_NAMES = Path("/sys/class/net")
_IF_INET6 = Path("/proc/self/net/if_inet6")


def own_networks() -> tuple[Network, ...]:
    """Return the network of each address of this machine; what cannot be read is left out."""
    return (*_ipv4(), *_ipv6())


def _ipv4() -> list[Network]:
    found: list[Network] = []
    try:
        names = os.listdir(_NAMES)
    except OSError:
        return found
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for name in names:
            request = struct.pack("256s", name.encode()[:15])
            try:
                address = fcntl.ioctl(sock, SIOCGIFADDR, request)[20:24]
                mask = fcntl.ioctl(sock, SIOCGIFNETMASK, request)[20:24]
            except OSError:  # an interface without an IPv4 address
                continue
            text = f"{socket.inet_ntoa(address)}/{socket.inet_ntoa(mask)}"
            found.append(ipaddress.ip_network(text, strict=False))
    return [network for network in found if network.prefixlen]


def _ipv6() -> list[Network]:
    """Read the addresses. Source: proc(5), /proc/pid/net/if_inet6: address, index, prefix length in hexadecimal."""
    try:
        lines = _IF_INET6.read_text(encoding="ascii").splitlines()
    except OSError:  # a kernel without IPv6
        return []
    found: list[Network] = []
    for line in lines:
        address, _, prefix, *_ = line.split()
        bits = int(prefix, 16)
        if bits:
            found.append(ipaddress.ip_network((int(address, 16), bits), strict=False))
    return found
