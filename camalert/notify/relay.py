"""Mail relay: the alarm as a new mail with the marked picture, through the owner's own provider."""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage
from email.utils import format_datetime, localtime

from camalert.config.targets import Address
from camalert.errors import CamalertError
from camalert.identity import OWN_HEADER
from camalert.notify.channel import CONNECT_S, GIVEN_UP, RETRY, SENT, Answer, tls_of
from camalert.notify.message import Message

_IMPORTANCE = {"low": "low", "high": "high", "urgent": "high"}


class Relay:
    """Send each message on a session of its own."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._is_plain = address.option("tls") == "none"
        self._tls = None if self._is_plain else tls_of(address)

    def send(self, message: Message) -> Answer:
        """Send a message; a refusal for good (5xx) of the mail itself is the end of it, one for now is tried again."""
        address = self._address
        try:
            with self._connect() as session:
                if address.user:
                    session.login(address.user, address.password)
                refused = session.send_message(mail_of(message, address))
        except smtplib.SMTPAuthenticationError as error:
            return Answer(RETRY, f"the login was refused: {_shown(error.smtp_code, error.smtp_error)}")
        except smtplib.SMTPRecipientsRefused as error:
            return _refusal("the recipient was refused", next(iter(error.recipients.values())))
        except smtplib.SMTPResponseException as error:
            return _refusal("the mail was refused", (error.smtp_code, error.smtp_error))
        except smtplib.SMTPException as error:
            return Answer(RETRY, str(error))
        if refused:
            return Answer(SENT, f"some recipients were refused: {_shown(*next(iter(refused.values())))}")
        return Answer(SENT)

    def _connect(self) -> smtplib.SMTP:
        address = self._address
        if address.is_encrypted:
            return smtplib.SMTP_SSL(address.host, address.port, timeout=CONNECT_S, context=self._tls)
        session = smtplib.SMTP(address.host, address.port, timeout=CONNECT_S)
        if self._tls is not None:
            try:
                session.starttls(context=self._tls)
            except smtplib.SMTPNotSupportedError as error:
                session.close()
                raise CamalertError(
                    "it offers no STARTTLS: use smtps://, or add tls=none if the way there is safe"
                ) from error
            except BaseException:
                session.close()
                raise
        return session

    def close(self) -> None:
        """Nothing stays open."""


def mail_of(message: Message, address: Address) -> EmailMessage:
    """Return the mail of a message; its id is the message's, so that a repeat is known as one."""
    mail = EmailMessage()
    mail["From"] = address.option("from")
    mail["To"] = ", ".join(one.strip() for one in address.option("to").split(","))
    mail["Subject"] = " ".join(message.title.split())
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = f"<{message.id}@camalert.invalid>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it, vacation programs included
    mail[OWN_HEADER] = message.kind  # our own intake refuses it
    if importance := _IMPORTANCE.get(message.priority):
        mail["Importance"] = importance
    mail.set_content(f"{message.text_with_links}\n")
    if message.picture:
        name = time.strftime("%Y%m%d-%H%M%S.jpg", time.localtime(message.at_utc))
        mail.add_attachment(message.picture, maintype="image", subtype="jpeg", filename=name)
    return mail


def _refusal(what: str, reply: tuple[int, bytes | str]) -> Answer:
    code, text = reply
    return Answer(GIVEN_UP if 550 <= code < 560 else RETRY, f"{what}: {_shown(code, text)}")


def _shown(code: int, text: bytes | str) -> str:
    line = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{code} {' '.join(line.split())[:200]}"
