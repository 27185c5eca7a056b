"""The smtp process: its entry, its event loop and its talk with the supervisor.

    camera ─SMTP─▶ Session ─▶ Reception ─▶ Delivery ─▶ IntakeSlots ─Store─▶ supervisor ─▶ writer
                                                           ◀───────── Stored ─────────────┘

It never decodes a picture and never opens the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal

from camalert.config.schema import Config
from camalert.errors import ChannelClosed, ConfigError, Exit, ProtocolError
from camalert.intake.notes import Notes
from camalert.intake.smtp import passwords, tls
from camalert.intake.smtp.delivery import Delivery
from camalert.intake.smtp.intakeslots import IntakeSlots
from camalert.intake.smtp.readers.parent import Readers
from camalert.intake.smtp.readers.process import give_memory_back
from camalert.intake.smtp.reception import ListenerRules, Reception
from camalert.intake.smtp.session import Session
from camalert.ipc.channel import POST_S
from camalert.ipc.child import Context
from camalert.ipc.messages import Held, Message, Noted, Ping, Pong, Ready, Stop, Stored
from camalert.system import ports
from camalert.system.logs import log

BACKLOG = 256
ACCEPT_TURNS = 8  # of the loop, from an accepted connection to its session: three (measured), and some to spare
GARBAGE_THRESHOLDS = (700, 5, 2)  # Python's own are (700, 10, 10)


def main(context: Context) -> Exit:
    """Serve cameras until the supervisor sends `Stop` or is gone.

    Raises: ConfigError when a certificate or a password hash cannot be used.
    """
    give_memory_back()
    _collect_garbage_early()
    return asyncio.run(_Process(context).run())


class _Process:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._channel = context.channel
        self._slots = IntakeSlots(context.pool, context.channel)
        self._listeners = [_listener_for(listener, context.config) for listener in context.listeners]
        self._servers: list[asyncio.Server] = []
        self._knows_held = asyncio.Event()  # which slots are still the predecessor's

    async def run(self) -> Exit:
        loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Exit] = loop.create_future()
        self._stopping: asyncio.Task[None] | None = None
        self._reception = self._make_reception()
        self._context.confine()  # the certificate is read
        loop.add_reader(self._channel.fileno(), self._read_channel)
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

    def _make_reception(self) -> Reception:
        config = self._context.config
        _check_passwords(config)
        needs_tls = any(listener.tls != "none" for listener in self._listeners)
        smtp = config.smtp
        context = tls.context(smtp.certificate, smtp.private_key, smtp.min_tls) if needs_tls else None
        if context and smtp.min_tls in ("1.0", "1.1"):
            log.warning(
                "weak_tls_allowed", min_tls=smtp.min_tls, message="somebody inside the network could read the pictures"
            )
        notes = Notes(self._channel, self._flush_later)
        readers = Readers(self._context)
        readers.start()
        self._delivery = delivery = Delivery(config, self._slots, readers, notes)
        tls_ports = tuple(listener.port for listener in self._listeners if listener.tls == "implicit")
        # Never offer more than a slot can hold: the pool may be older than this configuration.
        max_mail_bytes = min(config.intake.max_mail_bytes, self._slots.largest_bytes)
        return Reception(config, delivery, notes, context, tls_ports, max_mail_bytes)

    async def _open(self) -> None:
        await self._knows_held.wait()  # clients wait in the backlog meanwhile
        loop = asyncio.get_running_loop()
        for opened, listener in zip(self._context.listeners, self._listeners, strict=True):
            factory = functools.partial(Session, self._reception, listener, loop)
            self._servers.append(await loop.create_server(factory, sock=opened.socket, backlog=BACKLOG))
        log.info("smtp_listening", ports=[listener.port for listener in self._listeners])

    def _opened(self, opening: asyncio.Task[None]) -> None:
        """End the process when it cannot listen: a server that nobody can reach must not look healthy."""
        error = None if opening.cancelled() else opening.exception()
        if error is not None and not self._done.done():
            self._done.set_exception(error)

    def _read_channel(self) -> None:
        """Read what the supervisor says."""
        try:
            while (message := self._channel.receive()) is not None:
                self._handle(message)
        except ChannelClosed:
            self._finish(Exit.OK)
        except ProtocolError as error:
            if not self._done.done():
                self._done.set_exception(error)

    def _flush_later(self) -> None:
        asyncio.get_running_loop().call_later(POST_S, self._flush)

    def _flush(self) -> None:
        with contextlib.suppress(ChannelClosed):  # which `_read_channel` reads
            self._channel.flush()

    def _handle(self, message: Message) -> None:
        match message:
            case Stored():
                self._slots.stored(message)
            case Ping():
                self._knows_held.set()  # the first one follows the last `Held`
                self._channel.send(Pong(message.number))
            case Held():
                self._slots.held(message)
            case Noted(text):
                self._delivery.learn(text)
            case Stop():
                self._stop()
            case _:
                raise ProtocolError(f"smtp cannot do anything with {type(message).__name__}")

    def _stop(self) -> None:
        """Begin to drain; a second request changes nothing."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        await self._accept_no_more()
        log.info("smtp_draining", open_stores=self._slots.open_stores)
        await self._reception.drain(self._context.config.service.drain_seconds)
        self._finish(Exit.OK)

    async def _accept_no_more(self) -> None:
        """Leave new connections in the backlog; those that were accepted this moment become sessions.

        A server that is closed at once drops them: its transports insist on a server that is open.
        """
        loop = asyncio.get_running_loop()
        for server in self._servers:
            for sock in server.sockets:
                loop.remove_reader(sock.fileno())
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()

    def _finish(self, code: Exit) -> None:
        if not self._done.done():
            self._done.set_result(code)


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


def _listener_for(opened: ports.Listener, config: Config) -> ListenerRules:
    """Return the rules of a listening socket."""
    rules = opened.rules
    return ListenerRules(opened.socket.getsockname()[1], rules.tls, rules.allow or config.smtp.allow, rules.balancer)


def _check_passwords(config: Config) -> None:
    users = config.smtp.auth.user
    if config.smtp.auth.accept == "users" and not users:
        raise ConfigError('smtp.auth.accept = "users" needs at least one [[smtp.auth.user]]')
    for user in users:
        passwords.is_password(b"", user.password)
