"""One client's connection: bytes in, lines and mails out; replies, encryption, and the end.

Runs in the event loop of the smtp process. What comes goes through one receive buffer of the process into a `Framer`,
so that a connection holds no more memory than what waits to be understood. What the lines mean is not known here, but
for TLS where a line should be.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import NoReturn

from camalert.errors import ProtocolError
from camalert.intake.smtp import tls
from camalert.intake.smtp.balancer import Header
from camalert.intake.smtp.framing import Framer
from camalert.intake.smtp.reception import Pause, Reception

HEADER_S = 5.0  # a balancer says whose connection it passes on before anything else
HANDSHAKE_S = 20.0  # a small camera computes for seconds
FLUSH_S = 5.0  # for a client that does not read; until then its connection stays open although it is over
COMMANDS_WAITING_BYTES = 65_536  # a client that sends commands without reading replies is not read any further
LINGER_S = 1.0  # closing with bytes unread would take the last reply from a small IP stack
LINGER_BYTES = 1_048_576
MOST_LINGERING = 32  # connections at a time; `descriptors` counts with them
BARE_END_S = 2.0  # a client that waits so long behind a bare end has ended its mail
DROPPED_MAILS = 8  # bytes of a too large mail that are read to its end, in mails of the largest size


class Over(Exception):
    """The connection is over."""


class NoHeader(Over):
    """The balancer did not say whose connection this is; the message says what it did."""


class SpokeTls(Over):
    """The client opened TLS where none is spoken."""


class HandshakeFailed(Over):
    """The client and we found no TLS in common; the cause says why."""


class Late(Exception):
    """The client took too long."""


class MailTooLarge(Exception):
    """A mail exceeded the limit. It was dropped: read to its end, or given up because it has none (`is_endless`)."""

    def __init__(self, *, is_endless: bool) -> None:
        super().__init__()
        self.is_endless = is_endless


class Connection(asyncio.BufferedProtocol):
    """Talk with one client, line by line."""

    def __init__(self, reception: Reception, loop: asyncio.AbstractEventLoop) -> None:
        self.peer = ""  # the client's address, an IPv4-mapped one as IPv4
        self.is_encrypted = False
        self._reception = reception
        self._loop = loop
        self._framer = Framer(reception.smtp.command_line_bytes)
        self._header: Header | None = None  # of a balancer, still to come
        self._header_fault = ""
        self._first = b""
        self._came_bytes = 0
        self._more = asyncio.Event()
        self._is_late = False
        self._late_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = {Pause.GREETING}  # why it is not read: any of them is enough
        self._is_write_paused = False  # the client does not read our replies
        self._is_reply_dropped = False  # where the client expects TLS, a plain reply would be noise
        self._is_over = False
        self._has_ended = False  # the client says no more
        self.has_left = False  # it closed its side, or said QUIT: nothing of it is unread
        self._is_lingering = False

    # --- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and read nothing of it yet."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        self.peer = _peer_of(transport)
        transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the client is gone; a mail that is being stored is stored nevertheless."""
        self._is_over = self._has_ended = True
        self._more.set()
        if self._is_lingering:
            self._is_lingering = False
            self._reception.lingering -= 1

    def eof_received(self) -> bool:
        """Note that the client says no more; it may still listen, except over TLS."""
        self._has_ended = self.has_left = True
        self._more.set()
        return not self.is_encrypted and not self._is_lingering

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the one receive buffer of the process: what comes is taken out of it before anything else happens."""
        buffer = self._reception.receive_buffer
        return buffer if self._header is None else buffer[: max(1, self._header.missing_bytes)]

    def buffer_updated(self, count: int) -> None:
        """Take what has come."""
        if self._is_lingering:
            self._came_bytes += count
            if self._came_bytes > LINGER_BYTES:
                self._let_go()
            return
        data = self._reception.receive_buffer[:count]
        if self._header is not None:
            self._take_header(self._header, data)
            return
        if len(self._first) < 3:
            self._first += bytes(data[: 3 - len(self._first)])
        was_in_mail = self._framer.is_in_mail
        self._came_bytes += count
        self._framer.feed(data)
        if was_in_mail:
            self._reception.mail_grew(self, self._framer.mail_bytes, count)
            if self._framer.is_mail_complete or self._framer.dropped_bytes or self._framer.has_bare_end:
                self._more.set()
        else:
            self._more.set()
        if self._framer.waiting_bytes > COMMANDS_WAITING_BYTES:
            self.pause(Pause.COMMANDS)

    def _take_header(self, header: Header, data: memoryview) -> None:
        try:
            header.feed(data)
        except ProtocolError as error:
            self._header_fault = str(error)
        if self._header_fault or not header.missing_bytes:
            self.pause(Pause.GREETING)  # what follows is the client's
            self._more.set()

    def pause_writing(self) -> None:
        """Wait with further replies: the client does not read them."""
        self._is_write_paused = True

    def resume_writing(self) -> None:
        """Go on with replies."""
        self._is_write_paused = False
        self._more.set()

    def pause(self, why: Pause) -> None:
        """Read no more for now."""
        if not self._pauses and not self._is_over:
            self._transport.pause_reading()
        self._pauses.add(why)

    def resume(self, why: Pause) -> None:
        """Read again, unless another reason keeps."""
        was_paused = bool(self._pauses)
        self._pauses.discard(why)
        if was_paused and not self._pauses and not self._is_over:
            self._transport.resume_reading()

    # --- reading ------------------------------------------------------------------------------------------------------

    def _allow(self, limit_s: float) -> None:
        """Give the client so much time from now on, whatever it was given before.

        One timer is enough although each command moves the time: it looks at the clock when it fires.
        """
        self._is_late = False
        self._late_at = self._loop.time() + limit_s
        if self._timer is not None and self._timer.when() > self._late_at:
            self._cancel_timer()
        if self._timer is None:
            self._timer = self._loop.call_at(self._late_at, self._check_clock)

    def _check_clock(self) -> None:
        self._timer = None
        if self._late_at > self._loop.time():
            self._timer = self._loop.call_at(self._late_at, self._check_clock)
        else:
            self._is_late = True
            self._more.set()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def learn_client(self) -> bool:
        """Wait for the balancer's header and take the client's address for the peer's.

        Returns: Whether there is a client; else the balancer only looks whether we are there.
        Raises: NoHeader; Over when the balancer is gone.
        """
        self._header = header = Header()
        self.resume(Pause.GREETING)
        self._allow(HEADER_S)
        while header.missing_bytes and not self._header_fault:
            if self._has_ended:
                raise Over
            if self._is_late:
                raise NoHeader("sent no PROXY header")
            await self._more.wait()
            self._more.clear()
        self._header = None
        try:
            client = "" if self._header_fault else header.client
        except ProtocolError as error:
            self._header_fault = str(error)
        if self._header_fault:
            raise NoHeader(self._header_fault)
        self.peer = client or self.peer
        return bool(client)

    async def line(self, limit_s: float) -> bytes:
        """Wait for a command line.

        Raises: Over when the client is gone, SpokeTls when it will never say one; Late; LineTooLong.
        """
        self._allow(limit_s)
        while True:
            self._more.clear()
            if not self.is_encrypted and tls.is_client_hello(self._first):
                raise SpokeTls
            line = None if self._is_write_paused else self._framer.line()
            if line is not None:
                return line
            if self._has_ended:
                raise Over
            if self._is_late:
                raise Late
            if self._framer.waiting_bytes <= COMMANDS_WAITING_BYTES:  # more only waits while writing is paused
                self.resume(Pause.COMMANDS)
            await self._more.wait()

    def begin_mail(self, max_bytes: int) -> None:
        """Take what comes, and has come, for a mail."""
        early_bytes = self._framer.waiting_bytes  # of a client that did not wait for 354
        self._framer.begin_mail(max_bytes)
        self.resume(Pause.COMMANDS)
        self._reception.mail_grew(self, self._framer.mail_bytes, early_bytes)

    async def mail(self, max_bytes: int, limit_s: float) -> bytearray:
        """Wait for the end of the mail and return it.

        Raises: Over when it never ends; Late; MailTooLarge.
        """
        self._allow(limit_s)
        while not self._framer.is_mail_complete:
            self._more.clear()
            if self._framer.has_bare_end and (self._has_ended or await self._falls_quiet()):
                self._framer.take_bare_end()
                self._reception.met_bare_line_feeds(self.peer)
            elif self._framer.is_mail_complete:
                break
            elif self._has_ended and not self._framer.has_bare_end:
                raise Over
            elif self._is_late:
                raise Late
            elif self._framer.dropped_bytes > DROPPED_MAILS * max_bytes:
                raise MailTooLarge(is_endless=True)
            elif not self._framer.has_bare_end:
                await self._more.wait()
        was_too_large = self._framer.dropped_bytes > 0
        mail = self._framer.take_mail()
        if was_too_large:
            raise MailTooLarge(is_endless=False)
        return mail

    async def _falls_quiet(self) -> bool:
        """Wait until something happens, or nothing has for `BARE_END_S`; tells which."""
        came_bytes = self._came_bytes
        try:
            async with asyncio.timeout(BARE_END_S):
                await self._more.wait()
        except TimeoutError:
            return self._came_bytes == came_bytes and not self._pauses and not self._is_late
        return False

    @property
    def mail_bytes(self) -> int:
        """Return how much of a mail has come."""
        return self._framer.mail_bytes

    @property
    def stops_at_a_bare_dot(self) -> bool:
        """Tell whether the mail in reception stops at what its client takes for the end."""
        return self._framer.stops_at_a_bare_dot

    # --- writing ------------------------------------------------------------------------------------------------------

    def say(self, reply: str) -> None:
        """Send a reply; a client that does not read is not served any further until it does."""
        if not self._is_over and not self._is_reply_dropped:
            self._transport.write(reply.encode("utf-8", "replace") + b"\r\n")

    def leave(self, reply: str) -> NoReturn:
        """Say a last reply and end what is under way: raises Over."""
        self.say(reply)
        raise Over

    def end(self, reply: str, problem: str = "") -> None:
        """End what is under way from outside, with a last reply; `problem` is for the session's record."""
        self.say(reply)
        self.close()
        self._has_ended = True
        self._more.set()

    def close(self) -> None:
        """Close the connection once the client has read what was said, or has not read it for `FLUSH_S`.

        One that may still be sending gets a FIN first, and what it sends is discarded for a moment.
        """
        if self._is_over:
            return
        self._is_over = True
        if self._transport.is_closing():  # it is lost, and TLS does not bear to be asked for more then
            return
        if self.has_left or self._reception.lingering >= MOST_LINGERING:
            self._let_go()
            return
        self._is_lingering, self._came_bytes = True, 0
        self._reception.lingering += 1
        with contextlib.suppress(OSError):  # it was reset, which the loop will tell
            if self._transport.can_write_eof():
                self._transport.write_eof()
        if self._pauses:
            self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._let_go)

    def _let_go(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(FLUSH_S, self._transport.abort)

    def forget(self) -> None:
        """Let go of what has come: a session is a ring of references, which would wait for the garbage collector."""
        self._cancel_timer()
        self._framer.drop()

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on.

        Raises: HandshakeFailed; Over when the client is gone.
        """
        if self._has_ended:  # over a transport that is gone, start_tls would wait forever
            raise Over
        self._framer.drop()  # RFC 3207, section 4.2: what came in the clear is not obeyed
        self.is_encrypted = self._is_reply_dropped = True
        try:
            async with asyncio.timeout(HANDSHAKE_S + 1):  # for a transport that is lost before the handshake begins
                encrypted = await self._loop.start_tls(
                    self._transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
                )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self._is_over = True
            raise HandshakeFailed from error
        if encrypted is None:
            self._is_over = True
            raise Over
        self._transport = encrypted  # what a quick client has said through it waits in the framer
        self._is_reply_dropped = False
        self._pauses.clear()  # the new one is read


def _peer_of(transport: asyncio.BaseTransport) -> str:
    address = (transport.get_extra_info("peername") or ("?",))[0]
    return address.removeprefix("::ffff:") if isinstance(address, str) else "?"
