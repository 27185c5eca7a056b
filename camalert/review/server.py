"""The web server: waitress in threads of this process, in front of Django.

Waitress, because the site is one small process that must not fork, needs no signal of its own and shall run wherever
Python does; all pages are short requests, live updates included.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
from typing import Any

import structlog

from camalert import ports
from camalert.config import Config, Listen
from camalert.errors import CamalertError
from camalert.review import logins
from camalert.review.proxy import Front

THREADS = 8  # a page's pictures come in parallel; each thread holds two database connections
CONNECTIONS = 200
REQUEST_BYTES = 1 << 20  # forms and lists of ids; nobody uploads anything
HEADER_BYTES = 32_768
CHANNEL_TIMEOUT_S = 60

log = structlog.get_logger()


class Site:
    """The running site."""

    def __init__(self, server: Any, sock: socket.socket) -> None:
        self._server = server
        self.port: int = sock.getsockname()[1]
        self._thread = threading.Thread(target=server.run, name="review-server", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return where to open it on this machine."""
        from django.conf import settings as django_settings  # noqa: PLC0415 - Django is set up by now

        return f"http://127.0.0.1:{self.port}{django_settings.FORCE_SCRIPT_NAME or ''}/"

    @property
    def is_serving(self) -> bool:
        """Tell whether the server's thread lives."""
        return self._thread.is_alive()

    def tidy(self) -> None:
        """Forget small pictures whose originals are gone, and sessions that ended."""
        from django.core.management import call_command  # noqa: PLC0415
        from django.db import DatabaseError, close_old_connections  # noqa: PLC0415

        from camalert.review.thumbnails import thumbnails  # noqa: PLC0415

        try:
            close_old_connections()
            thumbnails().tidy()
            call_command("clearsessions", verbosity=0)
        except (DatabaseError, sqlite3.Error, OSError) as error:
            log.warning("review_site_not_tidied", error=str(error))

    def close(self) -> None:
        """Stop listening; what is being answered ends with the process."""
        self._server.close()


def start(config: Config) -> Site:
    """Set Django up, bring its own database up to date, and listen.

    Raises: CamalertError when the port or the data folder cannot be had.
    """
    sock = _bind(config)
    logins.open_site(config)
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - only once the settings are there
    from waitress.server import create_server  # noqa: PLC0415

    server = create_server(
        Front(get_wsgi_application(), config.review),
        sockets=[sock],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        max_request_body_size=REQUEST_BYTES,
        max_request_header_size=HEADER_BYTES,
        channel_timeout=CHANNEL_TIMEOUT_S,
        clear_untrusted_proxy_headers=False,  # `Front` decides whom to believe
        asyncore_use_poll=True,
        ident=None,
    )
    return Site(server, sock)


def _bind(config: Config) -> socket.socket:
    try:
        return ports.bind(Listen(host=config.review.host, port=config.review.port))
    except CamalertError as error:
        raise CamalertError(f"review site: {str(error).replace('[[smtp.listen]]', '[review]')}") from error
