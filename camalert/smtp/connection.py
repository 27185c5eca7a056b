"""One client's connection: bytes in, lines and mails out; replies, encryption, and the end.

Runs in the event loop of the smtp process. What comes goes through one receive buffer of the process into a `Framer`,
so that a connection holds no more memory than what waits to be understood. What the lines mean is not known here, but
for TLS where a line should be.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NoReturn

from camalert.smtp import tls
from camalert.smtp.deadline import Deadline
from camalert.smtp.framing import Framer
from camalert.smtp.reception import Reception
from camalert.smtp.record import Record

HANDSHAKE_S = 20.0  # a small camera computes for seconds
LAST_WORDS_S = 5.0  # for a client that does not read; until then its connection stays open although it is over
COMMANDS_WAITING_BYTES = 65_536  # a client that talks without listening is not read any further
DROPPED_MAILS = 8  # bytes of a too large mail that are read to its end, in mails of the largest size


class Over(Exception):
    """The connection is over."""


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
    """Talk with one client, line by line, and keep the record of it."""

    def __init__(self, reception: Reception, loop: asyncio.AbstractEventLoop) -> None:
        self.peer = ""  # the client's address, an IPv4-mapped one as IPv4
        self.record = Record()
        self.is_encrypted = False
        self._reception = reception
        self._loop = loop
        self._framer = Framer(reception.smtp.command_line_bytes)
        self._first = b""
        self._more = asyncio.Event()
        self._deadline = Deadline(loop, self._more.set)
        self._is_reading = False
        self._is_deaf = False  # the client does not read what we say
        self._is_over = False
        self._has_ended = False  # the client says no more

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

    def eof_received(self) -> bool:
        """Note that the client says no more; it may still listen, except over TLS."""
        self._has_ended = True
        self._more.set()
        return not self.is_encrypted

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
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._is_reading and not self._is_over:
            self._is_reading = True
            self._transport.resume_reading()

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def line(self, limit_s: float) -> bytes:
        """Wait for a command line.

        Raises: Over when the client is gone, SpokeTls when it will never say one; Late; LineTooLong.
        """
        self._deadline.allow(limit_s)
        while True:
            self._more.clear()
            if not self.is_encrypted and tls.is_client_hello(self._first):
                raise SpokeTls
            line = None if self._is_deaf else self._framer.line()
            if line is not None:
                return line
            if self._has_ended:
                raise Over
            if self._deadline.is_late:
                raise Late
            if self._framer.waiting_bytes <= COMMANDS_WAITING_BYTES:  # more only waits while the client is deaf
                self.resume()
            await self._more.wait()

    def begin_mail(self, max_bytes: int) -> None:
        """Take what comes, and has come, for a mail."""
        self._framer.begin_mail(max_bytes)
        self.resume()
        self._reception.mail_grew(self, self._framer.mail_bytes)  # of a client that did not wait for 354

    async def mail(self, max_bytes: int, limit_s: float) -> bytearray:
        """Wait for the end of the mail and return it.

        Raises: Over when it never ends; Late; MailTooLarge.
        """
        self._deadline.allow(limit_s)
        while not self._framer.is_mail_complete:
            self._more.clear()
            if self._has_ended:
                raise Over
            if self._deadline.is_late:
                raise Late
            if self._framer.dropped_bytes > DROPPED_MAILS * max_bytes:
                raise MailTooLarge(is_endless=True)
            await self._more.wait()
        was_too_large = self._framer.dropped_bytes > 0
        mail = self._framer.take_mail()
        if was_too_large:
            raise MailTooLarge(is_endless=False)
        return mail

    @property
    def mail_bytes(self) -> int:
        """Return how much of a mail has come."""
        return self._framer.mail_bytes

    # --- saying -------------------------------------------------------------------------------------------------------

    def say(self, reply: str) -> None:
        """Send a reply; a client that does not read is not served any further until it does."""
        if not self._is_over:
            self._transport.write(reply.encode("utf-8", "replace") + b"\r\n")

    def leave(self, reply: str) -> NoReturn:
        """Say a last reply and end what is under way: raises Over."""
        self.say(reply)
        raise Over

    def end(self, reply: str, trouble: str = "") -> None:
        """End the session from outside, with a last reply."""
        self.record.blame_if_well(trouble)
        self.say(reply)
        self.close()
        self._has_ended = True
        self._more.set()

    def close(self) -> None:
        """Close the connection once the client has read what was said, or has not read it for `LAST_WORDS_S`."""
        if not self._is_over:
            self._is_over = True
            if self._transport.is_closing():  # it is lost, and TLS does not bear to be asked for more then
                return
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._loop.call_later(LAST_WORDS_S, self._transport.abort)

    def forget(self) -> None:
        """Let go of what has come: a session is a ring of references, which would wait for the garbage collector."""
        self._deadline.cancel()
        self._framer.drop()

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on.

        Raises: HandshakeFailed; Over when the client is gone.
        """
        if self._has_ended:  # over a transport that is gone, start_tls would wait for ever
            raise Over
        self._framer.drop()  # RFC 3207, section 4.2: what came in the clear is not obeyed
        self.is_encrypted = True
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
        self._is_reading = True


def _peer_of(transport: asyncio.BaseTransport) -> str:
    address = (transport.get_extra_info("peername") or ("?",))[0]
    return address.removeprefix("::ffff:") if isinstance(address, str) else "?"
