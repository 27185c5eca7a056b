"""One client's session: the dialogue as cameras really lead it, on top of aiosmtpd's protocol class.

Runs in the event loop of the smtp process. What aiosmtpd does line by line, or refuses although it is harmless on a
local network, is replaced here; sessions, envelopes and the AUTH mechanisms are aiosmtpd's.

Source: RFC 5321, RFC 4954 (AUTH), RFC 3207 (STARTTLS); docs/cameras.md for what cameras make of them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP

from camalert.mail.charsets import text_of
from camalert.mail.envelope import Envelope
from camalert.smtp import diagnosis, tls
from camalert.smtp.arguments import parse_recipients, parse_sender
from camalert.smtp.framing import Framer, LineTooLong
from camalert.smtp.reception import STOPPING, Listener, Reception

log = structlog.get_logger()

MAX_NONSENSE = 20  # commands without meaning before the client is shut out
MAX_RECIPIENTS = 100  # RFC 5321, section 4.5.3.1.8
HANDSHAKE_S = 20.0  # a small camera computes for seconds
COMMANDS_WAITING_BYTES = 65_536  # a client that talks without listening is not read any further
DROPPED_MAILS = 8  # bytes of a too large mail that are read to its end, in mails of the largest size
_HTTP = (b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"CONNECT ", b"PUT ")


class _Over(Exception):
    """The session is over."""


class _TooLarge(Exception):
    """A mail exceeded the limit; it was read to its end and dropped."""


class Session(SMTP, asyncio.BufferedProtocol):
    """Serve one client."""

    # What firmware compares the challenges with; aiosmtpd's are others.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"

    def __init__(self, reception: Reception, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            None, hostname=reception.smtp.hostname, enable_SMTPUTF8=True, auth_require_tls=False, loop=loop
        )
        self._reception = reception
        self._listener = listener
        self._framer = Framer(reception.smtp.command_line_bytes)
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
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
        self._sender: str | None = None

    # --- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session in a task of its own."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self.transport = transport
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
        self._writable.set()
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
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on with replies."""
        self._writable.set()

    def pause(self) -> None:
        """Read no more for now."""
        if self._is_reading and not self._is_over and self.transport is not None:
            self._is_reading = False
            self._stream.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._is_reading and not self._is_over and self.transport is not None:
            self._is_reading = True
            self._stream.resume_reading()

    @property
    def _stream(self) -> asyncio.Transport:
        assert isinstance(self.transport, asyncio.Transport)  # noqa: S101 - see connection_made
        return self.transport

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
        except (_Over, ConnectionError):
            pass
        except Exception:  # the outermost loop of one session: no client may end the process
            log.exception("session_crashed", peer=self._peer)
            self._write("451 4.3.0 internal error")
        finally:
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

        Raises: _Over when the client is gone or silent for too long; LineTooLong.
        """
        limit_s = self._reception.smtp.command_seconds
        try:
            async with asyncio.timeout(limit_s):
                await self._writable.wait()
                while True:
                    self._more.clear()
                    line = self._framer.line()
                    if line is not None:
                        return line
                    self._expose_strangers(b"")
                    if self._has_ended:
                        raise _Over
                    self.resume()
                    await self._more.wait()
        except TimeoutError:
            if self._last_command:
                self._trouble = self._trouble or ("" if self._mails else diagnosis.silent(self._peer, limit_s))
            await self._leave("421 4.4.2 too long without a command")
            raise

    def _expose_strangers(self, line: bytes) -> None:
        """End the session of a client that speaks TLS or HTTP to a plain port."""
        if not self._is_encrypted and tls.is_client_hello(self._first):
            self._trouble = diagnosis.tls_on_plain_port(self._peer, self._listener.port, self._reception.tls_ports)
            raise _Over
        if line.startswith(_HTTP) and b"HTTP/" in line:
            self._trouble = diagnosis.not_smtp(self._peer, self._listener.port, "HTTP, as a browser does,")
            raise _Over

    async def _nonsensical(self, reply: str) -> None:
        self._nonsense += 1
        if self._nonsense >= MAX_NONSENSE:
            self._trouble = self._trouble or diagnosis.nonsense(self._peer, reply)
            await self._leave("421 4.7.0 too many errors")
        await self.push(reply)

    async def _leave(self, reply: str) -> None:
        """Say a last reply and end the session."""
        self._write(reply)
        raise _Over

    async def push(self, status: Any) -> None:
        """Send a reply; a client that does not read is not served any further until it does."""
        self._write(status.decode("utf-8") if isinstance(status, bytes) else str(status))

    def _write(self, reply: str) -> None:
        if self.transport is not None and not self._is_over:
            self._stream.write(reply.encode("utf-8", "replace") + b"\r\n")

    def _close(self) -> None:
        if not self._is_over and self.transport is not None:
            self._is_over = True
            self._stream.close()

    # --- greeting and encryption --------------------------------------------------------------------------------------

    async def smtp_HELO(self, hostname: str | None) -> None:
        """Greet, by any name or none."""
        self._greeted(hostname, is_extended=False)
        await self.push(f"250 {self.hostname}")

    async def smtp_EHLO(self, hostname: str | None) -> None:
        """Greet, and say what is offered."""
        self._greeted(hostname, is_extended=True)
        offers = [self.hostname, f"SIZE {self._reception.max_mail_bytes}", "8BITMIME", "SMTPUTF8", "PIPELINING"]
        if self._reception.tls is not None and self._listener.tls == "starttls" and not self._is_encrypted:
            offers.append("STARTTLS")
        if self._reception.smtp.auth.accept != "none":
            offers += ["AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN"]  # the second form for firmware older than RFC 2554
        offers.append("HELP")
        await self.push("\r\n".join(f"250{' ' if offer is offers[-1] else '-'}{offer}" for offer in offers))

    def _greeted(self, hostname: str | None, *, is_extended: bool) -> None:
        self._forget_mail()
        if self.session is not None:
            self.session.host_name = hostname or ""
            self.session.extended_smtp = is_extended

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Encrypt the rest of the session."""
        if self._reception.tls is None or self._listener.tls != "starttls" or self._is_encrypted:
            await self.push("502 5.5.1 TLS is not offered here")
            return
        self.pause()
        await self.push("220 2.0.0 ready to start TLS")
        await self._encrypt()
        if self.session is not None:
            self.session.host_name = None
        self._login = ""
        self._forget_mail()
        self.resume()

    async def _encrypt(self) -> None:
        assert self._reception.tls is not None  # noqa: S101 - `reception` makes it for every listener with TLS
        self._framer.drop()  # RFC 3207, section 4.2: what came in the clear is not obeyed
        self._is_encrypted = True
        try:
            self.transport = await self.loop.start_tls(
                self._stream, self, self._reception.tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self._trouble = diagnosis.handshake_failed(
                self._peer, self._listener.port, error, self._reception.smtp.min_tls
            )
            self._is_over = True
            raise _Over from error
        if self.transport is None:
            self._is_over = True
            raise _Over
        self._is_reading = True
        self._framer.drop()

    # --- login --------------------------------------------------------------------------------------------------------

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Log in: any case, with and without an initial response, after HELO as well as EHLO."""
        words = (arg or "").split()
        mechanism = words[0].upper() if words else ""
        if self._reception.smtp.auth.accept == "none":
            await self.push("502 5.5.1 no login is needed here")
        elif mechanism == "CRAM-MD5" and self._reception.smtp.auth.accept == "any":
            await self.challenge_auth("<camalert>")
            await self._logged_in("")
        elif mechanism not in ("LOGIN", "PLAIN"):
            await self.push("504 5.5.4 LOGIN and PLAIN are offered")
        else:
            await self._log_in(mechanism, words)

    async def _log_in(self, mechanism: str, words: list[str]) -> None:
        initial = words[1] if len(words) > 1 and words[1] != "=" else ""
        if mechanism == "PLAIN":
            # A challenge with text, although the standard has an empty one: firmware hangs on a reply without text.
            secret = _decoded(initial.encode()) if initial else await self.challenge_auth("PLAIN")
            parts = secret.split(b"\0")
            login, password = (parts[-2], parts[-1]) if len(parts) >= 2 else (secret, b"")
        else:
            login = (
                _decoded(initial.encode()) if initial else await self.challenge_auth(self.AuthLoginUsernameChallenge)
            )
            password = await self.challenge_auth(self.AuthLoginPasswordChallenge)
        name = text_of(login).strip()[:80]
        if await self._reception.is_login(name, password):
            await self._logged_in(name)
            return
        self._logins_failed += 1
        self._trouble = diagnosis.login_failed(self._peer, name)
        if self._logins_failed >= 3:
            await self._leave("421 4.7.0 too many wrong logins")
        await self.push("535 5.7.8 wrong name or password")

    async def _logged_in(self, name: str) -> None:
        self._login = name or "?"
        self._trouble = ""
        if self.session is not None:
            self.session.authenticated = True
        await self.push("235 2.7.0 OK")

    async def challenge_auth(
        self,
        challenge: str | bytes,
        encode_to_b64: bool = True,
        log_client_response: bool = False,
    ) -> bytes:
        """Ask for a part of a login; what comes is never logged.

        Raises: _Over when the client cancels by "*" or goes away.
        """
        text = challenge if isinstance(challenge, bytes) else challenge.encode()
        await self.push(b"334 " + base64.b64encode(text))
        try:
            return _decoded(await self._next_line())
        except LineTooLong:
            return b""

    # --- the mail -----------------------------------------------------------------------------------------------------

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin a mail."""
        if self._sender is not None:
            await self.push("503 5.5.1 a mail is begun already; RSET begins anew")
            return
        auth = self._reception.smtp.auth
        if auth.accept == "users" and not self._login:
            self._trouble = diagnosis.login_missing(self._peer)
            await self.push("530 5.7.0 log in first")
            return
        if self._reception.is_over_rate(self._peer):
            self._trouble = diagnosis.too_many_mails(self._peer, self._reception.smtp.mails_per_minute)
            await self.push("451 4.7.1 too many mails in a minute")
            return
        sender = parse_sender(arg or "")
        if sender.size_bytes > self._reception.max_mail_bytes:
            self._trouble = diagnosis.too_large(self._peer, self._reception.max_mail_bytes)
            await self.push(f"552 5.3.4 mails of up to {self._reception.max_mail_bytes} bytes are taken")
            return
        if sender.unknown:
            log.info("parameters_ignored", peer=self._peer, parameters=sender.unknown[:5])
        self._sender = sender.address
        await self.push("250 2.1.0 OK")

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Add recipients: every address is right, it only tells cameras apart."""
        if self._sender is None:
            await self.push("503 5.5.1 MAIL comes first")
            return
        found = parse_recipients(arg or "")
        if not found:
            await self.push("501 5.1.3 an address is missing")
            return
        if len(self._recipients) + len(found) > MAX_RECIPIENTS:
            await self.push(f"452 4.5.3 {MAX_RECIPIENTS} recipients are enough")
            return
        self._recipients += found
        await self.push("250 2.1.5 OK")

    async def smtp_VRFY(self, arg: str | None) -> None:
        """Verify nothing: every recipient is right."""
        await self.push("252 2.1.5 send it and see")

    async def smtp_RSET(self, arg: str | None) -> None:
        """Forget the mail that was begun."""
        self._forget_mail()
        await self.push("250 2.0.0 OK")

    async def smtp_QUIT(self, arg: str | None) -> None:
        """Say good-bye."""
        await self._leave("221 2.0.0 bye")

    async def smtp_DATA(self, arg: str | None) -> None:
        """Receive a mail and deliver it."""
        if self._sender is None or not self._recipients:
            await self.push("503 5.5.1 MAIL and RCPT come first")
            return
        session = self.session
        envelope = Envelope(
            peer=self._peer, helo=(session.host_name if session else "") or "", login=self._login,
            sender=self._sender, recipients=tuple(self._recipients),
        )  # fmt: skip
        self._forget_mail()
        self._reception.begin_mail(self)
        try:
            self._framer.begin_mail(self._reception.max_mail_bytes)
            await self.push("354 end with a dot on a line of its own")
            reply = await self._reception.deliver(self, await self._received(), envelope)
        except _TooLarge:
            reply = self._too_large()
        finally:
            self._reception.end_mail(self)
        if reply.startswith("250"):
            self._mails += 1
            self._trouble = ""
        await self.push(reply)

    def _too_large(self) -> str:
        self._trouble = diagnosis.too_large(self._peer, self._reception.max_mail_bytes)
        return f"552 5.3.4 mails of up to {self._reception.max_mail_bytes} bytes are taken"

    async def _received(self) -> bytearray:
        """Wait for the end of the mail and return it.

        Raises: _Over when it never ends; _TooLarge.
        """
        limit_s = self._reception.smtp.mail_seconds
        dropped_limit_bytes = DROPPED_MAILS * self._reception.max_mail_bytes
        try:
            async with asyncio.timeout(limit_s):
                while not self._framer.is_mail_complete:
                    self._more.clear()
                    if self._has_ended:
                        self._trouble = self._trouble or diagnosis.torn_mail(self._peer, self._framer.mail_bytes)
                        raise _Over
                    if self._framer.dropped_bytes > dropped_limit_bytes:
                        await self._leave(self._too_large())
                    await self._more.wait()
        except TimeoutError:
            self._trouble = diagnosis.slow_mail(self._peer, limit_s)
            await self._leave("421 4.4.2 the mail took too long")
        was_too_large = self._framer.dropped_bytes > 0
        mail = self._framer.take_mail()
        if was_too_large:
            raise _TooLarge
        return mail

    def _forget_mail(self) -> None:
        self._sender = None
        self._recipients = []


def _decoded(text: bytes) -> bytes:
    """Decode base64 as far as it is; a login that cannot be decoded is a wrong one, or any one."""
    with contextlib.suppress(binascii.Error):
        return base64.b64decode(text.strip() + b"=" * (-len(text.strip()) % 4))
    return b""


def _peer_of(transport: asyncio.BaseTransport) -> str:
    address = (transport.get_extra_info("peername") or ("?",))[0]
    return address.removeprefix("::ffff:") if isinstance(address, str) else "?"
