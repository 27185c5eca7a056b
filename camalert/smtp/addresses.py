"""Who may send: networks, and what counts as the local network.

Pure; the machine's own networks are an argument (`interfaces` reads them).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from camalert.patterns import PRIVATE

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
