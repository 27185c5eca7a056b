"""The metrics process: serves the service's figures in Prometheus' text format on a local port.

    GET /metrics

An optional child: it reads the status file at each request, so it costs the supervisor nothing, and its exit affects
nothing else. All clients and the supervisor share one loop that never blocks: a request has `REQUEST_S` from its first
byte to the last of its answer, and `MAX_CLIENTS` are served at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from camalert.config.schema import Listen
from camalert.errors import CamalertError, ChannelClosed, ConfigError, Exit, ProtocolError, StatusError
from camalert.ipc.child import Context
from camalert.ipc.messages import Ping, Pong, Ready, Stop
from camalert.status import model as status
from camalert.system import ports
from camalert.system.logs import log

REQUEST_S = 5.0
MAX_CLIENTS = 20  # Prometheus needs one
HEAD_BYTES = 8192  # of a request; more is none

Expose = Callable[[status.Status, float], tuple[bytes, str]]


def main(context: Context) -> int:
    """Serve until told to stop.

    Raises: ConfigError when prometheus_client is not installed; CamalertError when the port is not available.
    """
    try:
        from camalert.status.exposition import expose  # noqa: PLC0415 - brings prometheus_client, an extra
    except ImportError as error:
        raise ConfigError(
            f'metrics.enabled needs prometheus_client: pip install "camalert[metrics]" ({error})'
        ) from error
    settings = context.config.metrics
    clients = Clients(Path(context.config.service.run_dir), expose)
    try:
        sock = ports.bind(Listen(settings.host, settings.port))
    except CamalertError as error:
        raise CamalertError(f"metrics: {str(error).replace('[[smtp.listen]]', '[metrics]')}") from error
    asyncio.run(_serve(context, clients, sock))
    return Exit.OK


async def _serve(context: Context, clients: Clients, sock: socket.socket) -> None:
    """Answer clients and the supervisor until it says stop, or is gone."""
    channel = context.channel
    context.confine()  # the loop has its own sockets by now
    server = await asyncio.start_server(clients.take, sock=sock, limit=HEAD_BYTES)
    log.info("metrics_served", host=context.config.metrics.host, port=sock.getsockname()[1])
    is_over = asyncio.Event()

    def hear() -> None:
        try:
            while message := channel.receive():
                match message:
                    case Ping(number):
                        channel.send(Pong(number))
                    case Stop():
                        is_over.set()
        except (ChannelClosed, ProtocolError):
            is_over.set()

    for file in channel.files():
        asyncio.get_running_loop().add_reader(file.fileno(), hear)
    channel.send(Ready(os.getpid()))
    await is_over.wait()
    server.close()  # open connections are ended with the loop: nobody waits for a slow client


class Clients:
    """Answer requests from the status file of a run directory."""

    def __init__(self, folder: Path, expose: Expose) -> None:
        self._folder = folder
        self._expose = expose
        self._count = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: one request, one answer; a slow, odd or surplus client is simply cut off."""
        self._count += 1
        try:
            if self._count <= MAX_CLIENTS:
                async with asyncio.timeout(REQUEST_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head.partition(b"\r\n")[0]))
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            writer.transport.abort()
        finally:
            self._count -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, request: bytes) -> bytes:
        """Return the answer to a request's first line."""
        method, _, target = request.decode("latin-1").partition(" ")
        path = target.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET is served\n")
        if path != "/metrics":
            return _response(HTTPStatus.NOT_FOUND, b"the figures are at /metrics\n")
        try:
            body, kind = self._expose(status.read(self._folder), time.time())
        except StatusError as error:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode())
        return _response(HTTPStatus.OK, body, kind, has_body=method == "GET")


def _response(
    code: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8", *, has_body: bool = True
) -> bytes:
    head = (
        f"HTTP/1.1 {code.value} {code.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if has_body else b"")
