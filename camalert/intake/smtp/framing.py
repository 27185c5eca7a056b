"""Where a command line ends, and where a mail ends: bytes in pieces of any size in, lines and mails out.

Only CRLF.CRLF ends a mail, so that nothing inside a mail can pass for commands; bare line feeds, lines of any length
and bytes of any value are just data. A mail whose lines all end in bare line feeds, and that stops behind a dot on such
a line, has a *bare end*: nothing follows it, so whoever sees that the client waits may take it for one.

Source: RFC 5321, sections 2.3.8 and 4.5.2; CVE-2024-27305 for what happens to servers that accept other endings.
"""

from __future__ import annotations

END = b"\r\n.\r\n"
BARE_ENDS = (b"\n.\n", b"\n.\r\n")
STUFFED = b"\r\n.."
CR_BYTES = 1  # a line of exactly the limit may come with its end cut in two
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
        self.dropped_bytes = 0  # of a too large mail; 0 for one that fits
        self._has_crlf = False  # what was dropped had a line that ends as it should
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
    def is_in_mail(self) -> bool:
        """Tell whether bytes that come are a mail's."""
        return self._mail is not None and not self.is_mail_complete

    @property
    def has_bare_end(self) -> bool:
        """Tell whether the mail in reception stops at a bare end."""
        mail = self._mail
        if mail is None or self._has_crlf or not mail.endswith(BARE_ENDS):
            return False
        start, end = 0 if self.dropped_bytes else 2, mail.rfind(b".")
        return mail.find(b"\n", start, end) >= 0 and mail.find(b"\r\n", start, end) < 0

    @property
    def stops_at_a_bare_dot(self) -> bool:
        """Tell whether what came last is a dot on a line that no CRLF ends: meant as the end, and none."""
        return self._mail is not None and self._mail.endswith(BARE_ENDS)

    def take_bare_end(self) -> None:
        """Take the bare end for the mail's end."""
        mail = self._mail
        if mail is None or not self.has_bare_end:
            return
        self._mail = mail[0 if self.dropped_bytes else 2 : mail.rfind(b".")].replace(b"\n..", b"\n.")
        self._close(self._mail)

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
        if self._is_skipping_line or len(line) > self._line_bytes or end > self._line_bytes + CR_BYTES:
            self._is_skipping_line = False
            raise LineTooLong
        return line

    def begin_mail(self, max_bytes: int) -> None:
        """Read what follows as a mail of at most `max_bytes`; what has come already is its beginning."""
        self._max_mail_bytes = max_bytes
        # The line end of the DATA command counts as the first of END, or an empty mail would never end.
        self._mail = bytearray(b"\r\n")
        self._checked = 0
        self.dropped_bytes = 0
        self._has_crlf = False
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
        if len(self._commands) > self._line_bytes + CR_BYTES and self._commands.find(b"\n") < 0:
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
            self._close(mail)
            return
        # Only what is not final counts: dots undone before must not look like the beginning of an end.
        open_end = next((len(start) for start in _BEGINNINGS if mail.endswith(start, self._checked)), 0)
        self._undo_dots(dot, len(mail) - open_end)
        if self.dropped_bytes or self._checked > self._max_mail_bytes + 2 + len(BARE_ENDS[1]):
            final_bytes = max(0, self._checked - len(BARE_ENDS[1]))  # the rest may be a bare end's beginning
            start = 0 if self.dropped_bytes else 2
            self._has_crlf = self._has_crlf or mail.find(b"\r\n", start, final_bytes + 1) >= 0
            self.dropped_bytes += final_bytes
            del mail[:final_bytes]
            self._checked -= final_bytes

    def _close(self, mail: bytearray) -> None:
        """Note that the mail is complete; what is too large of it is dropped."""
        self.is_mail_complete = True
        if self.dropped_bytes or len(mail) > self._max_mail_bytes:
            self.dropped_bytes += len(mail)
            mail.clear()

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
