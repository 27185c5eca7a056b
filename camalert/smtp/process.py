"""The smtp process: its entry, its event loop and its talk with the supervisor.

    camera ─SMTP─▶ Session ─▶ Commands ─▶ Reception ─▶ Delivery ─▶ SlotDesk ─Store─▶ supervisor ─▶ writer
                                                                      ◀───────── Stored ─────────────┘

It never decodes a picture and never opens the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import gc
import os
import signal
import socket

import structlog

from camalert.channel import POST_S
from camalert.child import Context
from camalert.config import Config
from camalert.errors import ChannelClosed, ConfigError, Exit, ProtocolError
from camalert.messages import Held, Message, Ping, Pong, Ready, Stop, Stored
from camalert.smtp import passwords, tls
from camalert.smtp.delivery import Delivery
from camalert.smtp.notes import Notes
from camalert.smtp.reception import Listener, Reception
from camalert.smtp.session import Session
from camalert.smtp.slotdesk import SlotDesk

BACKLOG = 256
M_MMAP_THRESHOLD = -3
LARGE_BLOCK_BYTES = 262_144
GARBAGE_THRESHOLDS = (700, 5, 2)  # Python's own are (700, 10, 10)

log = structlog.get_logger()


def main(context: Context) -> Exit:
    """Serve cameras until the supervisor says `Stop` or is gone.

    Raises: ConfigError when a certificate or a password hash cannot be used.
    """
    _give_memory_back()
    _collect_garbage_early()
    return asyncio.run(_Process(context).run())


class _Process:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._channel = context.channel
        self._desk = SlotDesk(context.pool, context.channel)
        self._listeners = [_rules_of(sock, context.config) for sock in context.listeners]
        self._servers: list[asyncio.Server] = []
        self._is_told = asyncio.Event()  # which slots still are the predecessor's

    async def run(self) -> Exit:
        loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Exit] = loop.create_future()
        self._stopping: asyncio.Task[None] | None = None
        self._reception = self._receive()
        loop.add_reader(self._channel.fileno(), self._hear)
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        self._channel.send(Ready(os.getpid()))
        opening = loop.create_task(self._open())
        opening.add_done_callback(self._opened)
        try:
            return await self._done
        finally:
            loop.remove_reader(self._channel.fileno())
            opening.cancel()
            for server in self._servers:
                server.close()

    def _receive(self) -> Reception:
        config = self._context.config
        _check_passwords(config)
        needs_tls = any(listener.tls != "none" for listener in self._listeners)
        smtp = config.smtp
        context = tls.context(smtp.certificate, smtp.private_key, smtp.min_tls) if needs_tls else None
        if context and smtp.min_tls in ("1.0", "1.1"):
            log.warning(
                "tls_is_weak", min_tls=smtp.min_tls, words="somebody inside the network could read the pictures"
            )
        notes = Notes(self._channel, self._flush_later)
        delivery = Delivery(config, self._desk, notes)
        tls_ports = tuple(listener.port for listener in self._listeners if listener.tls == "implicit")
        return Reception(config, delivery, notes, context, tls_ports)

    async def _open(self) -> None:
        await self._is_told.wait()  # clients wait in the backlog meanwhile
        loop = asyncio.get_running_loop()
        for sock, listener in zip(self._context.listeners, self._listeners, strict=True):
            factory = functools.partial(Session, self._reception, listener, loop)
            self._servers.append(await loop.create_server(factory, sock=sock, backlog=BACKLOG))
        log.info("smtp_listening", ports=[listener.port for listener in self._listeners])

    def _opened(self, opening: asyncio.Task[None]) -> None:
        """End the process when it cannot listen: a server that nobody can reach must not look healthy."""
        error = None if opening.cancelled() else opening.exception()
        if error is not None and not self._done.done():
            self._done.set_exception(error)

    def _hear(self) -> None:
        """Read what the supervisor has to say."""
        try:
            while (message := self._channel.receive()) is not None:
                self._take(message)
        except ChannelClosed:
            self._finish(Exit.OK)
        except ProtocolError as error:
            if not self._done.done():
                self._done.set_exception(error)

    def _flush_later(self) -> None:
        asyncio.get_running_loop().call_later(POST_S, self._flush)

    def _flush(self) -> None:
        with contextlib.suppress(ChannelClosed):  # which `_hear` reads
            self._channel.flush()

    def _take(self, message: Message) -> None:
        match message:
            case Stored():
                self._desk.stored(message)
            case Ping():
                self._is_told.set()  # the first one follows the last `Held`
                self._channel.send(Pong(message.number))
            case Held():
                self._desk.held(message)
            case Stop():
                self._stop()
            case _:
                raise ProtocolError(f"smtp cannot do anything with {type(message).__name__}")

    def _stop(self) -> None:
        """Begin to drain; a second request changes nothing."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        for server in self._servers:
            server.close()
        log.info("smtp_draining", open_stores=self._desk.open_stores)
        await self._reception.drain(self._context.config.service.drain_seconds)
        self._finish(Exit.OK)

    def _finish(self, code: Exit) -> None:
        if not self._done.done():
            self._done.set_result(code)


def _give_memory_back() -> None:
    """Let every large block be a mapping of its own, which grows in place and is gone when it is freed.

    Otherwise glibc moves its threshold up to the largest mail seen, and the heap keeps several of them for ever.
    Source: M_MMAP_THRESHOLD in mallopt(3).
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def _collect_garbage_early() -> None:
    """Collect ended sessions, which are rings of references, before many have gathered.

    The collector waits for a quarter of all objects to be new, and the imported libraries are very many: four floods of
    900 connections left 19 MB behind, 10 MB with this (measured). What is there now is left out of all collections,
    which makes them cheap too.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # the quarter is one of what this one finds
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _rules_of(sock: socket.socket, config: Config) -> Listener:
    """Find the rules of a listening socket by its port; a port that was chosen freely has those of port 0."""
    port = sock.getsockname()[1]
    listens = config.smtp.listen
    found = next((listen for listen in listens if listen.port == port), None) or next(
        (listen for listen in listens if listen.port == 0), listens[0]
    )
    return Listener(port, found.tls, found.allow or config.smtp.allow)


def _check_passwords(config: Config) -> None:
    auth = config.smtp.auth
    if auth.accept == "users" and not auth.user:
        raise ConfigError('smtp.auth.accept = "users" needs at least one [[smtp.auth.user]]')
    for user in auth.user:
        passwords.is_password(b"", user.password)
