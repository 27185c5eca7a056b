"""One client's session: what its commands do, and the one log line that says what went wrong.

A task for each client. SMTP as cameras really use it: what is harmless on a local network is not refused.

Source: RFC 5321, RFC 4954 (AUTH), RFC 3207 (STARTTLS); docs/cameras.md for what cameras make of them.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from camalert.identity import Envelope
from camalert.intake.smtp import auth, diagnosis, replies
from camalert.intake.smtp.connection import Connection, HandshakeFailed, Late, MailTooLarge, NoHeader, Over, SpokeTls
from camalert.intake.smtp.framing import LineTooLong
from camalert.intake.smtp.limits import Step
from camalert.intake.smtp.reception import ListenerRules, Pause, Reception
from camalert.intake.smtp.syntax import is_http, parse_command, parse_recipients, parse_sender
from camalert.system.logs import log

MAX_RECIPIENTS = 100  # RFC 5321, section 4.5.3.1.8
MAX_WRONG_COMMANDS = 20  # commands without meaning before the client is shut out
MAX_WRONG_LOGINS = 3
MOST_UNNAMED = 128  # connections of balancers that wait for their header; each has 5 s
VERB_CHARACTERS = 8  # the longest command is STARTTLS


@dataclass(slots=True)
class Record:
    """What went wrong in a session so far, and how many errors it may still make.

    `problem` is what is wrong with it, in a sentence for the owner, "" when nothing is.
    """

    problem: str = ""
    last_command: str = ""
    mails: int = 0  # that got a 250
    wrong_commands: int = 0
    wrong_logins: int = 0
    is_sent_away: bool = False  # we ended it, so what the client had said last explains nothing

    def set_problem(self, problem: str) -> None:
        """Note what went wrong; it counts more than what did before."""
        self.problem = problem

    def set_problem_if_none(self, problem: str) -> None:
        """Note what went wrong, unless something did before: then this only follows from it."""
        self.problem = self.problem or problem

    def mail_taken(self) -> None:
        """Note a mail that got its 250: what was wrong before did no harm."""
        self.mails += 1
        self.problem = ""

    def logged_in(self) -> None:
        """Note a login: the wrong ones before did no harm."""
        self.problem = ""

    def wrong_login(self, problem: str) -> bool:
        """Note a wrong login; tells whether the client may not try again."""
        self.wrong_logins += 1
        self.set_problem(problem)
        return self.wrong_logins >= MAX_WRONG_LOGINS

    def wrong_command(self, peer: str, verb: str) -> bool:
        """Note a command without meaning; tells whether the client is shut out.

        What is no word is not kept for the log: behind a login that failed, a client may go on to say its password.
        """
        self.wrong_commands += 1
        if self.wrong_commands < MAX_WRONG_COMMANDS:
            return False
        is_word = verb.isascii() and verb.isalpha() and len(verb) <= VERB_CHARACTERS
        self.set_problem_if_none(diagnosis.nonsense(peer, verb if is_word else ""))
        return True

    def fell_silent(self, peer: str, limit_s: float) -> None:
        """Note that the client said nothing for so long; one that has sent its mail, or never spoke, may do so."""
        if self.last_command and not self.mails:
            self.set_problem_if_none(diagnosis.silent(peer, limit_s))

    def summary(self, peer: str, *, offers_login: bool, offers_tls: bool) -> str:
        """Say what was wrong with the whole session, "" when nothing was."""
        if self.problem or self.mails or self.is_sent_away or self.last_command in ("", "QUIT"):
            return self.problem
        return diagnosis.gave_up(peer, self.last_command, offers_login=offers_login, offers_tls=offers_tls)


class Session(Connection):
    """Serve one client."""

    def __init__(self, reception: Reception, listener: ListenerRules, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reception, loop)
        self.record = Record()
        self._listener = listener
        self._refusal = ""
        self._is_reply_dropped = listener.tls == "implicit"
        self._helo = ""
        self._login = ""
        self._sender: str | None = None  # of the mail that MAIL has begun; "" is one too: a bounce has it
        self._recipients: tuple[str, ...] = ()
        self._acknowledged: set[str] = set()  # digests of this session's mails that got a 250

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session in a task of its own."""
        super().connection_made(transport)
        if not self._listener.balancers:
            self._refusal = self._reception.begin(self, self._listener)
        self._task = self._loop.create_task(self._serve())

    def end(self, reply: str, problem: str = "") -> None:
        """End the session from outside, with a last reply and what was wrong."""
        self.record.is_sent_away = True
        self.record.set_problem_if_none(problem)
        super().end(reply, problem)

    # --- the course ---------------------------------------------------------------------------------------------------

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
            self.record.set_problem(
                diagnosis.tls_on_plain_port(self.peer, self._listener.port, self._reception.tls_ports)
            )
        except HandshakeFailed as failure:
            self.record.set_problem(
                diagnosis.handshake_failed(
                    self.peer, self._listener.port, failure.__cause__ or failure, self._reception.smtp.min_tls,
                    is_starttls=self._listener.tls == "starttls",
                )
            )  # fmt: skip
        except NoHeader as failure:
            self.record.set_problem(diagnosis.no_header(self.peer, self._listener.port, str(failure)))
        except (Over, ConnectionError):
            pass

    async def _converse(self) -> None:
        """Greet the client and obey it until it leaves, or must.

        Raises: Over, SpokeTls, HandshakeFailed, Late.
        """
        if self._listener.balancers:
            await self._begin_for_client()
        if self._refusal:
            self.record.set_problem(self._refusal)
            self.leave(replies.NOT_ACCEPTED)
        if self._listener.tls == "implicit":
            assert self._reception.tls is not None  # noqa: S101 - `process` makes it for every listener with TLS
            await self.encrypt(self._reception.tls)
        self.resume(Pause.GREETING)
        self.say(replies.greeting(self._reception.smtp.hostname))
        while True:
            try:
                line = await self.line(self._reception.smtp.command_seconds)
            except LineTooLong:
                self._refuse("", replies.LINE_TOO_LONG)
                continue
            await self._obey(line)
            await asyncio.sleep(0)  # a client that has sent thousands of commands leaves the others their turn

    async def _begin_for_client(self) -> None:
        """Learn from the balancer whose session this is, and begin it as that client's."""
        balancer, listener = self.peer, self._listener
        if not self._reception.is_balancer(balancer, listener):
            self._is_reply_dropped = False
            self.record.set_problem(diagnosis.passed_by(balancer, listener.port))
            self.leave(replies.NOT_ACCEPTED)
        if self._reception.unnamed >= MOST_UNNAMED:
            self.leave(replies.CROWDED)
        self._reception.unnamed += 1
        try:
            if not await self.learn_client():
                listener = replace(listener, allow=listener.balancers)
        finally:
            self._reception.unnamed -= 1
        self._refusal = self._reception.begin(self, listener)

    async def _obey(self, line: bytes) -> None:
        if is_http(line):
            self.record.set_problem(diagnosis.spoke_http(self.peer, self._listener.port))
            raise Over
        verb, argument = parse_command(line)
        if verb not in COMMANDS:
            self._refuse(verb, replies.unknown_command(verb))
            return
        if self._reception.is_draining and self.record.last_command == "DATA" and verb != "QUIT":
            self.leave(replies.STOPPING)  # it had its mail
        self.record.last_command = verb
        command = COMMANDS[verb]
        if isinstance(command, str):
            self.say(command)
        else:
            await command(self, argument)

    def _refuse(self, verb: str, reply: str) -> None:
        """Refuse a command that means nothing, for the last time when there were too many: then it raises Over."""
        if self.record.wrong_command(self.peer, verb):
            self.leave(replies.TOO_MANY_ERRORS)
        self.say(reply)

    def _summary(self) -> str:
        """Say what was wrong with the session, "" when nothing was."""
        if self._reception.is_draining:  # whoever left without a mail was sent away
            return self.record.problem
        return self.record.summary(
            self.peer, offers_login=self._reception.smtp.auth.accept != "none",
            offers_tls=self.is_encrypted or self._listener.tls != "none",
        )  # fmt: skip

    # --- greeting, encryption and login -------------------------------------------------------------------------------

    async def _hello(self, hostname: str) -> None:
        self._greeted(hostname)
        self.say(replies.hello(self._reception.smtp.hostname))

    async def _extended_hello(self, hostname: str) -> None:
        self._greeted(hostname)
        smtp = self._reception.smtp
        self.say(
            replies.extended_hello(
                smtp.hostname, self._reception.max_mail_bytes, offers_tls=self._starttls is not None,
                offers_login=smtp.auth.accept != "none",
            )
        )  # fmt: skip

    def _greeted(self, hostname: str) -> None:
        """Take any name of the client, or none."""
        self._forget_mail()
        self._helo = hostname
        self._reception.came_to(self, Step.GREETED)

    async def _start_tls(self, _: str) -> None:
        """Encrypt the rest of the session, and forget what was said in the clear."""
        context = self._starttls
        if context is None:
            self.say(replies.NO_TLS)
            return
        self.pause(Pause.ENCRYPTION)
        self.say(replies.READY_FOR_TLS)
        await self.encrypt(context)
        self._helo = self._login = ""
        self._forget_mail()

    @property
    def _starttls(self) -> ssl.SSLContext | None:
        """Return what STARTTLS would encrypt with, None when it is not offered."""
        return self._reception.tls if self._listener.tls == "starttls" and not self.is_encrypted else None

    async def _log_in(self, argument: str) -> None:
        """Log in: any case, with and without an initial response, after HELO as well as EHLO."""
        accept = self._reception.smtp.auth.accept
        mechanism, initial = auth.parse(argument)
        if accept == "none":
            self.say(replies.NO_LOGIN_NEEDED)
            return
        if mechanism not in auth.mechanisms(accept):
            self.say(replies.UNKNOWN_MECHANISM)
            return
        try:
            credentials = await auth.exchange(mechanism, initial, self._ask)
            is_right = await self._reception.logins.is_right(credentials, self.peer)
        except auth.Cancelled:
            self.say(replies.LOGIN_CANCELLED)
        except auth.TooManyGuesses:
            self._wrong_login(diagnosis.too_many_guesses(self.peer), replies.LOGIN_LATER)
        else:
            if not is_right:
                self._wrong_login(diagnosis.login_failed(self.peer, credentials.name), replies.WRONG_LOGIN)
                return
            self._login = credentials.name or "?"
            self.record.logged_in()
            self._reception.came_to(self, Step.LOGGED_IN)
            self.say(replies.LOGGED_IN)

    def _wrong_login(self, problem: str, reply: str) -> None:
        if self.record.wrong_login(problem):
            self.leave(replies.TOO_MANY_LOGINS)
        self.say(reply)

    async def _ask(self, challenge: str) -> bytes:
        """Ask for a part of a login; what comes is never logged.

        Raises: Cancelled; Over and Late as any line.
        """
        self.say(replies.challenge(challenge))
        try:
            return auth.answer(await self.line(self._reception.smtp.command_seconds))
        except LineTooLong:
            return b""

    # --- the mail -----------------------------------------------------------------------------------------------------

    def _forget_mail(self) -> None:
        self._sender = None
        self._recipients = ()

    async def _reset(self, _: str) -> None:
        self._forget_mail()
        self.say(replies.OK)

    async def _mail(self, argument: str) -> None:
        """Begin a mail."""
        smtp = self._reception.smtp
        if self._sender is not None:
            self.say(replies.MAIL_IS_BEGUN)
            return
        if smtp.auth.accept == "users" and not self._login:
            self.record.set_problem(diagnosis.login_missing(self.peer))
            self.say(replies.LOGIN_FIRST)
            return
        if self._reception.is_over_rate(self.peer):
            self.record.set_problem(diagnosis.too_many_mails(self.peer, smtp.mails_per_minute))
            self.say(replies.OVER_RATE)
            return
        sender = parse_sender(argument)
        if sender.size_bytes > self._reception.max_mail_bytes:
            self.say(self._too_large())
            return
        if sender.unknown:
            log.info("parameters_ignored", peer=self.peer, parameters=sender.unknown[:5])
        self._sender = sender.address
        self._reception.came_to(self, Step.MAIL)
        self.say(replies.SENDER_OK)

    async def _recipient(self, argument: str) -> None:
        """Add recipients: every address is right, it only tells cameras apart."""
        if self._sender is None:
            self.say(replies.MAIL_FIRST)
            return
        is_full = len(self._recipients) >= MAX_RECIPIENTS
        found = () if is_full else parse_recipients(argument)  # not even read then: there may be thousands
        if is_full or len(self._recipients) + len(found) > MAX_RECIPIENTS:
            self.say(replies.too_many_recipients(MAX_RECIPIENTS))
        elif not found:
            self._refuse("RCPT", replies.ADDRESS_MISSING)
        else:
            self._recipients += found
            self._reception.came_to(self, Step.RCPT)
            self.say(replies.RECIPIENT_OK)

    async def _data(self, _: str) -> None:
        """Receive a mail and deliver it."""
        if self._sender is None or not self._recipients:
            self.say(replies.MAIL_AND_RCPT_FIRST)
            return
        envelope = Envelope(self.peer, self._helo, self._login, self._sender, self._recipients)
        self._forget_mail()
        self._reception.begin_mail(self)
        reply = ""
        try:
            self.begin_mail(self._reception.max_mail_bytes)
            self.say(replies.SEND_MAIL)
            # No name here for the mail: its memory is given back while it waits for the writer.
            reply = await self._reception.deliver(self, await self._received(), envelope, self._acknowledged)
        except MailTooLarge as error:
            reply = self._too_large()
            if error.is_endless:
                self.leave(reply)
        finally:
            self._reception.end_mail(self, is_taken=reply == replies.OK)
        if reply == replies.OK:
            self.record.mail_taken()
        self.say(reply)

    async def _received(self) -> bytearray:
        """Wait for the end of the mail and return it.

        Raises: Over when it never ends; MailTooLarge.
        """
        limit_s = self._reception.smtp.mail_seconds
        try:
            return await self.mail(self._reception.max_mail_bytes, limit_s)
        except Over:
            torn = diagnosis.bare_dot if self.stops_at_a_bare_dot else diagnosis.torn_mail
            self.record.set_problem_if_none(torn(self.peer, self.mail_bytes))
            raise
        except Late:
            is_ended = self.stops_at_a_bare_dot
            self.record.set_problem(
                diagnosis.bare_dot(self.peer, self.mail_bytes) if is_ended else diagnosis.slow_mail(self.peer, limit_s)
            )
            self.leave(replies.SLOW_MAIL)

    def _too_large(self) -> str:
        """Note that a mail is too large, and return the reply."""
        limit_bytes = self._reception.max_mail_bytes
        self.record.set_problem(diagnosis.too_large(self.peer, limit_bytes))
        return replies.too_large(limit_bytes)

    async def _quit(self, _: str) -> None:
        self.has_left = True
        self.leave(replies.BYE)


# What each command does, or its reply where it does nothing.
COMMANDS: dict[str, Callable[[Session, str], Awaitable[None]] | str] = {
    "HELO": Session._hello,
    "EHLO": Session._extended_hello,
    "STARTTLS": Session._start_tls,
    "AUTH": Session._log_in,
    "MAIL": Session._mail,
    "RCPT": Session._recipient,
    "DATA": Session._data,
    "RSET": Session._reset,
    "NOOP": replies.OK,
    "EXPN": replies.NO_LISTS,
    "VRFY": replies.SEND_AND_SEE,
    "HELP": replies.HELP,
    "QUIT": Session._quit,
}
