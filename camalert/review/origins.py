"""Under which names the site may be addressed, and whose word counts for where a request came from.

Pure. A web page elsewhere can make a visitor's browser send requests to a private address under a name of its own
("DNS rebinding"); so only names that no stranger can own are accepted without being listed.
"""

from __future__ import annotations

from collections.abc import Iterable

from camalert.smtp.addresses import Network, is_allowed, parse

# Names that resolve inside a house only. Source: RFC 6762 (.local), RFC 8375 (.home.arpa), RFC 6761 (.localhost),
# ICANN resolution 2024.07.29.06 (.internal); .lan and .home are what routers use and nobody can register.
LOCAL_ENDINGS = (".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost")


def is_loopback(client: str) -> bool:
    """Tell whether an address is this machine's own."""
    found = parse(client)
    return found is not None and found.is_loopback


def is_local_host(host: str, listed: Iterable[str], allow: Iterable[str], own: Iterable[Network]) -> bool:
    """Tell whether the site may be addressed as `host`, the value of a Host header.

    Args:
        listed: Names of the configuration.
        allow: Who may open the site: an address that may be a client's may be the site's, too.
        own: The networks that this machine is part of.
    """
    name = host_name(host).lower().rstrip(".")
    if parse(name) is not None:
        return is_allowed(name, allow, own)
    known = {entry.lower().rstrip(".") for entry in listed}
    return bool(name) and (name in known or "." not in name or name.endswith(LOCAL_ENDINGS))


def host_name(host: str) -> str:
    """Return the name or address in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
