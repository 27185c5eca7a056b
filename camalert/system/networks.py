"""Networks: which addresses are local, and which networks this machine is part of (Linux only)."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from camalert.config.schema import PRIVATE, Review

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Source: RFC 1918, RFC 3927, RFC 4193, RFC 4291; RFC 6598 is a provider's network, not a home's.
_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
SIOCGIFADDR = 0x8915  # netdevice(7)
SIOCGIFNETMASK = 0x891B
# Neither needs a netlink socket nor more of /proc than a process's own part: a hardened service has neither.
_NAMES = Path("/sys/class/net")
_IF_INET6 = Path("/proc/self/net/if_inet6")


def parse(text: str) -> Address | None:
    """Read a peer's address: IPv4, IPv6 with or without a zone, IPv4-mapped as the IPv4 address that it is."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_allowed(peer: str, allow: Iterable[str], own: Iterable[Network]) -> bool:
    """Tell whether a client may send.

    Args:
        peer: The client's address as the socket has it.
        allow: "private" and networks, as configured.
        own: The networks that this machine is part of; they count as private.
    """
    address = parse(peer)
    if address is None:
        return False
    for rule in allow:
        networks = (*_LOCAL, *own) if rule == PRIVATE else (ipaddress.ip_network(rule, strict=False),)
        if any(address in network for network in networks if network.version == address.version):
            return True
    return False


def own_address() -> str:
    """Return this machine's IPv4 address in its network, "" when it has none.

    Connecting a datagram socket sends nothing; it only asks the kernel for the route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def site_url(review: Review) -> str:
    """Return where people find the review site: `review.address`, else where the local network does.

    Returns: "" when it is off or its packages are missing.
    """
    if not review.enabled or not all(find_spec(name) for name in ("django", "waitress")):
        return ""
    if review.address:
        return f"{review.address.rstrip('/')}/"
    host = review.host or own_address() or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{review.port}{review.path}/"


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
