"""The commands of SMTP as cameras really use them.

Runs in the event loop of the smtp process. What aiosmtpd refuses although it is harmless on a local network is replaced
here.

Source: RFC 5321, RFC 4954 (AUTH), RFC 3207 (STARTTLS); docs/cameras.md for what cameras make of them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib

import structlog

from camalert.mail.charsets import text_of
from camalert.mail.envelope import Envelope
from camalert.smtp import diagnosis
from camalert.smtp.arguments import parse_recipients, parse_sender
from camalert.smtp.conversation import Conversation, Over
from camalert.smtp.framing import LineTooLong

log = structlog.get_logger()

MAX_RECIPIENTS = 100  # RFC 5321, section 4.5.3.1.8
MAX_WRONG_LOGINS = 3
DROPPED_MAILS = 8  # bytes of a too large mail that are read to its end, in mails of the largest size


class _TooLarge(Exception):
    """A mail exceeded the limit; it was read to its end and dropped."""


class _Cancelled(Exception):
    """The client does not want to log in after all."""


class Session(Conversation):
    """Serve one client."""

    # What firmware compares the challenges with; aiosmtpd's are others.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"

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

    # --- login --------------------------------------------------------------------------------------------------------

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Log in: any case, with and without an initial response, after HELO as well as EHLO."""
        words = (arg or "").split()
        try:
            await self._log_in_by(words[0].upper() if words else "", words)
        except _Cancelled:
            await self.push("501 5.7.0 login cancelled")

    async def _log_in_by(self, mechanism: str, words: list[str]) -> None:
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
        if self._logins_failed >= MAX_WRONG_LOGINS:
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

        Raises: _Cancelled when the client answers "*" (RFC 4954, section 4); Over when it goes away.
        """
        text = challenge if isinstance(challenge, bytes) else challenge.encode()
        await self.push(b"334 " + base64.b64encode(text))
        try:
            line = await self._next_line()
        except LineTooLong:
            return b""
        if line.strip() == b"*":
            raise _Cancelled
        return _decoded(line)

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

    async def smtp_HELP(self, arg: str | None) -> None:
        """Say what there is."""
        await self.push("214 2.0.0 for alarm mails of cameras: EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT")

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
            self.resume()
            self._reception.mail_grew(self, self._framer.mail_bytes)  # of a client that did not wait for 354
            await self.push("354 end with a dot on a line of its own")
            parcel = self._reception.parcel(self, await self._received())
            reply = await self._reception.deliver(parcel, envelope, self._acknowledged)
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

        Raises: Over when it never ends; _TooLarge.
        """
        limit_s = self._reception.smtp.mail_seconds
        dropped_limit_bytes = DROPPED_MAILS * self._reception.max_mail_bytes
        self._allow(limit_s)
        while not self._framer.is_mail_complete:
            self._more.clear()
            if self._has_ended:
                self._trouble = self._trouble or diagnosis.torn_mail(self._peer, self._framer.mail_bytes)
                raise Over
            if self._is_late:
                self._trouble = diagnosis.slow_mail(self._peer, limit_s)
                await self._leave("421 4.4.2 the mail took too long")
            if self._framer.dropped_bytes > dropped_limit_bytes:
                await self._leave(self._too_large())
            await self._more.wait()
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
