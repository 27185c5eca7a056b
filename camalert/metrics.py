"""The metrics process: serves the service's figures in Prometheus' text format on a local port.

    GET /metrics

An optional child: it reads the status file at each request, so it costs the supervisor nothing and its end touches
nothing else. It opens no connection to anywhere.
"""

from __future__ import annotations

import http.server
import os
import select
import time
from http import HTTPStatus
from pathlib import Path

import structlog

from camalert import status
from camalert.child import Context
from camalert.errors import CamalertError, ConfigError, Exit, StatusError
from camalert.messages import Ping, Pong, Ready, Stop

log = structlog.get_logger()

REQUEST_S = 2.0  # for a client's next bytes; well below the supervisor's patience for a ping


def main(context: Context) -> int:
    """Serve until told to stop.

    Raises: ConfigError when prometheus_client is not installed; CamalertError when the port cannot be had.
    """
    try:
        from camalert.exposition import expose  # noqa: PLC0415 - brings prometheus_client, an extra
    except ImportError as error:
        raise ConfigError(
            f'metrics.enabled needs prometheus_client: pip install "camalert[metrics]" ({error})'
        ) from error
    settings, folder = context.config.metrics, Path(context.config.service.run_dir)

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = REQUEST_S

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND, "the figures are at /metrics")
                return
            try:
                body, kind = expose(status.read(folder), time.time())
            except StatusError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: a scrape every few seconds is no news."""

    try:
        server = http.server.HTTPServer((settings.host, settings.port), Handler)
    except OSError as error:
        raise CamalertError(
            f"metrics cannot listen on {settings.host} port {settings.port}: {error.strerror}; change [metrics]"
        ) from error
    log.info("metrics_served", host=settings.host, port=server.server_port)
    with server:
        return _serve(context, server)


def _serve(context: Context, server: http.server.HTTPServer) -> int:
    channel = context.channel
    channel.send(Ready(os.getpid()))
    while True:
        ready, _, _ = select.select([server.fileno(), *(file.fileno() for file in channel.files())], (), ())
        if server.fileno() in ready:
            server.handle_request()
        match channel.receive():
            case Ping(number):
                channel.send(Pong(number))
            case Stop():
                return Exit.OK
            case _:
                continue
