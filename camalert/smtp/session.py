"""One client's session, from the greeting to the line in the log that says what was wrong with it.

Runs in the event loop of the smtp process: a task for each client.
"""

from __future__ import annotations

import asyncio

import structlog

from camalert.smtp import diagnosis, replies
from camalert.smtp.commands import Commands
from camalert.smtp.connection import Connection, HandshakeFailed, Late, Over, SpokeTls
from camalert.smtp.framing import LineTooLong
from camalert.smtp.reception import Listener, Reception
from camalert.smtp.syntax import is_http, parse_command

log = structlog.get_logger()


class Session(Connection):
    """Serve one client."""

    def __init__(self, reception: Reception, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reception, loop)
        self._listener = listener
        self._commands = Commands(self, reception, listener, loop)
        self._refusal = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session in a task of its own."""
        super().connection_made(transport)
        self._refusal = self._reception.begin(self, self._listener)
        self._task = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            await self._take_its_course()
        except Exception:  # the outermost loop of one session: no client may end the process
            log.exception("session_crashed", peer=self.peer)
            self.say(replies.INTERNAL_ERROR)
        finally:
            self.forget()
            self.close()
            self._reception.finish(self, self._summary())

    async def _take_its_course(self) -> None:
        """Talk to the end, and note what was wrong with it."""
        try:
            await self._converse()
        except Late:
            self.record.fell_silent(self.peer, self._reception.smtp.command_seconds)
            self.say(replies.SILENT)
        except SpokeTls:
            self.record.blame(diagnosis.tls_on_plain_port(self.peer, self._listener.port, self._reception.tls_ports))
        except HandshakeFailed as failure:
            self.record.blame(
                diagnosis.handshake_failed(
                    self.peer, self._listener.port, failure.__cause__ or failure, self._reception.smtp.min_tls,
                    is_starttls=self._listener.tls == "starttls",
                )
            )  # fmt: skip
        except (Over, ConnectionError):
            pass

    async def _converse(self) -> None:
        """Greet the client and obey it until it leaves, or must.

        Raises: Over, SpokeTls, HandshakeFailed, Late.
        """
        if self._refusal:
            self.record.blame(self._refusal)
            self.leave(replies.NOT_ACCEPTED)
        if self._listener.tls == "implicit":
            assert self._reception.tls is not None  # noqa: S101 - `process` makes it for every listener with TLS
            await self.encrypt(self._reception.tls)
        self.resume()
        self.say(replies.greeting(self._commands.hostname))
        while True:
            try:
                line = await self.line(self._reception.smtp.command_seconds)
            except LineTooLong:
                self._wrong_command(replies.LINE_TOO_LONG)
                continue
            await self._obey(line)
            await asyncio.sleep(0)  # a client that has sent thousands of commands leaves the others their turn
            if self._reception.is_draining:
                self.leave(replies.STOPPING)

    async def _obey(self, line: bytes) -> None:
        if is_http(line):
            self.record.blame(diagnosis.not_smtp(self.peer, self._listener.port, "HTTP, as a browser does,"))
            raise Over
        self._reception.heard(self)
        verb, argument = parse_command(line)
        command = self._commands.named(verb)
        if command is None:
            self._wrong_command(replies.unknown_command(verb))
            return
        self.record.last_command = verb
        await command(argument or None)

    def _wrong_command(self, reply: str) -> None:
        if self.record.wrong_command(self.peer, reply):
            self.leave(replies.TOO_MANY_ERRORS)
        self.say(reply)

    def _summary(self) -> str:
        """Say what was wrong with the session, "" when nothing was."""
        if self._reception.is_draining:  # whoever left without a mail was sent away
            return self.record.trouble
        return self.record.summary(
            self.peer, offers_login=self._reception.smtp.auth.accept != "none",
            offers_tls=self.is_encrypted or self._listener.tls != "none",
        )  # fmt: skip
