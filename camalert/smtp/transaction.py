"""The mail transaction of a session: what MAIL and RCPT have said, until DATA or RSET.

Pure.

Source: RFC 5321, section 3.3.
"""

from __future__ import annotations

from camalert.mail.envelope import Envelope

MAX_RECIPIENTS = 100  # RFC 5321, section 4.5.3.1.8


class Transaction:
    """The envelope under construction."""

    def __init__(self) -> None:
        self._sender: str | None = None  # "" is a sender too: a bounce has it
        self._recipients: tuple[str, ...] = ()

    @property
    def is_begun(self) -> bool:
        """Tell whether there is a sender."""
        return self._sender is not None

    @property
    def is_complete(self) -> bool:
        """Tell whether there is a sender and somebody to send to."""
        return self._sender is not None and bool(self._recipients)

    def begin(self, sender: str) -> None:
        """Take the sender."""
        self._sender = sender

    def has_room(self, recipients: tuple[str, ...]) -> bool:
        """Tell whether so many more recipients are within the limit."""
        return len(self._recipients) + len(recipients) <= MAX_RECIPIENTS

    def add(self, recipients: tuple[str, ...]) -> None:
        """Take further recipients."""
        self._recipients += recipients

    def reset(self) -> None:
        """Forget the mail that was begun."""
        self._sender = None
        self._recipients = ()

    def finish(self, peer: str, helo: str, login: str) -> Envelope:
        """Return the envelope, and be ready for the next one."""
        envelope = Envelope(peer, helo, login, self._sender or "", self._recipients)
        self.reset()
        return envelope
