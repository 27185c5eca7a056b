"""The outermost layer: what a web server in front of the site tells, believed only from the configured ones.

WSGI. It puts the client's own address, scheme, host and path prefix where Django looks for them, and removes every
header of that kind from everybody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from camalert.config import Review
from camalert.smtp.addresses import is_allowed, parse

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
IS_FORWARDED = "camalert.is_forwarded"  # in the environment of a request that came through a web server
_FORWARDED = (
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_SCRIPT_NAME",
)  # fmt: skip
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")  # nothing that could become another host in a link
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")


class Front:
    """Apply the forwarding headers of trusted web servers, and the configured path."""

    def __init__(self, application: Application, review: Review) -> None:
        self._application = application
        self._proxies = review.proxies
        self._path = "/" + review.path.strip("/") if review.path.strip("/") else ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        told = {name: environ.pop(name) for name in _FORWARDED if name in environ}
        environ[IS_FORWARDED] = bool(told)
        client = parse(environ.get("REMOTE_ADDR", ""))
        environ["REMOTE_ADDR"] = str(client or "")  # an IPv4 address is one, however the socket writes it
        prefix = self._path
        if is_allowed(environ.get("REMOTE_ADDR", ""), self._proxies, ()):
            self._believe(environ, told)
            prefix = prefix or _prefix(told.get("HTTP_X_FORWARDED_PREFIX", ""))
        if prefix:
            # Both kinds of web server are met: those that cut the prefix off and those that leave it.
            path = environ.get("PATH_INFO", "")
            if path == prefix or path.startswith(prefix + "/"):
                environ["PATH_INFO"] = path[len(prefix) :] or "/"
            environ["SCRIPT_NAME"] = prefix
        return self._application(environ, start_response)

    def _believe(self, environ: dict[str, Any], told: dict[str, str]) -> None:
        # The last address that is no web server of ours: those before it are the client's own words.
        for hop in reversed(told.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            found = parse(hop.strip().strip("[]"))
            if found is None:
                break
            environ["REMOTE_ADDR"] = str(found)
            if not is_allowed(str(found), self._proxies, ()):
                break
        if told.get("HTTP_X_FORWARDED_PROTO", "").strip() in ("http", "https"):
            environ["wsgi.url_scheme"] = told["HTTP_X_FORWARDED_PROTO"].strip()
        host = told.get("HTTP_X_FORWARDED_HOST", "").rpartition(",")[2].strip()
        if _HOST.fullmatch(host):
            environ["HTTP_HOST"] = host


def _prefix(text: str) -> str:
    prefix = "/" + text.strip().strip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""
