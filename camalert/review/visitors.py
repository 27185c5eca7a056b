"""Visitors: which addresses may open the site, under which names it answers, and which proxies it trusts.

A web page elsewhere can make a visitor's browser send requests to a private address under a name of its own ("DNS
rebinding"), so only names that nobody outside can register are accepted without being listed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from camalert.config.schema import Review
from camalert.review import settings
from camalert.system.networks import Network, is_allowed, own_networks, parse

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
# In a request's environment: the Host header as it came, before a web server in front replaced it; and whether that
# web server did not say whose request it is.
SENT_HOST = "camalert.sent_host"
IS_NAMELESS = "camalert.is_nameless"
IS_INGRESS = "camalert.is_ingress"  # whether Home Assistant shows it, who has asked for a login of its own
LOOPBACK = ("127.0.0.0/8", "::1/128")
# Where Home Assistant and its gateway have their addresses: hops that a request through it passes. Source: its
# developer documentation, "Presenting your add-on"; the network `hassio` of its Supervisor.
_HOME_ASSISTANT = ("172.30.32.0/23",)
_READ_AGAIN_S = 5.0
_FORWARDED = (
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_SCRIPT_NAME", "HTTP_X_INGRESS_PATH",
)  # fmt: skip
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")  # nothing that could become another host in a link
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
# Names that resolve in a local network only. Source: RFC 6762 (.local), RFC 8375 (.home.arpa), RFC 6761 (.localhost),
# ICANN resolution 2024.07.29.06 (.internal); .lan and .home are what routers use and nobody can register.
LOCAL_ENDINGS = (".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost")


class Visitors:
    """Judge addresses: whether one may open the site, and whether it is a trusted proxy."""

    def __init__(self, review: Review) -> None:
        self._allow = review.allow
        # A configured name or path mostly means a web server on the same machine.
        self._proxies = review.proxies or (LOOPBACK if review.hosts or review.address or review.path.strip("/") else ())
        self._ingress = review.ingress
        self.own = own_networks()
        self._read_at = time.monotonic()

    def is_allowed(self, address: str) -> bool:
        """Tell whether a client may open the site."""
        if is_allowed(address, self._allow, self.own):
            return True
        # The machine may have joined another network since: at boot the site is often faster than the router.
        if time.monotonic() - self._read_at < _READ_AGAIN_S:
            return False
        self.own, self._read_at = own_networks(), time.monotonic()
        return is_allowed(address, self._allow, self.own)

    def is_proxy(self, address: str) -> bool:
        """Tell whether an address is a web server whose X-Forwarded-* headers are trusted."""
        return is_allowed(address, self._proxies, ()) or self.is_ingress(address)

    def is_ingress(self, address: str) -> bool:
        """Tell whether an address is Home Assistant's gateway."""
        return is_allowed(address, self._ingress, ())


class Front:
    """Apply the forwarding headers of trusted web servers, and the configured path: the outermost layer of WSGI.

    The client's own address, scheme, host and path prefix go where Django looks for them; everybody else's headers of
    that kind are removed.
    """

    def __init__(self, application: Application, review: Review, visitors: Visitors) -> None:
        self._application = application
        self._visitors = visitors
        self._must_forward = bool(review.proxies)  # a gateway always does
        self._path = settings.prefix(review)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        forwarded = {name: environ.pop(name) for name in _FORWARDED if name in environ}
        environ[SENT_HOST] = environ.get("HTTP_HOST", "")
        client = parse(environ.get("REMOTE_ADDR", ""))
        environ["REMOTE_ADDR"] = str(client or "")  # an IPv4 address is one, however the socket writes it
        prefix = self._path
        if self._visitors.is_ingress(environ["REMOTE_ADDR"]):
            # Whatever reaches us from there and has no such path comes from another program on that address.
            prefix = _prefix(forwarded.get("HTTP_X_INGRESS_PATH", ""))
            is_named = self._believe(environ, forwarded, _HOME_ASSISTANT)
            environ[IS_INGRESS] = is_named and bool(prefix)
            environ[IS_NAMELESS] = not environ[IS_INGRESS]
        elif self._visitors.is_proxy(environ["REMOTE_ADDR"]):
            is_named = self._believe(environ, forwarded)
            environ[IS_NAMELESS] = self._must_forward and not is_named
            prefix = prefix or _prefix(forwarded.get("HTTP_X_FORWARDED_PREFIX", ""))
        if prefix:
            # Both kinds of web server are met: those that cut the prefix off and those that leave it.
            path = environ.get("PATH_INFO", "")
            if path == prefix or path.startswith(prefix + "/"):
                environ["PATH_INFO"] = path[len(prefix) :] or "/"
            environ["SCRIPT_NAME"] = prefix
        return self._application(environ, start_response)

    def _believe(self, environ: dict[str, Any], forwarded: dict[str, str], hops: Iterable[str] = ()) -> bool:
        """Take over what a web server says; return whether it named whose request this is.

        Args:
            hops: Networks of further ones that it may have come through.
        """
        is_named = False
        # The last address that is none of our web servers; those before it are the client's own claims.
        for hop in reversed(forwarded.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            found = parse(hop.strip().strip("[]"))
            if found is None:
                break
            environ["REMOTE_ADDR"], is_named = str(found), True
            if not (self._visitors.is_proxy(str(found)) or is_allowed(str(found), hops, ())):
                break
        if forwarded.get("HTTP_X_FORWARDED_PROTO", "").strip() in ("http", "https"):
            environ["wsgi.url_scheme"] = forwarded["HTTP_X_FORWARDED_PROTO"].strip()
        host = forwarded.get("HTTP_X_FORWARDED_HOST", "").rpartition(",")[2].strip()
        if _HOST.fullmatch(host):
            environ["HTTP_HOST"] = host
        return is_named


def _prefix(text: str) -> str:
    prefix = "/" + text.strip().strip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""


def is_loopback(address: str) -> bool:
    """Tell whether an address is one of this machine alone."""
    found = parse(address)
    return found is not None and found.is_loopback


def is_local_host(host: str, listed: Iterable[str], allow: Iterable[str], own: Iterable[Network]) -> bool:
    """Tell whether the site may be addressed as `host`, the value of a Host header.

    Args:
        listed: `review.hosts`.
        allow: `review.allow`: an address that may be a client's may be the site's, too.
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
