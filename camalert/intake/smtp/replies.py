"""Every reply that a client gets: code, enhanced code and text.

Every reply has text: some firmware hangs on one without. What a camera's owner should change is for the log and the
status: see `diagnosis`.

Source: RFC 5321, section 4.2; RFC 3463 for the enhanced codes; RFC 4954 for those of AUTH.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

OK = "250 2.0.0 OK"
SENDER_OK = "250 2.1.0 OK"
RECIPIENT_OK = "250 2.1.5 OK"
NO_LISTS = "502 5.5.1 no mailing lists here"
SEND_AND_SEE = "252 2.1.5 send it and see"
HELP = "214 2.0.0 for alarm mails from cameras: EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT"
BYE = "221 2.0.0 bye"

READY_FOR_TLS = "220 2.0.0 ready to start TLS"
NO_TLS = "502 5.5.1 TLS is not offered here"

LOGGED_IN = "235 2.7.0 OK"
LOGIN_CANCELLED = "501 5.7.0 login cancelled"
NO_LOGIN_NEEDED = "502 5.5.1 no login is needed here"
UNKNOWN_MECHANISM = "504 5.5.4 LOGIN and PLAIN are offered"
LOGIN_FIRST = "530 5.7.0 log in first"
WRONG_LOGIN = "535 5.7.8 wrong name or password"
LOGIN_LATER = "454 4.7.0 too many wrong logins from this address, try again in a minute"

SEND_MAIL = "354 end with a dot on a line of its own"
ADDRESS_MISSING = "501 5.1.3 an address is missing"
MAIL_IS_BEGUN = "503 5.5.1 a mail has begun already; RSET starts over"
MAIL_FIRST = "503 5.5.1 MAIL comes first"
MAIL_AND_RCPT_FIRST = "503 5.5.1 MAIL and RCPT come first"
OVER_RATE = "451 4.7.1 too many mails in a minute"
TRY_AGAIN = "451 4.3.0 not stored, please send it again"
FULL = "452 4.3.1 mail system full, please try again later"

LINE_TOO_LONG = "500 5.5.2 line too long"
EMPTY_LINE = "500 5.5.2 empty line"

# The last ones of a session.
CROWDED = "421 4.3.2 too many connections"
GIVE_WAY = "421 4.3.2 others are waiting, please reconnect when there is a mail"
STOPPING = "421 4.3.2 the service is stopping, please send it again"
SILENT = "421 4.4.2 too long without a command"
SLOW_MAIL = "421 4.4.2 the mail took too long"
TOO_MANY_ERRORS = "421 4.7.0 too many errors"
TOO_MANY_LOGINS = "421 4.7.0 too many wrong logins"
INTERNAL_ERROR = "451 4.3.0 internal error"
NO_MEMORY = "451 4.3.1 busy, please send it again"
OWN_MESSAGE = "554 5.4.6 this is a message of camalert's own, which came back"
NOT_ACCEPTED = "554 5.7.1 mail from this address is not accepted here"


def greeting(hostname: str) -> str:
    """Say who answers."""
    return f"220 {hostname} ESMTP camalert"


def hello(hostname: str) -> str:
    """Answer HELO."""
    return f"250 {hostname}"


def extended_hello(hostname: str, max_mail_bytes: int, *, offers_tls: bool, offers_login: bool) -> str:
    """Answer EHLO with what is offered, one line each."""
    offers = [hostname, f"SIZE {max_mail_bytes}", "8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES"]
    if offers_tls:
        offers.append("STARTTLS")
    if offers_login:
        offers += ["AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN"]  # the second form for firmware older than RFC 2554
    return _lines("250", [*offers, "HELP"])


def challenge(text: str) -> str:
    """Ask for a part of a login."""
    return f"334 {base64.b64encode(text.encode()).decode()}"


def unknown_command(verb: str) -> str:
    """Refuse a command that there is not, "" when the line was empty."""
    return f"500 5.5.1 {verb[:20]!a} is no command here" if verb else EMPTY_LINE


def too_many_recipients(limit: int) -> str:
    """Refuse further recipients."""
    return f"452 4.5.3 {limit} recipients are enough"


def too_large(max_mail_bytes: int) -> str:
    """Refuse a mail beyond the limit."""
    return f"552 5.3.4 mails of up to {max_mail_bytes} bytes are taken"


def _lines(code: str, texts: Sequence[str]) -> str:
    return "\r\n".join([*(f"{code}-{text}" for text in texts[:-1]), f"{code} {texts[-1]}"])
