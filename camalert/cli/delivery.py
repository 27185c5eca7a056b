"""Deliver a mail over SMTP and show the dialogue, because the server's words are what one wants to see."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from camalert.cli.alarmmail import AlarmMail
from camalert.errors import CamalertError

Show = Callable[[str], None]

TIMEOUT_S = 60.0  # longer than the server waits for its database


@dataclass(frozen=True, slots=True)
class Server:
    """Where to deliver, and how."""

    host: str
    port: int
    tls: str = "none"  # "none", "starttls", "implicit"
    user: str = ""
    password: str = ""


class Delivery:
    """One session with a server, in which several mails can be delivered; use it as a context manager."""

    def __init__(self, server: Server, show: Show) -> None:
        """Connect and greet.

        Raises: CamalertError that says why there is no session.
        """
        self._server = server
        kind = _ImplicitTls if server.tls == "implicit" else _Plain
        try:
            self._smtp = kind(server, show)
            self._smtp.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                self._smtp.starttls(context=_trusting())
                self._smtp.ehlo()
            if server.user:
                self._smtp.login(server.user, server.password)
        except (OSError, smtplib.SMTPException) as error:
            raise CamalertError(f"{_where(server)}: {_words(error)}") from error

    def deliver(self, mail: AlarmMail) -> None:
        """Deliver one mail.

        Raises: CamalertError when it was not accepted.
        """
        try:
            self._smtp.sendmail(mail.sender, [mail.recipient], mail.content)
        except (OSError, smtplib.SMTPException) as error:
            raise CamalertError(f"{_where(self._server)} did not accept the mail: {_words(error)}") from error

    def close(self) -> None:
        """Take leave; the mails are delivered already, so nothing that fails now matters."""
        try:
            self._smtp.quit()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()


class _Shown:
    """Show each command and each reply on its way."""

    show: Show

    def putcmd(self, cmd: str, args: str = "") -> None:
        text = f"{cmd} {args}".strip()
        self.show("> " + ("AUTH …" if text.upper().startswith("AUTH") else text))
        super().putcmd(cmd, args)  # type: ignore[misc]  # smtplib.SMTP follows in the order of resolution

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()  # type: ignore[misc]  # the same
        for line in text.decode("utf-8", "replace").splitlines() or [""]:
            self.show(f"< {code} {line}")
        return code, text


class _Plain(_Shown, smtplib.SMTP):
    def __init__(self, server: Server, show: Show) -> None:
        self.show = show
        super().__init__(server.host, server.port, timeout=TIMEOUT_S)


class _ImplicitTls(_Shown, smtplib.SMTP_SSL):
    def __init__(self, server: Server, show: Show) -> None:
        self.show = show
        super().__init__(server.host, server.port, timeout=TIMEOUT_S, context=_trusting())


def _trusting() -> ssl.SSLContext:
    """Return a context that accepts every certificate, as cameras do: the server's own is self-signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _where(server: Server) -> str:
    return f"{server.host} port {server.port}"


def _words(error: Any) -> str:
    match error:
        case ConnectionRefusedError():
            return "nobody listens there; does the service run?"
        case TimeoutError():
            return f"no answer within {TIMEOUT_S:.0f} s"
        case ssl.SSLError():
            return f"no TLS there ({error.reason}); try another port or --tls"
        case smtplib.SMTPRecipientsRefused():
            code, text = next(iter(error.recipients.values()))
            return f"{code} {_text(text)}"
        case smtplib.SMTPResponseException():
            return f"{error.smtp_code} {_text(error.smtp_error)}"
        case OSError() if error.strerror:
            return str(error.strerror)
    return str(error) or type(error).__name__


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
