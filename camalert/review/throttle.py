"""How often a password may be tried: a few times at once and then slowly, for each network and for all together.

Pure; `now` is an argument. Guessing is slowed down and nobody is locked out by what another address does, except by a
flood from very many of them, which also bounds what the slow password digest costs.
"""

from __future__ import annotations

import ipaddress

from camalert.ratelimit import RateLimit
from camalert.smtp.addresses import parse

TRIES_AT_ONCE = 8
SECONDS_A_TRY = 15.0
ALL_AT_ONCE = 40
SECONDS_A_TRY_OF_ALL = 2.0


class Throttle:
    """Admit tries to log in."""

    def __init__(self) -> None:
        self._each = RateLimit(per_second=1 / SECONDS_A_TRY, burst=TRIES_AT_ONCE)
        self._all = RateLimit(per_second=1 / SECONDS_A_TRY_OF_ALL, burst=ALL_AT_ONCE)

    def is_admitted(self, client: str, now: float) -> bool:
        """Count a try of a client and tell whether it may go on."""
        return self._each.admit(network_of(client), now).is_admitted and self._all.admit("", now).is_admitted


def network_of(client: str) -> str:
    """Return what stands for a client: its address, or for IPv6 its network, of which it may use any address."""
    found = parse(client)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found or client)
