"""What happened in a session so far: what went wrong, and how much patience is left.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.smtp import diagnosis

MAX_WRONG_COMMANDS = 20  # commands without meaning before the client is shut out
MAX_WRONG_LOGINS = 3


@dataclass(slots=True)
class Record:
    """The record of one session; `trouble` is what is wrong with it, in words for the owner, "" when nothing is."""

    trouble: str = ""
    last_command: str = ""
    mails: int = 0  # that got a 250
    wrong_commands: int = 0
    wrong_logins: int = 0

    def blame(self, words: str) -> None:
        """Note what went wrong; it counts more than what did before."""
        self.trouble = words

    def blame_if_well(self, words: str) -> None:
        """Note what went wrong, unless something did before: then this only follows from it."""
        self.trouble = self.trouble or words

    def mail_taken(self) -> None:
        """Note a mail that got its 250: what was wrong before did no harm."""
        self.mails += 1
        self.trouble = ""

    def logged_in(self) -> None:
        """Note a login: the wrong ones before did no harm."""
        self.trouble = ""

    def wrong_login(self, words: str) -> bool:
        """Note a wrong login; tells whether the client may not try again."""
        self.wrong_logins += 1
        self.blame(words)
        return self.wrong_logins >= MAX_WRONG_LOGINS

    def wrong_command(self, peer: str, reply: str) -> bool:
        """Note a command without meaning, and what it was answered; tells whether the client is shut out."""
        self.wrong_commands += 1
        if self.wrong_commands < MAX_WRONG_COMMANDS:
            return False
        self.blame_if_well(diagnosis.nonsense(peer, reply))
        return True

    def fell_silent(self, peer: str, limit_s: float) -> None:
        """Note that the client said nothing for so long; one that has sent its mail, or never spoke, may do so."""
        if self.last_command and not self.mails:
            self.blame_if_well(diagnosis.silent(peer, limit_s))

    def summary(self, peer: str, *, offers_login: bool, offers_tls: bool) -> str:
        """Say what was wrong with the whole session, "" when nothing was."""
        if self.trouble or self.mails or self.last_command in ("", "QUIT"):
            return self.trouble
        return diagnosis.gave_up(peer, self.last_command, offers_login=offers_login, offers_tls=offers_tls)
