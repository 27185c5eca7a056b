"""Where a command line ends, and where a mail ends: bytes in pieces of any size in, lines and mails out.

Pure: no socket. Only CRLF.CRLF ends a mail, so that nothing inside a mail can pass for commands; bare line feeds, lines
of any length and bytes of any value are just data.

Source: RFC 5321, sections 2.3.8 and 4.5.2; CVE-2024-27305 for what happens to servers that accept other endings.
"""

from __future__ import annotations

END = b"\r\n.\r\n"
STUFFED = b"\r\n.."
UNSTUFFED = LINE_DOT = b"\r\n."
# What may be the beginning of END or STUFFED at the end of what has come so far, the longest first.
_BEGINNINGS = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


class LineTooLong(Exception):
    """A command line exceeded the limit; it has been left out."""


class Framer:
    """Cut a client's bytes into command lines, or into one mail after `begin_mail`."""

    def __init__(self, line_bytes: int) -> None:
        self._line_bytes = line_bytes
        self._commands = bytearray()
        self._is_skipping_line = False
        self._mail: bytearray | None = None
        self._max_mail_bytes = 0
        self._checked = 0  # everything before this offset of the mail is final
        self._dropped_bytes = 0
        self.is_mail_complete = False

    @property
    def waiting_bytes(self) -> int:
        """Return how many bytes of commands wait to be taken."""
        return len(self._commands)

    @property
    def mail_bytes(self) -> int:
        """Return the memory that the mail in reception takes."""
        return len(self._mail) if self._mail is not None else 0

    @property
    def dropped_bytes(self) -> int:
        """Return how many bytes of a too large mail were dropped; 0 for one that fits."""
        return self._dropped_bytes

    @property
    def is_in_mail(self) -> bool:
        """Tell whether bytes that come are a mail's."""
        return self._mail is not None and not self.is_mail_complete

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take what has come."""
        if self.is_in_mail:
            self._feed_mail(data)
        else:
            self._commands += data
            self._skip_long_line()

    def line(self) -> bytes | None:
        """Return the next command line without its end, None when it is not complete yet.

        Raises: LineTooLong once for each line beyond the limit.
        """
        end = self._commands.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._commands[:end]).rstrip(b"\r\n")
        del self._commands[: end + 1]
        if self._is_skipping_line or len(line) > self._line_bytes:
            self._is_skipping_line = False
            raise LineTooLong
        return line

    def begin_mail(self, max_bytes: int) -> None:
        """Read what follows as a mail of at most `max_bytes`; what has come already is its beginning."""
        self._max_mail_bytes = max_bytes
        # The line end of the DATA command counts as the first of END, or an empty mail would never end.
        self._mail = bytearray(b"\r\n")
        self._checked = 0
        self._dropped_bytes = 0
        self.is_mail_complete = False
        early, self._commands = self._commands, bytearray()
        if early:
            self._feed_mail(early)

    def take_mail(self) -> bytearray:
        """Return the complete mail, dots undone, and go back to command lines; empty when it was too large."""
        mail, self._mail = self._mail, None
        self.is_mail_complete = False
        return mail if mail is not None else bytearray()

    def drop(self) -> None:
        """Forget everything that has come, mail and commands: nothing before TLS may be obeyed after it."""
        self._commands = bytearray()
        self._mail = None
        self._is_skipping_line = False
        self.is_mail_complete = False

    def _skip_long_line(self) -> None:
        if len(self._commands) > self._line_bytes and self._commands.find(b"\n") < 0:
            self._is_skipping_line = True
            self._commands = bytearray()

    def _feed_mail(self, data: bytes | bytearray | memoryview) -> None:
        mail = self._mail
        if mail is None:
            return
        mail += data
        dot = mail.find(b".", self._checked)  # ten times as fast as a longer search, and base64 has no dot
        if dot >= 0:
            dot = mail.find(LINE_DOT, max(self._checked, dot - 2))
        end = mail.find(END, dot) if dot >= 0 else -1
        if end >= 0:
            self._commands += mail[end + len(END) :]
            del mail[end + 2 :]
            self._undo_dots(dot, len(mail))
            del mail[:2]
            self.is_mail_complete = True
            if self._dropped_bytes or len(mail) > self._max_mail_bytes:
                self._dropped_bytes += len(mail)
                mail.clear()
            return
        # Only what is not final counts: dots undone before must not look like the beginning of an end.
        open_end = next((len(start) for start in _BEGINNINGS if mail.endswith(start, self._checked)), 0)
        self._undo_dots(dot, len(mail) - open_end)
        if self._dropped_bytes or len(mail) > self._max_mail_bytes + 2:
            self._dropped_bytes += self._checked
            del mail[: self._checked]
            self._checked = 0

    def _undo_dots(self, dot: int, stop: int) -> None:
        """Take out the dots that transparency put in before `stop`, and note that it is final up to there.

        Args:
            dot: Where the first line begins that starts with a dot; -1 when none does, which is nearly always.
            stop: Where to stop.
        """
        mail = self._mail
        if mail is None:
            return
        if dot >= 0 and mail.find(STUFFED, dot, stop) >= 0:
            plain = bytes(mail[self._checked : stop]).replace(STUFFED, UNSTUFFED)
            mail[self._checked : stop] = plain
            stop = self._checked + len(plain)
        self._checked = stop
