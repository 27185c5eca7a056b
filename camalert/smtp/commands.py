"""The commands of SMTP as cameras really use them.

Runs in the event loop of the smtp process. Built on aiosmtpd's protocol class, which finds commands by their names;
its answers to them are replaced here, for they refuse much that is harmless on a local network. It never sees a byte:
`connection` does.

Source: RFC 5321, RFC 4954 (AUTH), RFC 3207 (STARTTLS); docs/cameras.md for what cameras make of them.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable

import structlog
from aiosmtpd.smtp import SMTP

from camalert.smtp import diagnosis, login, replies
from camalert.smtp.connection import Connection, Late, MailTooLarge, Over
from camalert.smtp.framing import LineTooLong
from camalert.smtp.reception import Listener, Reception
from camalert.smtp.syntax import parse_recipients, parse_sender
from camalert.smtp.transaction import MAX_RECIPIENTS, Transaction

log = structlog.get_logger()


class Commands(SMTP):
    """Obey one client."""

    def __init__(
        self, client: Connection, reception: Reception, listener: Listener, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._client = client
        self._record = client.record
        self._reception = reception
        self._listener = listener
        self._helo = ""
        self._login = ""
        self._transaction = Transaction()
        self._acknowledged: set[str] = set()  # digests of this session's mails that got a 250
        super().__init__(
            None, hostname=reception.smtp.hostname, enable_SMTPUTF8=True, auth_require_tls=False, loop=loop
        )

    def __dir__(self) -> list[str]:
        """Name our commands alone: aiosmtpd's constructor looks through all names (0.15 ms for each connection)."""
        return _names()

    def named(self, verb: str) -> Callable[[str | None], Awaitable[None]] | None:
        """Return a command, None when there is none of that name."""
        found: Callable[[str | None], Awaitable[None]] | None = self._smtp_methods.get(verb)
        return found

    # --- greeting and encryption --------------------------------------------------------------------------------------

    async def smtp_HELO(self, hostname: str | None) -> None:
        """Greet, by any name or none."""
        self._greeted(hostname)
        self._client.say(replies.hello(self.hostname))

    async def smtp_EHLO(self, hostname: str | None) -> None:
        """Greet, and say what is offered."""
        self._greeted(hostname)
        self._client.say(
            replies.extended_hello(
                self.hostname, self._reception.max_mail_bytes, offers_tls=self._starttls is not None,
                offers_login=self._reception.smtp.auth.accept != "none",
            )
        )  # fmt: skip

    def _greeted(self, hostname: str | None) -> None:
        self._transaction.reset()
        self._helo = hostname or ""

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Encrypt the rest of the session, and forget what was said in the clear."""
        context = self._starttls
        if context is None:
            self._client.say(replies.NO_TLS)
            return
        self._client.pause()
        self._client.say(replies.READY_FOR_TLS)
        await self._client.encrypt(context)
        self._helo = self._login = ""
        self._transaction.reset()
        self._client.resume()

    @property
    def _starttls(self) -> ssl.SSLContext | None:
        """Return what STARTTLS would encrypt with, None when it is not offered."""
        return self._reception.tls if self._listener.tls == "starttls" and not self._client.is_encrypted else None

    # --- login --------------------------------------------------------------------------------------------------------

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Log in: any case, with and without an initial response, after HELO as well as EHLO."""
        accept = self._reception.smtp.auth.accept
        mechanism, initial = login.parse(arg or "")
        if accept == "none":
            self._client.say(replies.NO_LOGIN_NEEDED)
            return
        if mechanism not in login.mechanisms(accept):
            self._client.say(replies.UNKNOWN_MECHANISM)
            return
        try:
            credentials = await login.exchange(mechanism, initial, self._ask)
        except login.Cancelled:
            self._client.say(replies.LOGIN_CANCELLED)
            return
        if await self._reception.logins.is_right(credentials):
            self._login = credentials.name or "?"
            self._record.logged_in()
            self._client.say(replies.LOGGED_IN)
        elif self._record.wrong_login(diagnosis.login_failed(self._client.peer, credentials.name)):
            self._client.leave(replies.TOO_MANY_LOGINS)
        else:
            self._client.say(replies.WRONG_LOGIN)

    async def _ask(self, challenge: str) -> bytes:
        """Ask for a part of a login; what comes is never logged.

        Raises: Cancelled; Over and Late as any line.
        """
        self._client.say(replies.challenge(challenge))
        try:
            return login.answer(await self._client.line(self._reception.smtp.command_seconds))
        except LineTooLong:
            return b""

    # --- the mail -----------------------------------------------------------------------------------------------------

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin a mail."""
        peer, smtp = self._client.peer, self._reception.smtp
        if self._transaction.is_begun:
            self._client.say(replies.MAIL_IS_BEGUN)
            return
        if smtp.auth.accept == "users" and not self._login:
            self._record.blame(diagnosis.login_missing(peer))
            self._client.say(replies.LOGIN_FIRST)
            return
        if self._reception.is_over_rate(peer):
            self._record.blame(diagnosis.too_many_mails(peer, smtp.mails_per_minute))
            self._client.say(replies.OVER_RATE)
            return
        sender = parse_sender(arg or "")
        if sender.size_bytes > self._reception.max_mail_bytes:
            self._client.say(self._too_large())
            return
        if sender.unknown:
            log.info("parameters_ignored", peer=peer, parameters=sender.unknown[:5])
        self._transaction.begin(sender.address)
        self._client.say(replies.SENDER_OK)

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Add recipients: every address is right, it only tells cameras apart."""
        found = parse_recipients(arg or "")
        if not self._transaction.is_begun:
            self._client.say(replies.MAIL_FIRST)
        elif not found:
            self._client.say(replies.ADDRESS_MISSING)
        elif not self._transaction.has_room(found):
            self._client.say(replies.too_many_recipients(MAX_RECIPIENTS))
        else:
            self._transaction.add(found)
            self._client.say(replies.RECIPIENT_OK)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Receive a mail and deliver it."""
        if not self._transaction.is_complete:
            self._client.say(replies.MAIL_AND_RCPT_FIRST)
            return
        envelope = self._transaction.finish(self._client.peer, self._helo, self._login)
        self._reception.begin_mail(self._client)
        try:
            self._client.begin_mail(self._reception.max_mail_bytes)
            self._client.say(replies.SEND_MAIL)
            # No name here for the mail: it would keep the memory that the parcel gives back.
            parcel = self._reception.parcel(self._client, await self._received())
            reply = await self._reception.deliver(parcel, envelope, self._acknowledged)
        except MailTooLarge as error:
            reply = self._too_large()
            if error.is_endless:
                self._client.leave(reply)
        finally:
            self._reception.end_mail(self._client)
        if reply == replies.OK:
            self._record.mail_taken()
        self._client.say(reply)

    async def _received(self) -> bytearray:
        """Wait for the end of the mail and return it.

        Raises: Over when it never ends; MailTooLarge.
        """
        limit_s = self._reception.smtp.mail_seconds
        try:
            return await self._client.mail(self._reception.max_mail_bytes, limit_s)
        except Over:
            self._record.blame_if_well(diagnosis.torn_mail(self._client.peer, self._client.mail_bytes))
            raise
        except Late:
            self._record.blame(diagnosis.slow_mail(self._client.peer, limit_s))
            self._client.leave(replies.SLOW_MAIL)

    def _too_large(self) -> str:
        """Note that a mail is too large, and return the reply."""
        limit_bytes = self._reception.max_mail_bytes
        self._record.blame(diagnosis.too_large(self._client.peer, limit_bytes))
        return replies.too_large(limit_bytes)

    # --- the rest -----------------------------------------------------------------------------------------------------

    async def smtp_RSET(self, arg: str | None) -> None:
        """Forget the mail that was begun."""
        self._transaction.reset()
        self._client.say(replies.OK)

    async def smtp_NOOP(self, arg: str | None) -> None:
        """Do nothing."""
        self._client.say(replies.OK)

    async def smtp_EXPN(self, arg: str | None) -> None:
        """Expand nothing."""
        self._client.say(replies.NO_LISTS)

    async def smtp_VRFY(self, arg: str | None) -> None:
        """Verify nothing: every recipient is right."""
        self._client.say(replies.SEND_AND_SEE)

    async def smtp_HELP(self, arg: str | None) -> None:
        """Say what there is."""
        self._client.say(replies.HELP)

    async def smtp_QUIT(self, arg: str | None) -> None:
        """Say good-bye."""
        self._client.leave(replies.BYE)


@functools.cache
def _names() -> list[str]:
    return [name for name in vars(Commands) if name.startswith("smtp_")]
