"""One client's connection: bytes and lines, replies, encryption, and the end; the commands are `session`'s.

Runs in the event loop of the smtp process. Built on aiosmtpd's protocol class, whose reading line by line is replaced:
what comes goes through one receive buffer of the process into a `Framer`, so that a connection holds no more memory
than what waits to be understood.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import structlog
from aiosmtpd.smtp import SMTP

from camalert.mail.charsets import text_of
from camalert.smtp import diagnosis, tls
from camalert.smtp.framing import Framer, LineTooLong
from camalert.smtp.reception import STOPPING, Listener, Reception

log = structlog.get_logger()

MAX_NONSENSE = 20  # commands without meaning before the client is shut out
HANDSHAKE_S = 20.0  # a small camera computes for seconds
LAST_WORDS_S = 5.0  # for a client that does not read; until then its connection stays open although it is over
COMMANDS_WAITING_BYTES = 65_536  # a client that talks without listening is not read any further
_HTTP = (b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"CONNECT ", b"PUT ")


class Over(Exception):
    """The conversation is over."""


class Conversation(SMTP, asyncio.BufferedProtocol):
    """Talk with one client, line by line; `Session` knows the commands."""

    _commands: ClassVar[list[str]] = []

    def __init__(self, reception: Reception, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self._reception = reception
        self._listener = listener
        self._framer = Framer(reception.smtp.command_line_bytes)
        self._more = asyncio.Event()
        self._is_deaf = False  # the client does not read what we say
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_at = 0.0
        self._is_late = False
        self._is_over = False
        self._has_ended = False  # the client says no more
        self._is_encrypted = False
        self._is_reading = True
        self._first = b""
        self._trouble = ""
        self._login = ""
        self._last_command = ""
        self._mails = 0
        self._nonsense = 0
        self._logins_failed = 0
        self._peer = ""
        self._refusal = ""
        self._recipients: list[str] = []
        self._acknowledged: set[str] = set()  # digests of this session's mails that got a 250
        self._sender: str | None = None
        super().__init__(
            None, hostname=reception.smtp.hostname, enable_SMTPUTF8=True, auth_require_tls=False, loop=loop
        )

    def __dir__(self) -> list[str]:
        """Name the commands alone: aiosmtpd's constructor looks through all names (0.15 ms for each connection)."""
        return self._commands

    def __init_subclass__(cls) -> None:
        """Note the commands once."""
        cls._commands = [name for name in dir(cls) if name.startswith("smtp_")]

    # --- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session in a task of its own."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self.transport = self._stream = transport
        self.session = self._create_session()
        self.session.peer = transport.get_extra_info("peername")
        self.envelope = self._create_envelope()
        self._peer = _peer_of(transport)
        transport.pause_reading()
        self._is_reading = False
        self._refusal = self._reception.begin(self, self._listener)
        self._handler_coroutine = self.loop.create_task(self._serve())

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the client is gone; a mail that is being stored is stored nevertheless."""
        self._is_over = self._has_ended = True
        self._more.set()

    def eof_received(self) -> bool:
        """Note that the client says no more; it may still listen, except over TLS."""
        self._has_ended = True
        self._more.set()
        return not self._is_encrypted

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the one receive buffer of the process: what comes is taken out of it before anything else happens."""
        return self._reception.receive_buffer

    def buffer_updated(self, count: int) -> None:
        """Take what has come."""
        data = self._reception.receive_buffer[:count]
        if len(self._first) < 3:
            self._first += bytes(data[: 3 - len(self._first)])
        self._framer.feed(data)
        if self._framer.is_in_mail or self._framer.is_mail_complete:
            self._reception.mail_grew(self, self._framer.mail_bytes)
            if self._framer.is_mail_complete or self._framer.dropped_bytes:
                self._more.set()
        else:
            self._more.set()
        if self._framer.waiting_bytes > COMMANDS_WAITING_BYTES:
            self.pause()

    def pause_writing(self) -> None:
        """Wait with further replies: the client does not read them."""
        self._is_deaf = True

    def resume_writing(self) -> None:
        """Go on with replies."""
        self._is_deaf = False
        self._more.set()

    def pause(self) -> None:
        """Read no more for now."""
        if self._is_reading and not self._is_over:
            self._is_reading = False
            self._stream.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._is_reading and not self._is_over:
            self._is_reading = True
            self._stream.resume_reading()

    # --- the session --------------------------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        """Return the client's address, an IPv4-mapped one as IPv4."""
        return self._peer

    def end(self, reply: str, trouble: str = "") -> None:
        """End the session from outside, with a last reply."""
        self._trouble = self._trouble or trouble
        if not self._is_over:
            self._write(reply)
            self._close()
        self._has_ended = True
        self._more.set()

    async def _serve(self) -> None:
        try:
            await self._converse()
        except (Over, ConnectionError):
            pass
        except Exception:  # the outermost loop of one session: no client may end the process
            log.exception("session_crashed", peer=self._peer)
            self._write("451 4.3.0 internal error")
        finally:
            if self._timer is not None:
                self._timer.cancel()
            # A session is a ring of references: what it holds would wait for the garbage collector otherwise.
            self._framer.drop()
            self._reception.finish(self, self._summary())
            self._close()

    def _summary(self) -> str:
        """Say what was wrong with the whole session, "" when nothing was."""
        if self._trouble or self._mails or self._last_command in ("", "QUIT") or self._reception.is_draining:
            return self._trouble
        return diagnosis.gave_up(
            self._peer, self._last_command, offers_login=self._reception.smtp.auth.accept != "none",
            offers_tls=self._is_encrypted or self._listener.tls != "none",
        )  # fmt: skip

    async def _converse(self) -> None:
        if self._refusal:
            self._trouble = self._refusal
            await self.push("554 5.7.1 mail from this address is not accepted here")
            return
        if self._listener.tls == "implicit":
            await self._encrypt()
        self.resume()
        await self.push(f"220 {self.hostname} ESMTP camalert")
        while True:
            try:
                line = await self._next_line()
            except LineTooLong:
                await self._nonsensical("500 5.5.2 line too long")
                continue
            await self._obey(line)
            await asyncio.sleep(0)  # a client that has sent thousands of commands leaves the others their turn
            if self._reception.is_draining:
                await self._leave(STOPPING)

    async def _obey(self, line: bytes) -> None:
        self._expose_strangers(line)
        self._reception.heard(self)
        word, _, rest = line.strip().partition(b" ")
        command = word.decode("latin-1").upper()
        if b":" in word:  # MAIL<blank forgotten>FROM:
            command = command.partition(":")[0]
            for known in ("MAIL", "RCPT"):
                if command.startswith(known):
                    command, rest = known, line.strip()[len(known) :]
        method = self._smtp_methods.get(command)
        if method is None:
            await self._nonsensical(
                f"500 5.5.1 {command[:20]!a} is no command here" if command else "500 5.5.2 empty line"
            )
            return
        self._last_command = command
        await method(text_of(rest.strip()) or None)

    async def _next_line(self) -> bytes:
        """Wait for a command line.

        Raises: Over when the client is gone or silent for too long; LineTooLong.
        """
        limit_s = self._reception.smtp.command_seconds
        self._allow(limit_s)
        while True:
            self._more.clear()
            line = None if self._is_deaf else self._framer.line()
            if line is not None:
                return line
            self._expose_strangers(b"")
            if self._has_ended:
                raise Over
            if self._is_late:
                if self._last_command and not self._mails:
                    self._trouble = self._trouble or diagnosis.silent(self._peer, limit_s)
                await self._leave("421 4.4.2 too long without a command")
            if self._framer.waiting_bytes <= COMMANDS_WAITING_BYTES:  # more only waits while the client is deaf
                self.resume()
            await self._more.wait()

    def _allow(self, limit_s: float) -> None:
        """Set the time by which the client must have come further; `_is_late` says that it has not.

        One timer a session is enough: it looks at the time that holds when it fires.
        """
        self._is_late = False
        self._deadline_at = self.loop.time() + limit_s
        if self._timer is not None and self._timer.when() > self._deadline_at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self.loop.call_at(self._deadline_at, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._deadline_at > self.loop.time():
            self._timer = self.loop.call_at(self._deadline_at, self._look_at_clock)
        else:
            self._is_late = True
            self._more.set()

    def _expose_strangers(self, line: bytes) -> None:
        """End the session of a client that speaks TLS or HTTP to a plain port."""
        if not self._is_encrypted and tls.is_client_hello(self._first):
            self._trouble = diagnosis.tls_on_plain_port(self._peer, self._listener.port, self._reception.tls_ports)
            raise Over
        if line.startswith(_HTTP) and b"HTTP/" in line:
            self._trouble = diagnosis.not_smtp(self._peer, self._listener.port, "HTTP, as a browser does,")
            raise Over

    async def _nonsensical(self, reply: str) -> None:
        self._nonsense += 1
        if self._nonsense >= MAX_NONSENSE:
            self._trouble = self._trouble or diagnosis.nonsense(self._peer, reply)
            await self._leave("421 4.7.0 too many errors")
        await self.push(reply)

    async def _leave(self, reply: str) -> None:
        """Say a last reply and end the session."""
        self._write(reply)
        raise Over

    async def push(self, status: Any) -> None:
        """Send a reply; a client that does not read is not served any further until it does."""
        self._write(status.decode("utf-8") if isinstance(status, bytes) else str(status))

    def _write(self, reply: str) -> None:
        if not self._is_over:
            self._stream.write(reply.encode("utf-8", "replace") + b"\r\n")

    def _close(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._stream.close()
            if self._stream.get_write_buffer_size():
                self.loop.call_later(LAST_WORDS_S, self._stream.abort)

    async def _encrypt(self) -> None:
        assert self._reception.tls is not None  # noqa: S101 - `reception` makes it for every listener with TLS
        self._framer.drop()  # RFC 3207, section 4.2: what came in the clear is not obeyed
        self._is_encrypted = True
        try:
            encrypted = await self.loop.start_tls(
                self._stream, self, self._reception.tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self._trouble = diagnosis.handshake_failed(
                self._peer, self._listener.port, error, self._reception.smtp.min_tls
            )
            self._is_over = True
            raise Over from error
        if encrypted is None:
            self._is_over = True
            raise Over
        self.transport = self._stream = encrypted  # what a quick client has said through it waits in the framer
        self._is_reading = True


def _peer_of(transport: asyncio.BaseTransport) -> str:
    address = (transport.get_extra_info("peername") or ("?",))[0]
    return address.removeprefix("::ffff:") if isinstance(address, str) else "?"
